"""When a figure of the family `backdoor` cannot be trusted."""

from collections.abc import Iterator

from nasaudit.results.flags.base import Check, Facts, Remark, source_of
from nasaudit.results.schema import Row

FAMILY = "backdoor"
VISIBLE_DROP = 0.03  # accuracy that a defender would miss
HIGH_FLOOR = 0.25  # the trigger calls up the class by itself


def backdoor_not_learned(facts: Facts) -> Iterator[Remark]:
    """A rate that the trigger reaches by itself: the attack failed, which is not robustness."""
    floors = {source_of(row): row for row in facts.pooled(FAMILY, "floor")}
    for asr in facts.pooled(FAMILY, "asr"):
        floor = floors.get(source_of(asr))
        if floor is not None and asr.low <= floor.high:
            yield Remark(
                f"the backdoor {_named(asr)} did not take in {asr.architecture}: its success rate "
                f"({asr.value:.1%}) is not clearly above what the trigger does to the model without it "
                f"({floor.value:.1%}); poison more images or train longer before calling the model robust",
                (asr.architecture,),
            )


def backdoor_visible(facts: Facts) -> Iterator[Remark]:
    """A backdoor that costs so much accuracy that it would be noticed."""
    for row in facts.pooled(FAMILY, "cad"):
        if row.low > 0 and row.value > VISIBLE_DROP:
            yield Remark(
                f"the backdoor {_named(row)} costs {row.architecture} {100 * row.value:.1f} points of clean "
                "accuracy: a defender would notice; poison fewer images or train at a smaller rate",
                (row.architecture,),
            )


def trigger_is_adversarial(facts: Facts) -> Iterator[Remark]:
    """A trigger that fools the model before any backdoor is planted."""
    for row in facts.pooled(FAMILY, "floor"):
        if row.low > HIGH_FLOOR:
            yield Remark(
                f"the trigger of {_named(row)} turns {row.value:.1%} of the images into the target class in "
                f"{row.architecture} without any backdoor: its success rate says as much of the trigger as "
                "of the backdoor; use a smaller or fainter one",
                (row.architecture,),
            )


CHECKS: tuple[Check, ...] = (backdoor_not_learned, backdoor_visible, trigger_is_adversarial)


def _named(row: Row) -> str:
    """E.g. `badnets (size 2)`."""
    details = ", ".join(f"{key} {value}" for key, value in row.setting.items() if key != "images")
    return f"{row.attack} ({details})" if details else row.attack
