"""Policies as YAML files, with the line on which each rule stands. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from nasaudit.errors import InputError, SpecError
from nasaudit.spec.policy import PolicySpec


@dataclass(frozen=True)
class Policy:
    """A policy and where it is written.

    Attributes:
        spec: what it says.
        path: of the file.
        lines: of each rule, counted from 1.
    """

    spec: PolicySpec
    path: Path
    lines: tuple[int, ...]


def load_policy(path: Path) -> Policy:
    """Read a policy.

    Raises:
        InputError: the file cannot be read, or a field is wrong; the message has the field's path.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"{path}: cannot be read ({reason})") from error
    return parse_policy(content, path)


def parse_policy(content: str, path: Path) -> Policy:
    """Parse YAML (or JSON) with the fields of PolicySpec.

    Args:
        content: the text.
        path: the file, for messages.

    Raises:
        InputError: with the path of the field, what was expected and what came.
    """
    try:
        root = yaml.compose(content, Loader=yaml.SafeLoader)
        _each_key_once(root, path)
        values = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise SpecError(str(path), "YAML", " ".join(str(error).split())) from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise SpecError(str(path), "YAML", str(error)) from error
    if not isinstance(values, Mapping):
        raise SpecError(str(path), "a mapping with `rules`", values)
    spec = PolicySpec.parse(values, where=str(path))
    return Policy(spec, path, _lines(root, len(spec.rules)))


def _each_key_once(node: yaml.Node | None, path: Path) -> None:
    """YAML takes the last of two equal keys and says nothing: a limit would be lost without a word."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise SpecError(f"{path}:{key.start_mark.line + 1}", "each field once", name)
            seen.add(name)
            _each_key_once(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _each_key_once(value, path)


def _lines(root: yaml.Node | None, rules: int) -> tuple[int, ...]:
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "rules" and isinstance(value, yaml.SequenceNode):
            return tuple(node.start_mark.line + 1 for node in value.value)
    return (1,) * rules
