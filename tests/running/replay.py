"""Real audits as the runner told of them, played again to what shows the time left."""

import heapq
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasaudit.planning.plan import plan
from nasaudit.running.display.tally import Tally
from nasaudit.running.execute import death
from nasaudit.running.pace import kind_of
from nasaudit.running.schedule import Schedule
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import Task

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


def replay(name: str, *, steady: bool = False) -> list[Moment]:
    """Every moment of one of the recorded audits at which something was told.

    Args:
        name: of the audit.
        steady: not as it was, but as it would have been with nobody else on the machine: each task takes its
            architecture's and kind's usual time of this audit, in the order in which the runner takes tasks.
    """
    audit: dict[str, Any] = json.loads((AUDITS / name).read_text())
    tasks = {task.label(): task for task in plan(StudySpec.parse(audit["study"]), Path("data")).tasks}
    known = [tasks[label] for label in audit["labels"]]
    tally = Tally()
    tally.add(known, [], 0)
    moments = []
    events = steadied(audit, known) if steady else audit["events"]
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


def steadied(audit: dict[str, Any], known: list[Task]) -> list[list[Any]]:
    """The events of the audit, had equal tasks taken equal times."""
    seconds = {event[2]: event[3] for event in audit["events"] if event[1] == "finished"}
    logs: dict[str, list[float]] = {}
    for position, task in enumerate(known):
        if seconds[position] > 0:
            logs.setdefault(kind_of(task), []).append(math.log(seconds[position] / task.expected_time))
    pace = {kind: math.exp(sum(values) / len(values)) for kind, values in logs.items()}
    schedule, events, free = Schedule(known, {}), [], audit["workers"]
    now, ends = 0.0, []
    while schedule:
        while free and (task := schedule.take()) is not None:
            position, took = known.index(task), task.expected_time * pace.get(kind_of(task), 1.0)
            events.append([now, "started", position])
            events += [[now + took * share / 50, "progressed", position, share / 50] for share in range(50)]
            heapq.heappush(ends, (now + took, position, took))
            free -= 1
        now, position, took = heapq.heappop(ends)
        events.append([now, "finished", position, took, "ok"])
        record = death(known[position], "", 1).model_copy(update={"state": "ok", "problem": None})
        schedule.finish(known[position].digest(), record)
        free += 1
    order = {"started": 0, "progressed": 1, "finished": 2}
    return [*sorted(events, key=lambda event: (event[0], order[event[1]])), [now, "end"]]
