"""Which architecture is easier to attack, by how much, and whether the intervals allow to say so.

The decisions are those of `verdicts.standings`; here they become words.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nasaudit.report import format
from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import Cell, Table
from nasaudit.report.sections.families.base import Family, Wording
from nasaudit.report.sections.groups import group_verdict
from nasaudit.results.base import Span
from nasaudit.results.flags import ACCURACY_GAP
from nasaudit.results.schema import Headline
from nasaudit.results.verdict_models import Standing
from nasaudit.verdicts.saturation import UNDECIDED


@dataclass(frozen=True)
class Finding:
    """A title and the sentences that qualify it; the page folds what is not decided."""

    title: str
    sentences: tuple[str, ...]
    decided: bool
    verb: str  # of the attacker
    table: Table | None = None


# Of the order that the raw figures have.
LEFT = {
    "holds": "the order stays",
    "reversed": "the order is turned round, so the raw figures speak of the confounder",
    "unclear": "the order cannot be told any more, so the raw figures may speak of the confounder alone",
}


def findings(evidence: Evidence, family: Family) -> Iterator[Finding]:
    """One finding for a pair of architectures, or one for the whole field; none for less."""
    headline = evidence.results.headline(family.name)
    standing = next((each for each in evidence.results.standings if each.family == family.name), None)
    if headline is None or standing is None:
        return
    wording = family.wording(evidence, headline)
    worst, best = standing.ranked[0], standing.ranked[-1]
    high, low = headline.rows[worst], headline.rows[best]
    titles = evidence.titles
    difference = f"a difference of {_difference(standing, headline)}"
    if len(standing.ranked) == 2:
        title = _pair_title(family, standing, titles)
        numbers = [
            f"{format.first_up(wording.measure)}: {format.estimate(high)} for {titles[worst]}, "
            f"{format.estimate(low)} for {titles[best]}; {difference}.",
        ]
        if not (standing.decided or standing.at_the_end):
            numbers.append(
                "A value without an interval may be chance, so this study cannot tell them apart."
                if standing.allowed is None
                else f"The {format.INTERVAL}s overlap, so this study cannot tell them apart."
            )
    else:
        title = _field_title(family, standing, titles)
        numbers = [
            f"{format.first_up(wording.measure)}: from {format.estimate(low)} ({titles[best]}) "
            f"to {format.estimate(high)} ({titles[worst]}); {difference}.",
        ]
        # Of those at either end, who is not alone there.
        for extreme in (worst, best) if standing.decided else ():
            if tied := [titles[name] for name in standing.tied(extreme)]:
                numbers.append(f"Not clearly apart from {titles[extreme]}: {format.listing(tied)}.")
    if standing.at_the_end and standing.saturated:
        numbers.append(f"Undecided: {UNDECIDED}. {_reasons(standing, titles)}")
    if standing.decided and not standing.general:
        seeds = len(evidence.results.study.seeds)
        trainings = "one training" if seeds == 1 else f"{seeds} trainings"
        numbers.append(
            f"With {trainings} of each, that holds for these models; another training may come out otherwise."
        )
    yield Finding(
        title,
        decided=standing.decided,
        verb=family.verb,
        table=_adjustments(evidence, family),
        sentences=(
            *_illustrated(wording, worst, best, titles),
            *numbers,
            _direction(evidence, family, headline, standing),
            *([f"Caution: {standing.unlike}, so it may come from the training."] if standing.unlike else []),
            *_accuracies(standing, titles),
            *_adjusted(evidence, standing),
        ),
    )


def _pair_title(family: Family, standing: Standing, titles: Mapping[str, str]) -> str:
    """A claim on architectures needs several trainings of each; with fewer it is one on the models at hand."""
    worse, better = (titles[name] for name in standing.ranked)
    if not standing.decided:
        return f"Undecided: whether {worse} or {better} is easier to {family.verb}."
    if not standing.general:
        return f"These {worse} models are easier to {family.verb} than these {better} models."
    return f"{worse} is easier to {family.verb} than {better}."


def _field_title(family: Family, standing: Standing, titles: Mapping[str, str]) -> str:
    if not standing.decided:
        return f"Undecided: no architecture is clearly easier to {family.verb} than another."
    worst, best = standing.ranked[0], standing.ranked[-1]
    easiest, hardest = ("Among the" if standing.tied(name) else "The" for name in (worst, best))
    return f"{easiest} easiest to {family.verb}: {titles[worst]}. {hardest} hardest: {titles[best]}."


def _difference(standing: Standing, headline: Headline) -> str:
    """The difference, and the bounds that the two intervals leave to it."""
    metric, unit = headline.metric, headline.unit
    points = f"{format.NBSP}points" if format.in_points(metric, unit) else ""
    difference = f"{format.amount(standing.difference, metric, unit)}{points}"
    if standing.allowed is None:
        return difference
    least, most = (format.amount(end, metric, unit) for end in (standing.allowed.low, standing.allowed.high))
    return f"{difference} (the intervals allow {least} to {most})"


def _illustrated(wording: Wording, worse: str, better: str, titles: Mapping[str, str]) -> list[str]:
    rows = wording.illustration
    if worse not in rows or better not in rows:
        return []
    counted, happens = wording.around
    return [
        f"{counted}, {format.estimate(rows[worse])} {happens} with {titles[worse]} "
        f"and {format.estimate(rows[better])} with {titles[better]}."
    ]


def _direction(evidence: Evidence, family: Family, headline: Headline, standing: Standing) -> str:
    """Whether the study agrees with the published direction; one study of one data set settles nothing.

    Where architectures enough of both groups were compared, the test over architectures has the word.
    """
    study = evidence.results.study
    here = f"On {study.data.label} at scale {study.scale}"
    tested = group_verdict(evidence, family)
    if tested is not None:
        return f"{here}, {tested}"
    if headline.published is None:
        return "Nothing was published of NAS-designed models under this attack."
    claim = family.claim(headline.published)
    undecided = standing.pairs - standing.agree - standing.against
    if not standing.pairs:
        return f"It says nothing on {claim}. That takes a NAS-designed and a hand-made model."
    if undecided == standing.pairs:
        return f"{here}, this neither supports nor contradicts {claim}."
    if standing.pairs == 1:
        return f"{here}, this {'agrees with' if standing.agree else 'goes against'} {claim}."
    return (
        f"{here}, of the {standing.pairs} pairs of a NAS-designed and a hand-made model, {standing.agree} agree "
        f"with, {standing.against} go against and {undecided} leave undecided {claim}."
    )


def _reasons(standing: Standing, titles: Mapping[str, str]) -> str:
    """Who is at an end of the scale, by why."""
    by_reason: dict[str, list[str]] = {}
    for each in standing.saturated:
        by_reason.setdefault(each.reason, []).append(titles[each.architecture])
    return " ".join(f"{format.listing(names)}: {reason}." for reason, names in by_reason.items())


def _adjusted(evidence: Evidence, standing: Standing) -> list[str]:
    """What is left of the order of the first and the last without a confounder, where there is an order."""
    return [
        f"What else differs: the {each.confounder}. Without it, the difference of the {each.adjusted} is "
        f"{each.difference.value:+.3f} [{each.difference.low:.3f}, {each.difference.high:.3f}] "
        f"({evidence.titles[each.values[0].architecture]} minus "
        f"{evidence.titles[each.values[-1].architecture]}): {LEFT[each.finding]}."
        for each in evidence.results.adjustments
        if standing.decided and each.family == standing.family
    ]


def _adjustments(evidence: Evidence, family: Family) -> Table | None:
    """Raw figure, confounder and adjusted figure of each architecture; None where nothing was adjusted."""
    for each in evidence.results.adjustments:
        if each.family == family.name:
            rows = tuple(
                (
                    Cell(evidence.titles[value.architecture]),
                    *(_span(span) for span in (value.raw, value.confounder, value.adjusted)),
                )
                for value in each.values
            )
            columns = ("", "raw figure", each.confounder, each.adjusted)
            return Table("What else differs", columns, rows)
    return None


def _span(span: Span) -> Cell:
    return Cell(f"{span.value:.3f}", f"[{span.low:.3f},{format.NBSP}{span.high:.3f}]")


def _accuracies(standing: Standing, titles: Mapping[str, str]) -> list[str]:
    gap = standing.accuracy_gap
    if gap is None:
        return []
    first, second = (titles[name] for name in gap.architectures)
    others = (
        f" ({gap.pairs} pairs differ by more than {format.points(ACCURACY_GAP)})" if gap.pairs > 1 else ""
    )
    return [
        f"Caution: the clean accuracies of {first} and {second} differ by {format.points(gap.difference)}{others}. "
        "A model that is less accurate is often easier to attack for that reason alone."
    ]
