"""What `nasaudit list NAME` says: every field that can be set has a default, a range and a meaning."""

import json
from typing import Annotated, Literal

import pytest
from pydantic import Field

from nasaudit.data.catalogue import DATA
from nasaudit.measure.catalogue import METRICS
from nasaudit.spec.analyses import ANALYSES
from nasaudit.spec.attacks import ATTACKS
from nasaudit.spec.base import Spec
from nasaudit.spec.remedies.catalogue import REMEDIES
from nasaudit.spec.searches import SEARCHES
from nasaudit.terminal.fields import fields_of, source_of
from nasaudit.terminal.tables import details

KINDS = {"attacks": ATTACKS, "analyses": ANALYSES, "searches": SEARCHES, "remedies": REMEDIES, "data": DATA}
EVERY = [(kind, name) for kind, names in KINDS.items() for name in names]


class Example(Spec):
    """An example (of nobody)."""

    # Above it,
    # on two lines.
    first: Annotated[int, Field(ge=1, lt=9)] = 2
    second: Literal["a", "b"] | None = None  # beside it
    third: tuple[float, ...] = (0.5,)  # behind it
    fourth: str


def test_a_field_is_told_by_its_spec_and_its_comment() -> None:
    first, second, third, fourth = fields_of(Example)
    assert first == {
        "field": "first",
        "default": "2",
        "may be": "whole number >= 1, < 9",
        "meaning": "Above it, on two lines.",
    }
    assert (second["default"], second["may be"], second["meaning"]) == ("none", "a, b or none", "beside it")
    assert (third["default"], third["may be"], third["meaning"]) == ("[0.5]", "list of number", "behind it")
    assert (fourth["default"], fourth["meaning"]) == ("(needed)", "")
    assert source_of(Example) == "An example (of nobody)."


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_field_has_a_meaning(kind: str, name: str) -> None:
    entry = details(kind, name)
    assert entry["fields"] or kind == "remedies"  # what rewires a cell, or sets a field of the recipe
    for field in entry["fields"]:
        assert field["meaning"], f"{name}.{field['field']}: a comment beside the field"
        assert field["may be"]
    assert entry.get("source") or entry.get("origin") or not entry["fields"]


def test_the_defaults_of_a_search_are_those_of_every_scale() -> None:
    (epochs,) = [field for field in fields_of(SEARCHES["pc_darts"]) if field["field"] == "epochs"]
    assert epochs["default"] == "50; mini: 15"


def test_details_of_one_name_are_told_and_a_wrong_one_is_answered(command) -> None:
    code, out, _ = command("list", "attacks", "auto-pgd", "--json")
    entry = json.loads(out)
    assert (code, entry["name"], entry["aliases"]) == (0, "apgd", ["autopgd"])
    assert "Croce" in entry["source"]
    assert {"field": "steps", "default": "100", "may be": "whole number >= 1"}.items() <= next(
        field for field in entry["fields"] if field["field"] == "steps"
    ).items()
    for what, name in (
        ("attacks", "pgd"),
        ("analyses", "smoothness"),
        ("data", "digits"),
        ("searches", "pc_darts"),
    ):
        code, out, err = command("list", what, name)
        assert code == 0, err
        assert name in out
    for words, expected in (
        (("attacks", "pdg"), "did you mean pgd"),
        (("remedies", "trade"), "trades"),
        (("metrics", "asr"), "no NAME"),
    ):
        code, _, err = command("list", *words)
        assert code == 2
        assert expected in err


def test_metrics_are_listed_from_their_catalogue(command) -> None:
    listed = {entry["name"]: entry for entry in json.loads(command("list", "metrics", "--json")[1])}
    assert listed.keys() == set(METRICS)
    assert (listed["asr"]["worse if"], listed["asr"]["range"]) == ("higher", "0 to 1")
