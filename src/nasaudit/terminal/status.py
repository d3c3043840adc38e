"""How far a study is, and what it will cost, for the terminal."""

from nasaudit.running.display.eta import format_seconds, more_words
from nasaudit.running.forecast import Forecast
from nasaudit.running.status import STATES, StudyStatus
from nasaudit.terminal.plain import plain
from nasaudit.terminal.tables import table


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
    tasks, cached = sum(kind.tasks for kind in cost.kinds), sum(kind.cached for kind in cost.kinds)
    size = sum(kind.bytes for kind in cost.kinds) / 1e6
    sums = (
        f"{plain(cost.study)}: {tasks} tasks{more_words(cost.expected)}, {cached} of them done before; about "
        f"{format_seconds(cost.seconds)} of CPU time, {format_seconds(cost.wall)} with {cost.workers} workers, and "
        f"{size:.1f} MB of disk"
    )
    return "\n".join([table("tasks", rows), "", sums, f"times {cost.basis}; nothing was run"])
