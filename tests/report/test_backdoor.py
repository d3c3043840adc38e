"""The report's section on backdoors, and its flags, from rows that were made up."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests.report.parts import blocks, tables, words

from nasaudit.measure.estimate import Estimate
from nasaudit.measure.proportion import proportion
from nasaudit.report import format, write_figures, write_report
from nasaudit.report.evidence import Evidence
from nasaudit.report.sections.families import backdoor
from nasaudit.results.flags.backdoor import CHECKS
from nasaudit.results.flags.base import Facts, flags_of
from nasaudit.results.replicates import distinguishing
from nasaudit.results.schema import Pictures, StudyResults
from nasaudit.spec.attacks import BadNetsSpec, WaNetSpec
from nasaudit.spec.attacks.backdoor import paper_badnets, sweep
from nasaudit.testing.rows import make_row
from nasaudit.verdicts.decide import decide

ATTACKS = (*sweep(BadNetsSpec(), "size", (3, 2, 4)), WaNetSpec())


def rows_of(
    results: StudyResults, architecture: str, attack, asr: float, floor: float = 0.01, cad: float = 0.01
):
    told = distinguishing(results.study.attacks)[attack.digest()]
    figures = {
        "clean_accuracy": (proportion(960, 1000), {}),
        "cad": (Estimate(cad, cad - 0.008, cad + 0.008, 1000, "fraction"), {}),
        "asr": (proportion(round(900 * asr), 900), {"images": "other classes"}),
        "floor": (proportion(round(900 * floor), 900), {"images": "other classes"}),
    }
    return [
        make_row(architecture, metric, estimate, attack=attack.name, **setting, **told)
        for metric, (estimate, setting) in figures.items()
    ]


RATES = {"darts": (0.95, 0.4, 0.99, 0.8), "resnet": (0.9, 0.3, 0.98, 0.7)}


@pytest.fixture
def study(make_study, tmp_path):
    """A study with BadNets at three sizes and WaNet, with pictures of DARTS."""
    results = make_study(attacks=False)
    planned = results.study.model_copy(update={"attacks": ATTACKS})
    results = results.model_copy(update={"study": planned})
    rows = list(results.rows)
    for architecture, rates in RATES.items():
        for attack, rate in zip(ATTACKS, rates, strict=True):
            rows += rows_of(results, architecture, attack, rate)
    told = distinguishing(ATTACKS)
    pictures = [
        Pictures(
            architecture="darts", seed=0, family="backdoor", attack=attack.name,
            setting=told[attack.digest()], file=f"examples/{position}.npz",
        )
        for position, attack in enumerate(ATTACKS)
    ]  # fmt: skip
    for entry in pictures:
        write_pictures(tmp_path / entry.file, patch=entry.attack == "badnets")
    return decide(results.model_copy(update={"rows": rows, "pictures": pictures}))


def write_pictures(path: Path, patch: bool) -> None:
    clean = np.full((6, 1, 8, 8), 30, np.uint8)
    triggered = clean.copy()
    triggered[:, :, :3, :3] = 255
    mask = np.zeros((1, 8, 8), np.float32)
    mask[:, :3, :3] = 1
    trigger = {"mask": mask, "pattern": mask, "opacity": np.array(0.5)} if patch else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path, clean=clean, triggered=triggered, index=np.arange(6) * 11, label=np.arange(6) + 1,
        victim=np.arange(6) + 2, clean_prediction=np.arange(6) + 1, prediction=np.zeros(6, int),
        target=np.array(0), **trigger,
    )  # fmt: skip


class Text(HTMLParser):
    def __init__(self, path: Path):
        super().__init__()
        self.words: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(re.sub(r"<(script|style).*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL))
        self.text = re.sub(r"\s+", " ", " ".join(self.words)).replace(format.NBSP, " ")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_card_quotes_the_first_badnets_with_its_floor_and_its_price(study, tmp_path):
    page = Text(write_report(study, tmp_path))
    assert (
        "An attacker who can change some of the training data can plant a backdoor (BadNets, size 3) whose trigger "
        "makes it call the target class on 95.0 % of the images of other classes [93.4, 96.2; n = 900]; without the "
        "backdoor the trigger does so on 1.0 %. The price is 1.0 points [0.2, 1.8; n = 1,000] of clean accuracy."
    ) in page.text


def test_three_values_of_a_field_are_a_curve_and_two_are_not(study, tmp_path):
    section = backdoor.section(Evidence(study, tmp_path))
    (figure,) = section.figures
    darts = [record for record in figure.records if record["label"] == "DARTS"]
    assert [(record["x"], round(record["value"], 2)) for record in darts] == [(2, 0.4), (3, 0.95), (4, 0.99)]
    assert "backdoor-badnets-size.png" in {
        path.name for path in write_figures(study, tmp_path, tmp_path / "png")
    }
    fewer = [row for row in study.rows if row.setting.get("size") != "4"]
    assert backdoor.section(Evidence(study.model_copy(update={"rows": fewer}), tmp_path)).figures == ()


def test_the_tables_hold_the_rows(study, tmp_path):
    section = backdoor.section(Evidence(study, tmp_path))
    overview = tables(section)[0]
    assert overview.columns == ("", "BadNets, size 3", "BadNets, size 2", "BadNets, size 4", "WaNet")
    assert [cell.text.replace(format.NBSP, " ") for cell in overview.rows[1]] == [
        "ResNet", "90.0 %", "30.0 %", "98.0 %", "70.0 %",
    ]  # fmt: skip
    badnets, wanet = blocks(section)
    assert words(wanet)[0].endswith("The attacker runs the training.")
    assert tables(wanet)[0].columns == (
        "", "clean accuracy", "accuracy lost", "success rate", "without the backdoor",
    )  # fmt: skip
    assert len(tables(badnets)) == 3


def test_triggers_and_triggered_images_are_shown(study, tmp_path):
    page = Text(write_report(study, tmp_path))
    alternatives = [image["alt"] for image in page.images]
    assert alternatives.count("The trigger alone, on grey") == 1  # WaNet's is another one on every image
    assert "The trigger, which calls up 0 opacity 50.0 %" in page.text
    assert "1 with the trigger taken for 0 without the trigger 1, without the backdoor 2" in page.text
    assert len([alt for alt in alternatives if "with the trigger" in alt]) == 2 * backdoor.SHOWN_IMAGES
    (tmp_path / study.pictures[3].file).unlink()
    assert f"The file {study.pictures[3].file} is not in" in Text(write_report(study, tmp_path)).text


def test_a_study_without_backdoors_has_no_section(make_study, tmp_path):
    evidence = Evidence(make_study(), tmp_path)
    assert backdoor.section(evidence) is None
    assert backdoor.BACKDOOR.quote(evidence, evidence.subjects[0]) == ""
    assert evidence.results.headline("backdoor") is None


def test_one_architecture_without_rows_gets_dashes(study, tmp_path):
    rows = [row for row in study.rows if not (row.family == "backdoor" and row.architecture == "resnet")]
    page = Text(write_report(decide(study.model_copy(update={"rows": rows})), tmp_path))
    assert "ResNet – – – –" in page.text
    assert "None" not in page.text


def test_copies_added_to_batches_need_access_to_the_training(make_study, tmp_path):
    attack = paper_badnets()
    results = make_study(attacks=False)
    results = results.model_copy(update={"study": results.study.model_copy(update={"attacks": (attack,)})})
    rows = [*results.rows, *rows_of(results, "darts", attack, 0.99)]
    page = Text(write_report(decide(results.model_copy(update={"rows": rows})), tmp_path))
    assert "An attacker who runs the training can plant a backdoor (BadNets)" in page.text


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"asr": 0.9}, None),
        ({"asr": 0.02, "floor": 0.01}, "backdoor_not_learned"),
        ({"asr": 0.9, "cad": 0.05}, "backdoor_visible"),
        ({"asr": 0.9, "floor": 0.4}, "trigger_is_adversarial"),
    ],
)
def test_flags_tell_when_a_figure_proves_little(study, changes, kind):
    rows = rows_of(study, "darts", ATTACKS[0], **changes)
    findings = Facts(planned=None, records={}, rows=rows, failures=[], common=100)
    flags = flags_of(findings, CHECKS)
    assert [flag.kind for flag in flags] == ([] if kind is None else [kind])
    if flags:
        assert flags[0].architectures == ("darts",)
        assert "badnets (size 3)" in flags[0].message
