"""What the talk expects of remedies, beside what was measured; and how all of it was paired and corrected."""

from nasaudit.report import format
from nasaudit.report.evidence import unique
from nasaudit.report.sections.remedies.words import TITLES, VERBS, Hardening, points
from nasaudit.results.verdict_models import Pairing
from nasaudit.stats.holm import ALPHA
from nasaudit.verdicts.headlines import PUBLISHED

PAIRED: dict[Pairing, str] = {
    "images and seeds": "by image and training seed, for other images and other trainings",
    "images": "by image, for other images and these trainings alone",
    "seeds": "by training seed, for other trainings",
    "independent": "not at all, as if the two were independent, which is wider",
}
# What was published of deepened cells under label flipping, in words.
LOST = "lose more accuracy to poison (about 7 points at a fraction of .4), which is worse for the defender"


def talk(hardening: Hardening) -> list[str]:
    """The talk's predictions for rewired cells against what was measured; empty without a rewiring.

    What it publishes of NAS-designed models it expects to be undone by a rewiring: `Effect.expected`.
    """
    predicted = [
        (hardening.names.title(remedied.variant), effect)
        for remedied, effect in hardening.headlines()
        if effect.expected is not None
    ]
    if not predicted:
        return []
    signs = {effect.family: effect.expected for _, effect in predicted}
    verbs = [VERBS[family] for family in hardening.families if signs.get(family) == "better"]
    expected = [f"be harder to {format.listing(verbs)}"] if verbs else []
    expected += [LOST] if "worse" in signs.values() else []
    sentences = [f"The talk ({PUBLISHED}) expects rewired cells to {', and to '.join(expected)}."]
    for agrees, certain, start in (
        (True, True, "As it expects"),
        (False, True, "This contradicts it"),
        (True, False, "Points its way, not certain after correction"),
        (False, False, "Points the other way, not certain after correction"),
    ):
        by_name: dict[str, list[str]] = {}
        for name, effect in predicted:
            if effect.agrees == agrees and effect.certain == certain:
                ease = "harder" if effect.finding == "better" else "easier"
                by_name.setdefault(name, []).append(f"{ease} to {VERBS[effect.family]}")
        if by_name:
            each = [f"{name} is {format.listing(ways)}" for name, ways in by_name.items()]
            sentences.append(f"{start}: {'; '.join(each)}.")
    undecided = sum(effect.agrees is None for _, effect in predicted)
    if undecided == len(predicted):
        all_of_them = "its only comparison is" if undecided == 1 else f"all {undecided} comparisons are"
        sentences.append(f"Nothing here supports or contradicts it: {all_of_them} undecided.")
    elif undecided:
        sentences.append(f"Undecided: {undecided} of {len(predicted)} comparisons.")
    return sentences


def method(hardening: Hardening) -> list[str]:
    """How the intervals were paired, over how much, and what was corrected."""
    by_pairing: dict[tuple[Pairing, int], list[str]] = {}
    for remedied in hardening.remedies:
        for effect in [*([] if remedied.accuracy is None else [remedied.accuracy]), *remedied.effects]:
            if effect.headline:
                by_pairing.setdefault((effect.how, effect.n), []).append(
                    TITLES.get(effect.family, "accuracy")
                )
    sentences = [f"All differences are hardened minus original, with {format.INTERVAL}s."]
    paired = [
        f"{format.listing(unique(names))} {PAIRED[how]} (n{format.NBSP}={format.NBSP}{format.whole(n)}"
        f"{' pairs' * (how != 'independent')})"
        for (how, n), names in by_pairing.items()
    ]
    if paired:
        sentences.append(f"Paired: {'; '.join(paired)}.")
    if hardening.comparisons > 1:
        sentences.append(
            f"{hardening.comparisons} comparisons were made on {hardening.title} (remedies times threats), and "
            "Holm's correction is over all of them: without any effect, 1 interval in 20 excludes 0 by luck alone."
        )
    if not hardening.general:
        sentences.append(
            f"With {hardening.trainings} of each, all of this is about these trainings alone; others may come "
            "out otherwise."
        )
    sentences.append(
        f"Recommended: helps for certain (p after Holm at most {ALPHA:g}), and the whole interval of the accuracy "
        f"stays within {points(hardening.remedies[0].max_drop)} of the original's. Promising: the interval excludes "
        "0, and one of these is not shown."
    )
    return sentences
