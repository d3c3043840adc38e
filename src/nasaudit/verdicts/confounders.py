"""What else differs between architectures, and what is left of a difference without it. No torch.

- Membership and the generalisation gap: whoever calls a member what is classified correctly (the gap attack) has
  an AUC of (1 + gap) / 2, the gap being training minus test accuracy (Yeom, Giacomelli, Fredrikson and Jha,
  "Privacy Risk in Machine Learning", CSF 2018, section 3.2). So AUC - (1 + gap) / 2 is what an attack finds that
  overfitting as such does not give away.
- Extraction and accuracy: two networks that know nothing of each other agree wherever both are right. With
  accuracies a and s among K classes, and mistakes spread evenly, that is e = a s + (1 - a)(1 - s) / (K - 1) of the
  images, and (agreement - e) / (1 - e) is what was copied beyond it (Geirhos, Meding and Wichmann, "Beyond
  accuracy: quantifying trial-by-trial behaviour of CNNs and humans by measuring error consistency", NeurIPS 2020,
  section 2, who count right and wrong; here it is classes).
- Evasion and accuracy: a model that gets more images right gets harder ones right, which fall sooner. The curve over
  the images that each gets right counts them, that over the images which every model gets right does not. Size is
  held fixed where there are architectures enough for it: in the correlations of `verdicts.claims`.

Intervals are those of `stats.differences.combined`.

Deviations: the figures rest on many of the same images, and are mostly correlated positively; they are combined as if
independent, so the intervals of differences are wider than they must be.
"""

from collections.abc import Mapping, Sequence

from nasaudit.measure.estimate import Estimate
from nasaudit.results.base import Span
from nasaudit.results.schema import Headline, Row
from nasaudit.results.selection import COMMON, Figure, Key, estimate_of, figures, key_of
from nasaudit.results.verdict_models import Adjusted, Adjustment, Standing
from nasaudit.stats.differences import combined, independent_change

Values = Mapping[str, tuple[Estimate, Estimate, Estimate]]  # by architecture: raw, confounder, adjusted


def make_adjustments(
    headlines: Sequence[Headline], rows: Sequence[Row], standings: Sequence[Standing], classes: int
) -> list[Adjustment]:
    """The families' headlines without what a confounder explains, of two architectures or more that have all figures.

    Args:
        headlines: of the study's families.
        rows: of the study.
        standings: of the same headlines.
        classes: of the data.
    """
    by_family = {standing.family: standing for standing in standings}
    known = figures(rows)
    made = [
        _adjustment(by_family[headline.family], *_values(headline, known, classes))
        for headline in headlines
        if headline.family in by_family
    ]
    return [adjustment for adjustment in made if adjustment is not None]


def _values(headline: Headline, known: Mapping[Key, Figure], classes: int) -> tuple[str, str, Values]:
    """The confounder and the adjusted figure in words, and both of each architecture that has them."""
    tested, trained = (_accuracies(known, metric) for metric in ("clean_accuracy", "train_accuracy"))
    values: dict[str, tuple[Estimate, Estimate, Estimate]] = {}
    match headline.metric:
        case "auc":
            for name in headline.rows.keys() & tested.keys() & trained.keys():
                raw = estimate_of(headline.rows[name])
                gap = independent_change(tested[name], trained[name]).estimate
                values[name] = raw, gap, beyond_the_gap(raw, gap)
            return "generalisation gap", "AUC beyond the gap", values
        case "agreement":
            for name in headline.rows.keys() & tested.keys():
                raw = estimate_of(headline.rows[name])
                copied = known.get(key_of(headline.rows[name])._replace(metric="surrogate_accuracy"))
                if copied is not None:
                    left = beyond_accuracy(raw, tested[name], estimate_of(copied.row), classes)
                    values[name] = raw, tested[name], left
            return "accuracy of the victim", "agreement beyond that of two accurate models", values
        case "curve_area":
            for name in headline.rows.keys() & tested.keys():
                key = key_of(headline.rows[name])
                own = {**headline.rows[name].setting, "images": "correct"}
                over_own = known.get(key._replace(setting=tuple(sorted(own.items()))))
                if ("images", COMMON) in key.setting and over_own is not None:
                    raw = estimate_of(over_own.row)
                    values[name] = raw, tested[name], estimate_of(headline.rows[name])
            return "clean accuracy", "area over the images that every model gets right", values
    return "", "", values


def beyond_the_gap(auc: Estimate, gap: Estimate) -> Estimate:
    """An AUC minus that of the gap attack.

    >>> auc, gap = Estimate(0.62, 0.6, 0.64, 500, "AUC"), Estimate(0.2, 0.16, 0.24, 500, "fraction")
    >>> left = beyond_the_gap(auc, gap)
    >>> round(left.value, 3), round(left.low, 4), round(left.high, 4)
    (0.02, -0.0083, 0.0483)
    """
    return combined(lambda found, overfit: found - (1 + overfit) / 2, auc, gap)


def beyond_accuracy(agreement: Estimate, victim: Estimate, surrogate: Estimate, classes: int) -> Estimate:
    """The share of what two independent models of these accuracies would not agree on that was copied: at most 1.

    >>> sure = [Estimate(share, share, share, 500, "fraction") for share in (0.9, 0.8, 0.7)]
    >>> round(beyond_accuracy(*sure, classes=10).value, 4)  # expected: .56 + .06 / 9
    0.7692
    """

    def kappa(agreed: float, first: float, second: float) -> float:
        expected = first * second + (1 - first) * (1 - second) / (classes - 1)
        return (agreed - expected) / (1 - expected) if expected < 1 else 0.0

    return combined(kappa, agreement, victim, surrogate)


def _accuracies(known: Mapping[Key, Figure], metric: str) -> dict[str, Estimate]:
    """A victim's accuracy on the images that it learned or was tested on."""
    return {
        key.architecture: estimate_of(figure.row)
        for key, figure in known.items()
        if (key.family, key.metric) == ("training", metric)
        and dict(key.setting).get("split") in (None, "train", "test")
    }


def _adjustment(standing: Standing, confounder: str, adjusted: str, values: Values) -> Adjustment | None:
    names = [name for name in standing.ranked if name in values]
    if len(names) < 2:
        return None
    difference = independent_change(values[names[-1]][2], values[names[0]][2]).estimate
    return Adjustment(
        family=standing.family,
        confounder=confounder,
        adjusted=adjusted,
        values=[
            Adjusted(
                architecture=name,
                raw=Span.of(values[name][0]),
                confounder=Span.of(values[name][1]),
                adjusted=Span.of(values[name][2]),
                n=values[name][2].n,
            )
            for name in names
        ],
        difference=Span.of(difference),
        finding="holds" if difference.low > 0 else "reversed" if difference.high < 0 else "unclear",
    )
