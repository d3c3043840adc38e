"""What the talk expects of remedies, beside what was measured; and how all of it was paired and corrected."""

from typing import Literal

from nasaudit.planning.population import HARDENED
from nasaudit.report import format
from nasaudit.report.sections.remedies.words import TITLES, VERBS, Hardening, points, trainings
from nasaudit.results.flags import FEW_SEEDS
from nasaudit.results.verdict_models import Pairing
from nasaudit.stats.holm import ALPHA
from nasaudit.verdicts.headlines import DIRECTIONS, PUBLISHED

PAIRED: dict[Pairing, str] = {
    "images and seeds": "by image and training seed, for other images and other trainings",
    "images": "by image, for other images and these trainings alone",
    "seeds": "by training seed, for other trainings",
    "independent": "not at all, as if the two were independent, which is wider",
}
# What was published of deepened cells under label flipping, in words; `DIRECTIONS` has the sign.
LOST = "lose more accuracy to poison (about 7 points at a fraction of .4), which is worse for the defender"


def talk(of_one: Hardening) -> list[str]:
    """The talk's predictions for rewired cells against what was measured; empty without a rewiring.

    What it publishes of NAS-designed models it expects to be undone by a rewiring, so the predicted sign of a
    difference is the reverse of `verdicts.headlines.DIRECTIONS`: lower, and for the accuracy lost to poison higher.
    """
    known = [
        (one, effect)
        for one, effect in of_one.headlines()
        if one.remedy in HARDENED and one.kind == "rewiring" and one.full and effect.family in DIRECTIONS
    ]
    if not known:
        return []
    easier = [family for family in of_one.families if _predicted(family) == "better"]
    lost = [family for family in of_one.families if _predicted(family) == "worse"]
    expected = [f"be harder to {format.listing([VERBS[family] for family in easier])}"] if easier else []
    expected += [LOST] if lost else []
    said = [f"The talk ({PUBLISHED}) expects rewired cells to {', and to '.join(expected)}."]
    decided = [(one, effect) for one, effect in known if effect.finding in ("better", "worse")]
    for agrees, certain, start in (
        (True, True, "As it expects"),
        (False, True, "This contradicts it"),
        (True, False, "Points its way, not certain after correction"),
        (False, False, "Points the other way, not certain after correction"),
    ):
        which: dict[str, list[str]] = {}
        for one, effect in decided:
            if (effect.finding == _predicted(effect.family)) == agrees and effect.certain == certain:
                ease = "harder" if effect.finding == "better" else "easier"
                which.setdefault(of_one.names.title(one.variant), []).append(
                    f"{ease} to {VERBS[effect.family]}"
                )
        if which:
            each = [f"{name} is {format.listing(ways)}" for name, ways in which.items()]
            said.append(f"{start}: {'; '.join(each)}.")
    left = len(known) - len(decided)
    if left == len(known):
        all_of_them = "its only comparison is" if left == 1 else f"all {left} comparisons are"
        said.append(f"Nothing here supports or contradicts it: {all_of_them} undecided.")
    elif left:
        said.append(f"Undecided: {left} of {len(known)} comparisons.")
    return said


def _predicted(family: str) -> Literal["better", "worse", ""]:
    signs = {str(name): known.sign for name, known in DIRECTIONS.items()}
    if family not in signs:
        return ""
    return "better" if signs[family] == "higher" else "worse"


def method(of_one: Hardening) -> list[str]:
    """How the intervals were paired, over how much, and what was corrected."""
    by_pairing: dict[tuple[Pairing, int], list[str]] = {}
    for one in of_one.remedies:
        for effect in [*([] if one.accuracy is None else [one.accuracy]), *one.effects]:
            if effect.headline:
                name = TITLES.get(effect.family, "accuracy")
                named = by_pairing.setdefault((effect.how, effect.n), [])
                if name not in named:
                    named.append(name)
    said = [f"All differences are hardened minus original, with {format.INTERVAL}s."]
    paired = [
        f"{format.listing(named)} {PAIRED[how]} (n{format.NBSP}={format.NBSP}{format.whole(n)}"
        f"{' pairs' * (how != 'independent')})"
        for (how, n), named in by_pairing.items()
    ]
    if paired:
        said.append(f"Paired: {'; '.join(paired)}.")
    if of_one.comparisons > 1:
        said.append(
            f"{of_one.comparisons} comparisons were made on {of_one.title} (remedies times threats), and Holm's "
            "correction is over all of them: without any effect, 1 interval in 20 excludes 0 by luck alone."
        )
    if of_one.seeds < FEW_SEEDS:
        said.append(
            f"With {trainings(of_one.seeds)} of each, all of this is about these trainings alone; others may come "
            "out otherwise."
        )
    said.append(
        f"Recommended: helps for certain (p after Holm at most {ALPHA:g}), and the whole interval of the accuracy "
        f"stays within {points(of_one.remedies[0].max_drop)} of the original's. Promising: the interval excludes 0, "
        "and one of these is not shown."
    )
    return said
