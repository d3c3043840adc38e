"""What every spec shares: frozen, strict about unknown fields, and identified by a digest of all that it says."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Self

import pydantic
from pydantic import BaseModel, ConfigDict

from nasaudit.errors import InputError, SpecError, UnknownNameError


class Spec(BaseModel):
    """A frozen description. Its fields are the only home of their defaults.

    Two specs that say the same have the same digest, whichever defaults were written out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def canonical_json(self) -> str:
        """All fields, defaults included, with sorted keys: what is hashed and stored."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """First 20 hex digits (80 bits) of the SHA-256 of the canonical JSON, with the type's name."""
        text = f"{type(self).__name__}:{self.canonical_json()}"
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str = "") -> Self:
        """Validate untrusted values; the first wrong field is raised as a SpecError with its path.

        Args:
            values: the mapping read from YAML, JSON or the command line.
            where: prefix of the path in messages (a file's name, say).
        """
        try:
            return cls.model_validate(values)
        except pydantic.ValidationError as error:
            raise first_problem(error, where) from error


def first_problem(error: pydantic.ValidationError, where: str = "") -> InputError:
    """Turn pydantic's report into the path of the field, what was expected and what came."""
    problem = error.errors()[0]
    path = where
    for part in problem["loc"]:
        path = _join(path, f"[{part}]" if isinstance(part, int) else str(part))
    if problem["type"] == "extra_forbidden":
        return SpecError(path, "no field of this name", problem["input"])
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, UnknownNameError):
        return cause
    if isinstance(cause, SpecError):
        return type(cause)(_join(path, cause.field), cause.expected, cause.got)
    expected = problem["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return SpecError(path or "(whole)", expected, problem["input"])


def _join(path: str, part: str) -> str:
    if not path or not part:
        return path or part
    return path + part if part.startswith("[") else f"{path}.{part}"
