"""What a study's remedies did, in plain sentences: one for each remedy, one for each threat, and the advice.

The judgement is that of `verdicts.remedies`; here it becomes words, and none goes further than it: "recommended" is
said of what the results recommend and of nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nasaudit.report import format
from nasaudit.report.remedy_names import Names
from nasaudit.results.verdict_models import Effect, Remedied
from nasaudit.spec.attacks import FAMILIES

TITLES: Mapping[str, str] = {name: words.title for name, words in FAMILIES.items()}
VERBS: Mapping[str, str] = {name: words.verb for name, words in FAMILIES.items()}
FEW_ORIGINALS = 4  # of which the summary can say something one by one


@dataclass(frozen=True)
class Hardening:
    """All remedies of one original.

    Attributes:
        original: its name.
        remedies: in the order of the results; at least one.
        names: who is who.
        seeds: trainings of each architecture of the study.
    """

    original: str
    remedies: Sequence[Remedied]
    names: Names
    seeds: int

    @property
    def title(self) -> str:
        """How the original is written."""
        return self.names.title(self.original)

    @property
    def families(self) -> list[str]:
        """Whose headline was measured before and after, in the order of the report."""
        measured = {effect.family for _, effect in self.headlines()}
        return [family for family in TITLES if family in measured]

    @property
    def comparisons(self) -> int:
        """How many headlines were compared, which is what Holm's correction counts."""
        return sum(effect.p_holm is not None for _, effect in self.headlines())

    @property
    def doubt(self) -> str:
        """What is said of a finding that the correction leaves open."""
        many = f" for {self.comparisons} comparisons" if self.comparisons > 1 else ""
        return f"after correction{many}"

    @property
    def trainings(self) -> str:
        """How many there are of each architecture: `2 trainings`."""
        return "one training" if self.seeds == 1 else f"{self.seeds} trainings"

    @property
    def general(self) -> bool:
        """Whether this is about other trainings as well."""
        return self.remedies[0].general

    def headlines(self, family: str = "") -> list[tuple[Remedied, Effect]]:
        """The figures that decide, of all families or of one; of one those first that gain the defender most."""
        pairs = [(remedied, effect) for remedied in self.remedies for effect in remedied.decisive]
        if not family:
            return pairs
        return sorted((pair for pair in pairs if pair[1].family == family), key=lambda pair: pair[1].rank)


def hardenings(remedies: Iterable[Remedied], names: Names, seeds: int) -> list[Hardening]:
    """The remedies by what they harden, in the order of the results."""
    by_original: dict[str, list[Remedied]] = {}
    for remedied in remedies:
        by_original.setdefault(remedied.original, []).append(remedied)
    return [Hardening(original, tried, names, seeds) for original, tried in by_original.items()]


# The whole study -------------------------------------------------------------------------------------------------


def summary(hardenings: Sequence[Hardening]) -> str:
    """One sentence: what is recommended against what, or that nothing is; "" without remedies."""
    if not hardenings:
        return ""
    if not any(remedied.effects for hardening in hardenings for remedied in hardening.remedies):
        return "Of the remedies, no attack was measured before and after."
    first = hardenings[0]
    caveat = "" if first.general else f" This is about {first.trainings} of each alone."
    helped = _advised(hardenings, "recommended")
    if not helped:
        seems = [f"{advice} ({title})" for title, advice in _advised(hardenings, "promising").items()]
        hope = f" Promising, and not certain: {'; '.join(seems)}." if seems else ""
        return f"No remedy that was tried is recommended.{hope}{caveat}"
    if len(hardenings) > FEW_ORIGINALS:
        return (
            f"Remedies: for {len(helped)} of {len(hardenings)} architectures at least one is recommended against at "
            f"least one attack.{caveat}"
        )
    without = [hardening.title for hardening in hardenings if hardening.title not in helped]
    parts = [f"for {title}: {advice}" for title, advice in helped.items()]
    parts += [f"for {format.listing(without)}: none"] if without else []
    return f"Remedies recommended {'; '.join(parts)}.{caveat}"


def _advised(hardenings: Sequence[Hardening], kind: Literal["recommended", "promising"]) -> dict[str, str]:
    """By original, e.g. `deepen and TRADES against extraction, TRADES against evasion`."""
    advised: dict[str, list[str]] = {}
    for hardening in hardenings:
        for family in hardening.families:
            names = [
                hardening.names.remedy(remedied)
                for remedied, _ in hardening.headlines(family)
                if family in getattr(remedied, kind)
            ]
            if names:
                parts = advised.setdefault(hardening.title, [])
                parts.append(f"{format.listing(names)} against {TITLES[family]}")
    return {title: ", ".join(parts) for title, parts in advised.items()}


