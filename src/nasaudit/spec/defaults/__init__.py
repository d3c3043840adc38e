"""The attacks that a study makes of a family's name: one set for each family and protocol."""

from collections.abc import Callable, Iterable

from nasaudit.errors import UnknownNameError
from nasaudit.registry import normalise
from nasaudit.spec.arch import Scale
from nasaudit.spec.attacks import ATTACKS, AttackSpec, Family
from nasaudit.spec.defaults.backdoor import backdoor
from nasaudit.spec.defaults.evasion import evasion
from nasaudit.spec.defaults.extraction import extraction
from nasaudit.spec.defaults.membership import membership
from nasaudit.spec.defaults.poisoning import poisoning
from nasaudit.spec.defaults.survey import survey
from nasaudit.spec.tasks import Protocol

Defaults = Callable[[Protocol, Scale], tuple[AttackSpec, ...]]

ALL, SURVEY = "all", "survey"  # every default of every family; one quick attack of each

DEFAULTS: dict[Family, Defaults] = {
    "evasion": evasion,
    "poisoning": poisoning,
    "backdoor": backdoor,
    "extraction": extraction,
    "membership": membership,
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
        return survey(protocol, scale)
    if key in every:
        return every[key]
    if name not in ATTACKS:
        raise UnknownNameError("attack or family", name, [ALL, SURVEY, *every, *ATTACKS])
    canonical = ATTACKS.canonical(name)
    # An attack that its family's defaults use is meant with their settings.
    members = tuple(attack for attacks in every.values() for attack in attacks if attack.name == canonical)
    return members or (ATTACKS[canonical].parse({"name": canonical}),)
