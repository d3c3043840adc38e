"""From a StudySpec to its tasks: every name resolved and every value checked before anything is trained.

Planning a study on an embedded data set imports no torch.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nasaudit.arch.catalogue import resolve
from nasaudit.data.catalogue import (
    DATA,
    INDICES,
    count_roles,
    describe,
    fetch,
    fingerprint,
    settle,
    with_weights,
)
from nasaudit.errors import SpecError
from nasaudit.planning.experiments import EXPERIMENTS, Build, analysis
from nasaudit.planning.hardening import hardened
from nasaudit.planning.needs import closure
from nasaudit.planning.population import population
from nasaudit.planning.searching import Searched, check_searches
from nasaudit.planning.stages import Stage
from nasaudit.search.found import FoundCells
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.attacks import AttackSpec, DataFacts, ExtractionSpec
from nasaudit.spec.attacks.base import SAME
from nasaudit.spec.attacks.extraction import FIXED
from nasaudit.spec.data import DataSpec
from nasaudit.spec.model import ModelSpec
from nasaudit.spec.recipes import recipe
from nasaudit.spec.searches import SearchSpec
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.spec.tasks import Task, TrainTask, WeightsFile
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.records import Problem
from nasaudit.strangers import is_file

# Why an attack on weights that were given is refused, as clauses.
SPLIT_UNKNOWN = (
    "as it must be known which images the model was trained on (say so with --train-index FILE or --test-index FILE, "
    "or bring an npz or a folder with a test part)"
)
RECIPE_UNKNOWN = (
    "as it trains models like this one (give the recipe that it was trained by as a study's `training`)"
)


@dataclass(frozen=True)
class Plan:
    """All that a study will do.

    Attributes:
        study: what was asked.
        data: its data set, with the fingerprint of the files.
        training: the recipe of every victim that has none of its own.
        architectures: what is built, in the order asked.
        victims: the trainings that are attacked and compared; all other ones serve an attack.
        tasks: each once, after all that it needs.
        stages: what is decided while the plan runs; see `stages`.
        blocked: the stages that cannot go on, by label, and why.
        found: what searches found so far, by the name of the architecture.
    """

    study: StudySpec
    data: DataSpec
    training: TrainingSpec
    architectures: tuple[ArchSpec, ...]
    victims: tuple[TrainTask, ...]
    tasks: tuple[Task, ...]
    stages: tuple[Stage, ...] = ()
    blocked: tuple[tuple[str, Problem], ...] = ()
    found: tuple[tuple[str, FoundCells], ...] = ()

    @property
    def searches(self) -> dict[str, SearchSpec]:
        """The search of each found architecture, by its name."""
        choices = {choice.name: choice.search for choice in self.study.architectures}
        specs = {name: choices.get(found.search or name) for name, found in self.found}
        return {name: spec for name, spec in specs.items() if spec is not None}

    def digest(self) -> str:
        """Changes with anything that a result of the study depends on."""
        parts = (self.study.digest(), *(task.digest() for task in self.tasks))
        return hashlib.sha256("".join(parts).encode()).hexdigest()[:20]


def plan(study: StudySpec, downloads: Path, *, download: bool = False, unseen: bool = False) -> Plan:
    """Plan a study.

    Args:
        study: what to do.
        downloads: folder of the downloaded data sets.
        download: fetch a data set that is not there.
        unseen: the images need not be there, and are taken to be as many as published: for a forecast.

    Raises:
        InputError: a name, value or file that the study cannot use; nothing was run.
    """
    if download:
        for wanted in (study.data, *_pools(study)):
            fetch(wanted, downloads)
    data = settle(study.data) if unseen else _data(study, downloads)
    shape, classes = describe(data, downloads)
    training = recipe(study.scale, study.protocol, data.name, shape[0])
    if study.training is not None:
        training = training.changed(study.training, "training")
    searched = [choice for choice in study.architectures if choice.search is not None]
    choices = (*study.known, *hardened(study), *population(study.population))
    architectures = tuple(resolve(choice, study.scale, classes, shape, study.protocol) for choice in choices)
    _each_once(architectures, own=len(study.known))
    facts = DataFacts(classes, shape, data.expected_roles if unseen else lambda: count_roles(data, downloads))
    check_searches(
        study,
        {architecture.name for architecture in architectures},
        facts,
        lambda other: DataFacts(classes, shape, lambda: count_roles(other, downloads)),
    )
    # What the data do not have, and files that are damaged, are refused before anything is trained.
    if data.train_images is not None or data.fingerprint is not None:
        _ = facts.sizes
    for position, attack in enumerate(study.attacks):
        _check_attack(attack, facts, data.name, downloads, f"attacks[{position}]")
    victims = tuple(
        TrainTask(architecture=architecture, data=data, training=own, seed=seed, weights=weights)
        for architecture, own, weights in zip(
            architectures,
            _recipes(choices, training, len(study.known)),
            _weights(study, data, choices),
            strict=True,
        )
        for seed in study.seeds
    )
    build = Build(study.scale, classes, shape, study.protocol)
    asked = Searched(study, data, training, build, lambda victims: tuple(_wanted(study, victims, build)))
    return Plan(
        study,
        data,
        training,
        architectures,
        victims,
        closure(_wanted(study, victims, build)),
        stages=tuple(asked.stage(choice) for choice in searched),
    )


def _pools(study: StudySpec) -> Iterator[DataSpec]:
    """The data sets that thieves ask about, where these are not the victims' own."""
    for attack in study.attacks:
        pool = attack.pool_data(study.data.name) if isinstance(attack, ExtractionSpec) else None
        if pool is not None:
            yield DataSpec(name=pool)


