"""Which architectures of a study are others made harder to attack: those that it names, and those that it asks for.

A study may name a hardened architecture itself (`darts-i`, or an entry with `hardens`), or ask for some with
`mitigation`. What a cell is rewired from follows from the cells alone, so that a study of `darts` and `darts-i` is
one of a remedy without a word. No torch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.arch.rewiring import SCOPES, rewire
from nasaudit.arch.space import ordered
from nasaudit.errors import NasauditError, SpecError
from nasaudit.planning.population import JOINT, hardened_name
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.remedies.catalogue import RemedyKind, Rewiring, remedies_of
from nasaudit.spec.remedies.mitigation import PUBLISHED_REPLACEMENTS, REPLACEMENTS, MitigationSpec, Scope
from nasaudit.spec.study import ArchChoice, StudySpec


@dataclass(frozen=True)
class Variant:
    """A hardened architecture, and what it is one of.

    Attributes:
        choice: the hardened one.
        original: name of the other.
        remedy: how it was hardened.
        kind: of the remedy.
        scope: which cells were rewired; "" for other remedies.
        dose: how many nodes or skips of each cell were.
        most: the dose that does all there is to do.
    """

    choice: ArchChoice
    original: str
    remedy: str
    kind: RemedyKind
    scope: str = ""
    dose: int | None = None
    most: int | None = None

    @property
    def name(self) -> str:
        """Of the hardened one, as rows have it: a study may spell it otherwise."""
        return _name(self.choice)


def variants(study: StudySpec) -> list[Variant]:
    """All hardened architectures of a study, those that it names first; its population is no matter of this.

    Raises:
        SpecError: a `mitigation` that does nothing to any architecture of the study, or one of trained weights; an
            architecture that hardens one that is not there.
    """
    named, spec = list(_named(study)), study.mitigation
    if spec is None:
        return named
    given = {variant.choice.name for variant in named}
    originals = [choice for choice in study.known if choice.name not in given]
    for position, choice in enumerate(study.known):
        if choice in originals and choice.trained is not None:
            raise SpecError(
                f"architectures[{position}].weights",
                "none: a hardened model is trained anew, and so must be what it is compared with",
                choice.trained,
            )
    made = [variant for original in originals for variant in _made(original, spec)]
    if not made and not spec.of_kind("answers"):
        raise SpecError(
            "mitigation.remedies",
            f"a remedy that changes {' or '.join(choice.name for choice in originals)}: a rewiring needs a cell, and "
            "drop_skips a skip in it; remedies of the training work for every network",
            list(spec.remedies),
        )
    names = {_name(choice) for choice in study.known}
    return [*named, *(variant for variant in made if variant.name not in names)]


def hardened(study: StudySpec) -> list[ArchChoice]:
    """The architectures that a study asks for with `mitigation`, without those that it names itself."""
    names = {_name(choice) for choice in study.known}
    return [variant.choice for variant in variants(study) if variant.name not in names]


def rewirings(
    original: ArchChoice, remedy: str, scope: Scope, replacements: Sequence[str]
) -> Iterator[Variant]:
    """One rewiring of a cell by rising dose, each step that changes something; nothing for what is no cell.

    Raises:
        NasauditError: the remedy, a plugin's, never does with a dose what it does without one.
    """
    genotype = genotype_of(original)
    if genotype is None:
        return
    full, steps = rewire(genotype, remedy, scope, replacements=replacements), [(0, genotype)]
    edges = max(len(genotype.normal.edges), len(genotype.reduction.edges))
    for dose in range(1, edges + 1):
        if steps[-1][1] == full:
            break
        step = rewire(genotype, remedy, scope, dose, replacements)
        if step != steps[-1][1]:
            steps.append((dose, step))
    most, last = steps[-1]
    if last != full:
        raise NasauditError(f"the remedy {remedy} does other than all there is at a dose of {edges} edges")
    for dose, rewired in steps[1:]:
        name = hardened_name(_name(original), remedy)
        name += "" if scope == "normal" else f"@{scope}"
        name += "" if dose == most else f"-{dose}"
        published = _published(rewired)
        yield Variant(
            ArchChoice(name=name, genotype=rewired, group="hardened") if published is None else published,
            _name(original),
            remedy,
            "rewiring",
            scope,
            dose,
            most,
        )


def genotype_of(choice: ArchChoice) -> Genotype | None:
    """The cells of what a user named; None for a network without cells."""
    if choice.genotype is not None or choice.model is not None:
        return choice.genotype
    name = choice.hardens if choice.name not in CATALOGUE and choice.hardens is not None else choice.name
    return CATALOGUE[name].genotype


def _published(genotype: Genotype) -> ArchChoice | None:
    """The same cells under the name by which they were published: their records are then the same, too."""
    name = _published_cells(tuple(CATALOGUE)).get(ordered(genotype))
    return None if name is None else ArchChoice(name=name)


@lru_cache(maxsize=2)
def _published_cells(names: tuple[str, ...]) -> dict[Genotype, str]:
    """By their cells in order, the first name of each in the catalogue."""
    cells = {name: CATALOGUE[name].genotype for name in reversed(names)}
    return {ordered(genotype): name for name, genotype in cells.items() if genotype is not None}


def _named(study: StudySpec) -> Iterator[Variant]:
    """The architectures that a study names and that are others', hardened."""
    made: dict[int, list[Variant]] = {}
    for position, choice in enumerate(study.known):
        if choice.hardens is None:
            variant = _recognised(choice, study, made)
            if variant is not None:
                yield variant
            continue
        original = CATALOGUE.canonical(choice.hardens) if choice.hardens in CATALOGUE else choice.hardens
        names = [_name(other) for other in study.known if other is not choice]
        if original not in names:
            raise SpecError(
                f"architectures[{position}].hardens",
                f"another architecture of the study ({', '.join(names)})",
                original,
            )
        remedy = choice.name.rpartition(JOINT)[2]
        yield Variant(choice, original, remedy, "rewiring" if choice.training is None else "training")


