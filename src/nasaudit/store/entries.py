"""An Entry: what an index says of a record, without task and figures, so that 100,000 of them fit in memory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from nasaudit.store.records import Artefact, Problem, Record


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in outline; the fields are those of `Record`.

    Attributes:
        digest: of the task.
        kind: of the task.
        label: of the task.
        state: `ok` or `failed`.
        seconds: that it took.
        finished: ISO 8601, UTC.
        seal: identifies the content of record.json.
        versions_json: what `versions` is parsed from.
        artefacts_json: what `artefacts` is parsed from.
        problem_json: what `problem` is parsed from; "" where there is none.
    """

    digest: str
    kind: str
    label: str
    state: Literal["ok", "failed"]
    seconds: float
    finished: str
    seal: str
    versions_json: str
    artefacts_json: str
    problem_json: str = ""

    @classmethod
    def of(cls, record: Record, seal: str = "") -> "Entry":
        """That of a record; records of before have no seal, and somebody else says what identifies them."""
        artefacts = [(part.file, part.sha256, part.bytes) for part in record.artefacts.values()]
        return cls(
            record.digest,
            record.kind,
            record.label,
            record.state,
            record.seconds,
            record.finished,
            record.seal or seal,
            json.dumps(record.versions),
            json.dumps(dict(zip(record.artefacts, artefacts, strict=True))),
            "" if record.problem is None else record.problem.model_dump_json(),
        )

    @property
    def artefacts(self) -> dict[str, Artefact]:
        """The files beside the record."""
        return {
            name: Artefact(file=file, sha256=digest, bytes=size)
            for name, (file, digest, size) in json.loads(self.artefacts_json).items()
        }

    @property
    def versions(self) -> Mapping[str, str]:
        """Of the packages, and the device."""
        return _versions(self.versions_json)

    @property
    def problem(self) -> Problem | None:
        """Why the task failed."""
        return Problem.model_validate_json(self.problem_json) if self.problem_json else None


Known = Entry | Record  # what can be said of a task that has ended


@lru_cache(maxsize=1000)
def _versions(text: str) -> Mapping[str, str]:
    versions: dict[str, str] = json.loads(text)
    return versions
