"""What several commands share: their flags, declared once, and how they print. Nothing heavy is imported here.

Values that a flag may have are written out: their homes would make `--help` import pydantic and more. Where they are
handed on, the types are checked.
"""

import inspect
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nasaudit.errors import presentable
from nasaudit.terminal.plain import plain

if TYPE_CHECKING:
    from nasaudit.api import Audit
    from nasaudit.results.schema import Flag
    from nasaudit.running.options import RunOptions
    from nasaudit.spec.study import StudySpec

MOST_NOTES = 3  # of one kind
Plan = Annotated[bool, typer.Option("--plan", help="Say what it would cost; run nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Scale = Annotated[
    Literal["mini", "small", "paper"],
    typer.Option(help="mini (a CPU, minutes), small (a GPU, or patience) or paper (published size)."),
]


@dataclass(frozen=True)
class RunFlags:
    """The flags of every command that runs a study."""

    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes side by side. [default: one a core or GPU]")
    ] = None
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:K.")] = "auto"
    executor: Annotated[
        str, typer.Option(help="processes; serial (one after the other); ray (a cluster); a plugin's.")
    ] = "processes"
    address: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", help="Of ray's cluster. [default: RAY_ADDRESS, or this machine]"),
    ] = ""
    task_gpus: Annotated[
        str, typer.Option(metavar="SHARE", help="With ray: of a GPU, for each task; auto. [default: 1]")
    ] = ""
    gpu_memory: Annotated[
        str, typer.Option(metavar="SIZE", help="Of a GPU, for --task-gpus auto. [default: it is asked]")
    ] = ""
    task_memory: Annotated[
        str, typer.Option(metavar="SIZE", help="That a task may take, as 4GB. [default: no limit]")
    ] = ""
    out: Annotated[Path | None, typer.Option(help="Folder of the results. [default: one under audits/]")] = (
        None
    )
    mode: Annotated[
        Literal["cached", "retry", "force", "read-only"],
        typer.Option(help="cached; retry failures; force all; read-only."),
    ] = "cached"
    redo: Annotated[
        str, typer.Option(metavar="ATTACK[,ATTACK]", help="Do these attacks again, and no victim's training.")
    ] = ""
    store: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|URL",
            envvar="NASAUDIT_STORE",
            help="Records to share between studies: a folder, or a URL as s3://BUCKET/DIR. [default: in --out]",
        ),
    ] = None
    download: Annotated[
        bool, typer.Option("--download", help="Fetch the data set where that is possible.")
    ] = False
    task_timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="End a task that takes longer; it fails. [default: no limit]"),
    ] = None
    time_budget: Annotated[
        str,
        typer.Option(metavar="TIME", help="Begin nothing that would end later: 90m, 2h. [default: no limit]"),
    ] = ""
    max_tasks: Annotated[
        int | None, typer.Option(min=1, help="Begin so many tasks, the most informative first.")
    ] = None
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the answer.")] = False
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False
    serve: Annotated[
        bool | None,
        typer.Option(
            "--serve/--no-serve", help="Show the run on a live page. [default: on a terminal, and in no CI]"
        ),
    ] = None
    as_json: Json = False

    def options(self) -> "RunOptions":
        """The same for the API; bars go where the answer of the command does not."""
        from nasaudit.running.display.observer import Silent
        from nasaudit.running.display.progress import progress_observer
        from nasaudit.running.options import RunOptions

        return RunOptions(
            workers=self.workers,
            device=self.device,
            executor=self.executor,
            address=self.address,
            task_gpus=share_of_gpu(self.task_gpus, "--task-gpus") if self.task_gpus else None,
            gpu_memory=bytes_of(self.gpu_memory, "--gpu-memory") if self.gpu_memory else None,
            task_memory=bytes_of(self.task_memory, "--task-memory") if self.task_memory else None,
            mode=self.mode,
            redo=tuple(name.strip() for name in self.redo.split(",") if name.strip()),
            command=shlex.join(["nasaudit", *sys.argv[1:]]),
            store=self.store,
            download=self.download,
            task_timeout=self.task_timeout,
            time_budget=seconds_of(self.time_budget, "--time-budget") if self.time_budget else None,
            max_tasks=self.max_tasks,
            observer=Silent()
            if self.quiet
            else progress_observer(sys.stderr if self.as_json else sys.stdout),
        )

    def run(self, study: "StudySpec") -> "Audit":
        """Run a study as the flags say."""
        from nasaudit import api

        folder = self.out or api.default_folder(study)
        with self.page(folder):
            return api.run_study(study, folder, self.options())

    @contextmanager
    def page(self, folder: Path) -> Iterator[None]:
        """A live page of a study's folder, as long as the block takes; a run does not end for want of one."""
        watched = not self.quiet and sys.stderr.isatty() and not os.environ.get("CI")
        if not (watched if self.serve is None else self.serve):
            yield
            return
        from nasaudit.errors import StoreError
        from nasaudit.serving.server import Served, bind

        try:
            place = bind()
        except StoreError as error:
            complain(f"note: there is no live page: {error}")
            yield
            return
        served = Served(folder, place, patient=True)
        typer.echo(f"watch: {place.address}", err=True)
        try:
            yield
        finally:
            served.close()

    def plan(self, *studies: "StudySpec") -> None:
        """Say what studies would cost; nothing runs, and nothing is written."""
        from nasaudit.api import default_folder
        from nasaudit.running.devices import worker_devices
        from nasaudit.running.forecast import forecast_study
        from nasaudit.running.options import DOWNLOADS
        from nasaudit.terminal.status import forecast_sum, forecast_table

        workers = len(worker_devices(self.device, self.workers))
        costs = []
        for study in studies:
            cost = forecast_study(study, self.out or default_folder(study), self.store, DOWNLOADS, workers)
            costs.append(cost)
            if not self.as_json:
                typer.echo(forecast_table(cost))
        if len(studies) > 1 and not self.as_json:
            typer.echo(f"\n{forecast_sum(costs)}")
        if self.as_json:
            answers = [cost.as_dict() for cost in costs]
            print_json(answers[0] if len(studies) == 1 else answers)

    def of_member(self, folder: Path, label: str, left: int, begun: float) -> "RunFlags":
        """The same for one study of a grid: a folder of its own, and its part of what a budget has left."""
        parts: dict[str, Any] = {"out": folder / label, "store": self.store or str(folder / "store")}
        if self.time_budget:
            rest = seconds_of(self.time_budget, "--time-budget") - (time.monotonic() - begun)
            parts["time_budget"] = f"{max(1.0, rest / left):.0f}"
        return replace(self, **parts)

    def conclude(self, finished: "Audit") -> None:
        """Say what came of a study; one with failures ends with exit code 1."""
        failures = finished.results.failures
        if self.as_json:
            print_json(
                {
                    "folder": str(finished.folder),
                    "report": str(finished.report),
                    "results": str(finished.folder / "results.json"),
                    "table": str(finished.folder / "results.csv"),
                    "failures": [failure.model_dump() for failure in failures],
                    "flags": [flag.model_dump() for flag in finished.results.flags],
                }
            )
        else:
            from nasaudit.terminal.verdicts import threatened

            typer.echo(threatened(finished.results))
            for message in notes(finished.results.flags):
                say(f"note: {message}")
            say(f"report: {finished.report} ({finished.report.absolute().as_uri()})")
        if self.show:
            import webbrowser

            webbrowser.open(finished.report.absolute().as_uri())
        if finished.failed:
            complain(f"{len(failures)} tasks failed, the first: {failures[0].label}: {failures[0].message}")
            raise typer.Exit(1)


