"""`nasaudit gate` and `nasaudit compare` as a CI sees them: the documented commands, the files, the exit codes."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml
from junitparser import JUnitXml

from nasaudit import api
from nasaudit.cli import main
from nasaudit.results.schema import StudyResults

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/gate.md").read_text(encoding="utf-8")
WORKFLOW = ROOT / "examples/ci/gate.yml"
SCHEMA = ROOT / "tests/gate/sarif-schema-2.1.0.json"
COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
Run = Callable[[str], tuple[int, str, str]]


def save(results: StudyResults, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(results.model_dump_json(), encoding="utf-8")


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    pgd_study: Callable[..., StudyResults],
) -> Run:
    """Run one command beside two studies and the page's policy; (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    save(pgd_study(), Path("audits/old"))
    save(pgd_study(spread=0.021), Path("audits/new"))
    save(pgd_study({"darts": 0.5, "resnet": 0.2}, spread=0.03), Path("audits/bad"))
    (policy,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    Path("policy.yaml").write_text(policy, encoding="utf-8")

    def command(words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", shlex.split(words))
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.mark.parametrize("words", COMMANDS)
def test_a_documented_command_runs(words: str, run: Run) -> None:
    assert len(COMMANDS) == 8
    code, out, err = run(words)
    if "gate" in words and "--baseline" not in words and "--init" not in words:
        assert code == 2
        assert "--baseline DIR" in err
        return
    assert code == 0, err
    assert out
    if "--json" in words:
        assert json.loads(out)


def test_a_gate_that_holds_is_exit_0_and_one_that_is_broken_exit_1_with_files(run: Run) -> None:
    words = "--policy policy.yaml --baseline audits/old --junit ci/gate.xml --sarif ci/gate.sarif"
    code, out, _ = run(f"nasaudit gate audits/new {words}")
    assert code == 0
    assert "all 5 rules hold" in out
    code, out, err = run(f"nasaudit gate audits/bad {words}")
    assert (code, err) == (1, "")
    assert "BROKEN" in out
    assert "policy.yaml:2: darts: pgd asr epsilon=2/255" in out
    assert "3 of 5 rules are broken" in out
    document = json.loads(Path("ci/gate.sarif").read_text(encoding="utf-8"))
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    lines = [
        one["locations"][0]["physicalLocation"]["region"]["startLine"]
        for one in document["runs"][0]["results"]
    ]
    assert sorted(lines) == [2, 12, 16]
    (suite,) = JUnitXml.fromfile("ci/gate.xml")
    assert suite.failures == 3


def test_verdicts_are_json_for_programs(run: Run) -> None:
    code, out, _ = run("nasaudit gate audits/bad --policy policy.yaml --baseline audits/old --json")
    said = json.loads(out)
    assert (code, said["holds"]) == (1, False)
    broken = [(one["line"], one["architecture"]) for one in said["verdicts"] if not one["holds"]]
    assert broken == [(2, "darts"), (12, "darts"), (16, "darts")]


@pytest.mark.parametrize(
    ("policy", "words", "code", "expected"),
    [
        ("rules: [{metric: asr}]", "audits/new", 2, "policy.yaml.rules[0]: expected exactly one of"),
        ("rules: [{metric: asr, at_most: x}]", "audits/new", 2, "policy.yaml.rules[0].at_most"),
        ("rules: [{metric: asr, limit: 1}]", "audits/new", 2, "policy.yaml.rules[0].limit"),
        ("rules: [{metric: art, at_most: 1}]", "audits/new", 2, "did you mean asr"),
        ("rules: [{metric: asr, at_most: 1}]", "audits/none", 3, "holds no results yet"),
        (
            "rules: [{metric: asr, at_most: 1}]",
            "audits/new --baseline audits/none",
            3,
            "holds no results yet",
        ),
    ],
)
def test_bad_input_is_one_message_and_writes_no_file(
    policy: str, words: str, code: int, expected: str, run: Run
) -> None:
    Path("policy.yaml").write_text(policy, encoding="utf-8")
    got, out, err = run(f"nasaudit gate {words} --policy policy.yaml --junit gate.xml --sarif gate.sarif")
    assert got == code
    assert expected in err
    assert "Traceback" not in out + err
    assert not list(Path().glob("gate.*"))


def test_compare_shows_headlines_with_how_their_interval_was_made(run: Run) -> None:
    code, out, _ = run("nasaudit compare audits/old audits/bad")
    assert code == 0
    row = next(line for line in out.splitlines() if "curve_area" in line and "darts" in line)
    assert "3 seeds" in row
    assert "worse" in row
    assert "further figures: --all" in out
    assert len(run("nasaudit compare audits/old audits/bad --all")[1]) > len(out)
    save(StudyResults.model_validate_json(Path("audits/old/results.json").read_text()).model_copy(
        update={"class_names": ["a", "b"]}), Path("audits/other"))  # fmt: skip
    code, _, err = run("nasaudit compare audits/old audits/other")
    assert (code, "cannot be compared" in err) == (2, True)


def test_neither_needs_torch(run: Run) -> None:
    program = """
import sys
from nasaudit import api
from nasaudit.terminal.verdicts import compared, judged
judged(api.gate("audits/new", "policy.yaml", "audits/old", junit="gate.xml", sarif="gate.sarif"))
compared(api.compare("audits/old", "audits/new"), True)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


class PlannedError(Exception):
    pass


def workflow_commands() -> Iterator[str]:
    (job,) = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"].values()
    yield from (step["run"] for step in job["steps"] if step.get("run", "").startswith("nasaudit"))


def test_the_example_workflow_audits_and_gates(
    run: Run, monkeypatch: pytest.MonkeyPatch, pgd_study: Callable[..., StudyResults], tmp_path: Path
) -> None:
    audit, gate = workflow_commands()
    planned: dict[str, Any] = {}
    Path("model.py").write_text("def build(classes): ...\n", encoding="utf-8")
    Path("checkpoint.safetensors").write_bytes(b"")
    np.savez("images.npz", images=np.zeros((40, 8, 8), np.uint8), labels=np.arange(40) % 10)

    def stop(study: object, out: Path, *_: object) -> None:
        planned.update(study=study, out=out)
        raise PlannedError

    monkeypatch.setattr(api, "run_study", stop)
    with pytest.raises(PlannedError):
        run(audit)
    study = planned["study"]
    results = pgd_study(
        {"darts": 0.2}, data=study.data.model_dump(), attacks=study.attacks, seeds=study.seeds, images=2000
    )
    save(results, tmp_path / planned["out"])
    summary = tmp_path / "summary.md"  # what a runner of GitHub gives a step
    gate = gate.replace("$GITHUB_STEP_SUMMARY", str(summary))
    policy = ROOT / "examples/ci/policy.yaml"
    code, out, err = run(gate.replace("examples/ci/policy.yaml", str(policy)))
    assert code == 0, out + err
    assert Path("audits/gate.sarif").exists()
    assert summary.read_text(encoding="utf-8").startswith("## nasaudit: All 3 rules hold\n")


def test_a_policy_made_of_a_study_is_one_that_it_keeps_to_and_a_worse_one_breaks(run: Run) -> None:
    code, out, err = run("nasaudit gate --init audits/old --out made.yaml")
    assert (code, err) == (0, "")
    assert "made.yaml" in out
    text = Path("made.yaml").read_text(encoding="utf-8")
    rules = yaml.safe_load(text)["rules"]
    results = StudyResults.model_validate_json(Path("audits/old/results.json").read_text())
    (headline,) = results.headlines
    worst = max(headline.rows.values(), key=lambda row: row.high)
    limit = next(rule["at_most"] for rule in rules if rule["metric"] == "headline")
    assert worst.high + (worst.high - worst.low) / 2 == pytest.approx(limit, abs=0.001)
    assert f"{worst.architecture} had {worst.value:.3g}" in text  # what the limit means
    assert run("nasaudit gate audits/old --policy made.yaml")[0] == 0
    assert run("nasaudit gate audits/bad --policy made.yaml")[0] == 1
    code, _, err = run("nasaudit gate --init audits/old --out made.yaml")
    assert code == 2
    assert "made.yaml exists" in err
    assert run("nasaudit gate --init audits/old")[1] == text


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "rules: []\n", "rules:\n"])
def test_an_empty_policy_says_how_to_make_one(text: str, run: Run) -> None:
    Path("empty.yaml").write_text(text, encoding="utf-8")
    code, _, err = run("nasaudit gate audits/old --policy empty.yaml")
    assert code == 2
    assert "empty.yaml has no rules" in err
    assert "nasaudit gate --init DIR --out empty.yaml" in err
    assert run("nasaudit gate audits/old")[0] == 2


def test_markdown_has_broken_rules_first_and_names_of_others_as_text(run: Run) -> None:
    content = Path("policy.yaml").read_text(encoding="utf-8")
    Path("policy.yaml").write_text(
        content.replace("small perturbations fool few images", "a | [b](javascript:c) <img>"),
        encoding="utf-8",
    )
    code, *_ = run("nasaudit gate audits/bad --policy policy.yaml --baseline audits/old --markdown gate.md")
    assert code == 1
    lines = Path("gate.md").read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith("rules are broken")
    table = [line for line in lines if line.startswith(("| holds", "| BROKEN"))]
    assert [line.split()[1] for line in table] == sorted(line.split()[1] for line in table)
    assert table[0].startswith("| BROKEN")
    assert r"a \| \[b\](javascript:c) \<img\>" in "\n".join(table)
