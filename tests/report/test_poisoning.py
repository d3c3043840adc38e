"""The section on poisoning, from rows that are made up."""

import re
from pathlib import Path

import numpy as np
import pytest

from nasaudit.measure.estimate import Estimate
from nasaudit.measure.proportion import proportion
from nasaudit.report import format, write_figures, write_report
from nasaudit.report.evidence import Evidence
from nasaudit.report.sections.comparison import findings
from nasaudit.report.sections.families.poisoning import POISONING
from nasaudit.results.flags.base import Facts, flags_of
from nasaudit.results.flags.poisoning import CHECKS
from nasaudit.results.schema import Pictures, StudyResults
from nasaudit.spec.attacks import GradientMatchingSpec, LabelFlipSpec
from nasaudit.testing.rows import make_row
from nasaudit.verdicts.decide import decide

FRACTIONS = (0.0, 0.1, 0.2, 0.4)
DROPS = {"darts": 0.11, "resnet": 0.17}  # at .4


def drop(value: float, half: float = 0.02, n: int = 1000) -> Estimate:
    return Estimate(value, value - half, value + half, n, "fraction")


@pytest.fixture
def make(make_study, tmp_path: Path):
    """Results of both attacks; `drops` maps an architecture to what it loses at .4."""

    def build(drops=DROPS, flip=True, brew=True, half=0.02, reached=2, **changes) -> Evidence:
        results: StudyResults = make_study(architectures=tuple(drops), attacks=False, **changes)
        rows, pictures = list(results.rows), []

        def add(name: str, attack: str, metric: str, estimate: Estimate, **setting: str) -> None:
            for seed in (*results.study.seeds, "all"):
                rows.append(
                    make_row(name, metric, estimate, seed=seed, attack=attack, data="mnist5k", **setting)
                )

        for name, lost in drops.items():
            for fraction in FRACTIONS if flip else ():
                here = lost * fraction / 0.4
                at = {"fraction": f"{fraction:g}"}
                add(name, "label_flip", "clean_accuracy", proportion(round(1000 * (0.97 - here)), 1000), **at)
                add(name, "label_flip", "cad", drop(here, half if fraction else 0.0), **at)
            if flip:
                add(name, "label_flip", "cad_area", drop(lost / 2))
            if brew:
                at = {"fraction": "0.03"}
                add(name, "gradient_matching", "clean_accuracy", proportion(968, 1000), **at)
                add(name, "gradient_matching", "cad", drop(0.002), **at)
                add(name, "gradient_matching", "asr", proportion(reached, 9), **at)
                add(name, "gradient_matching", "floor", proportion(0, 9), **at)
                add(name, "gradient_matching", "confidence_gain", drop(0.21, n=9), **at)
                for when, loss in (("before", 0.91), ("after", 0.33)):
                    mismatch = Estimate(loss, loss - 0.05, loss + 0.05, 9, "1 - cosine")
                    add(name, "gradient_matching", "matching_loss", mismatch, poison=when, **at)
                file = f"examples/{name}.npz"
                (tmp_path / "examples").mkdir(exist_ok=True)
                clean = np.full((2, 3, 8, 8), 90, np.uint8)
                np.savez(
                    tmp_path / file, clean=clean, poisoned=clean + 16, aimed=clean, index=[7, 8], label=[3, 3],
                    aimed_label=[5, 5], reached=[True, False],
                )  # fmt: skip
                pictures.append(
                    Pictures(
                        architecture=name,
                        seed=0,
                        family="poisoning",
                        attack="gradient_matching",
                        setting={},
                        file=file,
                    )
                )
        attacks = (*((LabelFlipSpec(),) if flip else ()), *((GradientMatchingSpec(),) if brew else ()))
        study = results.study.model_copy(update={"attacks": attacks})
        return Evidence(
            decide(results.model_copy(update={"study": study, "rows": rows, "pictures": pictures})), tmp_path
        )

    return build


def words(evidence: Evidence) -> str:
    """The page's visible text."""
    source = write_report(evidence.results, evidence.folder).read_text(encoding="utf-8")
    source = re.sub(r"<(script|style).*?</\1>", " ", source, flags=re.DOTALL)
    return re.sub(
        r"\s+", " ", re.sub(r"<[^>]*>", " ", source).replace(format.NBSP, " ").replace("&nbsp;", " ")
    )


def test_the_page_says_what_the_rows_say(make) -> None:
    text = words(make())
    assert (
        "With 40 % of the training labels wrong it loses 11.0 points [9.0, 13.0; n = 1,000] of clean accuracy"
        in text
    )
    assert (
        "models lose from 11.0 points [9.0, 13.0; n = 1,000] of clean accuracy (DARTS) to 17.0 points" in text
    )
    assert "higher is worse for the defender" in text
    assert text.count("NAS-designed models are harder to poison") == 1  # by the comparison
    assert "Published: about 5 points less accuracy lost at a fraction of .4." in text
    assert "take 22.2 % of the chosen test images [6.3, 54.7; n = 9] for the attacker" in text
    assert "of accuracy lost with 40 % of the training data poisoned" in text
    assert "the target is now taken for 3" in text
    assert "the target is not taken for 3" in text


def test_a_smaller_loss_of_a_nas_model_agrees_with_the_published_direction(make) -> None:
    (found,) = findings(make(seeds=(0, 1, 2)), POISONING)
    said = " ".join(found.sentences).replace(format.NBSP, " ")
    assert found.title == "ResNet is easier to poison than DARTS."
    assert "agrees with the published direction: NAS-designed models are harder to poison" in said
    (found,) = findings(make(drops={"darts": 0.2, "resnet": 0.1}, seeds=(0, 1, 2)), POISONING)
    assert "goes against the published direction" in " ".join(found.sentences)
    (found,) = findings(make(half=0.2), POISONING)
    assert found.title.startswith("Undecided")


