"""Policy files: where a rule stands, and what is said of a file that cannot be read."""

from pathlib import Path

import pytest

from nasaudit.errors import InputError
from nasaudit.gate.policies import load_policy, parse_policy

TEXT = """# what we ship
failed_tasks: allow
rules:
  - metric: asr
    at_most: 0.35

  - {metric: clean_accuracy, at_least: .9}
"""


def test_a_policy_knows_the_line_of_each_rule(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(TEXT)
    policy = load_policy(path)
    assert policy.lines == (4, 7)
    assert [rule.metric for rule in policy.spec.rules] == ["asr", "clean_accuracy"]
    assert policy.spec.failed_tasks == "allow"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rules: [{metric: asr, at_most: 1}", "policy.yaml: expected YAML"),
        ("- metric: asr", "a mapping with `rules`"),
        ("", "policy.yaml has no rules"),
        ("rules: 3", r"policy.yaml.rules"),
        (
            "rules: [{metric: asr, at_most: 1, limit: 2}]",
            r"policy.yaml.rules\[0\].limit: expected no field",
        ),
        (
            "rules:\n- metric: asr\n  at_most: .1\n  at_most: .9",
            r"policy.yaml:4: expected each field once, got 'at_most'",
        ),
        ("rules: &all [*all]", "policy.yaml"),
        ("rules: !!python/object/apply:os.system ['true']", "policy.yaml:1: expected a value without a tag"),
    ],
)
def test_bad_yaml_names_the_field_or_the_line(text: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        parse_policy(text, Path("policy.yaml"))


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.yaml: cannot be read"):
        load_policy(tmp_path / "nothing.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00rules")
    with pytest.raises(InputError, match="not UTF-8"):
        load_policy(tmp_path / "bytes.yaml")
