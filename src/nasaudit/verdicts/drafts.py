"""A claim before the correction for how many were tested. No torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nasaudit.measure.estimate import Estimate
from nasaudit.results.base import Span
from nasaudit.results.verdict_models import Claim, ClaimKind, Measure
from nasaudit.verdicts.headlines import Sign

Link = tuple[ClaimKind, str, str]  # what is asked about, from which step of the chain to which


@dataclass(frozen=True)
class Draft:
    """A claim whose correction waits for the others of its link.

    Attributes:
        claim: without what the correction decides.
        link: claims with the same one are corrected together.
        detectable: the smallest effect found at a level.
    """

    claim: Claim
    link: Link
    detectable: Callable[[float], float | None]


@dataclass(frozen=True)
class Question:
    """What a claim asks, before anything is computed; the fields are those of `Claim`."""

    kind: ClaimKind
    cause: str
    effect: str
    sample: str
    predicted: Sign
    n: int
    other: str = ""

    def answer(self, estimate: Estimate, p: float) -> Claim:
        """Estimated and tested."""
        return self._claim(Span.of(estimate), p, "")

    def no_answer(self, why: str) -> Claim:
        """Nothing could be estimated."""
        return self._claim(None, None, why)

    def same_for_all(self, measure: Measure) -> Claim:
        """Nothing could be estimated, as a measure does not vary."""
        return self.no_answer(f"the {measure.title} is the same for all {self.n}")

    def _claim(self, estimate: Span | None, p: float | None, why: str) -> Claim:
        return Claim(
            kind=self.kind,
            cause=self.cause,
            effect=self.effect,
            other=self.other,
            sample=self.sample,
            predicted=self.predicted,
            estimate=estimate,
            n=self.n,
            p=p,
            p_corrected=None,
            detectable=None,
            finding="undecided",
            why=why,
        )


def none_detectable(level: float) -> float | None:
    """Of a claim without a test."""
    return None


def is_constant(values: Sequence[float]) -> bool:
    """Whether all are the same."""
    return min(values) == max(values)


def values_of(names: Sequence[str], measures: Sequence[Measure]) -> list[list[float]]:
    """For each measure its values, of the architectures that have all of them, in the order of `names`."""
    shared = [name for name in names if all(name in measure.values for measure in measures)]
    return [[measure.values[name] for name in shared] for measure in measures]
