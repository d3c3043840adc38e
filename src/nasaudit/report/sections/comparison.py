"""Which architecture is easier to attack, by how much, and whether the intervals allow to say so."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from nasaudit.report import format
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.sections.families.base import Family, Wording
from nasaudit.report.sections.groups import group_verdict
from nasaudit.results.flags import ACCURACY_GAP, FEW_SEEDS
from nasaudit.results.schema import Headline, Row

Sign = Literal["higher", "lower", "undecided"]


@dataclass(frozen=True)
class Finding:
    """A title and the sentences that qualify it; the page folds what is not decided."""

    title: str
    sentences: tuple[str, ...]
    decided: bool


def findings(evidence: Evidence, family: Family) -> Iterator[Finding]:
    """One finding for a pair of architectures, or one for the whole field."""
    headline = evidence.headline(family.name)
    if headline is None:
        return
    measured = [subject for subject in evidence.subjects if subject.name in headline.rows]
    if len(measured) == 2:
        yield _pair(evidence, family, headline, measured)
    elif len(measured) > 2:
        yield _field(evidence, family, headline, measured)


def compare(first: Row, second: Row) -> Sign:
    """Whether `first` is surely higher or lower: both must have an interval, and these must not overlap."""
    if _without_interval(first) or _without_interval(second):
        return "undecided"
    if first.low > second.high:
        return "higher"
    return "lower" if first.high < second.low else "undecided"


def _pair(evidence: Evidence, family: Family, headline: Headline, pair: list[Subject]) -> Finding:
    worse, better = sorted(pair, key=lambda subject: -headline.rows[subject.name].value)
    high, low = headline.rows[worse.name], headline.rows[better.name]
    decided = compare(high, low) == "higher"
    wording = family.wording(evidence, headline)
    title = (
        _easier(evidence, family, worse, better)
        if decided
        else f"Undecided: whether {worse.title} or {better.title} is easier to {family.verb}."
    )
    numbers = (
        f"{format.first_up(wording.measure)}: {format.estimate(high)} for {worse.title}, "
        f"{format.estimate(low)} for {better.title}; a difference of {_difference(high, low)}."
    )
    overlap = [] if decided else [_why_undecided(high, low)]
    return Finding(
        title,
        decided=decided,
        sentences=(
            *_illustrated(wording, worse, better),
            numbers,
            *overlap,
            *(_only_these_models(evidence) if decided else ()),
            _direction(evidence, family, headline, pair),
            *_gaps(evidence, [(worse, better)]),
        ),
    )


def _field(evidence: Evidence, family: Family, headline: Headline, measured: list[Subject]) -> Finding:
    ranked = sorted(measured, key=lambda subject: -headline.rows[subject.name].value)
    worst, best = ranked[0], ranked[-1]
    high, low = headline.rows[worst.name], headline.rows[best.name]
    decided = compare(high, low) == "higher"
    wording = family.wording(evidence, headline)
    rivals = [_not_apart(headline, ranked, extreme) for extreme in (worst, best)]
    easiest, hardest = ("Among the" if tied else "The" for tied in rivals)
    title = (
        f"{easiest} easiest to {family.verb}: {worst.title}. {hardest} hardest: {best.title}."
        if decided
        else f"Undecided: no architecture is clearly easier to {family.verb} than another."
    )
    return Finding(
        title,
        decided=decided,
        sentences=(
            *_illustrated(wording, worst, best),
            f"{format.first_up(wording.measure)}: from {format.estimate(low)} ({best.title}) "
            f"to {format.estimate(high)} ({worst.title}); a difference of {_difference(high, low)}.",
            *(
                f"Not clearly apart from {extreme.title}: {format.listing(tied)}."
                for extreme, tied in zip((worst, best), rivals, strict=True)
                if decided and tied
            ),
            *(_only_these_models(evidence) if decided else ()),
            _direction(evidence, family, headline, measured),
            *_gaps(evidence, [(one, other) for k, one in enumerate(measured) for other in measured[k + 1 :]]),
        ),
    )


def _easier(evidence: Evidence, family: Family, worse: Subject, better: Subject) -> str:
    """A claim on architectures needs several trainings of each; with fewer it is one on the models at hand."""
    if len(evidence.results.study.seeds) < FEW_SEEDS:
        return f"These {worse.title} models are easier to {family.verb} than these {better.title} models."
    return f"{worse.title} is easier to {family.verb} than {better.title}."


def _only_these_models(evidence: Evidence) -> Iterator[str]:
    seeds = len(evidence.results.study.seeds)
    if seeds < FEW_SEEDS:
        trainings = "one training" if seeds == 1 else f"{seeds} trainings"
        yield f"With {trainings} of each, that holds for these models; another training may come out otherwise."


def _not_apart(headline: Headline, subjects: list[Subject], extreme: Subject) -> list[str]:
    """The others whose interval overlaps that of the extreme one, which is then not alone at its end."""
    row = headline.rows[extreme.name]
    return [
        subject.title
        for subject in subjects
        if subject is not extreme and compare(row, headline.rows[subject.name]) == "undecided"
    ]


def _without_interval(row: Row) -> bool:
    """A figure measured once, without an interval: nobody knows how much of it is chance."""
    return format.is_exact(row) and row.n == 1


def _why_undecided(high: Row, low: Row) -> str:
    if _without_interval(high) or _without_interval(low):
        return "A value without an interval may be chance, so this study cannot tell them apart."
    return f"The {format.INTERVAL}s overlap, so this study cannot tell them apart."


def _difference(high: Row, low: Row) -> str:
    """The difference, and the bounds that the two intervals leave to it (wider than a 95 % interval)."""
    differences = (high.value - low.value, high.low - low.high, high.high - low.low)
    value, least, most = (format.amount(number, high.metric, high.unit) for number in differences)
    unit = f"{format.NBSP}points" if format.in_points(high.metric, high.unit) else ""
    allowed = (
        ""
        if _without_interval(high) or _without_interval(low)
        else f" (the intervals allow {least} to {most})"
    )
    return f"{value}{unit}{allowed}"


def _illustrated(wording: Wording, worse: Subject, better: Subject) -> list[str]:
    rows = wording.illustration
    if worse.name not in rows or better.name not in rows:
        return []
    counted, happens = wording.around
    return [
        f"{counted}, {format.estimate(rows[worse.name])} {happens} with {worse.title} "
        f"and {format.estimate(rows[better.name])} with {better.title}."
    ]


def _nas_and_manual(subjects: list[Subject]) -> list[tuple[Subject, Subject]]:
    """All pairs of a NAS-designed and a hand-made model; random and custom cells are neither."""
    nas = [subject for subject in subjects if subject.spec.group == "nas"]
    manual = [subject for subject in subjects if subject.spec.group == "manual"]
    return [(one, other) for one in nas for other in manual]


def _pair_sign(nas: Subject, manual: Subject, headline: Headline) -> Sign:
    return compare(headline.rows[nas.name], headline.rows[manual.name])


def _direction(evidence: Evidence, family: Family, headline: Headline, measured: list[Subject]) -> str:
    """Whether the study agrees with the published direction; one study of one data set settles nothing.

    Where architectures enough of both groups were compared, the test over architectures has the word.
    """
    study = evidence.results.study
    here = f"On {study.data.name} at scale {study.scale}"
    tested = group_verdict(evidence, family)
    if tested is not None:
        return f"{here}, {tested}"
    sign = headline.published
    claim = family.claim(sign)
    signs = [_pair_sign(*both, headline) for both in _nas_and_manual(measured)]
    if not signs:
        return f"It says nothing on {claim}. That takes a NAS-designed and a hand-made model."
    count = Counter(signs)
    if count["undecided"] == len(signs):
        return f"{here}, this neither supports nor contradicts {claim}."
    agree = count[sign]
    if len(signs) == 1:
        return f"{here}, this {'agrees with' if agree else 'goes against'} {claim}."
    return (
        f"{here}, of the {len(signs)} pairs of a NAS-designed and a hand-made model, {agree} agree with, "
        f"{len(signs) - agree - count['undecided']} go against and {count['undecided']} leave undecided {claim}."
    )


def _gaps(evidence: Evidence, pairs: list[tuple[Subject, Subject]]) -> list[str]:
    gaps = []
    for one, other in pairs:
        first, second = evidence.accuracy(one.name), evidence.accuracy(other.name)
        if first is not None and second is not None and abs(first.value - second.value) > ACCURACY_GAP:
            gaps.append((abs(first.value - second.value), one, other))
    if not gaps:
        return []
    widest, one, other = max(gaps, key=lambda gap: gap[0])
    others = (
        f" ({len(gaps)} pairs differ by more than {format.points(ACCURACY_GAP)})" if len(gaps) > 1 else ""
    )
    return [
        f"Caution: the clean accuracies of {one.title} and {other.title} differ by {format.points(widest)}{others}. "
        "A model that is less accurate is often easier to attack for that reason alone."
    ]
