"""A JSON schema of a study's file, by which editors complete and check what is written. Checked anew when it runs.

It is made of the specs: what a validator takes beside the type itself (a bare name, 8/255, a file) is added, and each
field has its comment as a description. What only shows when fields are seen together is left to `study plan`.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from nasaudit.planning.studies import GRID, INCLUDE
from nasaudit.registry import Registry
from nasaudit.spec.analyses import ANALYSES
from nasaudit.spec.attacks import ATTACKS
from nasaudit.spec.base import Spec
from nasaudit.spec.named import ByName
from nasaudit.spec.remedies.catalogue import DEFENCE, LIMIT, Switched
from nasaudit.spec.searches import SEARCHES
from nasaudit.spec.searches.penalties import PENALTIES
from nasaudit.spec.study import StudySpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.terminal.fields import meaning_of, source_of

DRAFT = "https://json-schema.org/draft/2020-12/schema"
REGISTRIES: Mapping[str, Registry[Any]] = {
    registry.kind: registry for registry in (ATTACKS, ANALYSES, SEARCHES, PENALTIES)
}
SWITCHED: Mapping[str, Switched] = {each.noun: each for each in (DEFENCE, LIMIT)}
OF_A_REGISTRY = "registered"  # in the place of a reference, until all that is registered is known
TEXT: JsonSchemaValue = {"type": "string"}


def study_schema() -> dict[str, Any]:
    """Draft 2020-12; attacks, analyses and searches of plugins are in it."""
    definitions: dict[str, Any] = {}
    study = _schema(StudySpec, definitions)
    recipe = _schema(TrainingSpec, definitions)
    for place in (study, definitions["ArchChoice"]):
        place["properties"]["training"] = {"anyOf": [recipe, {"type": "null"}]}
    # A search needs no name of its own; so many seeds are those from 0 on.
    definitions["ArchChoice"]["required"] = []
    study["properties"]["seeds"] = {
        "anyOf": [{"type": "integer", "minimum": 1}, study["properties"]["seeds"]]
    }
    study["properties"] |= {
        INCLUDE: {**TEXT, "description": "A file or recipe whose fields count where this one says nothing."},
        GRID: {
            "type": "object",
            "additionalProperties": {"type": "array", "minItems": 1},
            "description": "Values by the path of a field: each combination is a study.",
        },
    }
    for kind, registry in REGISTRIES.items():
        specs = {name: registry[name] for name in registry}
        aliases = {name: registry.aliases(name) for name in registry}
        definitions[kind] = _registered(specs, aliases, definitions)
    for kind, switched in SWITCHED.items():
        definitions[kind] = _registered(switched.specs(), {}, definitions)
    whole: dict[str, Any] = _with_references({"$schema": DRAFT, **study, "$defs": definitions})
    return whole


def _registered(
    specs: Mapping[str, type[Spec]], aliases: Mapping[str, list[str]], definitions: dict[str, Any]
) -> JsonSchemaValue:
    """A name in any spelling, or the fields of a spec."""
    written = []
    for name, of in specs.items():
        spec = _schema(of, definitions)
        spec["properties"]["name"] = {"enum": [name, *aliases.get(name, ())]}
        written.append({**spec, "required": ["name", *spec.get("required", ())]})
    return {"anyOf": [{"enum": list(specs)}, TEXT, *written]}


def _schema(spec: type[Spec], definitions: dict[str, Any]) -> JsonSchemaValue:
    """That of one spec; those of the specs in it become definitions."""
    schema = spec.model_json_schema(schema_generator=_AsWritten)
    inner = schema.pop("$defs", {})
    classes = {each.__name__: each for each in _below(Spec)}
    for name, part in inner.items():
        if name in classes:
            _describe(part, classes[name])
    definitions |= inner
    _describe(schema, spec)
    return schema


def _describe(schema: JsonSchemaValue, spec: type[Spec]) -> None:
    """Fields by their comments, the whole by the first paragraph of its docstring."""
    schema["description"] = source_of(spec)
    for field, value in schema.get("properties", {}).items():
        if meaning := meaning_of(spec, field):
            value["description"] = meaning


def _below(spec: type[Spec]) -> Iterator[type[Spec]]:
    for child in spec.__subclasses__():
        yield child
        yield from _below(child)


class _AsWritten(GenerateJsonSchema):
    """What a user may write where a validator makes the value of it."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        function = schema["function"]["function"]
        if isinstance(function, ByName | Switched):
            kind = function.registry.kind if isinstance(function, ByName) else function.noun
            return {OF_A_REGISTRY: kind}
        inner = super().function_before_schema(schema)
        # A model's own validator of all its fields is no other way to write it.
        return inner if _is_own(function) else {"anyOf": [inner, TEXT]}


def _is_own(function: object) -> bool:
    return inspect.ismethod(function) and isinstance(function.__self__, type) and function.__name__[0] == "_"


def _with_references(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_references(part) for part in value]
    if not isinstance(value, dict):
        return value
    if OF_A_REGISTRY in value:
        kept = {key: part for key, part in value.items() if key != OF_A_REGISTRY}
        return {**kept, "$ref": f"#/$defs/{value[OF_A_REGISTRY]}"}
    return {key: _with_references(part) for key, part in value.items()}
