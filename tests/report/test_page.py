import base64
import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml
from altair.utils.schemapi import SchemaValidationError
from PIL import Image
from tests.hostile.studies import rich_study

from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.report import format, page, write_figures, write_report
from nasaudit.report.charts import frame
from nasaudit.report.evidence import Evidence
from nasaudit.report.palette import COLOURS
from nasaudit.results.schema import Failure, Flag, StudyResults
from nasaudit.spec.study import StudySpec
from nasaudit.verdicts.decide import decide

HOSTILE = "<script>alert(1)</script>'\"&amp;{{7*7}}"
FAILURE = Failure(
    label="train vgg (seed 1)",
    digest="0a" * 10,
    type="NonFiniteError",
    message="the loss became NaN </summary><b>",
    traceback="Traceback (most recent call last):\n  <module> & more",
)


class Page(HTMLParser):
    """What a browser would make of the file: elements, attributes, visible text, scripts."""

    def __init__(self, path: Path):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._raw: str | None = None
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.text = re.sub(r"\s+", " ", " ".join(self.words)).replace(format.NBSP, " ")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        self._raw = None
        if tag == "script":
            self._raw = attributes.get("type", "text/javascript")
        elif tag == "style":
            self._raw = "style"

    def handle_data(self, data: str) -> None:
        if self._raw is None:
            self.words.append(data)
        elif self._raw != "style":
            self.scripts.append((self._raw, data))

    def handle_endtag(self, tag: str) -> None:
        self._raw = None

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for found, attributes in self.elements if found == tag]

    def charts(self) -> list[dict[str, object]]:
        return [json.loads(text) for kind, text in self.scripts if kind == "application/json"]


@pytest.fixture
def report_page(make_study: Callable[..., StudyResults], tmp_path: Path) -> Callable[..., Page]:
    def make(**changes: object) -> Page:
        return Page(write_report(make_study(**changes), tmp_path))

    return make


def test_the_card_says_what_the_rows_say(make_study, tmp_path: Path) -> None:
    results = make_study()
    page = Page(write_report(results, tmp_path))
    wanted = {"architecture": "darts", "seed": "all"}
    (accuracy,) = results.select(metric="clean_accuracy", **wanted)
    (asr,) = results.select(metric="asr", goal="untargeted", images="correct", epsilon="8/255", **wanted)
    share, low, high = (f"{100 * number:.1f}" for number in (accuracy.value, accuracy.low, accuracy.high))
    assert f"It classifies {share} % of the test images correctly [{low}, {high}; n = 2,000]." in page.text
    share, low, high = (f"{100 * number:.1f}" for number in (asr.value, asr.low, asr.high))
    assert (
        "Half of the images fall by 8.6/255 [8.3, 9.0; n = 972], the median minimal epsilon. "
        "An attacker who knows the model's weights (white box) and may change each pixel by 8/255 fools it on "
        f"{share} % of the images that it classifies correctly [{low}, {high}; n = {asr.n}]."
    ) in page.text


def test_curves_draw_the_pooled_rows_of_the_common_images(make_study, tmp_path: Path) -> None:
    results = make_study()
    page = Page(write_report(results, tmp_path))
    drawn = [
        chart["datasets"]["records"] for chart in page.charts() if "at" in chart["datasets"]["records"][0]
    ]
    assert len(drawn) == 2  # untargeted, least likely
    for records, goal in zip(drawn, ("untargeted", "least_likely"), strict=True):
        rows = results.select(metric="asr", goal=goal, images="common", seed="all")
        expected = {
            (row.architecture, row.setting["epsilon"]): (row.value, row.low, row.high) for row in rows
        }
        title = {"DARTS": "darts", "ResNet": "resnet"}
        found = {(title[r["label"]], r["at"]): (r["value"], r["low"], r["high"]) for r in records}
        assert found == expected
        assert all(f"{record['x']:g}/255" == record["at"] for record in records)


