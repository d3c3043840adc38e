"""When a figure of the family `extraction` cannot be trusted."""

from collections.abc import Iterator

from nasaudit.results.flags.base import Check, Findings
from nasaudit.results.schema import Flag, Row
from nasaudit.spec.attacks import ExtractionSpec
from nasaudit.spec.attacks.extraction import OWN_POOLS

FAMILY = "extraction"
# A model is as good as guessing when it is less than this share of the way from chance to perfect.
BARELY_ABOVE_CHANCE = 0.1


def surrogate_near_chance(findings: Findings) -> Iterator[Flag]:
    """A surrogate that learned nothing from the largest budget says nothing about the victim."""
    for architecture, row in _largest_budgets(findings):
        if row.value >= _near_chance(_classes(findings, architecture)) or row.setting["budget"] == "0":
            continue
        pool = row.setting.get("pool", "pool")
        cause = (
            "it was trained too little for its figures to mean anything; raise epochs or min_steps of the attack"
            if pool in OWN_POOLS
            else f"either images of the pool `{pool}` make the victim tell too little, or the training was too "
            "short; take other images, or raise epochs or min_steps of the attack"
        )
        yield Flag(
            kind="surrogate_near_chance",
            architectures=(architecture,),
            message=(
                f"the surrogate `{row.setting.get('surrogate', '')}` of {architecture} agrees with it on "
                f"{row.value:.1%} of the test images after {row.setting['budget']} queries ({row.attack}, pool "
                f"`{pool}`), hardly more than chance: {cause}"
            ),
        )


def victim_at_chance(findings: Findings) -> Iterator[Flag]:
    """A victim that guesses has nothing to steal."""
    accuracies = findings.accuracies()
    for architecture in dict.fromkeys(row.architecture for row in findings.of_family(FAMILY)):
        accuracy = accuracies.get(architecture)
        if accuracy is not None and accuracy < _near_chance(_classes(findings, architecture)):
            yield Flag(
                kind="nothing_to_steal",
                architectures=(architecture,),
                message=(
                    f"{architecture} is {accuracy:.1%} accurate, hardly more than chance: its extraction figures "
                    "say how well noise is copied; train it longer"
                ),
            )


def queries_not_the_budget(findings: Findings) -> Iterator[Flag]:
    """Fewer images were answered than the row says."""
    for row in findings.of_family(FAMILY):
        if row.metric == "queries" and row.seed != "all" and row.value != float(row.setting["budget"]):
            yield Flag(
                kind="queries_not_the_budget",
                architectures=(row.architecture,),
                message=(
                    f"{row.attack} asked {row.architecture} (seed {row.seed}) about {row.value:.0f} images with a "
                    f"budget of {row.setting['budget']}: compare by `queries`"
                ),
            )


def pool_overlaps_training(findings: Findings) -> Iterator[Flag]:
    """Protocol `paper` lets the thief ask about the images that the victim was trained on."""
    for attack in findings.planned.study.attacks:
        if isinstance(attack, ExtractionSpec) and attack.pool == "train":
            yield Flag(
                kind="pool_overlaps_training",
                architectures=(),
                message=(
                    f"{attack.name} asks about the victim's own training images (pool `train`), as published: a "
                    "thief rarely has them, and the victim is surer of them than of others; compare with the pool "
                    "`pool`"
                ),
            )


CHECKS: tuple[Check, ...] = (
    victim_at_chance,
    surrogate_near_chance,
    queries_not_the_budget,
    pool_overlaps_training,
)


def _largest_budgets(findings: Findings) -> Iterator[tuple[str, Row]]:
    """The agreement at the largest budget of each attack as it was set, all seeds pooled."""
    largest: dict[tuple[str, ...], Row] = {}
    for row in findings.pooled(FAMILY, "agreement"):
        others = (f"{key}={value}" for key, value in sorted(row.setting.items()) if key != "budget")
        key = (row.architecture, row.attack, *others)
        if key not in largest or int(row.setting["budget"]) > int(largest[key].setting["budget"]):
            largest[key] = row
    for row in largest.values():
        yield row.architecture, row


def _near_chance(classes: int) -> float:
    return 1 / classes + BARELY_ABOVE_CHANCE * (1 - 1 / classes)


def _classes(findings: Findings, architecture: str) -> int:
    return next(spec.classes for spec in findings.planned.architectures if spec.name == architecture)
