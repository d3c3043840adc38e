"""Specs that a user writes by name: `pgd`, or `{name: pgd, steps: 40}`."""

from collections.abc import Callable
from typing import Any, TypeVar

from nasaudit.errors import SpecError
from nasaudit.registry import Registry
from nasaudit.spec.base import Spec

S = TypeVar("S", bound=Spec)


def by_name(registry: Registry[type[S]]) -> Callable[[Any], Any]:
    """A validator that builds the spec class that `name` stands for; a bare string is a name with all defaults."""

    def read(values: Any) -> Any:
        if isinstance(values, str):
            values = {"name": values}
        if isinstance(values, dict):
            name = values.get("name")
            if not isinstance(name, str):
                raise SpecError("name", f"the name of an {registry.kind}", name)
            return registry[name].parse({**values, "name": registry.canonical(name)})
        return values

    return read
