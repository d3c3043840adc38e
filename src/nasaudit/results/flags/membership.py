"""When a figure of the family `membership` cannot be trusted."""

from collections.abc import Iterator

from nasaudit.results.flags.base import Check, Facts, Remark
from nasaudit.results.schema import Row
from nasaudit.spec.attacks import MembershipSpec

FAMILY = "membership"
# Fewer expected false positives than this leave the threshold, and with it the true positive rate, to chance.
FEW_FALSE_POSITIVES = 10
# The authors of LiRA and RMIA use 64 to 256; RMIA is made for few.
FEW_SHADOWS = 16


def few_false_positives(facts: Facts) -> Iterator[Remark]:
    """A true positive rate at a false positive rate that means a handful of non-members."""
    fewest: dict[float, int] = {}
    for row in facts.by_seed(FAMILY, "tpr_at_fpr"):
        fpr = float(row.setting["fpr"])
        # As many non-members as members were examined.
        fewest[fpr] = min(row.n, fewest.get(fpr, row.n))
    for fpr, n in sorted(fewest.items()):
        expected = fpr * n
        if expected < FEW_FALSE_POSITIVES:
            yield Remark(
                f"{n} non-members give {expected:.2g} false positives at a rate of {100 * fpr:g} %: the share of "
                f"members found there is uncertain beyond what a small n suggests (its interval says how much); "
                f"at least {FEW_FALSE_POSITIVES / fpr:,.0f} test images would be needed"
            )


def wrong_sign(facts: Facts) -> Iterator[Remark]:
    """An AUC that lies below one half by more than chance: the attack's assumption does not hold for the model."""
    for row in facts.pooled(FAMILY, "auc"):
        if row.high < 0.5:
            mode = f" ({row.setting['mode']})" if "mode" in row.setting else ""
            yield Remark(
                f"{row.attack}{mode} on {row.architecture} has an AUC of {row.value:.3f} "
                f"[{row.low:.3f}, {row.high:.3f}]: it takes non-members for members. The two kinds of image then "
                "differ in something else than membership, or the shadow models are not like the victim",
                (row.architecture,),
            )


def few_shadow_models(facts: Facts) -> Iterator[Remark]:
    """Attacks with shadow models grow stronger with their number."""
    measured = {row.attack for row in facts.of_family(FAMILY)}
    used = {
        attack.shadow_models
        for attack in facts.planned.study.attacks
        if isinstance(attack, MembershipSpec) and attack.name in measured and attack.shadow_models
    }
    if used and min(used) < FEW_SHADOWS:
        yield Remark(
            f"membership attacks had {min(used)} shadow models for each architecture: what they find is less "
            "than an attacker with more would; set `models: 64` of lira and rmia for the published strength"
        )


def nothing_to_infer(facts: Facts) -> Iterator[Remark]:
    """A victim that guesses has learned nothing, also not its members."""
    classes = {architecture.name: architecture.classes for architecture in facts.planned.architectures}
    accuracies = _by_name(facts, "clean_accuracy")
    for name in facts.measured(FAMILY):
        accuracy = accuracies.get(name)
        if accuracy is not None and accuracy.low <= 1 / classes[name]:
            yield Remark(
                f"{name} is {accuracy.value:.1%} accurate, which may be guessing among {classes[name]} classes: "
                "that nobody can tell its members from others is then no privacy; train it longer",
                (name,),
            )


def no_generalisation_gap(facts: Facts) -> Iterator[Remark]:
    """A victim that is as good on other images as on its own gives attacks little to find."""
    trained, tested = _by_name(facts, "train_accuracy"), _by_name(facts, "clean_accuracy")
    for name in facts.measured(FAMILY):
        train, test = trained.get(name), tested.get(name)
        if train is not None and test is not None and train.value <= test.high:
            yield Remark(
                f"{name} is as accurate on test images ({test.value:.1%}) as on its training images "
                f"({train.value:.1%}), up to chance: an AUC near one half then speaks for this recipe, and not "
                "for the architecture; train longer or with less augmentation to compare architectures by it",
                (name,),
            )


CHECKS: tuple[Check, ...] = (
    nothing_to_infer,
    wrong_sign,
    no_generalisation_gap,
    few_shadow_models,
    few_false_positives,
)


def _by_name(facts: Facts, metric: str) -> dict[str, Row]:
    """The victims' accuracies over all their seeds."""
    return {row.architecture: row for row in facts.pooled("training", metric)}