# One original, threat by threat ----------------------------------------------------------------------------------


def title(hardening: Hardening) -> str:
    """A heading: the original, and what its remedies came to."""
    for kind, word in (("recommended", "recommended"), ("promising", "nothing recommended, promising")):
        families = [
            TITLES[family]
            for family in hardening.families
            if any(family in getattr(remedied, kind) for remedied in hardening.remedies)
        ]
        if families:
            return f"{hardening.title}: {word} against {format.listing(families)}"
    return f"{hardening.title}: no remedy is recommended"


def threat(hardening: Hardening, family: str) -> str:
    """Which remedy helps against a family that was measured, or that none does."""
    name = hardening.names.full
    pairs = hardening.headlines(family)
    against = f"Against {TITLES[family]}"
    recommended = [pair for pair in pairs if family in pair[0].recommended]
    promising = [pair for pair in pairs if family in pair[0].promising]
    helped = [pair for pair in pairs if pair[1].finding == "better"]
    barred = [pair for pair in helped if pair not in recommended and pair not in promising]
    sentences = []
    if len(recommended) == 1:
        ((remedied, effect),) = recommended
        price = "at no cost in accuracy" if remedied.kind == "answers" else _accuracy(remedied)
        gain = f"{effect.measure} {changed(effect)}, {price}"
        sentences.append(f"{against} {name(remedied)} is recommended: {gain}")
    elif recommended:
        gains = "; ".join(f"{name(remedied)} {changed(effect)}" for remedied, effect in recommended)
        measure = recommended[0][1].measure
        sentences.append(f"{against} {len(recommended)} remedies are recommended, by the {measure}: {gains}")
    if promising:
        start = "Promising" if recommended else f"{against} no remedy is recommended; promising"
        gains = "; ".join(
            f"{name(remedied)} {changed(effect)}, {_reasons(hardening, remedied, [effect])}"
            for remedied, effect in promising
        )
        sentences.append(f"{start}: {gains}")
    if barred:
        start = "Not recommended" if sentences else f"{against} no remedy can be recommended"
        gains = "; ".join(
            f"{name(remedied)} helps, {changed(effect)}, but {_barred(remedied)}"
            for remedied, effect in barred
        )
        sentences.append(f"{start}: {gains}")
    if not helped:
        sentences.append(f"{against} no remedy helps here: {_silence([effect for _, effect in pairs])}")
    harms = [
        f"{name(remedied)} {changed(effect)}{_open(hardening, effect)}"
        for remedied, effect in pairs[::-1]
        if effect.finding == "worse"
    ]
    if harms:
        sentences.append(f"Worse: {'; '.join(harms)}")
    return ". ".join(sentences) + "."


def _silence(effects: Sequence[Effect]) -> str:
    """How silent the measurements are, and what they leave possible."""
    first, n = effects[0], len(effects)
    if all(effect.finding == "same" for effect in effects):
        return f"the {first.measure} is the same with each"
    worse = sum(effect.finding == "worse" for effect in effects)
    if n == 1:
        place = "is on the wrong side of 0" if worse else "holds 0"
        return f"its interval {place} (the {first.measure} changes by {changed(first)})"
    if worse:
        verb = "is" if worse == 1 else "are"
        others = " and the others hold it" if worse < n else ""
        return f"of the {n} intervals of the difference, {worse} {verb} on the wrong side of 0{others}"
    ends = min(effect.difference.low for effect in effects), max(effect.difference.high for effect in effects)
    least, most = (format.change(end, first.metric, first.unit) for end in ends)
    return (
        f"none of the {n} intervals of the difference excludes 0; together they reach from "
        f"{least.removesuffix(f'{format.NBSP}points')} to {most}"
    )


# One remedy ------------------------------------------------------------------------------------------------------


