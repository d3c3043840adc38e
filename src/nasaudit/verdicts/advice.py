"""What a study's remedies come to: corrected, recommended or not, and which no other beats. No torch.

`verdicts.remedies` says by which rule.
"""

from collections.abc import Iterator, Mapping, Sequence

from nasaudit.results.verdict_models import Advice, Effect, Front, Remedied
from nasaudit.spec.attacks import FAMILIES
from nasaudit.stats.holm import ALPHA, holm


def advise(remedies: Sequence[Remedied]) -> list[Remedied]:
    """The remedies by what they harden, with p corrected for how many questions were asked of each original.

    Args:
        remedies: without p_holm and advice.
    """
    advised = []
    for original in dict.fromkeys(one.original for one in remedies):
        of_one = [one for one in remedies if one.original == original]
        corrected = iter(holm([effect.p for one in of_one for effect in one.effects if effect.headline]))
        for one in of_one:
            effects = [
                _corrected(effect, next(corrected)) if effect.headline else effect for effect in one.effects
            ]
            advised.append(_advised(one.model_copy(update={"effects": effects})))
    return advised


def _corrected(effect: Effect, p: float) -> Effect:
    return effect.model_copy(update={"p_holm": p, "certain": p <= ALPHA})


def _advised(one: Remedied) -> Remedied:
    helped = [effect for effect in one.effects if effect.headline and effect.finding == "better"]
    if one.drop in ("exceeds", "not measured"):
        helped = []
    sure = [effect.family for effect in helped if one.drop == "within" and effect.certain]
    promising = [effect.family for effect in helped if effect.family not in sure]
    one = one.model_copy(update={"recommended": sure, "promising": promising})
    return one.model_copy(update={"advice": advice_of(one)})


def advice_of(one: Remedied) -> Advice:
    """What a remedy comes to, in a word or two."""
    decisive = [effect for effect in one.effects if effect.headline]
    if one.recommended:
        return "recommended"
    if one.promising:
        return "promising"
    if not decisive:
        return "not measured"
    if one.drop == "exceeds":
        return "too costly"
    if one.drop == "not measured" and any(effect.finding == "better" for effect in decisive):
        return "cost unknown"
    return "no help"


def make_fronts(remedies: Sequence[Remedied], accuracy: Mapping[str, float]) -> list[Front]:
    """For each original and each family, what no other beats in both accuracy and harm (the Pareto front).

    Args:
        remedies: of the study.
        accuracy: clean test accuracy of each architecture, for originals whose answers alone were changed.
    """
    fronts = []
    for original in dict.fromkeys(one.original for one in remedies):
        of_one = [(place, one) for place, one in enumerate(remedies) if one.original == original]
        known = (one.accuracy.before.value for _, one in of_one if one.accuracy is not None)
        base = next(known, accuracy.get(original))
        if base is not None:
            fronts += [_front(original, family, base, of_one) for family in FAMILIES]
    return [front for front in fronts if front is not None]


def _front(original: str, family: str, base: float, of_one: Sequence[tuple[int, Remedied]]) -> Front | None:
    points = {}
    before = None
    for place, one in of_one:
        for effect in one.effects:
            reached = (
                base if one.kind == "answers" else None if one.accuracy is None else one.accuracy.after.value
            )
            if effect.headline and effect.family == family and reached is not None:
                points[place] = (reached, effect.after.value)
                before = effect.before.value if before is None else before
    if before is None:
        return None
    kept = list(unbeaten([(base, before), *points.values()]))
    return Front(
        original=original,
        family=family,
        remedies=list(points),
        original_unbeaten=kept[0],
        unbeaten=[place for place, free in zip(points, kept[1:], strict=True) if free],
    )


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
