"""One claim as a row of the page: what was asked, the talk's direction beside the measured one, and the numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

from nasaudit.measure.catalogue import FRACTION
from nasaudit.report import format
from nasaudit.report.parts import ABSENT
from nasaudit.results.base import Span
from nasaudit.results.verdict_models import Claim, ClaimFinding, Variable
from nasaudit.spec.remedies.catalogue import Rewiring, remedies_of

COLUMNS = (
    "verdict", "talk", "measured", "effect", "n", "accuracy and FLOPs held fixed", "p after Holm", "could see",
)  # fmt: skip
AGAINST = {"manual": "hand-made ones", "random": "random cells"}
# (arrow, word) of each direction, by kind of claim.
WORDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "group": {"higher": ("↑", "higher"), "lower": ("↓", "lower")},
    "correlation": {"higher": ("↗", "rises"), "lower": ("↘", "falls")},
    "intervention": {"higher": ("↑", "rises"), "lower": ("↓", "falls")},
}


@dataclass(frozen=True)
class Entry:
    """A cell of the table, with its small print line by line."""

    text: str = ABSENT
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """One claim as the page writes it."""

    kind: str  # in words
    asked: str
    finding: ClaimFinding
    talk: tuple[str, str]  # arrow and word
    measured: tuple[str, str]
    cells: tuple[Entry, ...]  # the other columns
    why: str


def line_of(claim: Claim, variables: Mapping[str, Variable]) -> Line:
    """The claim in words; `variables` by key, of which one may be missing."""
    effect = variables.get(claim.effect)
    return Line(
        kind=_kind(claim),
        asked=_asked(claim, variables),
        finding=claim.finding,
        talk=WORDS[claim.kind][claim.predicted],
        measured=_measured(claim),
        cells=(
            _effect(claim, effect),
            Entry(format.whole(claim.n) if claim.n else ABSENT, (claim.sample,)),
            _partial(claim),
            _p(claim),
            Entry(_could_see(claim, effect)),
        ),
        why=format.first_up("; ".join(part for part in (claim.why, claim.unlike) if part)),
    )


def _kind(claim: Claim) -> str:
    if claim.kind == "group":
        against = {"manual": "hand-made"}.get(claim.other, AGAINST.get(claim.other, claim.other))
        return f"NAS against {against}"
    return {"correlation": "across cells", "intervention": "rewired minus original"}[claim.kind]


def _asked(claim: Claim, variables: Mapping[str, Variable]) -> str:
    cause, effect = (
        variables[key].title if key in variables else key.replace("_", " ")
        for key in (claim.cause, claim.effect)
    )
    if claim.kind == "group":
        against = AGAINST.get(claim.other, claim.other)
        return f"NAS-designed models against {against}: a {claim.predicted} {effect}"
    if claim.kind == "correlation":
        return f"The higher the {cause}, the {claim.predicted} the {effect}"
    verb = "raises" if claim.predicted == "higher" else "lowers"
    rewiring = remedies_of(Rewiring).get(claim.cause)
    doing = (
        f"The rewiring {cause}" if rewiring is None else rewiring.doing or f"The rewiring {rewiring.title}"
    )
    return f"{doing} {verb} the {effect}"


def _measured(claim: Claim) -> tuple[str, str]:
    """The sign of the estimate, whether or not it may be chance: the verdict stands beside it."""
    if claim.estimate is None:
        return "", ABSENT
    if claim.estimate.value == 0:
        return "→", "the same" if claim.kind != "correlation" else "no trend"
    return WORDS[claim.kind]["higher" if claim.estimate.value > 0 else "lower"]


def _effect(claim: Claim, variable: Variable | None) -> Entry:
    if claim.estimate is None:
        return Entry()
    if claim.kind == "correlation":
        cells = f"all {claim.n_everywhere} cells" if claim.n_everywhere else "all cells"
        over_all = () if claim.everywhere is None else (f"{cells}: {claim.everywhere:+.2f}",)
        return Entry(f"ρ{format.NBSP}{claim.estimate.value:+.2f}", (_ends(claim.estimate), *over_all))
    metric, unit = _metric(variable)
    low, high = (format.amount(end, metric, unit) for end in (claim.estimate.low, claim.estimate.high))
    in_unit = "" if unit == FRACTION else f" {unit}"
    note = f"[{low},{format.NBSP}{high}]{in_unit}".rstrip()
    return Entry(format.change(claim.estimate.value, metric, unit), (note,))


def _partial(claim: Claim) -> Entry:
    if claim.partial is None:
        return Entry()
    p = () if claim.partial_p is None else (f"p {format.p_value(claim.partial_p)}",)
    return Entry(f"ρ{format.NBSP}{claim.partial.value:+.2f}", (_ends(claim.partial), *p))


def _p(claim: Claim) -> Entry:
    if claim.p_holm is None:
        return Entry()
    tested = (f"{claim.tested} tests",) if claim.tested > 1 else ()
    alone = () if claim.p is None else (f"alone {format.p_value(claim.p)}",)
    return Entry(format.p_value(claim.p_holm), (*alone, *tested))


def _could_see(claim: Claim, variable: Variable | None) -> str:
    if claim.detectable is None:
        return ABSENT if claim.estimate is None else "nothing"
    if claim.kind == "correlation":
        return f"ρ{format.NBSP}{claim.detectable:.2f}"
    return format.size(claim.detectable, *_metric(variable))


def _metric(variable: Variable | None) -> tuple[str, str]:
    return ("", "") if variable is None else (variable.metric, variable.unit)


def _ends(span: Span) -> str:
    return f"[{span.low:.2f},{format.NBSP}{span.high:.2f}]"
