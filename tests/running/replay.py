"""Real audits as the runner told of them, played again to what shows the time left."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasaudit.planning.plan import plan
from nasaudit.running.display.tally import Tally
from nasaudit.running.execute import death
from nasaudit.spec.study import StudySpec

AUDITS = Path(__file__).parent / "audits"


@dataclass(frozen=True)
class Moment:
    """The time left, as it was said and as it was, at one moment of a run."""

    now: float
    whole: float
    said: float | None

    @property
    def error(self) -> float:
        """Of the whole time of the run as it was said, as a share."""
        assert self.said is not None
        return (self.now + self.said) / self.whole - 1


def replay(name: str) -> list[Moment]:
    """Every moment of one of the recorded audits at which something was told.

    Args:
        name: of the audit.
    """
    audit: dict[str, Any] = json.loads((AUDITS / name).read_text())
    tasks = {task.label(): task for task in plan(StudySpec.parse(audit["study"]), Path("data")).tasks}
    known = [tasks[label] for label in audit["labels"]]
    tally = Tally()
    tally.add(known, [], 0)
    moments = []
    events = audit["events"]
    whole = events[-1][0]
    for now, what, *rest in events[:-1]:
        task = known[rest[0]]
        match what:
            case "started":
                tally.start(task, now)
            case "progressed":
                tally.progress(task, rest[1], "", now)
            case "finished":
                record = death(task, "", 1).model_copy(
                    update={"state": rest[2], "problem": None, "seconds": rest[1]}
                )
                tally.end(task, record, now)
        moments.append(Moment(now, whole, tally.seconds_left(now)))
    return moments