def test_convergence_draws_every_seed_by_images_seen(make_study, tmp_path: Path) -> None:
    results = make_study(seeds=(0, 4))
    records = [chart["datasets"]["records"] for chart in Page(write_report(results, tmp_path)).charts()]
    (loss,) = [found for found in records if "loss" in found[0]]
    (accuracy,) = [found for found in records if "accuracy" in found[0]]
    assert {(record["label"], record["seed"]) for record in loss} == {
        ("DARTS", 0), ("DARTS", 4), ("ResNet", 0), ("ResNet", 4),
    }  # fmt: skip
    history = results.histories[0]
    first = [record for record in accuracy if (record["label"], record["seed"]) == ("DARTS", 0)]
    assert [record["images"] for record in first] == [step * history.images_per_step for step in history.step]
    assert [record["accuracy"] for record in first] == pytest.approx(history.accuracy, rel=1e-3)


def test_whatever_a_user_names_stays_text(report_page) -> None:
    clean = report_page(failures=[FAILURE])
    hostile = report_page(
        renamed={"darts": HOSTILE},
        failures=[FAILURE],
        flags=[
            Flag(kind="accuracy_gap", architectures=(HOSTILE,), message="</li><img src=x onerror=alert(2)>")
        ],
    )
    for tag in ("script", "b", "img", "svg", "button"):
        assert len(hostile.all(tag)) == len(clean.all(tag)), tag
    assert HOSTILE in hostile.text
    assert "</li><img src=x onerror=alert(2)>" in hostile.text
    assert HOSTILE in {
        record["label"] for chart in hostile.charts() for record in chart["datasets"]["records"]
    }
    assert not any(name.startswith("on") for _, attributes in hostile.elements for name in attributes)


def test_the_policy_allows_exactly_the_scripts_of_the_page(report_page) -> None:
    made = report_page()
    (policy,) = [meta["content"] for meta in made.all("meta") if meta.get("http-equiv")]
    assert policy.startswith("default-src 'none'")
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    raw = re.findall(r"<script>(.*?)</script>", made.source, flags=re.DOTALL)
    hashes = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in raw}
    assert len(raw) == 2
    assert allowed == hashes
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1]


def test_nothing_is_loaded_from_elsewhere(report_page) -> None:
    made = report_page()
    links = [made_of.get("src") or made_of.get("href") or "" for _, made_of in made.elements]
    assert {link.split(":")[0] for link in links if link and not link.startswith("#")} == {"data"}


