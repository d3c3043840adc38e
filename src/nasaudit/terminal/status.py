"""How far a study is, and what it will cost, for the terminal."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from nasaudit.running.display.eta import format_seconds, more_words
from nasaudit.running.forecast import Forecast
from nasaudit.running.status import STATES, StudyStatus
from nasaudit.terminal.plain import plain
from nasaudit.terminal.tables import table

FOLLOWING = 2.0  # seconds between two looks


def progressed(state: StudyStatus, *, verbose: bool = False) -> str:
    """How far a study is, in one line; `verbose`: then everything that is not done."""
    counts = ", ".join(f"{state.count(which)} {which}" for which in STATES if state.count(which))
    known = "" if state.expected == 0 else " known"
    total = f"{counts} of {len(state.tasks)}{known} tasks{more_words(state.expected)}"
    lines = [f"{plain(state.study)}: {total}{_ending(state)}"]
    for task in (*state.tasks, *state.stages) if verbose else ():
        if task.state != "done":
            why = f": {plain(task.why)}" if task.why else ""
            lines.append(f"  {task.state:8} {plain(task.label)}{why}")
    return "\n".join(lines)


def followed(
    look: Callable[[], StudyStatus],
    stream: TextIO,
    *,
    verbose: bool = False,
    wait: Callable[[float], None] = time.sleep,
) -> StudyStatus:
    """Show how far a study is until no run is going on: in place on a terminal, elsewhere a line for each change.

    Args:
        look: the status of now. It reads all records, so it is called at most a fifth of the time.
        stream: where to.
        verbose: see `progressed`.
        wait: so many seconds.

    Returns:
        The last one.
    """
    console = Console(file=stream, highlight=False, markup=False, soft_wrap=True)
    said = ""
    with Live(console=console, auto_refresh=False) if console.is_terminal else nullcontext() as live:
        while True:
            begun = time.monotonic()
            state = look()
            text = progressed(state, verbose=verbose)
            if live is not None:
                live.update(Text(text), refresh=True)
            elif text != said:
                print(text, file=stream, flush=True)
            said = text
            if not state.going:
                return state
            wait(max(FOLLOWING, 4 * (time.monotonic() - begun)))


def _ending(state: StudyStatus) -> str:
    if state.going:
        return "" if state.left is None else f", about {format_seconds(state.left)} left"
    if state.count("missing") or state.expected != 0:
        return "; no run is going on, the same command resumes it"
    return ""


def forecast_table(cost: Forecast) -> str:
    """What a study will cost, kind by kind and in all."""
    rows = [
        {
            "kind": kind.kind,
            "tasks": kind.tasks,
            "done before": kind.cached or "",
            "CPU time": format_seconds(kind.seconds) if kind.tasks > kind.cached else "",
            "disk": f"{kind.bytes / 1e6:.1f} MB" if kind.tasks > kind.cached else "",
        }
        for kind in cost.kinds
    ]
    cached = sum(kind.cached for kind in cost.kinds)
    size = sum(kind.bytes for kind in cost.kinds) / 1e6
    sums = (
        f"{plain(cost.study)}: {cost.tasks:,} tasks{more_words(cost.expected)}, {cached} of them done before; about "
        f"{format_seconds(cost.seconds)} of CPU time, {format_seconds(cost.wall)} with {cost.workers} workers, and "
        f"{size:.1f} MB of disk"
    )
    return "\n".join([table("tasks", rows), "", sums, f"times {cost.basis}; nothing was run"])


def forecast_sum(costs: Sequence[Forecast]) -> str:
    """What the studies of a grid cost together, one after the other; what they share is counted in each."""
    size = sum(kind.bytes for cost in costs for kind in cost.kinds) / 1e6
    wall = format_seconds(sum(cost.wall for cost in costs))
    return (
        f"{len(costs)} studies: {sum(cost.tasks for cost in costs):,} tasks, about "
        f"{format_seconds(sum(cost.seconds for cost in costs))} of CPU time, {wall} with {costs[0].workers} workers, "
        f"and {size:.1f} MB of disk"
    )
