"""Grids: one file that stands for several studies, each with its own values of some fields."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

from nasaudit.errors import SpecError
from nasaudit.planning.studies import GRID, make_study, read_study, set_field, study_values
from nasaudit.spec.study import StudySpec

MAX_STUDIES = 1000


@dataclass(frozen=True)
class Member:
    """One study of a grid.

    Attributes:
        label: its values, as a folder may be called; "" of a file that has no grid.
        study: as it runs.
    """

    label: str
    study: StudySpec


def load_studies(text: str, changes: Iterable[str] = ()) -> tuple[Member, ...]:
    """The studies of a file: one, or one for each combination of the values under `grid`.

    `grid: {data: [digits, mnist5k], training.epochs: [20, 40]}` stands for four, the last field changing fastest.

    Args:
        text: path of a YAML or JSON file, or the name of a recipe.
        changes: fields that all of them have other values of; see `load_study`. A change of a grid's field is
            what all have, and the grid is without it.

    Raises:
        UnknownNameError: no recipe of this name, and no file.
        InputError: the file cannot be read, or a field is wrong; the message has the field's path.
    """
    content, where = read_study(text)
    values, changes = study_values(content, where), tuple(changes)
    grid = values.pop(GRID, {})
    if not isinstance(grid, Mapping) or not all(
        isinstance(field, str) and isinstance(choices, list) and choices for field, choices in grid.items()
    ):
        raise SpecError(
            f"{where}.{GRID}", "fields, each with a list of values, as {data: [digits, mnist5k]}", grid
        )
    changed = {change.partition("=")[0] for change in changes}
    fields = [field for field in grid if field not in changed]
    studies = 1
    for field in fields:
        studies *= len(grid[field])
    if studies > MAX_STUDIES:
        raise SpecError(f"{where}.{GRID}", f"at most {MAX_STUDIES} studies", studies)
    if not fields:
        return (Member("", make_study(values, where, changes)),)
    members: dict[str, Member] = {}
    for position, choices in enumerate(product(*(grid[field] for field in fields))):
        label = "-".join(map(_label, choices))
        if not label.strip("-") or label in members:
            label = f"{label}-{position}".strip("-")
        own = deepcopy(values)
        own["name"] = f"{values.get('name', 'study')}-{label}"[:80]
        for field, value in zip(fields, choices, strict=True):
            set_field(own, field, value)
        members[label] = Member(label, make_study(own, f"{where} ({label})", changes))
    return tuple(members.values())


def _label(value: Any) -> str:
    """What a value is called: by its name, or as it is written."""
    if isinstance(value, Mapping):
        value = value.get("name", "")
    if isinstance(value, list):
        value = "+".join(map(str, value))
    return "".join(c if c.isalnum() or c in "_.+" else "_" for c in str(value))[:40].strip("._")
