"""A Record: what a task left. Failures are records too."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from nasaudit.measure.estimate import Estimate, Measurement


class Artefact(BaseModel):
    """A file beside the record, named relative to the record's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: str
    bytes: int


class Problem(BaseModel):
    """Why a task failed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    message: str
    traceback: str


class Record(BaseModel):
    """What is known of one task. `measurements` and `artefacts` are empty when it failed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    kind: str
    label: str
    task: dict[str, Any]  # the whole spec, all defaults written out
    state: Literal["ok", "failed"]
    measurements: tuple[Measurement, ...] = ()
    artefacts: dict[str, Artefact] = {}
    problem: Problem | None = None
    seconds: float
    finished: str  # ISO 8601, UTC
    versions: dict[str, str]
    attempts: int = 1

    def measured(self, metric: str, **setting: str) -> Estimate:
        """The one measurement of that name and setting (other keys of the setting may be anything)."""
        estimates = [
            measurement.estimate
            for measurement in self.measurements
            if measurement.metric == metric and set(setting.items()) <= set(measurement.setting)
        ]
        if len(estimates) != 1:
            raise LookupError(f"expected one measurement {metric!r} {setting}, found {len(estimates)}")
        return estimates[0]
