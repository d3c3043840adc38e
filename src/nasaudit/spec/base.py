"""What every spec shares: frozen, strict about unknown fields, and identified by a digest of all that it says."""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Self, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict

from nasaudit.errors import InputError, SpecError, UnknownNameError

T = TypeVar("T")


def as_json(value: Any) -> str:
    """The one text of a JSON value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


class Spec(BaseModel):
    """A frozen description. Its fields are the only home of their defaults.

    Two specs that say the same have the same digest, whichever defaults were written out.

    Attributes:
        nests: whether the specs in its fields are shared by many, so that each is written out once for all of them.
            No such field may be left out of a dump.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    nests: ClassVar[bool] = False

    def canonical_json(self) -> str:
        """All fields, defaults included, with sorted keys: what is hashed and stored."""
        nested: dict[str, str] = {}
        for name in type(self).model_fields if self.nests else ():
            value = getattr(self, name)
            if isinstance(value, Spec):
                nested[name] = value._nested_json()
            elif isinstance(value, tuple) and value and all(isinstance(part, Spec) for part in value):
                nested[name] = f"[{','.join(part._nested_json() for part in value)}]"
        dumped = self.model_dump(mode="json", exclude=set(nested))
        if not nested:
            return as_json(dumped)
        parts = {**{name: as_json(value) for name, value in dumped.items()}, **nested}
        return f"{{{','.join(f'{json.dumps(name)}:{parts[name]}' for name in sorted(parts))}}}"

    def _nested_json(self) -> str:
        """As it stands in the text of another one."""
        return self.remembered("_json", partial(Spec.canonical_json, self))

    def digest(self) -> str:
        """First 20 hex digits (80 bits) of the SHA-256 of the canonical JSON, with the type's name."""
        return self.remembered("_digest", self._make_digest)

    def _make_digest(self) -> str:
        text = f"{type(self).__name__}:{self.canonical_json()}"
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def remembered(self, name: str, make: Callable[[], T]) -> T:
        """What follows from the fields, made once: a plan asks for the digest of each task many times.

        Args:
            name: of what is remembered; it begins with an underscore, so that it is no field.
            make: what makes it.
        """
        if name not in self.__dict__:
            self.__dict__[name] = make()
        value: T = self.__dict__[name]
        return value

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values in some fields, which remembers nothing."""
        copy = super().model_copy(update=update, deep=deep)
        for name in copy.__dict__.keys() - type(self).model_fields.keys():
            del copy.__dict__[name]
        return copy

    def __getstate__(self) -> dict[Any, Any]:
        """What is pickled: the fields."""
        state = super().__getstate__()
        fields = type(self).model_fields
        return {
            **state,
            "__dict__": {name: value for name, value in state["__dict__"].items() if name in fields},
        }

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
