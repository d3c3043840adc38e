"""What a search found stands where the study names it."""

from pathlib import Path
from random import Random

from nasaudit.planning.plan import plan
from nasaudit.planning.unfolding import Unfolding
from nasaudit.search.cells import draw
from nasaudit.search.found import FoundCells
from nasaudit.spec.searches.space import SPACES
from nasaudit.spec.searches.task import SearchTask
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import Task
from nasaudit.store.artefacts import FOUND
from nasaudit.store.records import Record


def test_found_architectures_come_in_the_studys_order(tmp_path: Path) -> None:
    cells = draw(SPACES["darts"], Random(0))
    choices = [
        {"search": "darts", "seed": 0},
        {"name": "PC-DARTS"},
        {"search": "darts", "seed": 1},
        {"name": "mine", "genotype": draw(SPACES["darts"], Random(1))},
    ]
    study = StudySpec.parse({"name": "order", "architectures": choices, "data": "digits", "seeds": [0, 1]})

    def find(task: Task) -> Record | None:
        if not isinstance(task, SearchTask):
            return None
        FoundCells(genotype=cells, provenance={"method": "darts"}).write(tmp_path / FOUND)
        return Record(
            digest=task.digest(),
            kind=task.kind,
            label=task.label(),
            task=task.model_dump(mode="json"),
            state="ok",
            seconds=1.0,
            finished="2026-01-01T00:00:00+00:00",
            versions={},
        )

    unfolded = Unfolding(plan(study, tmp_path), find, lambda digest: tmp_path).plan
    assert unfolded.blocked == ()
    assert [spec.name for spec in unfolded.architectures] == ["darts-s0", "pc_darts", "darts-s1", "mine"]
    victims = [victim.architecture.name for victim in unfolded.victims]
    assert victims == [name for name in ("darts-s0", "pc_darts", "darts-s1", "mine") for _ in range(2)]
