"""A study from the words of a command line or of the API."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from nasaudit.arch.catalogue import choose
from nasaudit.data.catalogue import parse_data, settle, with_weights
from nasaudit.errors import InputError, SpecError
from nasaudit.spec.analyses import analyses_for
from nasaudit.spec.arch import Protocol, Scale
from nasaudit.spec.attacks import AttackSpec, ExtractionSpec
from nasaudit.spec.attacks.base import SAME
from nasaudit.spec.attacks.choice import SURVEY, attacks_for
from nasaudit.spec.attacks.extraction import FIXED
from nasaudit.spec.data import DataSpec
from nasaudit.spec.model import Normalisation
from nasaudit.spec.remedies.mitigation import MitigationSpec
from nasaudit.spec.study import MAX_SEEDS, ArchChoice, StudySpec

DEFAULT_SEEDS = 3


def choose_all(
    architectures: Iterable[str],
    weights: str | Path | None = None,
    normalise: Normalisation | None = None,
) -> list[ArchChoice]:
    """Architectures of a command line, with what is given beside them.

    Raises:
        InputError: unknown; or weights beside several architectures.
    """
    choices = [choose(architecture) for architecture in architectures]
    if weights is None and normalise is None:
        return choices
    if weights is not None and len(choices) != 1:
        raise InputError(
            f"--weights: expected one architecture, whose weights they are, got {len(choices)}; "
            "a YAML study can give each its own"
        )
    beside = {"weights": None if weights is None else str(Path(weights).absolute()), "normalise": normalise}
    return [ArchChoice.parse({**choice.model_dump(), **beside}, "architecture") for choice in choices]


def make_study(
    architectures: Iterable[str | ArchChoice],
    data: str | DataSpec,
    scale: Scale,
    protocol: Protocol,
    attacks: Sequence[str],
    seeds: int | None,
    analyses: Sequence[str] = ("all",),
    mitigation: MitigationSpec | None = None,
) -> StudySpec:
    """The study that `audit` or `mitigate` runs: names resolved, every value checked."""
    if seeds is not None and not 1 <= seeds <= MAX_SEEDS:
        raise SpecError("seeds", f"1 to {MAX_SEEDS}", seeds)
    choices = [choose(wanted) if isinstance(wanted, str) else wanted for wanted in architectures]
    spec = parse_data(data) if isinstance(data, str) else settle(data)
    wanted_attacks = attacks_for(attacks, protocol, scale)
    trained = any(choice.trained is not None for choice in choices)
    if trained and tuple(attacks) == (SURVEY,):
        # What was not asked for by name is left out where too little is known of the model.
        known = with_weights(spec).division == "given"
        wanted_attacks = tuple(
            attack
            for attack in wanted_attacks
            if not attack.needs_recipe and (known or not attack.needs_split)
        )
        if any(choice.model is not None and choice.model.is_program for choice in choices):
            wanted_attacks = tuple(map(_by_another_network, wanted_attacks))
    return StudySpec.parse(
        {
            "name": "-".join(choice.name for choice in choices)[:60] + f" on {spec.label[:16]}"
            if choices
            else "audit",
            "architectures": choices,
            "data": spec,
            "scale": scale,
            "protocol": protocol,
            "seeds": tuple(range(seeds or (1 if trained else DEFAULT_SEEDS))),
            "attacks": wanted_attacks,
            "analyses": analyses_for(analyses),
            "mitigation": mitigation,
        },
        where="audit",
    )


def _by_another_network(attack: AttackSpec) -> AttackSpec:
    """The attack, by a thief whose network is not the victim's, which nobody can build anew."""
    if isinstance(attack, ExtractionSpec) and attack.surrogate == SAME:
        return type(attack).parse({**attack.model_dump(), "surrogate": FIXED})
    return attack
