"""The attacks that a study makes of a name: of a family, of a single attack, or `survey` and `all`."""

from collections.abc import Callable, Iterable, Mapping

from nasaudit.errors import UnknownNameError
from nasaudit.registry import normalise
from nasaudit.spec.arch import Protocol, Scale
from nasaudit.spec.attacks import backdoor, evasion, extraction, membership, poisoning
from nasaudit.spec.attacks.base import ATTACKS, AttackSpec, Family

ALL, SURVEY = "all", "survey"  # every default of every family; one quick attack of each

DEFAULTS: Mapping[Family, Callable[[Protocol, Scale], tuple[AttackSpec, ...]]] = {
    "evasion": evasion.defaults,
    "poisoning": poisoning.defaults,
    "backdoor": backdoor.defaults,
    "extraction": extraction.defaults,
    "membership": membership.defaults,
}


def attacks_for(names: Iterable[str], protocol: Protocol, scale: Scale) -> tuple[AttackSpec, ...]:
    """The attacks that a command line asks for.

    Args:
        names: families ("evasion"), single attacks ("pgd"), "survey" for one quick attack of each family, or
            "all" for every family.
        protocol: `paper` is the talk's setting to the letter, `sound` the repaired one.
        scale: of the victims.

    Returns:
        Each attack once, in the order asked.

    Raises:
        UnknownNameError: a name that is neither; the nearest ones are shown.
    """
    chosen: dict[str, AttackSpec] = {}
    for name in names:
        for attack in _named(name, protocol, scale):
            chosen.setdefault(attack.digest(), attack)
    return tuple(chosen.values())


def _named(name: str, protocol: Protocol, scale: Scale) -> tuple[AttackSpec, ...]:
    every = {family: defaults(protocol, scale) for family, defaults in DEFAULTS.items()}
    key = normalise(name)
    if key == ALL:
        return tuple(attack for attacks in every.values() for attack in attacks)
    if key == SURVEY:
        firsts = (attacks[0] for attacks in every.values())
        return tuple(firsts if protocol == "paper" else (attack.strongest() for attack in firsts))
    if key in every:
        return every[key]
    if name not in ATTACKS:
        raise UnknownNameError("attack or family", name, [ALL, SURVEY, *every, *ATTACKS])
    canonical = ATTACKS.canonical(name)
    # An attack that its family's defaults use is meant with their settings.
    members = tuple(attack for attacks in every.values() for attack in attacks if attack.name == canonical)
    return members or (ATTACKS[canonical].parse({"name": canonical}),)