def _wanted(study: StudySpec, victims: tuple[TrainTask, ...], build: Build) -> Iterator[Task]:
    trainings_of: dict[str, list[TrainTask]] = {}
    for victim in victims:
        trainings_of.setdefault(victim.architecture.name, []).append(victim)
    for victim in victims:
        yield victim
        trainings = trainings_of[victim.architecture.name]
        for spec in study.analyses:
            task = analysis(victim, spec, trainings)
            if task is not None:
                yield task
        for attack in study.attacks:
            yield EXPERIMENTS[attack.family](victim, attack, build)


def _recipes(choices: Sequence[ArchChoice], training: TrainingSpec, own: int) -> Iterator[TrainingSpec]:
    """The recipe of each architecture: the study's, with the fields that are its own.

    The first `own` are those that the study names.
    """
    for position, choice in enumerate(choices):
        if choice.training is None:
            yield training
        else:
            where = f"architectures[{position}].training" if position < own else f"mitigation ({choice.name})"
            yield training.changed(choice.training, where)


def _data(study: StudySpec, downloads: Path) -> DataSpec:
    """The study's data, with the files' fingerprint and, beside weights, what is known of the images' division."""
    data = fingerprint(study.data, downloads)
    if any(choice.trained is not None for choice in study.architectures):
        return with_weights(data)
    for field in INDICES:
        if (index := getattr(data, field)) is not None:
            raise SpecError(f"data.{field}", "nothing, where no architecture comes with weights", index)
    return data


def _weights(study: StudySpec, data: DataSpec, choices: Sequence[ArchChoice]) -> Iterator[WeightsFile | None]:
    """The weights that came with an architecture, identified by their content."""
    for position, choice in enumerate(choices):
        if choice.trained is None:
            yield None
            continue
        where = f"architectures[{position}].weights"
        if len(study.seeds) > 1:
            raise SpecError("seeds", "one seed, as the weights of one training are given", list(study.seeds))
        for number, attack in enumerate(study.attacks):
            if attack.needs_split and data.division == "unknown":
                raise SpecError(f"attacks[{number}]", f"nothing beside {where}, {SPLIT_UNKNOWN}", attack.name)
            if attack.needs_recipe and study.training is None:
                raise SpecError(
                    f"attacks[{number}]", f"nothing beside {where}, {RECIPE_UNKNOWN}", attack.name
                )
            if choice.model is not None and choice.model.is_program:
                _check_program(choice.model, attack, f"attacks[{number}]", where)
        if not is_file(Path(choice.trained)):
            raise SpecError(where, "a file with trained weights", choice.trained)
        yield WeightsFile.of(str(Path(choice.trained)))


def _check_program(model: ModelSpec, attack: AttackSpec, field: str, where: str) -> None:
    """A file of a trained network cannot be built anew, neither to be trained nor by a thief."""
    if attack.family == "backdoor" and model.is_torchscript:
        raise SpecError(
            field,
            f"nothing beside {where}, as traced batch normalisation cannot be trained further: the figure would be "
            "too low",
            attack.name,
        )
    if attack.needs_recipe:
        raise SpecError(field, f"nothing beside {where}, a file that cannot be trained anew", attack.name)
    if isinstance(attack, ExtractionSpec) and attack.surrogate == SAME:
        raise SpecError(
            f"{field}.surrogate", f"an architecture by name beside {where}, as {FIXED}", attack.surrogate
        )


def _each_once(architectures: tuple[ArchSpec, ...], own: int) -> None:
    """Two spellings of one name pass the spec's own check, because only the catalogue knows aliases.

    The first `own` are those that the study names; the others are its population.
    """
    first: dict[str, int] = {}
    for position, architecture in enumerate(architectures):
        earlier = first.setdefault(architecture.name, position)
        if earlier == position:
            continue
        if position < own:
            raise SpecError(f"architectures[{position}]", "each architecture once", architecture.name)
        raise SpecError(
            f"architectures[{earlier}]",
            "a name that the population does not bring (leave it out here, or change `population`)",
            architecture.name,
        )


def _check_attack(attack: AttackSpec, facts: DataFacts, data: str, downloads: Path, field: str) -> None:
    if attack.family not in EXPERIMENTS:
        raise SpecError(
            field, f"an attack of a family that a study can run ({', '.join(EXPERIMENTS)})", attack.name
        )
    try:
        attack.check(facts)
        if isinstance(attack, ExtractionSpec) and (pool := attack.pool_data(data)) is not None:
            _check_pool(attack, pool, data, downloads)
    except SpecError as error:
        raise type(error)(f"{field}.{error.field}", error.expected, error.got) from error


def _check_pool(attack: ExtractionSpec, pool: str, victim_data: str, downloads: Path) -> None:
    """Queries may come from a data set that its name alone identifies, that is there, and is not the victim's own."""
    source = DATA[pool]
    if source.name == victim_data:
        raise SpecError("pool", "`pool` or `train` for images of the victim's own data", attack.pool)
    if source.needs == "path":
        raise SpecError("pool", f"a data set that is known by its name, not {source.name}:PATH", attack.pool)
    data = fingerprint(DataSpec(name=source.name), downloads)  # raises where its files are missing
    images = sum(count_roles(data, downloads).values())  # raises where they are damaged
    if attack.budgets and attack.budgets[-1] > images:
        raise SpecError("budgets", f"at most {images}, the images of {source.name}", attack.budgets[-1])
