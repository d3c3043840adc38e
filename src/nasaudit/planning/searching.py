"""A search as a stage of a study: what it finds is trained and attacked like the architectures that have names."""

from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from pkgutil import resolve_name
from random import Random
from typing import cast

from nasaudit.arch.catalogue import resolve
from nasaudit.errors import SpecError
from nasaudit.planning.experiments import Build
from nasaudit.planning.needs import closure
from nasaudit.planning.stages import Ask, Outcome, Part, Stage, Steps
from nasaudit.search.base import Child, SampledSearch
from nasaudit.search.cells import Cells, draw
from nasaudit.search.found import FoundCells
from nasaudit.search.sampled import ACCURACY
from nasaudit.spec.arch import ArchSpec, Group
from nasaudit.spec.attacks import DataFacts
from nasaudit.spec.data import DataSpec
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.searches import OneShotSpec, SampledSpec, SearchSpec
from nasaudit.spec.searches.task import SearchTask
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.spec.tasks import Task, TrainTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.artefacts import FOUND


def check_searches(study: StudySpec, taken: Collection[str], facts: DataFacts) -> None:
    """Refuse what a study cannot do with searches.

    Raises:
        SpecError: a name that is taken; a mitigation of what is not found yet; no images to judge children by.
    """
    for position, choice in enumerate(study.architectures):
        if choice.search is None:
            continue
        if choice.name in taken:
            raise SpecError(
                f"architectures[{position}].name", "a name that no other architecture has", choice.name
            )
        if (
            isinstance(choice.search, SampledSpec)
            and study.protocol == "sound"
            and not facts.sizes["validation"]
        ):
            raise SpecError(
                "data.validation_fraction",
                f"validation images, by which {choice.search.name} judges its children (give a fraction above 0, or "
                "data whose owner left training images to divide)",
                study.data.validation_fraction,
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
        ask = self._sampled if isinstance(choice.search, SampledSpec) else self._one_shot
        found = yield from ask(choice, choice.search)
        return self._part(choice, found)

    def _sampled(self, choice: ArchChoice, spec: SearchSpec) -> Generator[Ask, list[Outcome], FoundCells]:
        """The children's trainings; the same cells are trained once, however often they are asked about."""
        assert isinstance(spec, SampledSpec)
        search = cast(SampledSearch[SampledSpec], resolve_name(spec.implementation)(spec))
        rounds, trainings = search.rounds(choice.seed), dict[Cells, TrainTask]()
        waiting, told, asked = list[Cells](), None, 0
        while True:
            try:
                cells = next(rounds) if told is None else rounds.send(told)
            except StopIteration as end:
                found = end.value
                break
            for each in cells:
                if each not in trainings:
                    trainings[each] = self._child(choice, spec, each, len(trainings))
            waiting, asked = [*waiting, *cells], asked + len(cells)
            due = waiting[: max(0, len(waiting) - search.behind)] if cells else waiting
            waiting = waiting[len(due) :]
            # Two children of the same cells have one outcome.
            outcomes = yield Ask(
                tuple(dict.fromkeys(trainings[each] for each in cells)),
                awaited=(awaited := tuple(dict.fromkeys(trainings[each] for each in due))),
                expected=max(0, spec.children - asked) + self._expected(choice),
            )
            of = dict(zip(awaited, outcomes, strict=True))
            told = [Child(each, self._objectives(of[trainings[each]])) for each in due]
        provenance = {"data": self.data.name, "data_sha256": self.data.fingerprint or "", **found.provenance}
        return FoundCells(genotype=found.cells, provenance=provenance, trace=tuple(found.trace))

    def _child(self, choice: ArchChoice, spec: SampledSpec, cells: Cells, number: int) -> TrainTask:
        name = f"{choice.name}.child-{number:03d}"
        architecture = self._architecture(choice, name, cells)
        if architecture.genotype is not None:
            sizes = {"n_cells": spec.child_cells, "init_channels": spec.child_channels}
            said = {field: size for field, size in sizes.items() if size is not None}
            architecture = architecture.model_copy(update=said)
        training = self.training.changed({"epochs": spec.child_epochs}, choice.name)
        return TrainTask(architecture=architecture, data=self.data, training=training, seed=choice.seed)

    def _objectives(self, outcome: Outcome) -> dict[str, float] | None:
        """What a child is judged by; None where it failed."""
        if outcome.record is None or outcome.why:
            return None
        metric = "clean_accuracy" if self.study.protocol == "paper" else "validation_accuracy"
        return {ACCURACY: 1 - outcome.record.measured(metric).value}

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
        self, choice: ArchChoice, cells: Cells, found: tuple[tuple[str, FoundCells], ...] = ()
    ) -> Part:
        architecture = self._architecture(choice, choice.name, cells)
        training = (
            self.training if choice.training is None else self.training.changed(choice.training, choice.name)
        )
        victims = tuple(
            TrainTask(architecture=architecture, data=self.data, training=training, seed=seed)
            for seed in self.study.seeds
        )
        return Part((architecture,), victims, self.wanted(victims), found)

    def _architecture(self, choice: ArchChoice, name: str, cells: Cells) -> ArchSpec:
        group: Group = choice.group or ("random" if choice.search is None else choice.search.group)
        given = ArchChoice.parse(
            {
                **choice.model_dump(include={"auxiliary", "drop_path", "dropout", "normalise"}),
                "name": name,
                "group": group,
                **({"genotype": cells} if isinstance(cells, Genotype) else {"model": cells}),
            },
            name,
        )
        build = self.build
        return resolve(given, build.scale, build.classes, build.shape, build.protocol)

    def _expected(self, choice: ArchChoice) -> int:
        """How many tasks the found cells will have, whatever they are: as many as any others of the space."""
        assert choice.search is not None
        return len(closure(self._audited(choice, draw(choice.search.space, Random(0))).tasks))
