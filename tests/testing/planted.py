"""Runs a conformance suite on a plugin with a planted fault, in this process."""

from collections.abc import Iterator
from inspect import signature
from types import FunctionType
from typing import Any

import pytest


def broken_rules(suite: Any, **fixtures: Any) -> set[str]:
    """The names of the suite's tests that fail, without `test_`.

    Args:
        suite: an instance; its tests are called one after the other.
        fixtures: the arguments that they ask for, by name; a function is called anew for each test.
    """
    return {name.removeprefix("test_") for name, rule in _rules(suite) if not _holds(rule, fixtures)}


def _rules(suite: Any) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(suite, name)) for name in dir(suite) if name.startswith("test_"))


def _holds(rule: Any, fixtures: dict[str, Any]) -> bool:
    asked = {name: fixtures[name] for name in signature(rule).parameters}
    try:
        rule(**{name: each() if isinstance(each, FunctionType) else each for name, each in asked.items()})
    except (Exception, pytest.fail.Exception):
        return False
    return True