def _recognised(choice: ArchChoice, study: StudySpec, made: dict[int, list[Variant]]) -> Variant | None:
    """A choice whose cells are those of another one of the study, rewired by one of the rules.

    Args:
        choice: one of the study's.
        study: all of them.
        made: by position, what `_all_rewirings` made of the study's architectures before; it is added to.
    """
    genotype = genotype_of(choice)
    if genotype is None:
        return None
    for position, original in enumerate(study.known):
        if original is choice:
            continue
        if position not in made:
            made[position] = list(_all_rewirings(original, study))
        for variant in made[position]:
            cells = genotype_of(variant.choice)
            if cells is not None and ordered(cells) == ordered(genotype):
                return replace(variant, choice=choice)
    return None


def _all_rewirings(original: ArchChoice, study: StudySpec) -> Iterator[Variant]:
    """By every rule, in every scope and with all replacements that the study may mean."""
    replacements = [REPLACEMENTS, PUBLISHED_REPLACEMENTS]
    if study.mitigation is not None:
        replacements.insert(0, study.mitigation.replacements)
    for remedy in remedies_of(Rewiring):
        for scope in SCOPES:
            for ops in dict.fromkeys(replacements):
                yield from rewirings(original, remedy, scope, ops)


def _made(original: ArchChoice, spec: MitigationSpec) -> Iterator[Variant]:
    """What a `mitigation` asks of one architecture: no cells twice, however they come about."""
    name, genotype = _name(original), genotype_of(original)
    seen = {genotype and ordered(genotype)}
    for remedy in spec.remedies:
        if remedy in spec.of_kind("rewiring"):
            for variant in rewirings(original, remedy, spec.scope, spec.replacements):
                cells = genotype_of(variant.choice)
                doses = (variant.most,) if spec.doses == "full" else spec.doses
                if (doses == "curve" or variant.dose in doses) and (cells and ordered(cells)) not in seen:
                    seen.add(cells and ordered(cells))
                    yield variant
        elif remedy in spec.recipes:
            retrained = original.model_copy(
                update={
                    "name": hardened_name(name, remedy),
                    "group": "hardened",
                    "hardens": name,
                    "training": spec.recipes[remedy],
                }
            )
            yield Variant(retrained, name, remedy, "training")


def _name(choice: ArchChoice) -> str:
    """As rows have it."""
    brought = choice.genotype is not None or choice.model is not None
    return choice.name if brought or choice.name not in CATALOGUE else CATALOGUE.canonical(choice.name)
