"""Grids and what studies include; and how much the talk's whole matrix is, by hand."""

from pathlib import Path

import pytest

from nasaudit.errors import InputError, SpecError
from nasaudit.planning.grids import load_studies
from nasaudit.planning.plan import plan
from nasaudit.planning.studies import load_study


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_grid_is_every_combination_and_the_last_field_changes_fastest(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "g.yaml",
        "name: g\narchitectures: [resnet]\ntraining: {epochs: 9, crop: 0}\n"
        "grid: {data: [digits, {name: mnist5k, seed: 3}], training.epochs: [1, 2]}\n",
    )
    members = load_studies(file)
    assert [member.label for member in members] == ["digits-1", "digits-2", "mnist5k-1", "mnist5k-2"]
    assert [member.study.name for member in members] == [
        "g-digits-1",
        "g-digits-2",
        "g-mnist5k-1",
        "g-mnist5k-2",
    ]
    assert [(m.study.data.name, m.study.data.seed, m.study.training["epochs"]) for m in members] == [
        ("digits", 0, 1), ("digits", 0, 2), ("mnist5k", 3, 1), ("mnist5k", 3, 2),
    ]  # fmt: skip
    assert all(member.study.training["crop"] == 0 for member in members)


def test_what_is_set_takes_a_field_out_of_the_grid_and_the_rest_of_the_fields_stay(tmp_path: Path) -> None:
    file = write(tmp_path, "g.yaml", "architectures: [resnet]\ngrid: {data: [digits, mnist5k]}\n")
    (one,) = load_studies(file, ["data=digits", "training.epochs=3"])
    assert (one.label, one.study.data.name, one.study.training) == ("", "digits", {"epochs": 3})
    assert all(member.study.training == {"epochs": 3} for member in load_studies(file, ["training.epochs=3"]))


def test_a_file_without_a_grid_is_one_study() -> None:
    (one,) = load_studies("quick")
    assert (one.label, one.study) == ("", load_study("quick"))


def test_values_of_one_name_have_folders_of_their_own(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "g.yaml",
        "architectures: [resnet]\ngrid: {data: [{name: digits, seed: 0}, {name: digits, seed: 1}]}\n",
    )
    assert [member.label for member in load_studies(file)] == ["digits", "digits-1"]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("[digits]", r"g.yaml.grid: expected fields, each with a list of values"),
        ("{data: digits}", r"g.yaml.grid: expected fields, each with a list of values"),
        ("{data: []}", r"g.yaml.grid: expected fields, each with a list of values"),
        ("{seeds: [1, 2, x]}", r"g.yaml \(x\).seeds"),
        ("{colour: [1, 2]}", r"colour: expected no field"),
        ("{name.x: [1, 2]}", r"name.x: expected the path of a field"),
        ("{training.epochs: [" + "1, " * 1001 + "]}", "at most 1000 studies"),
    ],
)
def test_a_wrong_grid_is_named(tmp_path: Path, grid: str, message: str) -> None:
    file = write(tmp_path, "g.yaml", f"architectures: [resnet]\nname: n\ngrid: {grid}\n")
    with pytest.raises(InputError, match=message):
        load_studies(file)


def test_labels_are_names_of_folders(tmp_path: Path) -> None:
    file = write(tmp_path, "g.yaml", "architectures: [resnet]\ngrid: {name: ['../up', 'a/b', '...', '--']}\n")
    assert [member.label for member in load_studies(file)] == ["up", "a_b", "2", "3"]


def test_where_one_study_is_meant_a_grid_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"grid: expected nothing, where one study is meant"):
        load_study(write(tmp_path, "g.yaml", "architectures: [resnet]\ngrid: {data: [digits]}\n"))


def test_a_study_includes_another_one_and_its_own_fields_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        "base.yaml",
        "architectures: [resnet, darts]\ndata: digits\ntraining: {epochs: 5, crop: 0}\nseeds: 2\n",
    )
    file = write(tmp_path, "own.yaml", "include: base.yaml\narchitectures: [vgg]\ntraining: {epochs: 7}\n")
    study = load_study(file)
    assert [choice.name for choice in study.architectures] == ["vgg"]
    assert (study.data.name, study.seeds, study.training) == ("digits", (0, 1), {"epochs": 7, "crop": 0})
    recipe = load_study(write(tmp_path, "r.yaml", "include: quick\nseeds: 1\n"))
    assert (recipe.architectures, recipe.seeds) == (load_study("quick").architectures, (0,))


def test_studies_that_include_each_other_end(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "include: b.yaml\n")
    file = write(tmp_path, "b.yaml", "include: a.yaml\n")
    with pytest.raises(InputError, match=r"include: expected at most 10 studies that include each other"):
        load_study(file)
    with pytest.raises(InputError, match=r"include: expected the file, or the recipe's name, of one study"):
        load_study(write(tmp_path, "c.yaml", "include: [a.yaml]\n"))
    with pytest.raises(InputError, match=r"gone.yaml"):
        load_study(write(tmp_path, "d.yaml", "include: gone.yaml\n"))


def test_the_talk_has_as_many_tasks_as_can_be_counted_by_hand(tmp_path: Path) -> None:
    """No images are needed for that."""
    victims = 17 * 3  # architectures, seeds
    # The victim; PGD and NES; four trainings of label flips (none, 10, 20, 40 %) and what compares them;
    # BadNets and TrojanNN; Knockoff Nets; the boundary distance; convergence, gradients, smoothness.
    of_a_victim = 1 + 2 + (4 + 1) + 2 + 1 + 1 + 3
    of_an_architecture = 2  # topology, and the landscape, which is a pair's
    poisons = 3  # one for each share of wrong labels, of all architectures and seeds
    by_hand = victims * of_a_victim + 17 * of_an_architecture + poisons
    assert by_hand == 802
    members = load_studies("talk")
    assert [member.label for member in members] == ["cifar10", "cifar100", "imagenet32"]
    for member in members:
        planned = plan(member.study, tmp_path, unseen=True)
        assert len(planned.tasks) == by_hand
        assert {victim.architecture.scale for victim in planned.victims} == {"paper"}
