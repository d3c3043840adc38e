"""What can be set of an attack, a search, data and others: defaults, ranges and meanings, as their specs say them.

The meaning of a field has one home: the comment beside or above it, in the class that declares it.
"""

import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from nasaudit.spec.base import Spec
from nasaudit.spec.named import NamedSpec
from nasaudit.spec.searches.base import SearchSpec
from nasaudit.spec.searches.space import SPACES, SpaceSpec

BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
_FIELD = re.compile(r"    (\w+): ")


def fields_of(spec: type[Spec]) -> list[dict[str, Any]]:
    """Each field that a user may set: name, default, what it may be, meaning ("" where nothing is said)."""
    entries = []
    for name, field in spec.model_fields.items():
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1:
            continue  # its own name, say: nothing to set
        entries.append(
            {
                "field": name,
                "default": "; ".join([_default(field), *_at_scales(spec, name)]),
                "may be": _range(spec, name),
                "meaning": meaning_of(spec, name),
            }
        )
    return entries


def meaning_of(spec: type[Spec], name: str) -> str:
    """The comment of a field; "" where it has none."""
    return next((text for home in spec.__mro__ if (text := _meanings(home).get(name))), "")


def source_of(spec: type[Spec]) -> str:
    """The paper and what is to be known of it: the first paragraph of its docstring."""
    return " ".join((inspect.getdoc(spec) or "").partition("\n\n")[0].split())


def _at_scales(spec: type[Spec], name: str) -> Iterator[str]:
    """The defaults of a search at scales where they differ."""
    if issubclass(spec, SearchSpec):
        for scale, fields in spec.at_scale.items():
            if name in fields:
                yield f"{scale}: {_written(fields[name])}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(needed)"
    return _written(field.get_default(call_default_factory=True))


def _written(value: object) -> str:
    return f"[{', '.join(map(_short, value))}]" if isinstance(value, tuple) else _short(value)


def _short(value: object) -> str:
    if isinstance(value, NamedSpec | SpaceSpec):
        return value.name
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _range(spec: type[Spec], name: str) -> str:
    if isinstance(spec.model_fields[name].default, SpaceSpec):
        return f"{', '.join(SPACES)}, a file, or its fields"
    schema = spec.model_json_schema(mode="validation")
    return _words(schema["properties"].get(name, {}), schema.get("$defs", {}))


def _words(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """A JSON schema in a few words."""
    if "$ref" in schema:
        schema = definitions.get(schema["$ref"].rpartition("/")[2], {})
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_words(part, definitions) for part in schema["anyOf"]))
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        items: dict[str, Any] = schema.get("items") or next(iter(schema.get("prefixItems", ())), {})
        return f"list of {_words(items, definitions)}"
    kinds = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}
    kind = kinds.get(schema.get("type", ""), "none" if schema.get("type") == "null" else "a spec")
    if schema.get("exclusiveMinimum", float("-inf")) >= schema.get("minimum", float("inf")):
        schema = {key: value for key, value in schema.items() if key != "minimum"}  # which says less
    bounds = [f"{sign} {schema[key]:g}" for key, sign in BOUNDS.items() if key in schema]
    return f"{kind} {', '.join(bounds)}".strip()


@cache
def _meanings(home: type) -> dict[str, str]:
    """The comments of a class's fields; none where its source is not at hand."""
    try:
        source = inspect.getsource(home)
    except (OSError, TypeError):
        return {}
    return dict(_commented(textwrap.dedent(source)))


def _commented(source: str) -> Iterator[tuple[str, str]]:
    comments: dict[int, tuple[str, bool]] = {}  # by line: the text, and whether it stands alone
    ends: dict[int, int] = {}  # last line of the statement that begins on a line
    lines = source.splitlines()
    begin: int | None = None
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            alone = lines[line - 1].lstrip().startswith("#")
            comments[line] = (token.string.lstrip("# ").strip(), alone)
        elif token.type == tokenize.NEWLINE and begin is not None:
            ends[begin], begin = line, None
        elif begin is None and token.type not in (tokenize.NL, tokenize.INDENT, tokenize.DEDENT):
            begin = line
    for start, end in ends.items():
        found = _FIELD.match(lines[start - 1])
        if found is None:
            continue
        above: list[str] = []
        place = start - 1
        while place in comments and comments[place][1]:
            above.insert(0, comments[place][0])
            place -= 1
        beside = [comments[line][0] for line in range(start, end + 1) if line in comments]
        text = " ".join(part for part in (*above, *beside) if not part.startswith(("fmt:", "noqa", "type:")))
        if text:
            yield found[1], text