def sentence(hardening: Hardening, remedied: Remedied) -> str:
    """A line on one remedy: what it costs, what it changes, what to do."""
    answers = remedied.kind == "answers"
    parts = ["accuracy as it was, as the network stays" if answers else _accuracy(remedied)]
    beside = [effect for effect in remedied.effects if not effect.headline]  # shown, and decide nothing
    for finding, ease in (("better", "harder"), ("worse", "easier")):
        for effect in remedied.decisive:
            if effect.finding == finding:
                doubt = _open(hardening, effect) if finding == "worse" else ""
                others = [
                    f"{other.measure} {changed(other)}" for other in beside if other.family == effect.family
                ]
                more = f" ({', '.join(others)})" if others else ""
                parts.append(
                    f"{ease} to {VERBS[effect.family]}: {effect.measure} {changed(effect)}{doubt}{more}"
                )
    decided = {effect.family for effect in remedied.decisive if effect.finding in ("better", "worse")}
    silent = [effect.family for effect in remedied.decisive if effect.family not in decided]
    if silent and decided:
        parts.append(f"no clear change: {_listed(silent)}")
    parts += [
        f"{effect.measure} {changed(effect)}, by which nothing is decided"
        for effect in beside
        if effect.family in silent and effect.finding in ("better", "worse")
    ]
    parts.append(because(hardening, remedied))
    return f"{format.first_up(hardening.names.full(remedied))}: {'; '.join(parts)}."


def because(hardening: Hardening, remedied: Remedied) -> str:
    """The advice in full, as the end of a sentence: for which threat, or why not."""
    worse = [effect for effect in remedied.decisive if effect.finding == "worse"]
    hopeful = [effect for effect in remedied.decisive if effect.family in remedied.promising]
    promise = f"promising against {_listed(remedied.promising)}, {_reasons(hardening, remedied, hopeful)}"
    match remedied.advice:
        case "recommended":
            advice = f"recommended if {_listed(remedied.recommended, 'or')} is your threat"
            if worse:
                advice += f", but not if {_listed([effect.family for effect in worse], 'or')} is"
            return f"{advice}; {promise}" if remedied.promising else advice
        case "promising":
            return promise
        case "not measured":
            return "no attack was measured before and after"
        case "too costly" | "cost unknown":
            return f"not recommended: {_barred(remedied)}"
        case "no help":
            nothing = "helps against nothing that was measured"
            if worse:
                makes = "makes" if any(effect.certain for effect in worse) else "seems to make"
                verbs = format.listing([VERBS[effect.family] for effect in worse])
                nothing = f"not recommended: it {nothing}, and {makes} the model easier to {verbs}"
            elif remedied.accuracy is None or remedied.accuracy.finding not in ("better", "worse"):
                same = all(effect.finding == "same" for effect in remedied.decisive)
                nothing = "changes none of the figures" if same else "changes nothing that could be seen"
            return nothing


def changed(effect: Effect) -> str:
    """A difference with its interval: `-5.1 points [-7.0, -3.2]`."""
    change = effect.difference
    return format.changed(change.value, change.low, change.high, effect.metric, effect.unit)


def _accuracy(remedied: Remedied) -> str:
    return "accuracy not measured" if remedied.accuracy is None else f"accuracy {changed(remedied.accuracy)}"


def _reasons(hardening: Hardening, remedied: Remedied, effects: Sequence[Effect]) -> str:
    """Why something that seems to help is not recommended."""
    reasons = []
    doubtful = [effect.family for effect in effects if not effect.certain]
    if doubtful:
        which = f" of {_listed(doubtful)}" if len(doubtful) < len(effects) else ""
        reasons.append(f"not certain{which} {hardening.doubt}")
    if remedied.drop == "unclear":
        most = points(remedied.max_drop)
        reasons.append(f"not shown to cost at most {most} of accuracy: more seeds would tell")
    return ", and ".join(reasons) or "not certain"


def _open(hardening: Hardening, effect: Effect) -> str:
    return "" if effect.certain else f", not certain {hardening.doubt}"


def _barred(remedied: Remedied) -> str:
    """Why what helps cannot be recommended at all: its price."""
    if remedied.accuracy is None:
        return "what it costs in accuracy was not measured"
    fall = format.points(remedied.accuracy.difference.value)
    return f"the accuracy falls by {fall}, more than {points(remedied.max_drop)}"


def points(share: float) -> str:
    """`1 point`, `0.5 points`."""
    return f"{100 * share:.4g}{format.NBSP}point{'s' * (100 * share != 1)}"


def _listed(families: Sequence[str], last: Literal["and", "or"] = "and") -> str:
    words = format.listing([TITLES.get(family, family) for family in families])
    return words if last == "and" else f" {last} ".join(words.rsplit(" and ", 1))
