"""A study against a policy: does every rule hold? No torch.

All rules are matched with the study first, and a rule that selects nothing is an error before anything is compared: a
gate that passes because it looked at nothing is worse than none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from nasaudit.errors import InputError
from nasaudit.gate.compare import Side, attack_differs, difference, require_comparable, warnings
from nasaudit.gate.policies import Policy
from nasaudit.gate.rule_rows import NoSuchRowError, select
from nasaudit.measure.estimate import Bound
from nasaudit.results.base import Plain, Span
from nasaudit.results.schema import Row, StudyResults
from nasaudit.results.selection import Attacks, Figure, estimate_of, figure_words, figures
from nasaudit.spec.policy import RuleSpec

FAILED_TASKS = "no task failed"


class Verdict(Plain):
    """One rule on one figure."""

    rule: str  # its title
    line: int  # of the rule in the policy's file
    holds: bool
    demand: str  # in words: "at most 0.35"
    architecture: str  # "" for what is about the whole study
    family: str
    attack: str
    setting: dict[str, str]
    metric: str
    unit: str
    measured: Span
    n: int
    baseline: Span | None = None
    difference: Span | None = None  # study minus baseline
    how: str = ""  # the difference's interval was made: "seeds", "independent", "exact"
    message: str  # why it holds or not

    @property
    def figure(self) -> str:
        """What was judged, without the architecture: `pgd asr epsilon=2/255;norm=linf`."""
        return figure_words(self.attack or self.family, self.metric, self.setting)

    @property
    def sentence(self) -> str:
        """The whole verdict for a person."""
        whose = f"{self.architecture}: " if self.architecture else ""
        change = ""
        if self.baseline is not None and self.difference is not None:
            change = (
                f" against {written(self.baseline)} of the baseline, difference {written(self.difference)}"
            )
        measured = f"{whose}{self.figure} is {written(self.measured)} (n = {self.n}){change}"
        return f"{measured}; wanted: {self.demand}; {self.message}"


def written(span: Span) -> str:
    """E.g. `0.31 [0.27, 0.35]`; the value alone where it has no sampling error."""
    if span.low == span.value == span.high:
        return f"{span.value:.4g}"
    return f"{span.value:.4g} [{span.low:.4g}, {span.high:.4g}]"


@dataclass(frozen=True)
class Gate:
    """What came of a policy.

    Attributes:
        policy: the rules.
        verdicts: of each rule, on each of its figures.
        notes: what to know before they are believed: flags of the study, and what else differs from the baseline.
        origin: what was judged: hashes of data, weights and code, versions, date, command.
    """

    policy: Policy
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def broken(self) -> tuple[Verdict, ...]:
        """The verdicts that say no."""
        return tuple(verdict for verdict in self.verdicts if not verdict.holds)

    @property
    def holds(self) -> bool:
        """Whether every rule does."""
        return not self.broken


def judge(policy: Policy, results: StudyResults, baseline: StudyResults | None = None) -> Gate:
    """Judge a study.

    Args:
        policy: the rules.
        results: of the study.
        baseline: of the study that `not_worse_than_baseline` means.

    Raises:
        InputError: a rule selects no figure of the study or of the baseline, or there is no baseline to compare with;
            nothing was compared.
    """
    if policy.spec.needs_baseline:
        if baseline is None:
            titles = [rule.title for rule in policy.spec.rules if rule.check == "not_worse_than_baseline"]
            raise InputError(
                f"{policy.path}: {titles[0]!r} needs a baseline: give --baseline DIR, a finished study"
            )
        require_comparable(baseline, results, "the baseline", "the study")
    chosen = _choose(policy, results, baseline)
    verdicts = [
        _verdict(rule, line, figure, before) for rule, line, matched in chosen for figure, before in matched
    ]
    if policy.spec.failed_tasks == "refuse":
        verdicts.insert(0, _failed_tasks(results))
    return Gate(policy, tuple(verdicts), tuple(_notes(policy, results, baseline)), results.origin)


def _notes(policy: Policy, results: StudyResults, baseline: StudyResults | None) -> Iterator[str]:
    for flag in results.flags:
        yield flag.message
    if baseline is None:
        return
    if not policy.spec.needs_baseline:
        yield "no rule compares with the baseline"
        return
    for warning in warnings(baseline, results, "the baseline", "the study"):
        yield f"baseline: {warning}"


Matched = list[tuple[Figure, Figure | None]]


def _choose(
    policy: Policy, results: StudyResults, baseline: StudyResults | None
) -> list[tuple[RuleSpec, int, Matched]]:
    chosen, problems = [], []
    for rule, line in zip(policy.spec.rules, policy.lines, strict=True):
        try:
            selected = select(rule, results)
            if rule.check == "not_worse_than_baseline" and baseline is not None:
                chosen.append((rule, line, _with_baseline(selected, results, baseline)))
            else:
                chosen.append((rule, line, [(figure, None) for figure in selected]))
        except NoSuchRowError as error:
            # One line each, whatever the study's names hold.
            problem = f"{policy.path}:{line}: {rule.title!r}: {error}"
            problems.append(problem.replace("\n", "\\n"))
    if problems:
        raise InputError("\n".join(problems))
    return chosen


def _with_baseline(selected: Sequence[Figure], results: StudyResults, baseline: StudyResults) -> Matched:
    theirs = figures(baseline.rows)
    attacks = Attacks(baseline), Attacks(results)
    matched: Matched = []
    for figure in selected:
        before = theirs.get(figure.key)
        if before is None:
            names = sorted({key.architecture for key in theirs if key[1:] == figure.key[1:]})
            has = f"of this figure it has {', '.join(names)}" if names else "it has it of no architecture"
            raise NoSuchRowError(f"the baseline has no {figure.key.words()}; {has}")
        reason = attack_differs(figure.key, *attacks)
        if reason:
            raise NoSuchRowError(f"the baseline (named first) was attacked otherwise: {reason}")
        matched.append((figure, before))
    return matched


def _verdict(rule: RuleSpec, line: int, figure: Figure, before: Figure | None) -> Verdict:
    change = None if before is None else difference(before, figure, worse=rule.direction)
    holds, message = (
        _within(rule, figure.row) if change is None else _not_worse(rule, change.difference, change.bounds)
    )
    return Verdict(
        rule=rule.title,
        line=line,
        holds=holds,
        demand=rule.demand,
        architecture=figure.key.architecture,
        family=figure.key.family,
        attack=figure.key.attack,
        setting=dict(figure.key.setting),
        metric=figure.key.metric,
        unit=figure.row.unit,
        measured=Span.of(estimate_of(figure.row)),
        n=figure.row.n,
        baseline=change and change.before,
        difference=change and change.difference,
        how=change.how if change else "",
        message=message,
    )


def _within(rule: RuleSpec, row: Row) -> tuple[bool, str]:
    """A value, or the end of its interval that is nearer to breaking the rule, against a limit."""
    most, limit = rule.check == "at_most", rule.limit
    if row.bound == ("lower" if most else "upper"):
        known, asked = ("least", "most") if most else ("most", "least")
        return False, f"the value is the {known} that it can be, which shows nothing about the {asked}"
    end = row.value if rule.judge == "value" else row.high if most else row.low

    def keeps(number: float) -> bool:
        return number <= limit if most else number >= limit

    if keeps(end):
        return True, "the value keeps to it" if rule.judge == "value" else "the whole interval keeps to it"
    if rule.judge == "bound" and keeps(row.value):
        side = "up" if most else "down"
        return False, f"the value keeps to it, but its interval reaches {side} to {end:.4g}: not shown"
    return False, f"{row.value:.4g} is not {rule.demand}"


def _not_worse(rule: RuleSpec, change: Span, bounds: Mapping[Side, Bound]) -> tuple[bool, str]:
    """A difference, turned so that higher is worse, against nothing or a tolerance."""
    value, low, high = (
        (change.value, change.low, change.high)
        if rule.direction == "higher"
        else (-change.value, -change.high, -change.low)
    )
    if not all(map(isfinite, (value, low, high))):
        return False, "the difference is not a finite number"
    if rule.tolerance is None:
        words = f"better by {-value:.4g}" if high < 0 else "not shown to be worse"
        return low <= 0, f"worse by {value:.4g}, and its interval leaves out 0" if low > 0 else words
    end = value if rule.judge == "value" else high
    # A side of which only a bound is known may be further off, on the side that is worse.
    after: Bound = "lower" if rule.direction == "higher" else "upper"
    before: Bound = "upper" if rule.direction == "higher" else "lower"
    for whose, hidden in (
        ("study", bounds.get("after") == after),
        ("baseline", bounds.get("before") == before),
    ):
        if hidden:
            words = f"the value of the {whose} is only a bound of it, and it may be worse"
            return False, f"{words}, so this cannot be shown"
    if end <= rule.tolerance:
        return True, "the value keeps to it" if rule.judge == "value" else "the whole interval keeps to it"
    if value <= rule.tolerance:
        return False, f"its value keeps to it, but its interval reaches up to {end:.4g} worse: not shown"
    return False, f"worse by {value:.4g}"


def _failed_tasks(results: StudyResults) -> Verdict:
    failed = len(results.failures)
    first = f", the first: {results.failures[0].label}" if failed else ""
    return Verdict(
        rule=FAILED_TASKS,
        line=1,
        holds=failed == 0,
        demand="at most 0",
        architecture="",
        family="study",
        attack="",
        setting={},
        metric="failed_tasks",
        unit="tasks",
        measured=Span(value=failed, low=failed, high=failed),
        n=1,
        message=f"{failed} tasks failed{first}" if failed else "every task left a result",
    )
