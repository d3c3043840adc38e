"""What all models of results are made of."""

from pydantic import BaseModel, ConfigDict

from nasaudit.measure.estimate import Estimate


class Plain(BaseModel):
    """Frozen data without behaviour."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Measured(Plain):
    """The figure that a verdict is about."""

    family: str  # of an attack; "training" for the clean accuracy
    measure: str  # in words, as in a sentence
    attack: str
    setting: dict[str, str]
    metric: str
    unit: str


class Span(Plain):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, estimate: Estimate) -> "Span":
        """Without unit and n, which a verdict says once for all its spans."""
        return cls(value=estimate.value, low=estimate.low, high=estimate.high)
