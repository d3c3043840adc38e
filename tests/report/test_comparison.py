from pathlib import Path

import pytest

from nasaudit.report.evidence import Evidence
from nasaudit.report.format import NBSP
from nasaudit.report.sections.comparison import Finding, findings
from nasaudit.report.sections.families.evasion import EVASION
from nasaudit.verdicts.standings import higher

CLEAR = {"darts": (8.0, 0.976), "resnet": (10.5, 0.969)}


@pytest.fixture
def finding(make_study, tmp_path: Path):
    def make(**changes: object) -> tuple[Finding, str]:
        found = list(findings(Evidence(make_study(**changes), tmp_path), EVASION))
        assert len(found) == 1
        return found[0], " ".join(found[0].sentences).replace(NBSP, " ")

    return make


def test_a_clear_difference_names_the_easier_one_and_the_direction(finding) -> None:
    found, text = finding(character=CLEAR, seeds=(0, 1, 2))
    assert found.title == "DARTS is easier to evade than ResNet."
    assert "this agrees with the published direction" in text
    assert "Caution" not in text
    assert "trainings of each" not in text


@pytest.mark.parametrize(("seeds", "said"), [((0, 1), "2 trainings of each"), ((0,), "one training of each")])
def test_few_seeds_say_something_of_these_models_only(finding, seeds, said) -> None:
    found, text = finding(character=CLEAR, seeds=seeds)
    assert found.title == "These DARTS models are easier to evade than these ResNet models."
    assert f"With {said}, that holds for these models" in text


def test_the_opposite_difference_goes_against_the_published_direction(finding) -> None:
    found, text = finding(character={"darts": (10.5, 0.976), "resnet": (8.0, 0.969)}, seeds=(0, 1, 2))
    assert found.title == "ResNet is easier to evade than DARTS."
    assert "this goes against the published direction" in text


def test_overlapping_intervals_are_undecided(finding) -> None:
    found, text = finding(character={"darts": (8.6, 0.976), "resnet": (8.7, 0.969)})
    assert found.title.startswith("Undecided")
    assert "easier to evade than" not in found.title + text
    assert "intervals overlap" in text
    assert "neither supports nor contradicts" in text


def test_the_stated_difference_is_that_of_the_rows(make_study, tmp_path: Path) -> None:
    evidence = Evidence(make_study(character=CLEAR), tmp_path)
    setting = {"norm": "linf", "goal": "untargeted", "images": "common"}
    darts, resnet = (
        evidence.pooled(name, "evasion", "curve_area", "pgd", **setting) for name in ("darts", "resnet")
    )
    (found,) = findings(evidence, EVASION)
    said = " ".join(found.sentences)
    assert f"a difference of {darts.value - resnet.value:.3f}" in said
    # Interval arithmetic: the least and the most that two numbers within their intervals can differ.
    assert f"(the intervals allow {darts.low - resnet.high:.3f} to {darts.high - resnet.low:.3f})" in said


@pytest.mark.parametrize(("accuracy", "warned"), [(0.957, False), (0.955, True)])
def test_accuracies_more_than_two_points_apart_are_warned_of(finding, accuracy: float, warned: bool) -> None:
    _, text = finding(character={"darts": (8.0, 0.976), "resnet": (10.5, accuracy)}, seeds=(0,))
    assert ("Caution: the clean accuracies of" in text) is warned


def test_a_custom_cell_says_nothing_on_the_published_direction(finding) -> None:
    _, text = finding(renamed={"darts": "my cell"}, character=CLEAR)
    assert "says nothing on the published direction" in text


def test_many_architectures_count_their_pairs(finding) -> None:
    found, text = finding(architectures=("darts", "enas", "random", "resnet", "vgg"), character={
        "darts": (7.0, 0.97), "enas": (9.0, 0.97), "random": (8.0, 0.97), "resnet": (9.0, 0.97), "vgg": (11.0, 0.97),
    })  # fmt: skip
    assert found.title == "The easiest to evade: DARTS. The hardest: VGG."
    assert "over 2 NAS-designed and 2 hand-made architectures (8 models), this study neither" in text


def test_with_one_architecture_of_a_group_its_pairs_are_counted(finding) -> None:
    _, text = finding(architectures=("darts", "random", "resnet", "vgg", "bit"), character={
        "darts": (9.0, 0.97), "random": (8.0, 0.97), "resnet": (9.0, 0.97), "vgg": (11.0, 0.97), "bit": (6.0, 0.97),
    })  # fmt: skip
    # darts against resnet is a tie; random counts as neither.
    assert "of the 3 pairs" in text
    assert "1 agree with, 1 go against and 1 leave undecided" in text


def test_an_extreme_that_others_reach_is_only_among_the_extremes(finding) -> None:
    found, text = finding(
        architectures=("darts", "enas", "vgg"),
        character={"darts": (7, 0.97), "enas": (7.1, 0.97), "vgg": (11, 0.97)},
    )
    assert found.title == "Among the easiest to evade: DARTS. The hardest: VGG."
    assert "Not clearly apart from DARTS: ENAS." in text
    assert "Not clearly apart from VGG" not in text


def test_one_architecture_is_not_compared(make_study, tmp_path: Path) -> None:
    assert list(findings(Evidence(make_study(architectures=["darts"]), tmp_path), EVASION)) == []


def test_intervals_that_touch_are_undecided(make_study) -> None:
    row = make_study().rows[0]
    low, high = (row.model_copy(update={"low": a, "high": b}) for a, b in ((0.1, 0.2), (0.2, 0.3)))
    assert not higher(low, high)
    assert not higher(high, low)
    clear = row.model_copy(update={"low": 0.21, "high": 0.3})
    assert higher(clear, low)
    assert not higher(low, clear)
    bare = clear.model_copy(update={"low": clear.value, "high": clear.value, "n": 1})
    assert not higher(bare, low)
