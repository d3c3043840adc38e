"""What a study's remedies did, in plain sentences: one for each remedy, one for each threat, and the advice.

The judgement is that of `verdicts.remedies`; here it becomes words, and none goes further than it: "recommended" is
said of what the results recommend and of nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nasaudit.measure.catalogue import worse_direction
from nasaudit.report import format
from nasaudit.report.sections.remedies.names import Names
from nasaudit.results.flags import FEW_SEEDS
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

    def headlines(self, family: str = "") -> list[tuple[Remedied, Effect]]:
        """The figures that decide, of all families or of one."""
        return [
            (one, effect)
            for one in self.remedies
            for effect in one.effects
            if effect.headline and family in ("", effect.family)
        ]


def hardenings(remedies: Iterable[Remedied], names: Names, seeds: int) -> list[Hardening]:
    """The remedies by what they harden, in the order of the results."""
    by_original: dict[str, list[Remedied]] = {}
    for one in remedies:
        by_original.setdefault(one.original, []).append(one)
    return [Hardening(original, of_one, names, seeds) for original, of_one in by_original.items()]


# The whole study -------------------------------------------------------------------------------------------------


def summary(found: Sequence[Hardening]) -> str:
    """One sentence: what is recommended against what, or that nothing is; "" without remedies."""
    if not found:
        return ""
    if not any(one.effects for of_one in found for one in of_one.remedies):
        return "Of the remedies, no attack was measured before and after."
    told = {of_one.title: _advised(of_one, "recommended") for of_one in found}
    helped = {title: said for title, said in told.items() if said}
    few = found[0].seeds < FEW_SEEDS
    caveat = f" This is about {trainings(found[0].seeds)} of each alone." if few else ""
    if not helped:
        promising = {of_one.title: _advised(of_one, "promising") for of_one in found}
        seems = [f"{said} ({title})" for title, said in promising.items() if said]
        hope = f" Promising, and not certain: {'; '.join(seems)}." if seems else ""
        return f"No remedy that was tried is recommended.{hope}{caveat}"
    if len(found) > FEW_ORIGINALS:
        return (
            f"Remedies: for {len(helped)} of {len(found)} architectures at least one is recommended against at "
            f"least one attack.{caveat}"
        )
    without = [title for title in told if title not in helped]
    said = [f"for {title}: {words}" for title, words in helped.items()]
    said += [f"for {format.listing(without)}: none"] if without else []
    return f"Remedies recommended {'; '.join(said)}.{caveat}"


def _advised(of_one: Hardening, kind: Literal["recommended", "promising"]) -> str:
    """E.g. `deepen and TRADES against extraction, TRADES against evasion`."""
    said = []
    for family in of_one.families:
        named = [
            of_one.names.remedy(one)
            for one, _ in sorted_by_help(of_one.headlines(family))
            if family in getattr(one, kind)
        ]
        if named:
            said.append(f"{format.listing(named)} against {TITLES[family]}")
    return ", ".join(said)


# One original, threat by threat ----------------------------------------------------------------------------------


def title(of_one: Hardening) -> str:
    """A heading: the original, and what its remedies came to."""
    for kind, word in (("recommended", "recommended"), ("promising", "nothing recommended, promising")):
        families = [
            TITLES[family]
            for family in of_one.families
            if any(family in getattr(one, kind) for one in of_one.remedies)
        ]
        if families:
            return f"{of_one.title}: {word} against {format.listing(families)}"
    return f"{of_one.title}: no remedy is recommended"


def threats(of_one: Hardening) -> list[str]:
    """For each family that was measured, which remedy helps against it, or that none does."""
    return [_threat(of_one, family) for family in of_one.families]


def sorted_by_help(found: Sequence[tuple[Remedied, Effect]]) -> list[tuple[Remedied, Effect]]:
    """The remedies of one family, the one with the largest gain for the defender first."""
    return sorted(found, key=lambda pair: _harm(pair[1]))


def _harm(effect: Effect) -> float:
    """The difference with the sign by which it is worse for the defender if above 0."""
    return (1 if worse_direction(effect.metric) == "higher" else -1) * effect.difference.value


def _threat(of_one: Hardening, family: str) -> str:
    found = sorted_by_help(of_one.headlines(family))
    against = f"Against {TITLES[family]}"
    recommended = [pair for pair in found if family in pair[0].recommended]
    promising = [pair for pair in found if family in pair[0].promising]
    helped = [pair for pair in found if pair[1].finding == "better"]
    barred = [pair for pair in helped if pair not in recommended and pair not in promising]
    said = []
    if recommended:
        said.append(_recommended(of_one, against, recommended))
    if promising:
        start = "Promising" if recommended else f"{against} no remedy is recommended; promising"
        kept = [
            f"{of_one.names.full(one)} {changed(effect)}, {_reasons(of_one, one, [effect])}"
            for one, effect in promising
        ]
        said.append(f"{start}: {'; '.join(kept)}")
    if barred:
        start = "Not recommended" if said else f"{against} no remedy can be recommended"
        kept = [
            f"{of_one.names.full(one)} helps, {changed(effect)}, but {_barred(one)}" for one, effect in barred
        ]
        said.append(f"{start}: {'; '.join(kept)}")
    if not helped:
        said.append(f"{against} no remedy helps here: {_none(found)}")
    worse = [pair for pair in found if pair[1].finding == "worse"]
    if worse:
        kept = [
            f"{of_one.names.full(one)} {changed(effect)}{_open(of_one, effect)}"
            for one, effect in worse[::-1]
        ]
        said.append(f"Worse: {'; '.join(kept)}")
    return ". ".join(said) + "."


def _recommended(of_one: Hardening, against: str, found: Sequence[tuple[Remedied, Effect]]) -> str:
    one, effect = found[0]
    if len(found) == 1:
        name = of_one.names.full(one)
        return f"{against} {name} is recommended: {effect.measure} {changed(effect)}, {_price(one)}"
    kept = [f"{of_one.names.full(one)} {changed(effect)}" for one, effect in found]
    return f"{against} {len(found)} remedies are recommended, by the {effect.measure}: {'; '.join(kept)}"


def _price(one: Remedied) -> str:
    if one.kind == "answers":
        return "at no cost in accuracy"
    return "accuracy not measured" if one.accuracy is None else f"accuracy {changed(one.accuracy)}"


def _none(found: Sequence[tuple[Remedied, Effect]]) -> str:
    """How silent the measurements are, and what they leave possible."""
    effects = [effect for _, effect in found]
    if all(effect.finding == "same" for effect in effects):
        return f"the {effects[0].measure} is the same with each"
    worse = sum(effect.finding == "worse" for effect in effects)
    low = min(effect.difference.low for effect in effects)
    high = max(effect.difference.high for effect in effects)
    metric, unit = effects[0].metric, effects[0].unit
    least, most = (format.change(end, metric, unit) for end in (low, high))
    least = least.removesuffix(f"{format.NBSP}points")
    if len(effects) == 1:
        said = "its interval is on the wrong side of 0" if worse else "its interval holds 0"
        return f"{said} (the {effects[0].measure} changes by {changed(effects[0])})"
    if worse:
        verb = "is" if worse == 1 else "are"
        others = " and the others hold it" if worse < len(effects) else ""
        return f"of the {len(effects)} intervals of the difference, {worse} {verb} on the wrong side of 0{others}"
    reach = f"together they reach from {least} to {most}"
    return f"none of the {len(effects)} intervals of the difference excludes 0; {reach}"


# One remedy ------------------------------------------------------------------------------------------------------


def because(of_one: Hardening, one: Remedied) -> str:
    """The advice in full, as the end of a sentence: for which threat, or why not."""
    match one.advice:
        case "recommended":
            said = f"recommended if {_listed(one.recommended, 'or')} is your threat"
            worse = [effect.family for effect in one.effects if effect.headline and effect.finding == "worse"]
            said += f", but not if {_listed(worse, 'or')} is" if worse else ""
            return f"{said}; {_promise(of_one, one)}" if one.promising else said
        case "promising":
            return _promise(of_one, one)
        case "not measured":
            return "no attack was measured before and after"
        case "too costly" | "cost unknown":
            return f"not recommended: {_barred(one)}"
        case "no help":
            return _no_help(one)


def sentence(of_one: Hardening, one: Remedied) -> str:
    """A line on one remedy: what it costs, what it changes, what to do."""
    decisive = [effect for effect in one.effects if effect.headline]
    parts = [_cost(one)]
    for finding, ease in (("better", "harder"), ("worse", "easier")):
        for effect in decisive:
            if effect.finding == finding:
                doubt = _open(of_one, effect) if finding == "worse" else ""
                beside = _beside(one, effect.family)
                parts.append(
                    f"{ease} to {VERBS[effect.family]}: {effect.measure} {changed(effect)}{doubt}{beside}"
                )
    decided = {effect.family for effect in decisive if effect.finding in ("better", "worse")}
    silent = [effect.family for effect in decisive if effect.family not in decided]
    if silent and decided:
        parts.append(f"no clear change: {_listed(silent, 'and')}")
    parts += [
        f"{effect.measure} {changed(effect)}, by which nothing is decided"
        for effect in one.effects
        if not effect.headline and effect.family in silent and effect.finding in ("better", "worse")
    ]
    return f"{format.first_up(of_one.names.full(one))}: {'; '.join([*parts, because(of_one, one)])}."


def changed(effect: Effect) -> str:
    """A difference with its interval: `-5.1 points [-7.0, -3.2]`."""
    change = effect.difference
    return format.changed(change.value, change.low, change.high, effect.metric, effect.unit)


def _cost(one: Remedied) -> str:
    if one.kind == "answers":
        return "accuracy as it was, as the network stays"
    return "accuracy not measured" if one.accuracy is None else f"accuracy {changed(one.accuracy)}"


def _beside(one: Remedied, family: str) -> str:
    """What is shown beside the headline of a family and decides nothing."""
    said = [
        f"{effect.measure} {changed(effect)}"
        for effect in one.effects
        if not effect.headline and effect.family == family
    ]
    return f" ({', '.join(said)})" if said else ""


def _promise(of_one: Hardening, one: Remedied) -> str:
    effects = [
        effect for effect in one.effects if effect.headline and effect.family in one.promising
    ]  # fmt: skip
    return f"promising against {_listed(one.promising, 'and')}, {_reasons(of_one, one, effects)}"


def _reasons(of_one: Hardening, one: Remedied, effects: Sequence[Effect]) -> str:
    """Why something that seems to help is not recommended."""
    said = []
    doubtful = [effect.family for effect in effects if not effect.certain]
    if doubtful:
        which = f" of {_listed(doubtful, 'and')}" if len(doubtful) < len(effects) else ""
        said.append(f"not certain{which} after correction{_for_comparisons(of_one)}")
    if one.drop == "unclear":
        said.append(
            f"not shown to cost at most {points(one.max_drop)} of accuracy: more seeds would tell"
        )  # fmt: skip
    return ", and ".join(said) or "not certain"


def _open(of_one: Hardening, effect: Effect) -> str:
    return f", not certain after correction{_for_comparisons(of_one)}" if not effect.certain else ""


def _for_comparisons(of_one: Hardening) -> str:
    return f" for {of_one.comparisons} comparisons" if of_one.comparisons > 1 else ""


def _barred(one: Remedied) -> str:
    """Why what helps cannot be recommended at all: its price."""
    if one.accuracy is None:
        return "what it costs in accuracy was not measured"
    fall = format.points(one.accuracy.difference.value)
    return f"the accuracy falls by {fall}, more than {points(one.max_drop)}"


def _no_help(one: Remedied) -> str:
    decisive = [effect for effect in one.effects if effect.headline]
    worse = [effect for effect in decisive if effect.finding == "worse"]
    if worse:
        verbs = format.listing([VERBS[effect.family] for effect in worse])
        makes = "seems to make" if not any(effect.certain for effect in worse) else "makes"
        return f"not recommended: it helps against nothing that was measured, and {makes} the model easier to {verbs}"
    moved = one.accuracy is not None and one.accuracy.finding in ("better", "worse")
    if moved:
        return "helps against nothing that was measured"
    same = all(effect.finding == "same" for effect in decisive)
    return "changes none of the figures" if same else "changes nothing that could be seen"


def points(share: float) -> str:
    """`1 point`, `0.5 points`."""
    return f"{100 * share:.4g}{format.NBSP}point{'s' * (100 * share != 1)}"


def _listed(families: Sequence[str], last: str) -> str:
    words = format.listing([TITLES.get(family, family) for family in families])
    return words if last == "and" else f" {last} ".join(words.rsplit(" and ", 1))


def trainings(seeds: int) -> str:
    """E.g. `2 trainings`."""
    return "one training" if seeds == 1 else f"{seeds} trainings"
