"""What `survey` stands for: one quick attack of each family, for a first look at all five ways."""

from nasaudit.spec.arch import Scale
from nasaudit.spec.attacks import AttackSpec, KnockoffSpec, LabelFlipSpec
from nasaudit.spec.defaults.backdoor import backdoor
from nasaudit.spec.defaults.evasion import evasion
from nasaudit.spec.defaults.extraction import WHOLE, extraction
from nasaudit.spec.defaults.membership import membership
from nasaudit.spec.defaults.poisoning import poisoning
from nasaudit.spec.tasks import Protocol


def survey(protocol: Protocol, scale: Scale) -> tuple[AttackSpec, ...]:
    """The first default of each family; `sound` takes the strongest setting of it alone where a sweep is dear."""
    firsts = tuple(
        family(protocol, scale)[0] for family in (evasion, poisoning, backdoor, extraction, membership)
    )
    return firsts if protocol == "paper" else tuple(_one_setting(attack) for attack in firsts)


def _one_setting(attack: AttackSpec) -> AttackSpec:
    match attack:
        case LabelFlipSpec():
            return attack.model_copy(update={"fractions": (0.0, attack.fractions[-1])})
        case KnockoffSpec():
            return attack.model_copy(update={"budget_shares": WHOLE})
    return attack
