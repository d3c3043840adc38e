"""What all models of results are made of."""

from pydantic import BaseModel, ConfigDict


class Plain(BaseModel):
    """Frozen data without behaviour."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(Plain):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float
