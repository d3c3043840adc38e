"""Specs that a user writes by name: `pgd`, or `{name: pgd, steps: 40}`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from nasaudit.errors import SpecError
from nasaudit.plugins import code_of
from nasaudit.registry import Registry
from nasaudit.spec.base import Spec

TRIFLE = 0.01  # epochs of a training: what no network is trained or attacked for


class NamedSpec(Spec):
    """Root of what is registered under a name, and done by code that the class names.

    Attributes:
        title: the name as it is written in prose; a class that says none has its name in words.
        summary: what it does, in a line.
        implementation: `module:attribute`, imported when it runs, so that listing and validating import no torch.
        expected_epochs: what it costs with its defaults, in epochs of the victim's training.
    """

    title: ClassVar[str]
    summary: ClassVar[str]
    implementation: ClassVar[str]
    expected_epochs: ClassVar[float] = TRIFLE

    name: str

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Derive the title."""
        super().__pydantic_init_subclass__(**kwargs)
        name = cls.model_fields["name"].default
        if "title" not in vars(cls) and isinstance(name, str):
            cls.title = name.replace("_", " ")


def foreign_code(value: object) -> dict[str, str]:
    """The code of others that a spec names, at any depth: by distribution, its version and a hash of its source.

    The module of the spec counts as well as that of its implementation.
    """
    if isinstance(value, Spec):
        return value.remembered("_foreign_code", lambda: _foreign_code_of(value))
    return _foreign_code_of_all(value) if isinstance(value, tuple) else {}


def _foreign_code_of(spec: Spec) -> dict[str, str]:
    found: dict[str, str] = {}
    if isinstance(spec, NamedSpec):
        for module in (type(spec).__module__, spec.implementation.partition(":")[0]):
            if (code := code_of(module)) is not None:
                found[code[0]] = code[1]
    return found | _foreign_code_of_all(getattr(spec, field) for field in type(spec).model_fields)


def _foreign_code_of_all(values: Iterable[object]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        found |= foreign_code(value)
    return found


S = TypeVar("S", bound=NamedSpec)


@dataclass(frozen=True)
class ByName(Generic[S]):
    """A validator that builds the spec class that `name` stands for; a bare string is a name with all defaults."""

    registry: Registry[type[S]]

    def __call__(self, values: Any) -> Any:
        """The spec of what a user wrote; what is none already is left to pydantic."""
        if isinstance(values, str):
            values = {"name": values}
        if isinstance(values, dict):
            name = values.get("name")
            if not isinstance(name, str):
                raise SpecError("name", f"the name of an {self.registry.kind}", name)
            return self.registry[name].parse({**values, "name": self.registry.canonical(name)})
        return values
