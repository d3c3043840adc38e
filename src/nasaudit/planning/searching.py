"""A search as a stage of a study: what it finds is trained and attacked like the architectures that have names."""

from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable
from dataclasses import dataclass
from pkgutil import resolve_name
from random import Random
from typing import cast

from nasaudit.arch.catalogue import resolve
from nasaudit.errors import SpecError
from nasaudit.planning.children import Trial, check_objectives, judging_data, trial
from nasaudit.planning.experiments import Build
from nasaudit.planning.needs import closure
from nasaudit.planning.stages import Ask, Outcome, Part, Stage, Steps
from nasaudit.search.base import Child, Found, SampledSearch
from nasaudit.search.cells import Cells, draw
from nasaudit.search.found import FoundCells
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


def found_names(choice: ArchChoice) -> tuple[str, ...]:
    """What the cells that a search finds are called, as many as it may find."""
    spec = choice.search
    if isinstance(spec, SampledSpec) and (spec.secure or spec.audited > 1):
        return tuple(f"{choice.name}-{number}" for number in range(1, spec.audited + 1))
    return (choice.name,)


def check_searches(
    study: StudySpec, taken: Collection[str], facts: DataFacts, facts_of: Callable[[DataSpec], DataFacts]
) -> None:
    """Refuse what a study cannot do with searches.

    Args:
        study: that asks for them.
        taken: names of the architectures that are known before.
        facts: of the study's data.
        facts_of: the same of other data.

    Raises:
        SpecError: a name that is taken; a mitigation of what is not found yet; no images to judge children by, or
            to attack them on.
    """
    names = Counter(
        [*taken, *(name for choice in study.architectures for name in found_names(choice) if choice.search)]
    )
    for position, choice in enumerate(study.architectures):
        if choice.search is None:
            continue
        for name in found_names(choice):
            if names[name] > 1:
                raise SpecError(
                    f"architectures[{position}].name", "a name that no other architecture has", name
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
        if isinstance(choice.search, SampledSpec) and choice.search.secure:
            judging = facts_of(judging_data(study.data, choice.search))
            check_objectives(choice.search, judging, f"architectures[{position}].search")
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

    def _sampled(
        self, choice: ArchChoice, spec: SearchSpec
    ) -> Generator[Ask, list[Outcome], tuple[FoundCells, ...]]:
        """The children's trials; the same cells are tried once, however often they are asked about."""
        assert isinstance(spec, SampledSpec)
        search = cast(SampledSearch[SampledSpec], resolve_name(spec.implementation)(spec))
        rounds, trials = search.rounds(choice.seed), dict[Cells, Trial]()
        waiting, told, asked = list[Cells](), None, 0
        while True:
            try:
                cells = next(rounds) if told is None else rounds.send(told)
            except StopIteration as end:
                found = end.value
                break
            for each in cells:
                if each not in trials:
                    trials[each] = self._trial(choice, spec, each, len(trials))
            waiting, asked = [*waiting, *cells], asked + len(cells)
            due = waiting[: max(0, len(waiting) - search.behind)] if cells else waiting
            waiting = waiting[len(due) :]
            # Two children of the same cells have one outcome.
            awaited = _tasks(trials[each] for each in due)
            of_a_child = max((len(closure(trials[each].tasks)) for each in cells[:1]), default=1)
            outcomes = yield Ask(
                _tasks(trials[each] for each in cells),
                awaited=awaited,
                expected=max(0, spec.children - asked) * of_a_child + self._expected(choice),
            )
            of = dict(zip(awaited, outcomes, strict=True))
            told = [Child(each, trials[each].objectives(of)) for each in due]
        return self._front(choice, found)

    def _front(self, choice: ArchChoice, found: Found) -> tuple[FoundCells, ...]:
        """The audited cells with what they reached as children; the way to them stands beside the first."""
        children = found.front or (Child(found.cells, None),)
        several = found_names(choice) != (choice.name,)
        return tuple(
            FoundCells(
                genotype=child.cells,
                provenance={
                    "data": self.data.name,
                    "data_sha256": self.data.fingerprint or "",
                    **found.provenance,
                    **(
                        {"as_a_child": _reached(child), "of_the_front": f"{place} of {len(children)}"}
                        if several
                        else {}
                    ),
                },
                trace=() if place > 1 else tuple(found.trace),
                search=choice.name if several else "",
            )
            for place, child in enumerate(children, start=1)
        )

    def _trial(self, choice: ArchChoice, spec: SampledSpec, cells: Cells, number: int) -> Trial:
        name = f"{choice.name}.child-{number:03d}"
        architecture = self._architecture(choice, name, cells)
        if architecture.genotype is not None:
            sizes = {"n_cells": spec.child_cells, "init_channels": spec.child_channels}
            said = {field: size for field, size in sizes.items() if size is not None}
            architecture = architecture.model_copy(update=said)
        brief = self.training.changed({"epochs": spec.child_epochs}, choice.name)
        data = judging_data(self.data, spec)
        training = TrainTask(architecture=architecture, data=data, training=brief, seed=choice.seed)
        return trial(training, spec, self.build)

    def _one_shot(
        self, choice: ArchChoice, spec: SearchSpec
    ) -> Generator[Ask, list[Outcome], tuple[FoundCells, ...]]:
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
        return (FoundCells.from_file(folder / FOUND),)

    def _part(self, choice: ArchChoice, found: tuple[FoundCells, ...]) -> Part:
        """The found cells with their victims and all that is measured on these."""
        named = tuple(zip(found_names(choice), found, strict=False))
        architectures, victims = list[ArchSpec](), list[TrainTask]()
        training = (
            self.training if choice.training is None else self.training.changed(choice.training, choice.name)
        )
        for name, cells in named:
            architectures.append(self._architecture(choice, name, cells.genotype))
            victims += [
                TrainTask(architecture=architectures[-1], data=self.data, training=training, seed=seed)
                for seed in self.study.seeds
            ]
        return Part(tuple(architectures), tuple(victims), self.wanted(tuple(victims)), named)

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
        drawn = FoundCells(genotype=draw(choice.search.space, Random(0)), provenance={})
        return len(closure(self._part(choice, (drawn,) * len(found_names(choice))).tasks))


def _tasks(trials: Iterable[Trial]) -> tuple[Task, ...]:
    return tuple(dict.fromkeys(task for each in trials for task in each.tasks))


def _reached(child: Child) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in (child.objectives or {}).items())
