"""From measures to claims: each link of the published chain, tested over architectures. No torch.

The chain and its measures are in `verdicts.chain`. What is asked is in `verdicts.group_claims`,
`verdicts.correlation_claims` and `verdicts.intervention_claims`; here is what may be said of all answers together.
"""

from collections.abc import Sequence
from typing import Literal

from nasaudit.results.verdict_models import Claim, Measure
from nasaudit.spec.arch import ArchSpec
from nasaudit.stats.holm import ALPHA, holm
from nasaudit.verdicts.correlation_claims import correlation_claims
from nasaudit.verdicts.drafts import Draft, Link
from nasaudit.verdicts.group_claims import group_claims
from nasaudit.verdicts.intervention_claims import intervention_claims


def make_claims(measures: Sequence[Measure], architectures: Sequence[ArchSpec]) -> list[Claim]:
    """All claims that a study can test: of groups, correlations, interventions, each along the chain.

    Args:
        measures: as `make_measures` makes them.
        architectures: of the study.
    """
    return correct(
        [
            *group_claims(measures, architectures),
            *correlation_claims(measures, architectures),
            *intervention_claims(measures, architectures),
        ]
    )


def correct(drafts: Sequence[Draft]) -> list[Claim]:
    """Holm's correction within each link, over the claims that were tested, and the finding that it leaves."""
    links: dict[Link, list[Draft]] = {}
    for draft in drafts:
        links.setdefault(draft.link, []).append(draft)
    corrected = {id(draft): claim for of_link in links.values() for draft, claim in _correct_link(of_link)}
    return [corrected[id(draft)] for draft in drafts]


def _correct_link(drafts: Sequence[Draft]) -> list[tuple[Draft, Claim]]:
    ps = [draft.claim.p for draft in drafts if draft.claim.p is not None]
    adjusted = iter(holm(ps))
    return [
        (draft, draft.claim if draft.claim.p is None else _judge(draft, next(adjusted), len(ps)))
        for draft in drafts
    ]


def _judge(draft: Draft, p_corrected: float, tested: int) -> Claim:
    return draft.claim.model_copy(
        update={
            "p_corrected": p_corrected,
            "tested": tested,
            # Holm asks p <= alpha / m of the smallest p: a promise must hold for a claim that stands alone.
            "detectable": draft.detectable(ALPHA / tested),
            "finding": _finding(draft.claim, p_corrected),
        }
    )


def _finding(claim: Claim, p_corrected: float) -> Literal["supported", "contradicted", "undecided"]:
    if claim.estimate is None or claim.estimate.value == 0 or p_corrected > ALPHA:
        return "undecided"
    agrees = (claim.estimate.value > 0) == (claim.predicted == "higher")
    return "supported" if agrees else "contradicted"
