"""What all models of results are made of."""

from pydantic import BaseModel, ConfigDict

from nasaudit.measure.estimate import Estimate


class Plain(BaseModel):
    """Frozen data without behaviour."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(Plain):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, estimate: Estimate) -> "Span":
        """Without unit and n, which a verdict says once for all its spans."""
        return cls(value=estimate.value, low=estimate.low, high=estimate.high)
