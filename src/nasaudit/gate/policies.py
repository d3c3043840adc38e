"""Policies as YAML files, with the line on which each rule stands. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from nasaudit.documents import parse_yaml
from nasaudit.errors import InputError, SpecError
from nasaudit.spec.policy import PolicySpec
from nasaudit.strangers import read_text


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
    return parse_policy(read_text(path, InputError), path)


def parse_policy(content: str, path: Path) -> Policy:
    """Parse YAML (or JSON) with the fields of PolicySpec.

    Args:
        content: the text.
        path: the file, for messages.

    Raises:
        InputError: with the path of the field, what was expected and what came.
    """
    values, root = parse_yaml(content, str(path))
    if values is None or (isinstance(values, Mapping) and not values.get("rules")):
        raise InputError(
            f"{path} has no rules, so it would let everything pass; `nasaudit gate --init DIR --out {path}` writes "
            "those that the finished study in DIR keeps to (docs/gate.md says what a rule may say)"
        )
    if not isinstance(values, Mapping):
        raise SpecError(str(path), "a mapping with `rules`", values)
    spec = PolicySpec.parse(values, where=str(path))
    return Policy(spec, path, _lines(root, len(spec.rules)))


def _lines(root: yaml.Node | None, rules: int) -> tuple[int, ...]:
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "rules" and isinstance(value, yaml.SequenceNode):
            return tuple(node.start_mark.line + 1 for node in value.value)
    return (1,) * rules
