"""What a study will cost, before any of it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nasaudit.data.catalogue import DATA
from nasaudit.errors import DataError
from nasaudit.planning.plan import Plan, plan
from nasaudit.planning.unfolding import Unfolding
from nasaudit.results.folder import StudyFolder
from nasaudit.running.pace import Pace, Piece, kind_of, makespan
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import Task
from nasaudit.store.entries import Known
from nasaudit.store.remote.places import store_at

# Of a unit of expected time on one core of a server of the 2020s: the audit of DARTS and ResNet with two seeds on
# mnist5k took 10:27 on two of them.
REFERENCE_SECONDS = 0.55
# Of the artefacts of a task that nothing like it has a record of: as `mini` networks leave them.
REFERENCE_BYTES: Mapping[str, int] = {"train": 1_000_000}
OTHER_BYTES = 30_000


@dataclass(frozen=True)
class KindCost:
    """What the tasks of one kind cost together.

    Attributes:
        kind: `training`, or the name of an attack or analysis.
        tasks: how many there are.
        cached: how many of them have a record already.
        seconds: CPU time of the others.
        bytes: disk that these take.
    """

    kind: str
    tasks: int
    cached: int
    seconds: float
    bytes: float


@dataclass(frozen=True)
class Forecast:
    """What a study will cost.

    Attributes:
        study: its name.
        kinds: in the order of the plan.
        expected: further tasks that are not known yet, and are not counted; None: nobody can say how many.
        measured: records that the times rest on; 0: they are those of the reference.
        wall: seconds with so many workers.
        workers: side by side.
        unseen: whether the images are not here, so that nothing can have been done with them.
    """

    study: str
    kinds: tuple[KindCost, ...]
    expected: int | None
    measured: int
    wall: float
    workers: int
    unseen: bool = False

    @property
    def tasks(self) -> int:
        """How many are known."""
        return sum(kind.tasks for kind in self.kinds)

    @property
    def seconds(self) -> float:
        """CPU time of all that is not done."""
        return sum(kind.seconds for kind in self.kinds)

    @property
    def basis(self) -> str:
        """What the times rest on, as a clause."""
        images = "; the images are not here, and taken to be as many as published" if self.unseen else ""
        if self.measured:
            return f"by the times of {self.measured} tasks in the store{images}"
        return f"as on one core of a server of the 2020s, since the store has no times of this machine yet{images}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "study": self.study,
            "kinds": [
                {**vars(kind), "seconds": round(kind.seconds, 1), "bytes": round(kind.bytes)}
                for kind in self.kinds
            ],
            "expected": self.expected,
            "measured": self.measured,
            "cpu_seconds": round(self.seconds, 1),
            "wall_seconds": round(self.wall, 1),
            "workers": self.workers,
            "bytes": round(sum(kind.bytes for kind in self.kinds)),
            "basis": self.basis,
            "images_here": not self.unseen,
        }


def forecast(planned: Plan, store: Path | str, workers: int) -> Forecast:
    """What a plan will cost; nothing of it runs.

    Args:
        planned: the plan.
        store: folder or URL of the records, which need not exist.
        workers: processes side by side.

    Raises:
        StoreError: the folder's records are another version's.
    """
    records = store_at(store)
    unfolding = Unfolding(planned, records.look_up, records.path)
    tasks, found = unfolding.plan.tasks, unfolding.records
    pace, pieces = Pace(), {task.digest(): Piece.of(task) for task in tasks}
    for digest, record in found.items():
        if record.state == "ok":
            pace.learn(pieces[digest], record.seconds)

    def seconds(piece: Piece) -> float:
        return pace.seconds(piece) * (1.0 if pace.measured else REFERENCE_SECONDS)

    sizes = _sizes(tasks, found)
    groups: dict[str, list[Task]] = {}
    for task in tasks:
        groups.setdefault(kind_of(task), []).append(task)
    kinds = []
    for kind, members in groups.items():
        todo = [task for task in members if task.digest() not in found]
        kinds.append(
            KindCost(
                kind,
                len(members),
                len(members) - len(todo),
                sum(seconds(pieces[task.digest()]) for task in todo),
                sum(sizes.get(kind, REFERENCE_BYTES.get(task.kind, OTHER_BYTES)) for task in todo),
            )
        )
    left = [piece for digest, piece in pieces.items() if digest not in found]
    wall = makespan(left, seconds, {}, workers)
    name = planned.study.name
    return Forecast(name, tuple(kinds), unfolding.expected, pace.measured, wall, workers)


def forecast_study(
    study: StudySpec, out: Path, store: Path | str | None, downloads: Path, workers: int
) -> Forecast:
    """The same of a study, as it would run in the folder `out`.

    Where a published data set is not here, as many images are planned with as were published.

    Raises:
        InputError: the study cannot be run as asked.
    """
    try:
        planned, unseen = plan(study, downloads), False
    except DataError:
        if DATA[study.data.name].needs not in ("download", "files"):
            raise
        planned, unseen = plan(study, downloads, unseen=True), True
    return replace(forecast(planned, store or StudyFolder(out).store, workers), unseen=unseen)


def _sizes(tasks: tuple[Task, ...], records: Mapping[str, Known]) -> dict[str, float]:
    """The mean size of what a task of each kind left, of the kinds that have records."""
    sizes: dict[str, list[int]] = {}
    for task in tasks:
        record = records.get(task.digest())
        if record is not None and record.state == "ok":
            size = sum(artefact.bytes for artefact in record.artefacts.values())
            sizes.setdefault(kind_of(task), []).append(size)
    return {kind: sum(values) / len(values) for kind, values in sizes.items()}
