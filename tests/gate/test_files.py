"""JUnit and SARIF as programs that nobody here wrote read them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from junitparser import Failure, JUnitXml

from nasaudit.gate.judge import Gate, judge
from nasaudit.gate.junit import to_junit
from nasaudit.gate.policies import parse_policy
from nasaudit.gate.sarif import to_sarif
from nasaudit.results.schema import StudyResults

# "Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema", OASIS; the copy of SchemaStore (Apache-2.0).
SCHEMA = json.loads((Path(__file__).parent / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
POLICY = """rules:
  - {name: "pgd <2/255> & \\"others\\"", metric: asr, setting: {epsilon: 2/255, images: correct}, at_most: .25}
  - {name: accuracy, family: training, metric: clean_accuracy, at_least: .5}
  - {name: "accuracy!", family: training, metric: clean_accuracy, at_least: .99}
  - {name: 堅牢性, metric: curve_area, not_worse_than_baseline: true}
"""


@pytest.fixture(scope="module")
def gate(pgd_study: Callable[..., StudyResults]) -> Gate:
    policy = parse_policy(POLICY, Path("ci/my policy.yaml"))
    return judge(policy, pgd_study(), pgd_study({"darts": 0.1, "resnet": 0.2}, spread=0.03))


def validator() -> Any:
    return jsonschema.Draft7Validator(SCHEMA, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)


def test_the_schema_refuses_what_is_no_sarif(gate: Gate) -> None:
    document = json.loads(to_sarif(gate, Path.cwd()))
    document["runs"][0]["results"][0]["level"] = "broken"
    document["runs"][0]["colour"] = "red"
    assert len(list(validator().iter_errors(document))) == 2


def test_sarif_validates_against_the_published_schema(gate: Gate) -> None:
    validator().validate(json.loads(to_sarif(gate, Path.cwd())))


def test_a_gate_that_holds_is_a_valid_sarif_run_without_results(
    pgd_study: Callable[..., StudyResults],
) -> None:
    policy = parse_policy("rules: [{metric: asr, at_most: 1}]", Path("policy.yaml"))
    document = json.loads(to_sarif(judge(policy, pgd_study()), Path.cwd()))
    validator().validate(document)
    assert document["runs"][0]["results"] == []


def test_a_broken_rule_names_the_technique_and_the_risk(gate: Gate) -> None:
    (run,) = json.loads(to_sarif(gate, Path.cwd()))["runs"]
    tags = [result["properties"]["tags"] for result in run["results"]]
    assert ["AML.T0043", "AML.T0015", "ML01:2023"] in tags
    assert [] in tags  # accuracy is no attack


def test_a_broken_rule_is_an_error_at_its_line_of_the_policy(gate: Gate) -> None:
    (run,) = json.loads(to_sarif(gate, Path.cwd()))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [
        "no-task-failed",
        "pgd-2-255-others",
        "accuracy",
        "accuracy-2",
        "rule",
    ]
    found = [(one["ruleId"], one["locations"][0]) for one in run["results"]]
    assert [(name, place["logicalLocations"][0]["name"]) for name, place in found] == [
        ("pgd-2-255-others", "darts"),
        ("accuracy-2", "darts"),
        ("accuracy-2", "resnet"),
        ("rule", "darts"),
    ]
    for one, (_, place) in zip(run["results"], found, strict=True):
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"]
        assert one["level"] == "error"
        physical = place["physicalLocation"]
        assert physical["artifactLocation"] == {"uri": "ci/my%20policy.yaml", "uriBaseId": "%SRCROOT%"}
        line = POLICY.splitlines()[physical["region"]["startLine"] - 1]
        assert rules[one["ruleIndex"]]["shortDescription"]["text"].split()[0].strip('"') in line
    assert "0.3 [" in run["results"][0]["message"]["text"]


def test_a_policy_outside_of_the_repository_is_known_by_its_name_alone(gate: Gate, tmp_path: Path) -> None:
    document = json.loads(to_sarif(gate, tmp_path))
    validator().validate(document)
    location = document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": "my%20policy.yaml"}


def test_both_files_say_what_was_judged(gate: Gate, tmp_path: Path) -> None:
    told = {"data sha256": "0" * 64, "nasaudit": "0.1.0", "torch": "2.6"}
    assert told.items() <= gate.origin.items()
    (run,) = json.loads(to_sarif(gate, Path.cwd()))["runs"]
    assert told.items() <= run["properties"].items()
    path = tmp_path / "gate.xml"
    path.write_text(to_junit(gate), encoding="utf-8")
    (suite,) = JUnitXml.fromfile(str(path))
    assert told.items() <= {each.name: each.value for each in suite.properties()}.items()


def test_a_finding_keeps_its_fingerprint_when_its_rule_moves(pgd_study: Callable[..., StudyResults]) -> None:
    def prints(text: str) -> list[str]:
        judged = judge(parse_policy(text, Path("policy.yaml")), pgd_study())
        return [
            one["partialFingerprints"]["figure/v1"]
            for one in json.loads(to_sarif(judged, Path()))["runs"][0]["results"]
        ]

    rule = "{name: area, metric: curve_area, at_most: 0}"
    first = prints(f"rules: [{rule}]")
    assert len(set(first)) == len(first) == 4
    assert prints(f"failed_tasks: allow\nrules:\n\n- {{metric: asr, at_most: 1}}\n- {rule}") == first


def test_junit_opens_with_another_programs_parser(gate: Gate, tmp_path: Path) -> None:
    path = tmp_path / "gate.xml"
    path.write_text(to_junit(gate), encoding="utf-8")
    (suite,) = JUnitXml.fromfile(str(path))
    cases = list(suite)
    assert (suite.tests, suite.failures, suite.errors) == (len(gate.verdicts), len(gate.broken), 0)
    assert len(cases) == 9
    broken = [case for case in cases if any(isinstance(one, Failure) for one in case.result)]
    assert [(case.classname, case.name.split(":")[0]) for case in broken] == [
        ('pgd <2/255> & "others"', "darts"),
        ("accuracy!", "darts"),
        ("accuracy!", "resnet"),
        ("堅牢性", "darts"),
    ]
    assert broken[0].result[0].text == gate.broken[0].sentence
    assert broken[0].result[0].message == gate.broken[0].message


def test_junit_has_no_character_that_xml_forbids(gate: Gate, tmp_path: Path) -> None:
    verdicts = tuple(one.model_copy(update={"architecture": "a\x07b\ufffe"}) for one in gate.verdicts)
    path = tmp_path / "gate.xml"
    path.write_text(to_junit(Gate(gate.policy, verdicts)), encoding="utf-8")
    (suite,) = JUnitXml.fromfile(str(path))
    assert next(iter(suite)).name.startswith("a\ufffdb\ufffd: ")
