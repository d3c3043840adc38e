"""A Record: what a task left. Failures are records too."""

import hashlib
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from nasaudit.measure.estimate import Estimate, Measurement

UNSEALED = "0" * 64


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
    seal: str = (
        ""  # SHA-256 of the file with UNSEALED in this place; records of before have none. The last field
    )

    def sealed(self) -> tuple["Record", str]:
        """The record with its seal, and the text of its file."""
        text = self.model_copy(update={"seal": UNSEALED}).model_dump_json(indent=1)
        seal = hashlib.sha256(text.encode()).hexdigest()
        return self.model_copy(update={"seal": seal}), seal.join(text.rsplit(UNSEALED, 1))

    def is_whole(self, text: str) -> bool:
        """Whether the text that the record was read from is the one that was written."""
        unsealed = UNSEALED.join(text.rsplit(self.seal, 1)) if self.seal else ""
        return not self.seal or hashlib.sha256(unsealed.encode()).hexdigest() == self.seal

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