def test_the_headline_is_the_drop_at_the_largest_fraction(make) -> None:
    evidence = make()
    headline = evidence.results.headline("poisoning")
    assert headline is not None
    assert {name: row.value for name, row in headline.rows.items()} == DROPS
    wording = POISONING.wording(evidence, headline)
    assert (
        wording.measure.replace(format.NBSP, " ")
        == "clean accuracy lost with 40 % of the training labels wrong"
    )
    assert wording.illustration["resnet"].value == 0.8
    alone = make(flip=False)
    # A few targets are aimed at: the accuracy lost is not what the attack is judged by, and nothing is claimed of it.
    assert alone.results.headline("poisoning") is None
    assert alone.results.comparisons == []
    assert "published direction" not in words(alone)
    assert "What attacks on it did stands below" in words(alone)


def test_the_curve_is_in_points_and_starts_where_nothing_is_poisoned(make) -> None:
    section = POISONING.section(make())
    assert section is not None
    (figure,) = section.figures
    darts = [record for record in figure.records if record["label"] == "DARTS"]
    assert [record["x"] for record in darts] == [0, 10, 20, 40]
    assert darts[-1]["value"] == pytest.approx(11)
    assert (darts[0]["low"], darts[0]["high"]) == (0, 0)


@pytest.mark.parametrize("attacks", [{"brew": False}, {"flip": False}])
def test_one_attack_alone_has_a_section(make, attacks) -> None:
    evidence = make(**attacks)
    text = words(evidence)
    assert ("Gradient matching" in text) is ("flip" in attacks)
    assert ("Label flip" in text) is ("brew" in attacks)
    write_figures(evidence.results, evidence.folder, evidence.folder / "png")


def test_without_rows_there_is_nothing(make_study, tmp_path: Path) -> None:
    evidence = Evidence(make_study(), tmp_path)
    assert POISONING.section(evidence) is None
    assert evidence.results.headline("poisoning") is None
    assert POISONING.quote(evidence, evidence.subjects[0]) == ""


def test_one_and_seventeen_architectures_and_a_missing_one(make) -> None:
    names = (
        "darts",
        "resnet",
        "vgg",
        "densenet",
        "dla",
        "bit",
        "enas",
        "sgas",
        "snas",
        "pdarts",
        "nasnet",
        "random",
    )
    assert "ResNet loses 17.0 points" in words(make(drops={"resnet": 0.17}))
    evidence = make(drops={name: 0.1 + 0.01 * k for k, name in enumerate(names)})
    assert "Among the easiest to poison" in words(evidence)
    rows = [row for row in evidence.results.rows if (row.architecture, row.family) != ("vgg", "poisoning")]
    less = Evidence(decide(evidence.results.model_copy(update={"rows": rows})), evidence.folder)
    assert POISONING.section(less) is not None
    vgg = next(subject for subject in less.subjects if subject.name == "vgg")
    assert POISONING.quote(less, vgg) == ""


def test_a_missing_file_of_pictures_is_said(make) -> None:
    evidence = make()
    (evidence.folder / "examples/darts.npz").unlink()
    assert "The file examples/darts.npz is not in the study" in words(evidence)


class Planned:
    """What the flags ask of a plan."""

    def __init__(self, results: StudyResults):
        self.study, self.architectures, self.data = results.study, results.architectures, results.study.data


def flags(evidence: Evidence) -> dict[str, list[str]]:
    found = Facts(Planned(evidence.results), {}, evidence.results.rows, (), 500)
    by_kind: dict[str, list[str]] = {}
    for flag in flags_of(found, CHECKS):
        by_kind.setdefault(flag.kind, []).append(flag.message)
    return by_kind


def changed(evidence: Evidence, metric: str, value: float, **setting: str) -> Evidence:
    rows = [
        row.model_copy(update={"value": value})
        if row.metric == metric and row.family == "poisoning" and setting.items() <= row.setting.items()
        else row
        for row in evidence.results.rows
    ]
    return Evidence(decide(evidence.results.model_copy(update={"rows": rows})), evidence.folder)


def test_flags_are_raised_where_a_figure_proves_nothing_and_only_there(make) -> None:
    assert set(flags(make(seeds=(0, 1, 2)))) == {"few_targets"}
    assert "rests on 9 targets" in flags(make())["few_targets"][0]
    assert flags(make(brew=False)) == {}
    poor = flags(changed(make(), "clean_accuracy", 0.15, fraction="0"))
    assert "darts is only 15.0% accurate (chance: 10.0%)" in poor["poisoning_near_chance"][0]
    wide = flags(make(half=0.06, seeds=(0,)))
    assert "is 12 points wide (1000 test images, one training)" in wide["wide_cad"][0]
    assert "wide_cad" not in flags(make(half=0.06, seeds=(0, 1)))
    flat = flags(changed(make(), "matching_loss", 0.95, poison="after"))
    assert "matches no better (0.950) than unchanged images (0.910)" in flat["poison_not_optimised"][0]


def test_a_poisoned_models_accuracy_is_not_taken_for_the_victims(make) -> None:
    evidence = make()
    found = Facts(Planned(evidence.results), {}, evidence.results.rows, (), 500)
    assert found.accuracies() == {name: evidence.accuracy(name).value for name in DROPS}
