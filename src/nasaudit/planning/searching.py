"""A search as a stage of a study: what it finds is trained and attacked like the architectures that have names."""

from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from random import Random
from typing import cast

from nasaudit.arch.catalogue import resolve
from nasaudit.errors import SpecError
from nasaudit.planning.experiments import Build
from nasaudit.planning.needs import closure
from nasaudit.planning.stages import Ask, Outcome, Part, Stage, Steps
from nasaudit.search.cells import draw
from nasaudit.search.found import FoundCells
from nasaudit.spec.arch import Group
from nasaudit.spec.data import DataSpec
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.searches import OneShotSpec, SearchSpec
from nasaudit.spec.searches.task import SearchTask
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.spec.tasks import Task, TrainTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.artefacts import FOUND


def check_searches(study: StudySpec, taken: Collection[str]) -> None:
    """Refuse what a study cannot do with searches.

    Raises:
        SpecError: a name that is taken; a mitigation of what is not found yet.
    """
    for position, choice in enumerate(study.architectures):
        if choice.search is None:
            continue
        if choice.name in taken:
            raise SpecError(
                f"architectures[{position}].name", "a name that no other architecture has", choice.name
            )
        if study.mitigation is not None:
            raise SpecError(
                f"architectures[{position}].search",
                "nothing in a study with a mitigation (search first, then harden the cells that it writes)",
                choice.search.name,
            )


@dataclass(frozen=True)
class Searched:
    """What the stages of a study's searches have in common.

    Attributes:
        study: that asks for them.
        data: as planned.
        training: the recipe of the victims.
        build: of all architectures of the study.
        wanted: the tasks of victims.
    """

    study: StudySpec
    data: DataSpec
    training: TrainingSpec
    build: Build
    wanted: Callable[[tuple[TrainTask, ...]], tuple[Task, ...]]

    def stage(self, choice: ArchChoice) -> Stage:
        """The search of an architecture, and what follows from it."""
        return Stage(f"search {choice.name}", lambda: self._steps(choice))

    def _steps(self, choice: ArchChoice) -> Steps:
        assert choice.search is not None
        found = yield from self._one_shot(choice, choice.search)
        return self._part(choice, found)

    def _one_shot(self, choice: ArchChoice, spec: SearchSpec) -> Generator[Ask, list[Outcome], FoundCells]:
        task = SearchTask(
            search=cast(OneShotSpec, spec),
            data=self.data,
            seed=choice.seed,
            split="file_order" if self.study.protocol == "paper" else "random",
            crop=self.training.crop,
            flip=self.training.flip,
        )
        (outcome,) = yield Ask((task,), expected=self._expected(choice))
        _, folder = outcome.require()
        return FoundCells.from_file(folder / FOUND)

    def _part(self, choice: ArchChoice, found: FoundCells) -> Part:
        """The found cells with their victims and all that is measured on these."""
        return self._audited(choice, found.genotype, ((choice.name, found),))

    def _audited(
        self, choice: ArchChoice, cells: Genotype | str, found: tuple[tuple[str, FoundCells], ...] = ()
    ) -> Part:
        group: Group = choice.group or ("random" if choice.search is None else choice.search.group)
        named = {"genotype": cells} if isinstance(cells, Genotype) else {"model": cells}
        given = ArchChoice.parse(
            {
                **choice.model_dump(include={"name", "auxiliary", "drop_path", "dropout", "normalise"}),
                "group": group,
                **named,
            },
            choice.name,
        )
        build = self.build
        architecture = resolve(given, build.scale, build.classes, build.shape, build.protocol)
        training = (
            self.training if choice.training is None else self.training.changed(choice.training, choice.name)
        )
        victims = tuple(
            TrainTask(architecture=architecture, data=self.data, training=training, seed=seed)
            for seed in self.study.seeds
        )
        return Part((architecture,), victims, self.wanted(victims), found)

    def _expected(self, choice: ArchChoice) -> int:
        """How many tasks the found cells will have, whatever they are: as many as any others of the space."""
        assert choice.search is not None
        return len(closure(self._audited(choice, draw(choice.search.space, Random(0))).tasks))
