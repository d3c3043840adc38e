"""What else differs between architectures, and what is left of a difference without it. No torch.

Membership: whoever calls a member what is classified correctly (the gap attack) has an AUC of (1 + gap) / 2, the
gap being training minus test accuracy (Yeom, Giacomelli, Fredrikson and Jha, "Privacy Risk in Machine Learning", CSF
2018, section 3.2). So the AUC beyond the gap, AUC - (1 + gap) / 2, is what an attack finds that
overfitting as such does not give away. Intervals of differences are those of `stats.differences`.

Deviations: the AUC and the accuracies rest on many of the same images, and are mostly correlated positively; they are
combined as if independent, so the interval of their difference is wider than it must be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nasaudit.measure.estimate import Estimate
from nasaudit.results.base import Span
from nasaudit.results.schema import Headline, Row
from nasaudit.results.selection import estimate_of, figures
from nasaudit.results.verdict_models import Adjusted, Adjustment, Standing
from nasaudit.stats.differences import independent_change


def make_adjustments(
    headlines: Sequence[Headline], rows: Sequence[Row], standings: Sequence[Standing]
) -> list[Adjustment]:
    """The families' headlines without what a confounder explains, of two architectures or more that have all figures.

    Args:
        headlines: of the study's families.
        rows: of the study.
        standings: of the same headlines.
    """
    by_family = {standing.family: standing for standing in standings}
    gaps = _gaps(rows)
    return [
        _beyond_the_gap(headline, by_family[headline.family], gaps)
        for headline in headlines
        if headline.metric == "auc" and len(headline.rows.keys() & gaps.keys()) > 1
    ]


def beyond_the_gap(auc: Estimate, gap: Estimate) -> Estimate:
    """An AUC minus that of the gap attack.

    >>> auc, gap = Estimate(0.62, 0.6, 0.64, 500, "AUC"), Estimate(0.2, 0.16, 0.24, 500, "fraction")
    >>> left = beyond_the_gap(auc, gap)
    >>> round(left.value, 3), round(left.low, 4), round(left.high, 4)
    (0.02, -0.0083, 0.0483)
    """
    baseline = replace(gap, value=(1 + gap.value) / 2, low=(1 + gap.low) / 2, high=(1 + gap.high) / 2)
    return independent_change(baseline, auc).estimate


def _gaps(rows: Sequence[Row]) -> dict[str, Estimate]:
    """Training minus test accuracy of each architecture that has both."""
    trained: dict[str, Estimate] = {}
    tested: dict[str, Estimate] = {}
    for key, figure in figures(rows).items():
        if key.family == "training" and dict(key.setting).get("split") in (None, "train", "test"):
            if key.metric == "train_accuracy":
                trained[key.architecture] = estimate_of(figure.row)
            elif key.metric == "clean_accuracy":
                tested[key.architecture] = estimate_of(figure.row)
    return {
        name: independent_change(tested[name], trained[name]).estimate for name in trained if name in tested
    }


def _beyond_the_gap(headline: Headline, standing: Standing, gaps: Mapping[str, Estimate]) -> Adjustment:
    left = {
        name: beyond_the_gap(estimate_of(headline.rows[name]), gaps[name])
        for name in standing.ranked
        if name in gaps
    }
    first, last = next(iter(left)), list(left)[-1]
    difference = independent_change(left[last], left[first]).estimate
    return Adjustment(
        family=headline.family,
        confounder="generalisation gap",
        adjusted="AUC beyond the gap",
        values=[
            Adjusted(
                architecture=name,
                raw=Span.of(estimate_of(headline.rows[name])),
                confounder=Span.of(gaps[name]),
                adjusted=Span.of(estimate),
                n=estimate.n,
            )
            for name, estimate in left.items()
        ],
        difference=Span.of(difference),
        finding="holds" if difference.low > 0 else "reversed" if difference.high < 0 else "unclear",
    )
