"""Studies as YAML: files of the user's own, and the recipes that come with the package."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any

from nasaudit.documents import MAX_DEPTH, parse_yaml
from nasaudit.errors import InputError, SpecError, UnknownNameError
from nasaudit.registry import normalise
from nasaudit.spec.attacks.choice import attacks_for
from nasaudit.spec.study import MAX_SEEDS, StudySpec
from nasaudit.strangers import is_there, read_text

SUFFIXES = (".yaml", ".yml", ".json")
INCLUDE, GRID = "include", "grid"  # fields of a file that no study has
MAX_INCLUDES = 10


def recipe_names() -> tuple[str, ...]:
    """The studies that come with the package."""
    return tuple(sorted(entry.name[: -len(".yaml")] for entry in _shipped() if entry.name.endswith(".yaml")))


def load_study(text: str, changes: Iterable[str] = ()) -> StudySpec:
    """Read a study.

    Args:
        text: path of a YAML or JSON file, or the name of a recipe.
        changes: fields set to other values, as `population.cells=20` or `attacks.0.steps=40`.

    Raises:
        UnknownNameError: no recipe of this name, and no file.
        InputError: the file cannot be read, it has a grid, or a field is wrong; the message has the field's path.
    """
    return parse_study(*read_study(text), changes)


def read_study(text: str) -> tuple[str, str]:
    """The content of a study's file and its path, or name.

    Raises:
        UnknownNameError: no recipe of this name, and no file.
        InputError: the file cannot be read.
    """
    path = Path(text)
    if path.suffix.lower() in SUFFIXES or is_there(path):
        return read_text(path, InputError), str(path)
    for entry in _shipped():
        if entry.name.endswith(".yaml") and normalise(entry.name[: -len(".yaml")]) == normalise(text):
            return entry.read_text(encoding="utf-8"), entry.name
    raise UnknownNameError("study", text, recipe_names())


def parse_study(content: str, where: str, changes: Iterable[str] = ()) -> StudySpec:
    """Parse YAML (or JSON) with the fields of StudySpec, and three short forms.

    `seeds: 3` stands for `[0, 1, 2]`. A family's name among the attacks (`evasion`) stands for its
    default attacks under the study's protocol. `include` names a study whose fields count where this says none.

    Args:
        content: the text.
        where: the file's name, for messages; what it includes is looked for beside it.
        changes: see `load_study`.

    Raises:
        InputError: with the path of the field, what was expected and what came.
    """
    values = study_values(content, where)
    if GRID in values:
        raise SpecError(
            f"{where}.{GRID}",
            "nothing, where one study is meant (`nasaudit study run` takes a grid)",
            values[GRID],
        )
    return make_study(values, where, changes)


def study_values(content: str, where: str, depth: int = 0) -> dict[str, Any]:
    """The fields that a file says, with those of the studies that it includes.

    Raises:
        InputError: it is no mapping, or includes what cannot be read, or itself.
    """
    values, _ = parse_yaml(content, where)
    if not isinstance(values, Mapping):
        raise SpecError(where, "a mapping with `architectures`, `data`, `seeds`, ...", values)
    own = dict(values)
    included = own.pop(INCLUDE, None)
    if included is None:
        return own
    if not isinstance(included, str):
        raise SpecError(f"{where}.{INCLUDE}", "the file, or the recipe's name, of one study", included)
    if depth == MAX_INCLUDES:
        raise SpecError(
            f"{where}.{INCLUDE}", f"at most {MAX_INCLUDES} studies that include each other", included
        )
    is_file = Path(included).suffix.lower() in SUFFIXES
    base = study_values(*read_study(str(Path(where).parent / included) if is_file else included), depth + 1)
    return _merged(base, own)


def make_study(values: Mapping[str, Any], where: str, changes: Iterable[str] = ()) -> StudySpec:
    """A study of the fields of a file, short forms among them.

    Raises:
        InputError: with the path of the field, what was expected and what came.
    """
    content = deepcopy(dict(values))
    for change in changes:
        _change(content, change)
    return StudySpec.parse(_expand(content), where=where)


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of both, the own ones before the others; mappings field by field, and anything else as a whole."""
    merged = {**base, **own}
    for field in base.keys() & own.keys():
        if isinstance(base[field], Mapping) and isinstance(own[field], Mapping):
            merged[field] = _merged(base[field], own[field])
    return merged


def changed_study(study: StudySpec, changes: Iterable[str]) -> StudySpec:
    """A study with fields set to other values, as `load_study` takes them.

    Raises:
        InputError: a field is wrong; the message has its path.
    """
    values = study.model_dump(mode="json")
    for change in changes:
        _change(values, change)
    return StudySpec.parse(_expand(values))


def set_field(values: Any, path: str, value: Any) -> None:
    """Set one field in place; mappings on the way to it that are not there are made.

    Raises:
        SpecError: there is no way to such a field.
    """
    *parents, last = path.split(".")
    try:
        for part in parents:
            if isinstance(values, list):
                values = values[int(part)]
                continue
            if values.get(part) is None:  # not said, or said to have its default
                values[part] = {}
            values = values[part]
        values[int(last) if isinstance(values, list) else last] = value
    except (ValueError, IndexError, AttributeError, TypeError) as error:
        raise SpecError(path, "the path of a field that the study has", value) from error


def _change(values: Any, change: str) -> None:
    field, sign, text = change.partition("=")
    if not sign or not all(field.split(".")) or field.count(".") > MAX_DEPTH:
        raise SpecError("--set", "FIELD=VALUE, as in population.cells=20", change)
    value, _ = parse_yaml(text, "--set")
    try:
        set_field(values, field, value)
    except SpecError as error:
        raise SpecError("--set", "the path of a field that the study has, and its value", change) from error


def _expand(values: dict[str, Any]) -> dict[str, Any]:
    """Write the short forms out; whatever is wrong is left for the spec's own checks."""
    seeds, attacks = values.get("seeds"), values.get("attacks")
    if type(seeds) is int and 0 < seeds <= MAX_SEEDS:
        values["seeds"] = list(range(seeds))
    if isinstance(attacks, str):
        attacks = [attacks]
    if isinstance(attacks, list):
        protocol, scale = values.get("protocol", "sound"), values.get("scale", "mini")
        values["attacks"] = [
            attack
            for entry in attacks
            for attack in (attacks_for([entry], protocol, scale) if isinstance(entry, str) else [entry])
        ]
    return values


def _shipped() -> list[Any]:
    return sorted(files("nasaudit").joinpath("studies").iterdir(), key=lambda entry: entry.name)
