"""The attacks that a study makes of a family's name: one set for each family and protocol."""

from collections.abc import Callable, Iterable

from nasaudit.errors import UnknownNameError
from nasaudit.registry import normalise
from nasaudit.spec.arch import Scale
from nasaudit.spec.attacks import ATTACKS, AttackSpec, Family, PgdSpec
from nasaudit.spec.tasks import Protocol

Defaults = Callable[[Protocol, Scale], tuple[AttackSpec, ...]]


def _evasion(protocol: Protocol, scale: Scale) -> tuple[AttackSpec, ...]:
    if protocol == "paper":
        return (paper_pgd(),)
    # The same at both scales: the curve's grid suits an undefended network of any size.
    return (PgdSpec(), PgdSpec(goal="least_likely"))


def paper_pgd() -> PgdSpec:
    """The PGD of the talk's artifact: one epsilon, towards the least likely class, with a confidence rule."""
    return PgdSpec(
        goal="least_likely",
        epsilons=(8 / 255,),
        step_size=2 / 255,
        steps=7,
        random_start=False,
        images=1000,
        only_correct=True,
        min_confidence=0.99,
    )


# A family appears here together with its first attack.
DEFAULTS: dict[Family, Defaults] = {"evasion": _evasion}


def attacks_for(names: Iterable[str], protocol: Protocol, scale: Scale) -> tuple[AttackSpec, ...]:
    """The attacks that a command line asks for.

    Args:
        names: families ("evasion"), single attacks ("pgd"), or "all" for every family.
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
    if key == "all":
        return tuple(attack for attacks in every.values() for attack in attacks)
    if key in every:
        return every[key]
    if name not in ATTACKS:
        raise UnknownNameError("attack or family", name, ["all", *every, *ATTACKS])
    canonical = ATTACKS.canonical(name)
    # An attack that its family's defaults use is meant with their settings.
    members = tuple(attack for attacks in every.values() for attack in attacks if attack.name == canonical)
    return members or (ATTACKS[canonical].parse({"name": canonical}),)
