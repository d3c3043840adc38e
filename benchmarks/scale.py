"""What a study costs beside its 1,000 to 100,000 tasks: to plan, to resume, to report, to look at.

Each step is a process of its own, as it is for a user, with its imports; `results` is the first run over records that
are all there, which reads every one of them. The records are made up (`benchmarks.synthetic`). The picture is
docs/images/scale.png.
"""

import contextlib
import io
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import synthetic
from benchmarks.table import Table
from nasaudit.planning.plan import plan
from nasaudit.running.options import RunOptions
from nasaudit.running.run import run as run_study

SIZES = (1_000, 10_000, 100_000)
PICTURE = Path("docs/images/scale.png")


def _plan(tasks: int, folder: Path) -> None:
    plan(synthetic.study(tasks), Path("data"))


def _run(tasks: int, folder: Path) -> None:
    options = RunOptions(executor="serial", store=folder / "store")
    run_study(synthetic.study(tasks), folder / "study", options)


def _results(tasks: int, folder: Path) -> None:
    shutil.rmtree(folder / "study", ignore_errors=True)
    _run(tasks, folder)


def _report(tasks: int, folder: Path) -> None:
    from nasaudit.cli import main

    sys.argv = ["nasaudit", "report", str(folder / "study")]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main()


def _status(tasks: int, folder: Path) -> None:
    from nasaudit.running.status import status

    status(folder / "study")


def _serve(tasks: int, folder: Path) -> None:
    """The first look at the study and its page, as somebody waits for them; later looks read what is new alone."""
    from nasaudit.serving.pages import Filter, Pages
    from nasaudit.serving.reports import Reports
    from nasaudit.serving.watch import Watch

    look = Watch(folder / "study").look()
    Pages(folder / "study").study(look, Filter(), Reports(folder / "study"))


STEPS: dict[str, Callable[[int, Path], None]] = {
    "plan": _plan,
    "results": _results,
    "resume": _run,
    "status": _status,
    "report": _report,
    "serve": _serve,
}


def run(folder: Path) -> Table:
    """Every step at each size."""
    figures: dict[int, dict[str, dict[str, float]]] = {}
    for tasks in SIZES:
        place = folder / "scale" / str(tasks)
        synthetic.fill(tasks, place / "store", folder / "scale" / "samples")
        figures[tasks] = {}
        for step in STEPS:
            command = [sys.executable, "-m", "benchmarks.scale", step, str(tasks), str(place)]
            began = time.perf_counter()
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds = time.perf_counter() - began
            figures[tasks][step] = {"seconds": seconds, "megabytes": float(printed.splitlines()[-1])}
    draw(figures, PICTURE)
    rows = [
        (
            f"{tasks:,}",
            *(f"{of[step]['seconds']:.1f} s" for step in STEPS),
            f"{max(figure['megabytes'] for figure in of.values()):.0f} MB",
        )
        for tasks, of in figures.items()
    ]
    return Table(
        "A study of records that exist, wall time of each step, imports included; the most memory of any step",
        ("tasks", *STEPS, "memory"),
        rows,
    )


def draw(figures: dict[int, dict[str, dict[str, float]]], path: Path) -> None:
    """The cost of a task over their number."""
    import altair as alt
    import pandas as pd
    import vl_convert

    rows = [
        {"tasks": tasks, "milliseconds a task": 1000 * figure["seconds"] / tasks, "step": step}
        for tasks, of in figures.items()
        for step, figure in of.items()
    ]
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_line(point=True)
        .encode(
            x=alt.X("tasks", scale=alt.Scale(type="log")),
            y=alt.Y("milliseconds a task", scale=alt.Scale(type="log")),
            color=alt.Color("step", sort=list(STEPS)),
        )
        .properties(width=380, height=240)
    )
    path.write_bytes(vl_convert.vegalite_to_png(chart.to_json(), scale=2))


def main(step: str, tasks: str, folder: str) -> None:
    """One step; the most memory that its process had, in MB, is the last line that is printed."""
    STEPS[step](int(tasks), Path(folder))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
