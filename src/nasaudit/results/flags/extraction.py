"""When a figure of the family `extraction` cannot be trusted."""

from collections.abc import Iterator

from nasaudit.measure.estimate import Setting
from nasaudit.results.flags.base import Check, Facts, Remark, source_of
from nasaudit.results.schema import Row
from nasaudit.spec.attacks import ExtractionSpec
from nasaudit.spec.attacks.extraction import OWN_POOLS

FAMILY = "extraction"
# A model is as good as guessing when it is less than this share of the way from chance to perfect.
BARELY_ABOVE_CHANCE = 0.1


def surrogate_near_chance(facts: Facts) -> Iterator[Remark]:
    """A surrogate that learned nothing from the largest budget says nothing about the victim."""
    # The agreement at the largest budget of each attack as it was set.
    largest: dict[tuple[str, str, Setting], Row] = {}
    for row in facts.pooled(FAMILY, "agreement"):
        known = largest.setdefault(source_of(row, "budget"), row)
        if int(row.setting["budget"]) > int(known.setting["budget"]):
            largest[source_of(row, "budget")] = row
    for (architecture, _, _), row in largest.items():
        if row.value >= _near_chance(facts, architecture) or row.setting["budget"] == "0":
            continue
        pool = row.setting.get("pool", "pool")
        cause = (
            "it was trained too little for its figures to mean anything; raise epochs or min_steps of the attack"
            if pool in OWN_POOLS
            else f"either images of the pool `{pool}` make the victim tell too little, or the training was too "
            "short; take other images, or raise epochs or min_steps of the attack"
        )
        yield Remark(
            f"the surrogate `{row.setting.get('surrogate', '')}` of {architecture} agrees with it on "
            f"{row.value:.1%} of the test images after {row.setting['budget']} queries ({row.attack}, pool "
            f"`{pool}`), hardly more than chance: {cause}",
            (architecture,),
        )


def nothing_to_steal(facts: Facts) -> Iterator[Remark]:
    """A victim that guesses has nothing to steal."""
    accuracies = facts.accuracies()
    for architecture in facts.measured(FAMILY):
        accuracy = accuracies.get(architecture)
        if accuracy is not None and accuracy < _near_chance(facts, architecture):
            yield Remark(
                f"{architecture} is {accuracy:.1%} accurate, hardly more than chance: its extraction figures "
                "say how well noise is copied; train it longer",
                (architecture,),
            )


def queries_not_the_budget(facts: Facts) -> Iterator[Remark]:
    """Fewer images were answered than the row says."""
    for row in facts.by_seed(FAMILY, "queries"):
        if row.value != float(row.setting["budget"]):
            yield Remark(
                f"{row.attack} asked {row.architecture} (seed {row.seed}) about {row.value:.0f} images with a "
                f"budget of {row.setting['budget']}: compare by `queries`",
                (row.architecture,),
            )


def pool_overlaps_training(facts: Facts) -> Iterator[Remark]:
    """Protocol `paper` lets the thief ask about the images that the victim was trained on."""
    for attack in facts.planned.study.attacks:
        if isinstance(attack, ExtractionSpec) and attack.pool == "train":
            yield Remark(
                f"{attack.name} asks about the victim's own training images (pool `train`), as published: a "
                "thief rarely has them, and the victim is surer of them than of others; compare with the pool "
                "`pool`"
            )


CHECKS: tuple[Check, ...] = (
    nothing_to_steal,
    surrogate_near_chance,
    queries_not_the_budget,
    pool_overlaps_training,
)


def _near_chance(facts: Facts, architecture: str) -> float:
    chance = 1 / next(spec.classes for spec in facts.planned.architectures if spec.name == architecture)
    return chance + BARELY_ABOVE_CHANCE * (1 - chance)
