"""Did it help? Each hardened architecture of a study against its original, by the headline of every family. No torch.

How a remedy is judged, decided before any result:

- Families are judged by their headlines (`verdicts.headlines`), the same as everywhere else.
- Differences are paired by training seed and by image where records say what became of each image (accuracy, evasion,
  poisoning), by seed elsewhere (`stats.crossed`). One seed tells of these trainings alone. What has no spread, or
  no pairs, is compared as if independent (`stats.differences`), which is wider.
- `better` and `worse` mean that the 95 % interval does not hold 0. As there are as many such questions as remedies
  times families, 1 in 20 is answered so by luck alone: a remedy is *recommended* against a family only if Holm's
  correction over all of them leaves p <= .05, and *promising* if it does not.
- Where the figures of both are at the same end of their scale (`verdicts.saturation`), the effect is undecided.
- A remedy must also not cost more accuracy than `max_drop`. It is recommended only if the whole interval of the
  difference stays within (`within`): that the accuracy does not fall too far has to be shown, not assumed. If the
  interval reaches beyond (`unclear`) it is promising at best; if the fall itself does (`exceeds`), it is neither.
- A remedy of the answers leaves the network, and with it the predicted class, as it is: it costs no accuracy, and is
  judged by the theft alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from nasaudit.measure.catalogue import Worse, worse_direction
from nasaudit.measure.estimate import Estimate
from nasaudit.planning.hardening import Variant, variants
from nasaudit.planning.population import HARDENED
from nasaudit.results.base import Span
from nasaudit.results.flags import FEW_SEEDS
from nasaudit.results.image_values import ByImage, ImageValues, paired_differences
from nasaudit.results.schema import Headline, Row
from nasaudit.results.selection import Figure, estimate_of, figures, key_of
from nasaudit.results.verdict_models import Drop, Effect, Finding, Pairing, Remedied
from nasaudit.spec.attacks import ExtractionSpec
from nasaudit.spec.remedies.mitigation import MitigationSpec
from nasaudit.stats.crossed import PairedTest, crossed_mean
from nasaudit.stats.differences import independent_change, possible
from nasaudit.stats.holm import ALPHA
from nasaudit.verdicts.advice import advise
from nasaudit.verdicts.headlines import Sign
from nasaudit.verdicts.saturation import Saturated, incomparable

ACCURACY = "clean accuracy"
NORMAL = NormalDist()
TOLERANCE = 1e-9  # of rounding, where a fall of exactly `max_drop` is allowed
# What is shown beside a family's headline: the metrics by which the effect of remedies was published.
BESIDE: Mapping[str, Mapping[str, str]] = {
    "extraction": {"cross_entropy": "cross entropy of the stolen model"},
}


@dataclass(frozen=True)
class _Side:
    """A figure of one of the two models, over its seeds, and by image where that is known."""

    figure: Figure
    place: int  # of its row in the results
    by_image: Mapping[int, ByImage]


def make_remedies(
    values: ImageValues,
    rows: Sequence[Row],
    headlines: Sequence[Headline],
    saturated: Mapping[str, Saturated] = {},
) -> list[Remedied]:
    """Everything that a study's remedies did.

    Args:
        values: of single images, with the study.
        rows: of the study, the pooled ones among them.
        headlines: of its families.
        saturated: by family, as `find_saturated` finds them.
    """
    study = values.planned.study
    judge = _Judge(values, rows, headlines, (study.mitigation or MitigationSpec()).max_drop, saturated)
    remedies = [judge.architecture(variant) for variant in variants(study)]
    originals = dict.fromkeys(remedied.original for remedied in remedies) or dict.fromkeys(
        architecture.name for architecture in values.planned.architectures if study.mitigation is not None
    )
    remedies += [remedied for original in originals for remedied in judge.answers(original)]
    return advise(remedies)


class _Judge:
    """Compares two models of one study by their rows."""

    def __init__(
        self,
        values: ImageValues,
        rows: Sequence[Row],
        headlines: Sequence[Headline],
        max_drop: float,
        saturated: Mapping[str, Saturated],
    ):
        self._saturated = saturated
        self._values, self._rows, self._max_drop = values, rows, max_drop
        self._general = len(values.planned.study.seeds) >= FEW_SEEDS
        self._figures = figures(rows)
        self._places = {id(row): place for place, row in enumerate(rows)}
        self._headlines = {headline.family: headline for headline in headlines}

    def architecture(self, variant: Variant) -> Remedied:
        """A hardened architecture against the one that it was."""
        names = variant.original, variant.name
        accuracy = self._accuracy(*names)
        remedied = Remedied(
            original=variant.original,
            variant=variant.name,
            remedy=variant.remedy,
            kind=variant.kind,
            scope=variant.scope,
            dose=variant.dose,
            most=variant.most,
            parameters=self._sizes("parameters", *names),
            flops=self._sizes("flops", *names),
            accuracy=accuracy,
            effects=[
                effect for headline in self._headlines.values() for effect in self._effects(headline, *names)
            ],
            max_drop=self._max_drop,
            drop=_drop(accuracy, self._max_drop),
            general=self._general,
        )
        return expect(remedied, {family: headline.published for family, headline in self._headlines.items()})

    def answers(self, original: str) -> Iterator[Remedied]:
        """The same model where a thief gets less than the probabilities in full."""
        headline = self._headlines.get("extraction")
        if headline is None or original not in headline.rows:
            return
        plain = headline.rows[original]
        for remedy, limited in self._limited(plain):
            effect = _compared(self._judged(plain), self._judged(limited), headline.measure)
            yield Remedied(
                original=original,
                variant=original,
                remedy=remedy,
                kind="answers",
                effects=[effect],
                max_drop=self._max_drop,
                drop="within",
                general=self._general,
            )

    def _limited(self, plain: Row) -> Iterator[tuple[str, Row]]:
        """The same figure of the same theft, but for the answers: the remedy, and the row over all seeds."""
        for attack in self._values.planned.study.attacks:
            if not isinstance(attack, ExtractionSpec) or attack.name != plain.attack or not attack.answers:
                continue
            setting = {**plain.setting, "answers": attack.told("answers")}
            key = key_of(plain.model_copy(update={"setting": setting}))
            if key in self._figures:
                yield attack.answers[0].name, self._figures[key].row

    def _accuracy(self, original: str, variant: str) -> Effect | None:
        sides = []
        for name in (original, variant):
            accuracies = [
                figure
                for key, figure in self._figures.items()
                if (key.architecture, key.family, key.metric) == (name, "training", "clean_accuracy")
                and figure.row.setting.get("split") == "test"
            ]
            if not accuracies:
                return None
            sides.append(self._side(accuracies[0], self._values.accuracy(name)))
        return _compared(sides[0], sides[1], ACCURACY)

    def _effects(self, headline: Headline, original: str, variant: str) -> Iterator[Effect]:
        """The family's headline first, then what is shown beside it."""
        if not {original, variant} <= headline.rows.keys():
            return
        before, after = headline.rows[original], headline.rows[variant]
        effect = _compared(self._judged(before), self._judged(after), headline.measure)
        if incomparable(original, variant, self._saturated.get(headline.family, {})):
            effect = effect.model_copy(update={"finding": "undecided"})
        yield effect
        for metric, measure in BESIDE.get(before.family, {}).items():
            keys = [key_of(row)._replace(metric=metric) for row in (before, after)]
            if all(key in self._figures for key in keys):
                sides = [self._side(self._figures[key], {}) for key in keys]
                yield _compared(sides[0], sides[1], measure).model_copy(update={"headline": False})

    def _judged(self, row: Row) -> _Side:
        return self._side(self._figures[key_of(row)], self._values.of(row))

    def _side(self, figure: Figure, by_image: Mapping[int, ByImage]) -> _Side:
        return _Side(figure, self._places[id(figure.row)], by_image)

    def _sizes(self, metric: str, original: str, variant: str) -> tuple[int, int] | None:
        sizes = {
            row.architecture: int(row.value)
            for row in self._rows
            if row.family == "topology" and row.metric == metric and not row.setting
        }
        return (sizes[original], sizes[variant]) if {original, variant} <= sizes.keys() else None


