"""What the claims of each link of the published chain come to. No torch.

What a claim is filed under follows from its cause and effect alone, so that a new variable finds its place by itself.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from nasaudit.results.verdict_models import Claim, LinkVerdict, Outcome, Variable

# A link is what its decided claims are where these are enough of all; of fewer than half it is so "in part".
ENOUGH, HALF = 0.25, 0.5
KINDS = ("group", "intervention", "correlation")
SMOOTH = ("gradients", "smoothness")

# Whether a claim with these parts as its cause and its effect belongs to the link; the first that holds takes it.
LINKS: Mapping[str, Callable[[str, str], bool]] = {
    "shape": lambda cause, effect: effect in ("topology", "control"),
    "speed": lambda cause, effect: effect == "convergence",
    "smooth": lambda cause, effect: effect in SMOOTH,
    "harm": lambda cause, effect: cause in SMOOTH,
    "ends": lambda cause, effect: True,
}


def judge_links(claims: Sequence[Claim], variables: Sequence[Variable]) -> list[LinkVerdict]:
    """One verdict for each link, in the order of the chain; its claims by kind.

    Args:
        claims: of the study.
        variables: that the claims are about, of which one may be missing.
    """
    parts: dict[str, str] = {variable.key: variable.part for variable in variables}
    filed: dict[str, list[int]] = {name: [] for name in LINKS}
    for place in sorted(range(len(claims)), key=lambda place: KINDS.index(claims[place].kind)):
        cause, effect = (parts.get(key, "") for key in (claims[place].cause, claims[place].effect))
        filed[next(name for name, holds in LINKS.items() if holds(cause, effect))].append(place)
    return [_judge(name, places, [claims[place] for place in places]) for name, places in filed.items()]


def _judge(name: str, places: list[int], claims: Sequence[Claim]) -> LinkVerdict:
    count = Counter(claim.finding for claim in claims)
    supported, contradicted = count["supported"], count["contradicted"]
    decided = supported + contradicted
    outcome: Outcome
    if not claims:
        outcome = "not tested"
    elif decided < ENOUGH * len(claims):
        # A few decided among many say little of a link.
        outcome = "mostly undecided" if decided else "undecided"
    elif supported and contradicted:
        outcome = "divided"
    else:
        outcome = "supported" if supported else "contradicted"
    return LinkVerdict(
        name=name,
        claims=places,
        supported=supported,
        contradicted=contradicted,
        undecided=count["undecided"],
        outcome=outcome,
        in_part=outcome in ("supported", "contradicted") and decided < HALF * len(claims),
    )
