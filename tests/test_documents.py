"""YAML and JSON of strangers: bombs, keys written twice and towers of brackets are refused at once."""

import json

import pytest
import yaml

from nasaudit.documents import MAX_DEPTH, MAX_VALUES, parse_json, parse_yaml
from nasaudit.errors import SpecError

LAUGHS = "a: &a [lol, lol]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
pytestmark = pytest.mark.timeout(20)


def test_plain_values_are_read_with_their_lines() -> None:
    values, root = parse_yaml("a: [1, 2.5, yes]\nb: {c: text}\n", "s.yaml")
    assert values == {"a": [1, 2.5, True], "b": {"c": "text"}}
    assert isinstance(root, yaml.MappingNode)
    assert root.value[1][0].start_mark.line == 1
    assert parse_yaml("", "s.yaml") == (None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, r"s\.yaml:2: expected every value written out, without aliases, got '\*a'"),
        ("a: &a [*a]", "without aliases"),
        ("a: 1\nb: 2\na: 3", r"s\.yaml:3: expected each field once, got 'a'"),
        ("- {x: 1, x: 1}", "each field once"),
        ("[" * 100_000, f"at most {MAX_DEPTH} levels"),
        ("{a: " * 100 + "1" + "}" * 100, f"at most {MAX_DEPTH} levels"),
        ("- a\n" * (MAX_VALUES + 1), f"at most {MAX_VALUES} values"),
        ("a: " + "1:" * 200_000 + "1", "a number of at most 40 characters"),
        ("a: 0x" + "f" * 300_000, "a number of at most 40 characters"),
        ("a: 0xfffffffffffffffff", "below 2"),
        ("!!python/object/apply:os.system ['true']", "without a tag"),
        ("a: !!timestamp nonsense", "without a tag"),
        ("a: 2001-99-99", "month must be in 1..12"),
        ("a: 0b_", "invalid literal"),
        ("a: [", "expected YAML"),
        ("a\x00b", "expected YAML"),
        ("a" * 2_000_000, "at most 1048576 characters"),
    ],
)
def test_what_no_study_needs_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        parse_yaml(text, "s.yaml")
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "not nested so deep"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "each field once, got 'c' twice"),
        ("[NaN]", "NaN is no number"),
        ("9" * 5000, "JSON"),
        ("{", "JSON"),
    ],
)
def test_json_that_is_not_plain_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        parse_json(text, "g.json")
    assert len(str(caught.value)) < 2000


def test_plain_json_is_read() -> None:
    values = {"a": [1, 2.5, None], "b": {"a": "text"}}
    assert parse_json(json.dumps(values), "g.json") == values
