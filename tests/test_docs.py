"""Every command that the documentation shows is a command: the quick ones run, the long ones are checked."""

import re
import shlex
import sys
import zipfile
from pathlib import Path

import pytest

from nasaudit import api
from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.cli import main
from nasaudit.spec.study import StudySpec

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SHELL = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
# Commands that look at the results of an earlier one: here they are understood, and miss a folder. That they do what
# they say is in test_the_cli_page_runs_as_written, test_leaving.py and tests/gate.
NEEDS_RESULTS = ("report", "study status", "export", "gate", "compare", "serve")


def commands():
    for page in PAGES:
        for block in SHELL.findall(page.read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                words = line.removeprefix("$ ").split("#")[0].strip().removeprefix(".venv/bin/")
                words = words.removeprefix("nasaudit ") if words.startswith("nasaudit ") else ""
                if words:
                    yield pytest.param(words, id=f"{page.stem}: {words}")


class PlannedError(Exception):
    pass


@pytest.mark.parametrize("words", list(commands()))
def test_a_documented_command_is_accepted(words, monkeypatch, tmp_path, capsys):
    def stop(study, *_, **__):
        assert isinstance(study, StudySpec)
        raise PlannedError

    monkeypatch.chdir(tmp_path)
    for block in (block for page in PAGES for block in YAML.findall(page.read_text())):
        Path("policy.yaml" if "rules:" in block else "study.yaml").write_text(block)
    Path("genotypes.py").write_text(f"DARTS_V2 = {CATALOGUE['darts'].genotype.to_text()}\n")
    Path("model.onnx").touch()
    with zipfile.ZipFile("model.torchscript.pt", "w") as archive:  # as far as planning looks
        archive.writestr("model/constants.pkl", b"")
    monkeypatch.setattr(api, "run_study", stop)
    monkeypatch.setattr(sys, "argv", ["nasaudit", *shlex.split(words)])
    try:
        main()
    except PlannedError:
        return
    except SystemExit as end:
        said = capsys.readouterr().err
        misses = end.code == 3 and re.search("holds no|not the folder of a study", said)
        if not (misses if words.startswith(NEEDS_RESULTS) else not end.code):
            pytest.fail(said)


def yaml_blocks():
    for page in PAGES:
        for position, block in enumerate(YAML.findall(page.read_text())):
            if "architectures:" in block and "rules:" not in block:  # a policy: test_gate.py has it
                yield pytest.param(block, id=f"{page.stem}-{position}")


@pytest.mark.parametrize("block", list(yaml_blocks()))
def test_a_documented_study_is_valid(block, tmp_path):
    from nasaudit.planning.studies import load_study

    path = tmp_path / "study.yaml"
    path.write_text(block)
    assert load_study(str(path)).architectures


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.stem)
def test_links_lead_somewhere(document):
    for target in LINK.findall(document.read_text()):
        assert (document.parent / target).exists(), target


def run_as_written(page, monkeypatch, capsys):
    """Run the commands of a page's first block, one after the other."""
    for line in SHELL.findall(page)[0].splitlines():
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        try:
            main()
        except SystemExit as end:
            if end.code:
                pytest.fail(f"{line}: {capsys.readouterr().err}")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_cli_page_runs_as_written(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    run_as_written((ROOT / "docs/cli.md").read_text(), monkeypatch, capsys)
    assert list(Path("audits/digits/figures").glob("*.png"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_page_on_search_runs_as_written(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    run_as_written((ROOT / "docs/search.md").read_text(), monkeypatch, capsys)
    assert api.load_architecture("found/cells/darts-s0.json")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_page_on_hardened_training_runs_as_written(monkeypatch, tmp_path, capsys):
    page = (ROOT / "docs/hardened-training.md").read_text()
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(YAML.findall(page)[0])
    run_as_written(page, monkeypatch, capsys)
    told = capsys.readouterr()
    assert "the training recipes differ in defences" in " ".join((told.out + told.err).split())


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", ["README.md", "docs/mitigation.md"])
def test_an_example_in_python_runs_as_written(page, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = PYTHON.findall((ROOT / page).read_text())
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {})
    assert "darts" in capsys.readouterr().out
