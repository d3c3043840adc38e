from pathlib import Path

import pytest
import yaml

from nasaudit.errors import InputError, SpecError, UnknownNameError
from nasaudit.planning.grids import load_studies
from nasaudit.planning.plan import plan
from nasaudit.planning.studies import changed_study, load_study, parse_study, recipe_names
from nasaudit.spec.attacks import PgdSpec
from nasaudit.spec.attacks.choice import attacks_for
from nasaudit.spec.attacks.evasion import paper_nes, paper_pgd
from nasaudit.spec.study import StudySpec


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_of_the_package_can_be_planned(name: str, tmp_path: Path) -> None:
    for member in load_studies(name):
        planned = plan(member.study, tmp_path, unseen=True)
        assert planned.tasks or planned.stages  # of searches all is decided while they run


def test_the_talk_has_seventeen_architectures(tmp_path: Path) -> None:
    groups = [architecture.group for architecture in plan(load_study("Talk Mini"), tmp_path).architectures]
    assert (groups.count("manual"), groups.count("nas"), groups.count("random")) == (7, 9, 1)


def test_short_forms_are_written_out() -> None:
    study = parse_study("architectures: [darts]\nseeds: 3\nattacks: evasion\n", "a.yaml")
    assert study.seeds == (0, 1, 2)
    assert study.attacks == attacks_for(["evasion"], "sound", "mini")
    paper = parse_study("architectures: [darts]\nprotocol: paper\nattacks: [evasion]\n", "a.yaml")
    assert paper.attacks == (paper_pgd(), paper_nes())


def test_an_attack_may_be_spelled_out() -> None:
    text = "architectures: [darts]\nattacks:\n  - {name: pgd, epsilons: [8/255], steps: 7}\n"
    assert parse_study(text, "a.yaml").attacks == (PgdSpec(epsilons=(8 / 255,), steps=7),)


def test_what_was_written_by_a_study_reads_back(tmp_path: Path) -> None:
    study = load_study("quick")
    file = tmp_path / "again.yaml"
    file.write_text(yaml.safe_dump(study.model_dump(mode="json")))
    assert load_study(str(file)) == study


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("architectures: [", "a.yaml: expected YAML"),
        ("- darts", "a.yaml: expected a mapping"),
        ("", "a.yaml: expected a mapping"),
        ("architectures: []", "a.yaml.architectures"),
        ("architectures: [darts]\nseeds: -1", "a.yaml.seeds"),
        ("architectures: [darts]\nseeds: 0", "a.yaml.seeds"),
        ("architectures: [darts]\nseeds: [0, x]", r"a.yaml.seeds\[1\]"),
        ("architectures: [darts]\nattacks: [{name: pgd, steps: 0}]", r"a.yaml.attacks\[0\].*steps"),
        ("architectures: [darts]\nattacks: [evasoin]", "did you mean evasion"),
        ("architectures: [darts]\ncolour: red", "a.yaml.colour: expected no field"),
        ("architectures: [darts]\nprotocol: loud\nattacks: [evasion]", "a.yaml.protocol"),
        (
            "architectures: !!python/object/apply:os.system ['true']",
            "a.yaml:1: expected a value without a tag",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_the_path_of_the_field(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_study(text, "a.yaml")


def test_an_unknown_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="talk-mini"):
        load_study("talk-min")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.yaml: cannot be read"):
        load_study(str(tmp_path / "gone.yaml"))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        load_study(str(tmp_path / "binary.yaml"))


def test_a_spec_error_is_an_input_error() -> None:
    with pytest.raises(SpecError):
        parse_study("[]", "a.yaml")


def test_fields_are_set_by_their_path() -> None:
    study = load_study(
        "population", ["population.cells=5", "seeds=2", "attacks.0.images=50", "training.epochs=3"]
    )
    assert (study.population.cells, study.seeds) == (5, (0, 1))
    assert (study.attacks[0].images, study.training["epochs"]) == (50, 3)
    assert load_study("quick", ["training.epochs=4"]).training["epochs"] == 4


@pytest.mark.timeout(10)
def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    with pytest.raises(InputError, match="got a device"):
        load_study(str(tmp_path / "zero.yaml"))


def test_a_field_that_is_written_twice_is_named() -> None:
    with pytest.raises(SpecError, match=r"s\.yaml:3: expected each field once, got 'seeds'"):
        parse_study("seeds: 1\narchitectures: [darts]\nseeds: 5\n", "s.yaml")


def test_a_path_of_a_thousand_fields_is_refused() -> None:
    with pytest.raises(SpecError, match="--set"):
        parse_study("architectures: [darts]", "s.yaml", ["a." * 1000 + "b=1"])


def test_a_study_is_changed_by_fields_of_which_some_were_not_said():
    study = StudySpec.parse({"architectures": ["resnet"], "data": "digits", "attacks": ["pgd"]})
    changed = changed_study(study, ["training.epochs=3", "attacks.0.images=7", "seeds=2"])
    assert changed.training is not None
    assert (changed.training["epochs"], changed.attacks[0].images, changed.seeds) == (3, 7, (0, 1))
    assert changed_study(study, []) == study
    with pytest.raises(SpecError, match="attacks"):
        changed_study(study, ["attacks.0.imges=7"])