def expect(remedied: Remedied, published: Mapping[str, Sign | None]) -> Remedied:
    """The remedy beside what the talk expects of it.

    A rewiring in full undoes what search prefers, and with it what was published of architectures found by search.

    Args:
        remedied: judged.
        published: the sign of NAS-designed minus hand-made, by family.
    """
    if remedied.remedy not in HARDENED or remedied.kind != "rewiring" or not remedied.full:
        return remedied
    effects = []
    for effect in remedied.effects:
        sign = published.get(effect.family)
        if effect.headline and sign is not None:
            expected = "better" if sign == "higher" else "worse"
            agrees = effect.finding == expected if effect.finding in ("better", "worse") else None
            effects.append(effect.model_copy(update={"expected": expected, "agrees": agrees}))
        else:
            effects.append(effect)
    return remedied.model_copy(update={"effects": effects})


def _compared(before: _Side, after: _Side, measure: str) -> Effect:
    """The difference of a figure, in the best way in which the two can be paired."""
    row = after.figure.row
    how, tested = _difference(before, after)
    change = Span.of(tested.estimate)
    return Effect(
        family=row.family,
        measure=measure,
        attack=row.attack,
        setting=row.setting,
        metric=row.metric,
        unit=row.unit,
        before=Span.of(estimate_of(before.figure.row)),
        after=Span.of(estimate_of(row)),
        difference=change,
        n=tested.estimate.n,
        how=how,
        p=tested.p,
        finding=finding_of(change, worse_direction(row.metric)),
        rows=(before.place, after.place),
    )


