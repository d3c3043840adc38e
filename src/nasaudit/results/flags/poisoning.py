"""When a figure of the family `poisoning` cannot be trusted."""

from collections.abc import Iterator

from nasaudit.results.flags.base import Check, Facts, Remark, source_of
from nasaudit.results.schema import Row

FAMILY = "poisoning"
# The published difference between NAS-designed and hand-made models is 5 points: an interval must be able to show it.
WIDE = 0.1
FEW_TARGETS = 10


def poisoning_near_chance(facts: Facts) -> Iterator[Remark]:
    """A clean training that learned next to nothing has no accuracy to lose."""
    for architecture in facts.planned.architectures:
        chance = 1 / architecture.classes
        for row in _of_one(facts, "clean_accuracy", architecture.name):
            if float(row.setting["fraction"]) == 0 and row.value < 2 * chance:
                yield Remark(
                    f"without poison {architecture.name} is only {row.value:.1%} accurate (chance: "
                    f"{chance:.1%}): it has little to lose to {row.attack}; train it longer",
                    (architecture.name,),
                )


def wide_cad(facts: Facts) -> Iterator[Remark]:
    """A drop that one training and few test images leave undecided."""
    if len(facts.planned.study.seeds) > 1:
        return
    for architecture in facts.planned.architectures:
        rows = [row for row in _of_one(facts, "cad", architecture.name) if row.high - row.low > WIDE]
        if rows:
            widest = max(rows, key=lambda row: row.high - row.low)
            yield Remark(
                f"the interval of the accuracy that {architecture.name} loses to {widest.attack} at "
                f"{widest.setting['fraction']} is {100 * (widest.high - widest.low):.0f} points wide "
                f"({widest.n} test images, one training): use more seeds",
                (architecture.name,),
            )


def poison_not_optimised(facts: Facts) -> Iterator[Remark]:
    """An optimised poison that matches no better than unchanged images: the attack did not get off the ground."""
    for architecture in facts.planned.architectures:
        rows = _of_one(facts, "matching_loss", architecture.name)
        before = {source_of(row, "poison"): row for row in rows if row.setting["poison"] == "before"}
        for row in rows:
            start = before.get(source_of(row, "poison"))
            if row.setting["poison"] == "after" and start is not None and row.value >= start.value:
                yield Remark(
                    f"the poison of {row.attack} for {architecture.name} at {row.setting['fraction']} matches no "
                    f"better ({row.value:.3f}) than unchanged images ({start.value:.3f}): a low success rate "
                    "proves nothing; raise its steps or epsilon",
                    (architecture.name,),
                )


def few_targets(facts: Facts) -> Iterator[Remark]:
    """A success rate over a handful of targets."""
    rows = facts.pooled(FAMILY, "asr")
    for attack in dict.fromkeys(row.attack for row in rows):
        n = min(row.n for row in rows if row.attack == attack)
        if n < FEW_TARGETS:
            yield Remark(
                f"the success rate of {attack} rests on {n} target{'s' * (n != 1)} for each architecture: its "
                "interval is wide; use more seeds or targets"
            )


CHECKS: tuple[Check, ...] = (poisoning_near_chance, wide_cad, poison_not_optimised, few_targets)


def _of_one(facts: Facts, metric: str, architecture: str) -> list[Row]:
    return [row for row in facts.pooled(FAMILY, metric) if row.architecture == architecture]