def test_links_and_ids_fit_together(report_page) -> None:
    made = report_page(failures=[FAILURE])
    ids = [attributes["id"] for _, attributes in made.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {
        link["href"][1:] for link in made.all("a") if "href" in link
    }  # a claim not tested leads nowhere
    assert targets <= set(ids)
    assert "failures" in targets


def test_every_picture_has_words(report_page) -> None:
    assert all(image["alt"] for image in report_page().all("img"))


@pytest.mark.parametrize(
    "changes",
    [
        {"architectures": ["darts"], "seeds": (0,), "attacks": False, "histories": False},
        {"architectures": ["resnet"], "attacks": False},
        {"without_results": ["darts"], "failures": [FAILURE]},
        {"without_results": ["darts", "resnet"], "histories": False},
        {"seeds": (5,), "channels": 1, "protocol": "paper"},
    ],
)
def test_incomplete_studies_are_shown_as_far_as_they_go(report_page, changes: dict[str, object]) -> None:
    made = report_page(**changes)
    assert made.text.count("Verdict") >= 2  # contents and heading
    assert "None" not in made.text
    assert " nan" not in made.text.lower().replace("became nan", "")


def test_an_architecture_without_results_says_so(report_page) -> None:
    made = report_page(without_results=["darts"], failures=[FAILURE])
    assert "Its accuracy was not measured. No attack on it was measured." in made.text
    assert "1 task failed; the results below are without it" in made.text
    assert FAILURE.traceback.splitlines()[1].strip() in made.text


def test_a_failure_with_a_flag_of_its_own_is_not_said_twice(report_page) -> None:
    flag = Flag(kind="failed_task", architectures=("darts",), message="1 of 8 tasks failed")
    made = report_page(failures=[FAILURE], flags=[flag])
    assert "1 of 8 tasks failed" in made.text
    assert "1 task failed;" not in made.text


def test_many_flags_of_a_kind_are_folded_and_none_is_lost(report_page) -> None:
    flags = [Flag(kind="accuracy_gap", architectures=(), message=f"gap number {k};") for k in range(9)]
    made = report_page(flags=[*flags, Flag(kind="few_seeds", architectures=(), message="few seeds;")])
    assert "8 more like this" in made.text
    assert all(f"Gap number {k};" in made.text for k in range(9))
    assert made.text.index("Few seeds;") > made.text.index("Gap number 8;")


def test_two_runs_of_one_attack_keep_their_curves_apart(make_study, tmp_path: Path) -> None:
    results = make_study()
    rows = [row for row in results.rows if row.attack == "" or row.setting["goal"] == "untargeted"]
    weak = [row.model_copy(update={"setting": {**row.setting, "steps": "5"}}) for row in rows if row.attack]
    strong = [
        row.model_copy(update={"setting": {**row.setting, "steps": "20"}, "value": row.value / 2})
        for row in rows
        if row.attack
    ]
    plain = [row for row in rows if not row.attack]
    made = Page(write_report(decide(results.model_copy(update={"rows": [*plain, *weak, *strong]})), tmp_path))
    assert "PGD, linf, any wrong class, steps 5" in made.text
    curves = [
        chart["datasets"]["records"] for chart in made.charts() if "at" in chart["datasets"]["records"][0]
    ]
    assert len(curves) == 2
    assert [record["value"] / 2 for record in curves[0]] == [record["value"] for record in curves[1]]


def test_the_spec_in_the_report_is_the_spec_of_the_study(make_study, tmp_path: Path) -> None:
    results = make_study(seeds=(3, 1))
    made = Page(write_report(results, tmp_path))
    code = re.findall(r"<code>(name: .*?)</code>", made.source, flags=re.DOTALL)
    assert len(code) == 1
    read = StudySpec.parse(yaml.safe_load(code[0].replace("&#39;", "'")))
    assert read == results.study
    assert "nasaudit study run spec.yaml" in made.text


def test_a_missing_or_unused_example_file_is_named(make_study, tmp_path: Path) -> None:
    results = make_study()
    (tmp_path / results.examples[1].file).unlink()
    made = Page(write_report(results, tmp_path))
    assert f"The file {results.examples[1].file} is not in the study's folder." in made.text
    pictures = [image for image in made.all("img") if image["src"].startswith("data:image/png")]
    assert len(pictures) == 6 * 3  # six images of the other victim: clean, adversarial, difference
    assert "0 taken for 3" in made.text


def test_the_same_results_make_the_same_file(make_study, tmp_path: Path) -> None:
    results = make_study()
    assert write_report(results, tmp_path).read_bytes() == write_report(results, tmp_path).read_bytes()


def test_all_architectures_of_the_catalogue_render_in_seconds(make_study, tmp_path: Path) -> None:
    results = make_study(architectures=list(CATALOGUE), seeds=(0, 1, 2))
    start = time.process_time()
    made = Page(write_report(results, tmp_path))
    assert time.process_time() - start < 10  # about 3 s here; a quadratic look-up takes minutes
    assert all(CATALOGUE[name].title in made.text for name in CATALOGUE)


def test_figures_are_files_with_the_lines_in_them(make_study, tmp_path: Path) -> None:
    paths = write_figures(make_study(), tmp_path, tmp_path / "png")
    assert [path.name for path in paths] == [
        "threats.png",
        "evasion-pgd-linf-untargeted.png",
        "evasion-pgd-linf-least-likely.png",
        "accuracy.png",
        "convergence-loss.png",
        "convergence-accuracy.png",
    ]
    for path in paths:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
        for colour in COLOURS[:2]:
            wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
            assert (np.abs(pixels.astype(int) - wanted).max(axis=1) < 12).sum() > 100, (path.name, colour)


def test_importing_the_report_imports_no_torch() -> None:
    code = "import sys, nasaudit.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_charts_are_as_altairs_schema_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is made without looking, which takes a third of the time: here all of one's charts are looked at."""
    evidence = Evidence(rich_study(tmp_path), tmp_path)
    unseen = page.render(evidence)
    monkeypatch.setattr(page, "unchecked", nullcontext)
    assert page.render(evidence) == unseen
    monkeypatch.setattr(frame, "FONT", 7)
    with pytest.raises(SchemaValidationError, match="font"):
        page.render(evidence)
