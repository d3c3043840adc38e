"""How far a study is, for the terminal."""

from nasaudit.running.display.eta import more_words
from nasaudit.running.status import STATES, StudyStatus
from nasaudit.terminal.plain import plain


def progressed(state: StudyStatus) -> str:
    """How far a study is: the counts, then everything that is not done."""
    counts = ", ".join(f"{state.count(which)} {which}" for which in STATES if state.count(which))
    known = "" if state.expected == 0 else " known"
    total = f"{counts} of {len(state.tasks)}{known} tasks{more_words(state.expected)}"
    lines = [f"{plain(state.study)}: {total}"]
    for task in (*state.tasks, *state.stages):
        if task.state != "done":
            why = f": {plain(task.why)}" if task.why else ""
            lines.append(f"  {task.state:8} {plain(task.label)}{why}")
    return "\n".join(lines)
