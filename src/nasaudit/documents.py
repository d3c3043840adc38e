"""YAML and JSON that somebody else may have written: as plain values, within bounds, and nothing dropped in silence.

A few lines of YAML can stand for more values than fit in memory, when aliases repeat what repeats others; a key that
is written twice loses its first value; a text that is nested deep enough ends the recursion of any reader. Neither a
study nor a policy nor a genotype needs any of these.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from nasaudit.errors import SpecError
from nasaudit.strangers import MAX_TEXT_BYTES

MAX_DEPTH = 30
MAX_VALUES = 20_000  # seconds of PyYAML; the largest study that comes with the package has a hundred
MAX_NUMBER = 40  # characters: `1:1:1:...` takes the square of its length to read
_INTEGER = "tag:yaml.org,2002:int"
_NUMBERS = (_INTEGER, "tag:yaml.org,2002:float")


def parse_yaml(content: str, where: str) -> tuple[Any, yaml.Node | None]:
    """The plain values of a YAML text, and its nodes, which know their lines.

    Args:
        content: the text; JSON is YAML too.
        where: the file's name, for messages.

    Raises:
        SpecError: not YAML, or aliases, tags, a key twice, or more than MAX_VALUES values or MAX_DEPTH levels.
    """
    if len(content) > MAX_TEXT_BYTES:
        raise SpecError(where, f"at most {MAX_TEXT_BYTES} characters", len(content))
    try:
        loader = _Loader(content, where)
        try:
            root = loader.get_single_node()
            return (None if root is None else loader.construct_document(root)), root
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise SpecError(where, "YAML", " ".join(str(error).split())) from error
    except ValueError as error:  # a date of a 13th month, a number without digits
        if isinstance(error, SpecError):
            raise
        raise SpecError(where, "YAML", str(error)) from error


def parse_json(content: str, where: str) -> Any:
    """The plain values of a JSON text.

    Raises:
        SpecError: not JSON, a key twice, a number that is none, or nested too deep to be read.
    """
    try:
        return json.loads(content, object_pairs_hook=_each_once, parse_constant=_no_number)
    except RecursionError as error:
        raise SpecError(where, "JSON that is not nested so deep", "too many brackets") from error
    except ValueError as error:
        raise SpecError(where, "JSON", str(error)) from error


class _Loader(yaml.SafeLoader):
    def __init__(self, content: str, where: str):
        super().__init__(content)
        self._where, self._depth, self._values = where, 0, 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = f"{self._where}:{event.start_mark.line + 1}"
        self._depth += 1
        self._values += 1
        if isinstance(event, yaml.AliasEvent):
            raise SpecError(line, "every value written out, without aliases", f"*{event.anchor}")
        if getattr(event, "tag", None) not in (None, "!"):
            raise SpecError(line, "a value without a tag", event.tag)
        if self._depth > MAX_DEPTH:
            raise SpecError(line, f"at most {MAX_DEPTH} levels", "more")
        if self._values > MAX_VALUES:
            raise SpecError(line, f"at most {MAX_VALUES} values", "more")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.MappingNode):
            again = _first_again([str(key.value) for key, _ in node.value])
            if again is not None:
                key = node.value[again][0]
                raise SpecError(f"{self._where}:{key.start_mark.line + 1}", "each field once", key.value)
        elif isinstance(node, yaml.ScalarNode) and node.tag in _NUMBERS:
            if len(node.value) > MAX_NUMBER:
                raise SpecError(line, f"a number of at most {MAX_NUMBER} characters", node.value)
            if node.tag == _INTEGER and abs(self.construct_yaml_int(node)) >= 2**63:
                raise SpecError(line, "a whole number below 2^63", node.value)
        return node


def _each_once(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    names = [name for name, _ in pairs]
    again = _first_again(names)
    if again is not None:
        raise ValueError(f"each field once, got {names[again]!r} twice")
    return dict(pairs)


def _first_again(names: Sequence[str]) -> int | None:
    """The first position whose name stood at an earlier one."""
    seen: set[str] = set()
    for position, name in enumerate(names):
        if name in seen:
            return position
        seen.add(name)
    return None


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")