def _difference(before: _Side, after: _Side) -> tuple[Pairing, PairedTest]:
    row = after.figure.row
    by_image = paired_differences(before.by_image, after.by_image)
    if by_image is not None and (tested := crossed_mean(by_image, row.unit)) is not None:
        how: Pairing = "images and seeds" if len(by_image) > 1 else "images"
        return how, PairedTest(possible(tested.estimate), tested.p)
    by_seed = paired_differences(
        *({seed: {0: row.value} for seed, row in side.figure.by_seed.items()} for side in (before, after))
    )
    if by_seed is not None and (tested := crossed_mean(by_seed, row.unit)) is not None:
        return "seeds", PairedTest(possible(tested.estimate), tested.p)
    change = independent_change(estimate_of(before.figure.row), estimate_of(row)).estimate
    return "independent", PairedTest(change, _normal_p(change))


def _normal_p(change: Estimate) -> float:
    """Of a difference with an interval and nothing else: normal, as wide as the interval on the side of 0."""
    reach = change.value - change.low if change.value > 0 else change.high - change.value
    if change.value == 0 or reach == 0:
        return 1.0 if change.value == 0 else 0.0
    return 2 * NORMAL.cdf(NORMAL.inv_cdf(ALPHA / 2) * abs(change.value) / reach)


def _drop(accuracy: Effect | None, max_drop: float) -> Drop:
    if accuracy is None:
        return "not measured"
    if accuracy.difference.value < -max_drop - TOLERANCE:
        return "exceeds"
    return "within" if accuracy.difference.low >= -max_drop - TOLERANCE else "unclear"


def finding_of(change: Span, worse: Worse | None) -> Finding:
    """What a difference says by its interval.

    Args:
        change: after minus before.
        worse: which way the figure is worse for the defender; None: not known.
    """
    if change.low == change.value == change.high == 0:
        return "same"
    if not (change.low > 0 or change.high < 0):
        return "undecided"
    higher = change.low > 0
    if worse is None:
        return "higher" if higher else "lower"
    return "worse" if higher == (worse == "higher") else "better"
