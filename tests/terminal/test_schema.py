"""The JSON schema of a study takes what a study takes, and marks what an editor should."""

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml

from nasaudit.errors import InputError
from nasaudit.spec.attacks import ATTACKS
from nasaudit.spec.searches import SEARCHES
from nasaudit.spec.study import StudySpec
from nasaudit.terminal.schema import study_schema

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def schema():
    return study_schema()


@pytest.fixture(scope="module")
def validator(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def studies():
    for path in files("nasaudit.studies").iterdir():
        if path.name.endswith(".yaml"):
            yield pytest.param(path.read_text(), id=path.name)
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for number, block in enumerate(BLOCK.findall(page.read_text())):
            if "architectures:" in block and "rules:" not in block:
                yield pytest.param(block, id=f"{page.stem}-{number}")


@pytest.mark.parametrize("text", list(studies()))
def test_every_study_that_is_shown_or_shipped_is_valid(text, validator):
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize(
    "more",
    [
        "sedes: [1]",
        "seeds: [-1]",
        "seeds: 0",
        "scale: huge",
        "attacks: [{name: pgd, stepz: 8}]",
        "attacks: [{steps: 8}]",
        "attacks: [{name: pgd, steps: many}]",
        "training: {learning_rate: -1}",
        "training: {defences: [{name: trades, betta: 3}]}",
        "data: {name: digits, train_images: -3}",
    ],
)
def test_what_a_study_refuses_is_marked(more, validator):
    values = yaml.safe_load(f"architectures: [darts]\n{more}")
    assert not validator.is_valid(values)
    if more != "seeds: 0":  # a number of seeds is read before there is a spec
        with pytest.raises(InputError):
            StudySpec.parse(values)


@pytest.mark.parametrize(
    "architecture",
    [
        "PC-DARTS",
        {"search": "pc_darts", "seed": 3},
        {"search": {"name": "darts", "penalty": "advrush"}},
        {"name": "mine", "genotype": "Genotype(normal=[...])", "training": {"epochs": 3}},
    ],
)
def test_an_architecture_may_be_written_in_every_way(architecture, validator):
    assert validator.is_valid({"architectures": [architecture]})


@pytest.mark.parametrize("epsilon", [0.1, "8/255", 0])
def test_a_size_may_be_a_fraction(epsilon, validator):
    study = {"architectures": ["darts"], "attacks": [{"name": "pgd", "epsilons": [epsilon]}]}
    assert validator.is_valid(study)


def test_every_attack_and_search_is_offered_with_its_fields_and_their_meaning(schema):
    for kind, registry in (("attack", ATTACKS), ("search", SEARCHES)):
        names, _, *specs = schema["$defs"][kind]["anyOf"]
        assert names["enum"] == list(registry)
        assert [spec["properties"]["name"]["enum"][0] for spec in specs] == list(registry)
    pgd = next(
        spec for spec in schema["$defs"]["attack"]["anyOf"][2:] if "pgd" in spec["properties"]["name"]["enum"]
    )
    assert "Madry" in pgd["description"]
    assert pgd["properties"]["restarts"]["description"]


def test_the_command_prints_it(command, schema):
    code, out, _ = command("study", "schema")
    assert code == 0
    assert json.loads(out) == json.loads(json.dumps(schema))
