"""What the report says of the groups: each sentence against the numbers behind it."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nasaudit.measure.estimate import Estimate
from nasaudit.report import write_figures, write_report
from nasaudit.report.evidence import Evidence
from nasaudit.report.format import NBSP
from nasaudit.report.parts import Section
from nasaudit.report.sections.comparison import findings
from nasaudit.report.sections.families.base import Family, Wording
from nasaudit.report.sections.families.evasion import EVASION
from nasaudit.report.sections.groups import section, too_few
from nasaudit.results.schema import Headline, Row, StudyResults
from nasaudit.testing.rows import make_row
from nasaudit.verdicts.decide import decide
from nasaudit.verdicts.headlines import DIRECTIONS
from nasaudit.verdicts.standings import make_standings

NAS = ("darts", "enas", "nasnet", "snas", "sgas")
MANUAL = ("resnet", "vgg", "bit", "dla", "densenet")
MANY = (*NAS, *MANUAL, "random")
# The epsilon at which half of the images fall: the lower, the easier to evade.
EASY, HARD = (6.0, 6.2, 6.4, 6.6, 6.8), (9.0, 9.2, 9.4, 9.6, 9.8)

Show = Callable[..., tuple[Section | None, StudyResults]]


def characters(nas: tuple[float, ...], manual: tuple[float, ...]) -> dict[str, tuple[float, float]]:
    halves = {**dict(zip(NAS, nas, strict=True)), **dict(zip(MANUAL, manual, strict=True)), "random": 8.0}
    return {name: (half, 0.97) for name, half in halves.items()}


def family(name: str) -> Family:
    def nothing(*_: object) -> None:
        return None

    def wording(evidence: Evidence, headline: Headline) -> Wording:
        return Wording(headline.measure)

    return Family(name, nothing, lambda *_: "", wording)


def headed(results: StudyResults, family: Family, rows: Mapping[str, Row], **changes: object) -> StudyResults:
    """Judged by these rows, whatever they are."""
    row = next(iter(rows.values()))
    fields = {
        "family": family.name, "measure": "measure", "attack": row.attack, "setting": row.setting,
        "metric": row.metric, "unit": row.unit, "published": DIRECTIONS[family.name].sign, "published_size": "",
        "positions": dict.fromkeys(rows, 0), "models": dict.fromkeys(rows, 1), "rows": rows,
    }  # fmt: skip
    headline = Headline.model_validate({**fields, **changes})
    standings = make_standings([headline], results.rows, results.study.seeds)
    return results.model_copy(update={"headlines": [headline], "standings": standings})


POISON = family("poisoning")


def made_row(
    architecture: str,
    value: float,
    *,
    half: float = 0.01,
    n: int = 900,
    unit: str = "fraction",
    **columns: Any,
) -> Row:
    usual = {"metric": "cad", "attack": "label_flip", "fraction": "0.4", **columns}
    estimate = Estimate(value, value - half, value + half, n, unit)
    return make_row(architecture, usual.pop("metric"), estimate, data="mnist5k", **usual)


@pytest.fixture
def show(make_study, tmp_path: Path) -> Show:
    def make(more: tuple[Row, ...] = (), families: tuple[Family, ...] = (EVASION,), **changes: object):
        results = make_study(**changes)
        results = decide(results.model_copy(update={"rows": [*results.rows, *more]}))
        return section(Evidence(results, tmp_path), families), results

    return make


def text(shown: Section) -> str:
    return " ".join(
        sentence for block in shown.content["blocks"] for sentence in (block.title, *block.sentences)
    ).replace(NBSP, " ")


def table(shown: Section) -> list[dict[str, str]]:
    content = shown.content["table"]
    return [
        {column: cell.text.replace(NBSP, " ") for column, cell in zip(content.columns, row, strict=True)}
        for row in content.rows
    ]


@pytest.mark.parametrize(
    ("nas", "manual", "outcome"),
    [
        (EASY, HARD, "supports"),
        (HARD, EASY, "contradicts"),
        ((6.0, 7.0, 8.0, 9.0, 10.0), (6.1, 7.1, 8.1, 9.1, 10.1), "neither supports nor contradicts"),
    ],
)
def test_the_sentence_says_what_the_test_says(show: Show, nas, manual, outcome: str) -> None:
    shown, results = show(architectures=MANY, character=characters(nas, manual))
    (one,) = results.comparisons
    said = text(shown)
    assert (
        f"Over 5 NAS-designed and 5 hand-made architectures (20 models), this study {outcome} the published"
        in said
    )
    assert f"Evasion: {outcome} the published direction" in said
    difference = one.test.difference
    assert f"differs by {difference.value:+.3f} [{difference.low:.3f}, {difference.high:.3f}]" in said
    p = f"p = {one.test.p_holm:.3f}"
    assert p in said
    assert (
        f"A true difference of {one.test.detectable_difference:.3f} would have been found in 4 of 5" in said
    )


def test_the_table_and_the_strip_show_every_group(show: Show, tmp_path: Path) -> None:
    shown, results = show(architectures=MANY, character=characters(EASY, HARD))
    (one,) = results.comparisons
    (row,) = table(shown)
    assert row["designed by NAS"] == f"{one.means['nas']:.3f}"
    assert row["hand-made"] == f"{one.means['manual']:.3f}"
    assert row["random cell"] == f"{one.of_group('random')[0].value:.3f}"
    assert (row["Cliff's delta"], row["p"]) == ("+1.00", f"{one.test.p:.3f}")
    (figure,) = shown.figures
    drawn = {
        (record["label"], record["group"]) for record in figure.records if record["kind"] == "architecture"
    }
    assert len(drawn) == 11
    assert ("DARTS", "designed by NAS") in drawn
    assert ("Random", "random cell") in drawn
    means = {record["group"]: record["value"] for record in figure.records if record["kind"] == "mean"}
    assert means == {
        "designed by NAS": pytest.approx(one.means["nas"]), "hand-made": pytest.approx(one.means["manual"]),
    }  # fmt: skip
    figure.for_page()
    paths = write_figures(results.model_copy(update={"histories": []}), tmp_path, tmp_path / "png")
    assert "groups-evasion.png" in {path.name for path in paths}


def test_one_of_each_has_no_section_and_the_page_says_what_a_test_takes(show: Show) -> None:
    shown, results = show()
    assert shown is None
    (why,) = too_few(Evidence(results, Path()))
    assert why.startswith(
        "1 NAS-designed architecture and 1 hand-made: a test over architectures needs at least 2"
    )


@pytest.mark.parametrize("names", [["darts", "enas"], ["resnet", "vgg"], ["darts", "random"]])
def test_a_study_of_one_group_has_no_such_section(show: Show, names: list[str]) -> None:
    assert show(architectures=names)[0] is None


def test_groups_too_small_for_any_p_say_so(show: Show) -> None:
    shown, _ = show(architectures=("darts", "enas", "resnet", "vgg"))
    said = text(shown)
    assert "the smallest p that this test can give is 0.333: no difference, however large" in said
    assert table(shown)[0]["could see"] == "nothing"


def test_equal_values_tell_nothing_apart(show: Show) -> None:
    same = (9.0,) * 5
    shown, _ = show(architectures=MANY, character=characters(same, same))
    said = text(shown)
    assert "neither supports nor contradicts" in said
    assert "All have the same area under the security curve, so it tells none of them apart." in said
    assert "would have been found" not in said


def test_an_architecture_without_a_result_is_named(show: Show) -> None:
    shown, _ = show(architectures=MANY, character=characters(EASY, HARD), without_results=("vgg",))
    assert "Without VGG: no such measurement." in text(shown)
    assert "5 NAS-designed and 4 hand-made" in text(shown)


def test_a_gap_of_accuracy_between_the_groups_is_warned_of(show: Show) -> None:
    uneven = {
        name: (half, 0.97 if name in NAS else 0.93) for name, (half, _) in characters(EASY, HARD).items()
    }
    shown, _ = show(architectures=MANY, character=uneven)
    assert "the NAS-designed architectures are 4.0 points more accurate" in text(shown)
    even, _ = show(architectures=MANY, character=characters(EASY, HARD))
    assert "Caution" not in text(even)


def test_shares_are_said_in_points_and_a_negative_direction_by_its_sign(show: Show) -> None:
    """Accuracy lost to poison: less was published for NAS, so more of it contradicts."""
    lost = tuple(made_row(name, 0.20 + 0.01 * k) for k, name in enumerate(MANUAL))
    lost += tuple(made_row(name, 0.30 + 0.01 * k) for k, name in enumerate(NAS))
    shown, _ = show(lost, (POISON,), architectures=MANY, character=characters(EASY, HARD))
    said = text(shown)
    assert "contradicts the published direction: NAS-designed models are harder to poison" in said
    assert "differs by +10.0 points [7.7, 12.3]" in said
    assert "after Holm's correction for 2 families" in said
    assert "Published: about 5 points less accuracy lost at a fraction of .4." in said
    assert table(shown)[0]["designed by NAS"] == "32.0 points"
    records = shown.figures[0].records
    assert max(record["value"] for record in records) == pytest.approx(34)


def test_the_page_has_the_section_after_the_verdict(show: Show, tmp_path: Path) -> None:
    _, results = show(architectures=MANY, character=characters(EASY, HARD), histories=False)
    page = write_report(results, tmp_path).read_text()
    anchors = re.findall(r'<section id="(\w+)"', page)
    assert anchors[:2] == ["verdict", "groups"]


# The summary's findings ------------------------------------------------------------------------------------------


def said_of(results: StudyResults, tmp_path: Path, of: Family) -> tuple[str, str]:
    (found,) = findings(Evidence(results, tmp_path), of)
    return found.title, " ".join(found.sentences).replace(NBSP, " ")


def test_the_verdict_takes_the_word_of_the_test_over_architectures(show: Show, tmp_path: Path) -> None:
    _, results = show(architectures=MANY, character=characters(HARD, EASY))
    _, said = said_of(results, tmp_path, EVASION)
    assert (
        "over 5 NAS-designed and 5 hand-made architectures (20 models), this study contradicts the published"
        in said
    )
    assert "of the 25 pairs" not in said


@pytest.mark.parametrize(
    ("darts", "resnet", "expected"),
    [
        (0.10, 0.20, "agrees with the published direction: NAS-designed models are harder to poison"),
        (0.20, 0.10, "goes against the published direction: NAS-designed models are harder to poison"),
        (0.20, 0.21, "neither supports nor contradicts the published direction"),
    ],
)
def test_a_pair_is_held_against_the_familys_own_direction(
    make_study, tmp_path, darts, resnet, expected
) -> None:
    rows = {"darts": made_row("darts", darts), "resnet": made_row("resnet", resnet)}
    results = headed(make_study(seeds=(0, 1, 2)), POISON, rows)
    _, said = said_of(results, tmp_path, POISON)
    assert expected in said


def test_the_headline_says_which_direction_was_published(make_study, tmp_path: Path) -> None:
    rows = {"darts": made_row("darts", 0.1), "resnet": made_row("resnet", 0.3)}
    for sign, expected in (("higher", "goes against"), ("lower", "agrees with")):
        results = headed(make_study(), POISON, rows, published=sign)
        ease = "easier" if sign == "higher" else "harder"
        _, said = said_of(results, tmp_path, POISON)
        assert f"{expected} the published direction: NAS-designed models are {ease}" in said


def test_pairs_are_counted_by_the_published_sign(make_study, tmp_path: Path) -> None:
    rows = {"darts": made_row("darts", 0.1), "resnet": made_row("resnet", 0.3), "vgg": made_row("vgg", 0.105)}
    results = headed(make_study(architectures=("darts", "resnet", "vgg")), POISON, rows)
    _, said = said_of(results, tmp_path, POISON)
    assert (
        "of the 2 pairs of a NAS-designed and a hand-made model, 1 agree with, 0 go against and 1 leave"
        in said
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "a difference of 20.0 points (the intervals allow 18.0 to 22.0)"),
        ({"metric": "auc", "unit": "auc"}, "a difference of 0.200 (the intervals allow 0.180 to 0.220)"),
        ({"metric": "auc", "unit": "fraction"}, "a difference of 0.200 (the intervals allow 0.180 to 0.220)"),
        (
            {"metric": "cross_entropy", "unit": "nats"},
            "a difference of 0.2 (the intervals allow 0.18 to 0.22)",
        ),
    ],
)
def test_a_difference_is_said_in_the_unit_of_its_measure(
    make_study, tmp_path, changes, expected: str
) -> None:
    rows = {"darts": made_row("darts", 0.6, **changes), "resnet": made_row("resnet", 0.4, **changes)}
    membership = family("membership")
    _, said = said_of(headed(make_study(), membership, rows), tmp_path, membership)
    assert expected in said


def test_a_value_without_an_interval_decides_nothing(make_study, tmp_path: Path) -> None:
    sure = made_row("resnet", 0.1)
    bare = made_row("darts", 0.9, half=0.0, n=1)
    results = headed(make_study(), POISON, {"darts": bare, "resnet": sure})
    title, said = said_of(results, tmp_path, POISON)
    assert title.startswith("Undecided")
    assert "A value without an interval may be chance" in said
    assert "the intervals allow" not in said
