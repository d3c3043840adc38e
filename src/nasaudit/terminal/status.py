"""How far a study is, for the terminal."""

from nasaudit.running.display.eta import format_seconds, more_words
from nasaudit.running.status import STATES, StudyStatus
from nasaudit.terminal.plain import plain


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