def notes(flags: "Iterable[Flag]") -> Iterator[str]:
    """Their messages by kind, the first few of each: twenty architectures may have one for every pair."""
    kinds: dict[str, list[str]] = {}
    for flag in flags:
        kinds.setdefault(flag.kind, []).append(flag.message)
    for messages in kinds.values():
        yield from messages[:MOST_NOTES]
        if len(messages) > MOST_NOTES:
            yield f"... and {len(messages) - MOST_NOTES:,} more like this, in the report"


def with_run_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flags of RunFlags on the command line; the function gets them as its argument `flags`."""
    flags = inspect.signature(RunFlags).parameters
    own = inspect.signature(command).parameters

    @wraps(command)
    def with_flags(**values: Any) -> None:
        chosen = {name: values.pop(name) for name in flags}
        command(**values, flags=RunFlags(**chosen))

    # Typer reads the options of a command from its signature.
    kept = [parameter for name, parameter in own.items() if name != "flags"]
    with_flags.__signature__ = inspect.Signature([*kept, *flags.values()])  # type: ignore[attr-defined]
    return with_flags


def seconds_of(text: str, where: str) -> float:
    """A time as people write it: `90`, `90s`, `15m`, `1.5h`, `2d`.

    Raises:
        SpecError: it is none.
    """
    from nasaudit.errors import SpecError

    number, unit = (text[:-1], text[-1]) if text[-1:].isalpha() else (text, "s")
    try:
        return float(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
    except (ValueError, KeyError):
        raise SpecError(where, "a time such as 90s, 15m or 2h", text) from None


def bytes_of(text: str, where: str) -> int:
    """A size as people write it: `2GB`, `500MiB`, `1000000`.

    Raises:
        SpecError: it is none.
    """
    from pydantic import ByteSize, TypeAdapter, ValidationError

    from nasaudit.errors import SpecError

    try:
        return int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError:
        raise SpecError(where, "a size such as 2GB or 500MiB", text) from None


def share_of_gpu(text: str, where: str) -> "float | Literal['auto']":
    """A share of a GPU as people write it: `0.25`, or `auto`.

    Raises:
        SpecError: it is none.
    """
    from nasaudit.errors import SpecError

    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise SpecError(where, "a share such as 0.25, or auto", text) from None


def print_json(value: object) -> None:
    """Print the answer of a command for a program."""
    typer.echo(json.dumps(value, indent=1))


def say(sentence: object) -> None:
    """One line of the answer of a command, whatever it names."""
    typer.echo(plain(sentence))


def complain(message: str) -> None:
    """What is wrong, on stderr; further lines are indented, so that none of them passes for another message."""
    typer.echo("nasaudit: " + presentable(message).replace("\n", "\n  "), err=True)
