"""What a study's remedies come to: corrected, recommended or not, and which no other beats. No torch.

`verdicts.remedies` says by which rule.
"""

from collections.abc import Iterator, Mapping, Sequence

from nasaudit.measure.catalogue import worse_direction
from nasaudit.results.verdict_models import Advice, Front, Remedied
from nasaudit.spec.attacks import FAMILIES
from nasaudit.stats.holm import ALPHA, holm


def advise(remedies: Sequence[Remedied]) -> list[Remedied]:
    """The remedies by what they harden, with p corrected for how many questions were asked of each original.

    Args:
        remedies: without what the correction and the other remedies decide.
    """
    advised = []
    for original in dict.fromkeys(remedied.original for remedied in remedies):
        tried = [remedied for remedied in remedies if remedied.original == original]
        corrected = iter(holm([effect.p for remedied in tried for effect in remedied.decisive]))
        for remedied in rank(tried):
            effects = [
                effect.model_copy(update={"p_holm": (p := next(corrected)), "certain": p <= ALPHA})
                if effect.headline
                else effect
                for effect in remedied.effects
            ]
            helped = [effect for effect in effects if effect.headline and effect.finding == "better"]
            if remedied.drop in ("exceeds", "not measured"):
                helped = []
            sure = [effect.family for effect in helped if remedied.drop == "within" and effect.certain]
            promising = [effect.family for effect in helped if effect.family not in sure]
            judged = remedied.model_copy(
                update={"effects": effects, "recommended": sure, "promising": promising}
            )
            advised.append(judged.model_copy(update={"advice": advice_of(judged)}))
    return advised


def rank(remedies: Sequence[Remedied]) -> list[Remedied]:
    """The remedies of one original, each ranked by every family's headline; of equals the first stays first."""
    ranks: dict[tuple[str, int], int] = {}
    for family in FAMILIES:
        harms = [
            # With the sign by which it is worse for the defender if above 0.
            ((1 if worse_direction(effect.metric) == "higher" else -1) * effect.difference.value, place)
            for place, remedied in enumerate(remedies)
            for effect in remedied.decisive
            if effect.family == family
        ]
        ranks |= {(family, place): k for k, (_, place) in enumerate(sorted(harms))}
    ranked = []
    for place, remedied in enumerate(remedies):
        effects = [
            effect.model_copy(update={"rank": ranks[effect.family, place]}) if effect.headline else effect
            for effect in remedied.effects
        ]
        ranked.append(remedied.model_copy(update={"effects": effects}))
    return ranked


def advice_of(remedied: Remedied) -> Advice:
    """What a remedy comes to, in a word or two."""
    if remedied.recommended:
        return "recommended"
    if remedied.promising:
        return "promising"
    if not remedied.decisive:
        return "not measured"
    if remedied.drop == "exceeds":
        return "too costly"
    if remedied.drop == "not measured" and any(effect.finding == "better" for effect in remedied.decisive):
        return "cost unknown"
    return "no help"


def make_fronts(remedies: Sequence[Remedied], accuracy: Mapping[str, float]) -> list[Front]:
    """For each original and each family, what no other beats in both accuracy and harm (the Pareto front).

    Args:
        remedies: of the study.
        accuracy: clean test accuracy of each architecture, for originals whose answers alone were changed.
    """
    fronts = []
    for original in dict.fromkeys(remedied.original for remedied in remedies):
        tried = {place: remedied for place, remedied in enumerate(remedies) if remedied.original == original}
        known = (
            remedied.accuracy.before.value for remedied in tried.values() if remedied.accuracy is not None
        )
        base = next(known, accuracy.get(original))
        if base is None:
            continue
        for family in FAMILIES:
            points: dict[int, tuple[float, float]] = {}
            before = None
            for place, remedied in tried.items():
                after = None if remedied.accuracy is None else remedied.accuracy.after.value
                reached = base if remedied.kind == "answers" else after
                for effect in remedied.effects:
                    if effect.headline and effect.family == family and reached is not None:
                        points[place] = (reached, effect.after.value)
                        before = effect.before.value if before is None else before
            if before is None:
                continue
            original_free, *free = unbeaten([(base, before), *points.values()])
            front = Front(
                original=original,
                family=family,
                remedies=list(points),
                original_unbeaten=original_free,
                unbeaten=[place for place, is_free in zip(points, free, strict=True) if is_free],
            )
            fronts.append(front)
    return fronts


def unbeaten(points: Sequence[tuple[float, float]]) -> Iterator[bool]:
    """Whether no other point beats each one: is at least as good in both, and better in one.

    Args:
        points: (benefit, harm): of the first more is better, of the second less.

    >>> list(unbeaten([(0.9, 0.5), (0.8, 0.6), (0.8, 0.4)]))
    [True, False, True]
    """
    for benefit, harm in points:
        yield not any(
            other[0] >= benefit and other[1] <= harm and other != (benefit, harm) for other in points
        )
