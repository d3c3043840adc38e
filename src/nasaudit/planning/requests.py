"""A study from the words of a command line or of the API."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from nasaudit.arch.catalogue import choose
from nasaudit.data.catalogue import parse_data, settle, with_weights
from nasaudit.errors import InputError, SpecError
from nasaudit.spec.analyses import AnalysisSpec, analyses_for
from nasaudit.spec.arch import Protocol, Scale
from nasaudit.spec.attacks import AttackSpec, EvasionSpec, ExtractionSpec
from nasaudit.spec.attacks.base import SAME
from nasaudit.spec.attacks.choice import SURVEY, attacks_for
from nasaudit.spec.attacks.extraction import FIXED
from nasaudit.spec.base import Spec
from nasaudit.spec.data import DataSpec
from nasaudit.spec.model import Normalisation
from nasaudit.spec.remedies.mitigation import MitigationSpec
from nasaudit.spec.study import MAX_SEEDS, ArchChoice, StudySpec

S = TypeVar("S", bound=Spec)

DEFAULT_SEEDS = 3
NONE = "none"  # of the attacks or analyses

# Names with commas between them, as on the command line; or several of names and specs.
Attacks = str | AttackSpec | Sequence[str | AttackSpec]
Analyses = str | AnalysisSpec | Sequence[str | AnalysisSpec]
Epsilon = str | float | Sequence[str | float]  # 8/255, "8/255", "2/255,8/255", or several, ascending


def choose_all(
    architectures: Iterable[str | ArchChoice],
    weights: str | Path | None = None,
    normalise: Normalisation | None = None,
) -> list[ArchChoice]:
    """Architectures of a command line, or chosen already, with what is given beside them.

    Raises:
        InputError: unknown; or weights beside several architectures.
    """
    choices = [choose(wanted) if isinstance(wanted, str) else wanted for wanted in architectures]
    if weights is None and normalise is None:
        return choices
    if weights is not None and len(choices) != 1:
        raise InputError(
            f"--weights: expected one architecture, whose weights they are, got {len(choices)}; "
            "a YAML study can give each its own"
        )
    beside: dict[str, object] = {"normalise": normalise} if normalise is not None else {}
    if weights is not None:
        beside["weights"] = str(Path(weights).absolute())
    return [ArchChoice.parse({**choice.model_dump(), **beside}, "architecture") for choice in choices]


def make_study(
    architectures: Iterable[str | ArchChoice],
    data: str | DataSpec,
    scale: Scale,
    protocol: Protocol,
    attacks: Attacks,
    seeds: int | None,
    analyses: Analyses = "all",
    mitigation: MitigationSpec | None = None,
    epsilon: Epsilon | None = None,
) -> StudySpec:
    """The study that `audit` or `mitigate` runs: names resolved, every value checked."""
    named = listed("attacks", attacks, AttackSpec)
    if seeds is not None and not 1 <= seeds <= MAX_SEEDS:
        raise SpecError("seeds", f"1 to {MAX_SEEDS}", seeds)
    choices = [choose(wanted) if isinstance(wanted, str) else wanted for wanted in architectures]
    spec = parse_data(data) if isinstance(data, str) else settle(data)
    wanted_attacks = tuple(
        dict.fromkeys(
            attack
            for entry in named
            for attack in (attacks_for([entry], protocol, scale) if isinstance(entry, str) else (entry,))
        )
    )
    trained = any(choice.trained is not None for choice in choices)
    if trained and named == [SURVEY]:
        # What was not asked for by name is left out where too little is known of the model.
        known = with_weights(spec).division == "given"
        wanted_attacks = tuple(
            attack
            for attack in wanted_attacks
            if not attack.needs_recipe and (known or not attack.needs_split)
        )
        models = [choice.model for choice in choices if choice.model is not None]
        if any(model.is_torchscript for model in models):
            wanted_attacks = tuple(attack for attack in wanted_attacks if attack.family != "backdoor")
        if any(model.is_program for model in models):
            wanted_attacks = tuple(map(_by_another_network, wanted_attacks))
    if epsilon is not None:
        wanted_attacks = at_epsilon(wanted_attacks, epsilon)
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
            "analyses": tuple(
                dict.fromkeys(
                    analysis
                    for entry in listed("analyses", analyses, AnalysisSpec)
                    for analysis in (analyses_for([entry]) if isinstance(entry, str) else (entry,))
                )
            ),
            "mitigation": mitigation,
        },
        where="audit",
    )


def _by_another_network(attack: AttackSpec) -> AttackSpec:
    """The attack, by a thief whose network is not the victim's, which nobody can build anew."""
    if isinstance(attack, ExtractionSpec) and attack.surrogate == SAME:
        return type(attack).parse({**attack.model_dump(), "surrogate": FIXED})
    return attack


def listed(field: str, wanted: object, spec: type[S]) -> list[str | S]:
    """Names and specs, of what a caller gave for several of them; a text is names with commas between them.

    Raises:
        SpecError: something is neither a name nor such a spec.
    """
    entries: list[str | S] = []
    for each in wanted if isinstance(wanted, Iterable) and not isinstance(wanted, str | Spec) else [wanted]:
        if not isinstance(each, str | spec):
            raise SpecError(field, f"names or specs ({spec.__name__})", each)
        entries += [name.strip() for name in each.split(",")] if isinstance(each, str) else [each]
    return [] if entries == [NONE] else entries


def at_epsilon(attacks: Iterable[AttackSpec], epsilon: Epsilon) -> tuple[AttackSpec, ...]:
    """The same attacks, those of evasion with these sizes of the change.

    Raises:
        SpecError: there is none of evasion, or a size is none.
    """
    if isinstance(epsilon, str):
        epsilon = [each.strip() for each in epsilon.split(",")]
    epsilons = list(epsilon) if isinstance(epsilon, Iterable) else [epsilon]
    changed = tuple(
        type(attack).parse({**attack.model_dump(), "epsilons": epsilons}, "epsilon")
        if isinstance(attack, EvasionSpec)
        else attack
        for attack in attacks
    )
    if not any(isinstance(attack, EvasionSpec) for attack in changed):
        raise SpecError("epsilon", "an attack of evasion, whose size it is", [str(each) for each in epsilons])
    return changed
