"""From the scores of members and non-members to AUC, true positive rates and the ROC curve. No torch.

All functions take `members` and `others`: float [M] and [N], the scores of members and of non-members, higher for
what the attack holds more likely a member. Nothing is folded: an AUC below one half says that the attack is wrong
more often than not.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.stats import binom  # type: ignore[attr-defined]

from nasaudit.attacks.membership.base import Scores
from nasaudit.errors import MeasurementError
from nasaudit.measure.bootstrap import bootstrap, mean
from nasaudit.measure.estimate import Estimate, FloatArray, Measurement, Setting, exact
from nasaudit.measure.proportion import proportion
from nasaudit.spec.attacks.membership import ROUNDING, MembershipSpec, ShadowSpec

Mask = npt.NDArray[np.bool_]

Z_95 = NormalDist().inv_cdf(0.975)
ROC_POINTS = 200


def delong(members: npt.ArrayLike, others: npt.ArrayLike) -> tuple[float, float]:
    """The AUC and its variance over the draw of members and non-members, the model held fixed.

    DeLong, DeLong and Clarke-Pearson, "Comparing the Areas under Two or More Correlated Receiver Operating
    Characteristic Curves", Biometrics 1988. With psi(x, y) = 1 for x > y, 1/2 for x = y, 0 otherwise, the AUC is the
    mean of psi over all pairs; V10 are its means over the non-members, one for each member, V01 those over the
    members; the variance is S10 / M + S01 / N with their sample variances.
    """
    x, y = np.asarray(members, dtype=np.float64), np.asarray(others, dtype=np.float64)
    v10, v01 = _placements(x, y), 1 - _placements(y, x)
    return float(v10.mean()), float(v10.var(ddof=1) / len(x) + v01.var(ddof=1) / len(y))


def auc(members: npt.ArrayLike, others: npt.ArrayLike) -> Estimate:
    """Probability that a member scores higher than a non-member, ties counting half; .5 is guessing.

    The 95 % interval is DeLong's on the logit scale, which stays within [0, 1]. Where his variance is 0 (nothing
    overlaps, or all tie), it is the score interval with the variance of Hanley and McNeil (Radiology 1982), as
    Newcombe (Statistics in Medicine 2006) solves it: no finite sample proves an AUC of exactly 1.

    Raises:
        MeasurementError: fewer than two members or non-members, or a score that is not finite.
    """
    x, y = _checked(members), _checked(others)
    value, variance = delong(x, y)
    # Rounding leaves a variance of about 1e-33 where all placements are equal.
    if variance < 1e-15 or not 0 < value < 1:
        low, high = hanley_mcneil_interval(value, len(x), len(y))
    else:
        half = Z_95 * math.sqrt(variance) / (value * (1 - value))
        centre = math.log(value / (1 - value))
        low, high = _expit(centre - half), _expit(centre + half)
    return Estimate(value, min(low, value), max(high, value), len(x) + len(y), "auc")


def hanley_mcneil_interval(value: float, m: int, n: int) -> tuple[float, float]:
    """All AUCs whose distance from `value` is at most 1.96 of their own standard errors.

    Hanley and McNeil, "The Meaning and Use of the Area under a Receiver Operating Characteristic (ROC) Curve",
    Radiology 1982: V(A) = (A (1 - A) + (m - 1)(Q1 - A^2) + (n - 1)(Q2 - A^2)) / (m n), Q1 = A / (2 - A),
    Q2 = 2 A^2 / (1 + A).
    """

    def inside(area: float) -> bool:
        q1, q2 = area / (2 - area), 2 * area * area / (1 + area)
        variance = area * (1 - area) + (m - 1) * (q1 - area * area) + (n - 1) * (q2 - area * area)
        return abs(value - area) <= Z_95 * math.sqrt(max(variance, 0.0) / (m * n))

    return _edge(inside, value, 0.0), _edge(inside, value, 1.0)


def tpr_at_fpr(members: npt.ArrayLike, others: npt.ArrayLike, fpr: float) -> Estimate:
    """Share of members found when at most a share `fpr` of the non-members is taken for members.

    The threshold is the lowest with that few false positives: the (k+1)-th highest non-member, k = floor(fpr N);
    members must exceed it.

    The 95 % interval covers both draws. How many non-members lie above the true threshold is binomial, so with
    97.5 % probability that threshold lies between two of their order statistics; Wilson's 97.5 % interval for the
    members above each of the two gives the ends. It is distribution-free and, by Bonferroni, conservative. With
    few expected false positives its lower end is 0: the highest non-member is then no bound of the threshold.

    Raises:
        MeasurementError: fewer than two members or non-members, or a score that is not finite.
        ValueError: `fpr` is below 1 / N, less than one false positive.
    """
    x, y = _checked(members), _checked(others)
    n = len(y)
    allowed = math.floor(fpr * n + ROUNDING)
    if not 1 <= allowed < n:
        raise ValueError(f"expected a false positive rate from 1/{n} to below 1, got {fpr:g}")
    highest_first = np.sort(y)[::-1]

    def members_above(above: int) -> int:
        """Members above the score that `above` non-members exceed or tie with the first of them."""
        return int((x > highest_first[min(above, n - 1)]).sum())

    fewest, most = (int(binom.ppf(tail, n, fpr)) for tail in (0.0125, 0.9875))
    value = members_above(allowed) / len(x)
    low = proportion(members_above(fewest - 1), len(x), confidence=0.975).low if fewest > 0 else 0.0
    high = proportion(members_above(most), len(x), confidence=0.975).high
    return Estimate(value, min(low, value), max(high, value), len(x), "fraction")


def roc(members: npt.ArrayLike, others: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """False and true positive rate at every threshold, from (0, 0) to (1, 1): both ascending."""
    x, y = np.sort(_checked(members)), np.sort(_checked(others))
    thresholds = np.unique(np.concatenate([x, y]))[::-1]
    fpr = (len(y) - np.searchsorted(y, thresholds, side="left")) / len(y)
    tpr = (len(x) - np.searchsorted(x, thresholds, side="left")) / len(x)
    return np.concatenate([[0.0], fpr]), np.concatenate([[0.0], tpr])


def thinned_roc(
    members: npt.ArrayLike, others: npt.ArrayLike, points: int = ROC_POINTS
) -> tuple[FloatArray, FloatArray]:
    """At most `points` points of the ROC, evenly spread over the logarithm of the false positive rate.

    The last point without a false positive and the end (1, 1) are always among them.
    """
    fpr, tpr = roc(members, others)
    grid = np.concatenate([[0.0], np.geomspace(1 / len(np.asarray(others)), 1, points - 1)])
    # A hair above each level of the grid, so that a rate that equals it counts as reached.
    kept = np.unique(np.searchsorted(fpr, grid * (1 + ROUNDING), side="right") - 1)
    return fpr[kept], tpr[kept]


def membership_measurements(
    spec: MembershipSpec, scores: Scores, member: Mask, asked: int, seed: int = 0
) -> list[Measurement]:
    """All figures of one attack.

    Args:
        spec: the attack.
        scores: what it said of each image.
        member: bool [N], the truth.
        asked: images that the victim answered in all.
        seed: decides the bootstrap's draws.
    """
    members, others = scores.score[member], scores.score[~member]
    kind = setting(spec)
    measurements = [Measurement("auc", auc(members, others), kind)]
    for fpr in spec.resolved_fprs(len(others)):
        measurements.append(
            Measurement("tpr_at_fpr", tpr_at_fpr(members, others, fpr), (("fpr", f"{fpr:g}"), *kind))
        )
    if scores.queries is None:
        queries = exact(asked / len(member), "queries", len(member))
    else:
        queries = bootstrap([scores.queries], mean, "queries", seed)
    measurements.append(Measurement("queries", queries, kind))
    if spec.shadow_models:
        measurements.append(Measurement("shadow_models", exact(spec.shadow_models, "models"), kind))
    return measurements


def roc_curves(spec: MembershipSpec, scores: Scores, member: Mask) -> list[dict[str, object]]:
    """The ROC as the artefact CURVES holds it: x is the false, y the true positive rate."""
    fpr, tpr = thinned_roc(scores.score[member], scores.score[~member])
    return [{"name": "roc", "setting": dict(setting(spec)), "x": fpr.tolist(), "y": tpr.tolist()}]


def setting(spec: MembershipSpec) -> Setting:
    """What tells two uses of one attack apart wherever its figures stand."""
    return (("mode", spec.mode),) if isinstance(spec, ShadowSpec) else ()


def _placements(x: FloatArray, y: FloatArray) -> FloatArray:
    """For each x the share of y below it, ties counting half."""
    ordered = np.sort(y)
    below = np.searchsorted(ordered, x, side="left") + np.searchsorted(ordered, x, side="right")
    return np.asarray(below / (2 * len(y)), dtype=np.float64)


def _checked(scores: npt.ArrayLike) -> FloatArray:
    values = np.asarray(scores, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        raise MeasurementError(
            f"expected at least two finite scores of members and of non-members, got {len(values)} with "
            f"{int((~np.isfinite(values)).sum())} that are not finite"
        )
    return values


def _edge(inside: Callable[[float], bool], start: float, end: float) -> float:
    """Where a connected set that holds `start` ends on the way to `end`, by bisection."""
    if inside(end):
        return end
    for _ in range(60):
        middle = (start + end) / 2
        start, end = (middle, end) if inside(middle) else (start, middle)
    return start


def _expit(value: float) -> float:
    return 1 / (1 + math.exp(-value))
