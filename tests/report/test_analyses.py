"""The sections of the analyses on made-up rows, and a page with so many architectures that nobody reads them all."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.report.parts import tables, words

from nasaudit.arch.catalogue import resolve
from nasaudit.arch.space import draw_many
from nasaudit.measure.estimate import Estimate, exact
from nasaudit.report import format, write_report
from nasaudit.report.evidence import Evidence
from nasaudit.report.page import FIRST_ROWS, render, sections
from nasaudit.report.palette import CROWD, GROUP_COLOURS, GROUP_TITLES
from nasaudit.report.parts import Section
from nasaudit.report.sections.analyses import convergence, gradients, smoothness, topology
from nasaudit.report.sections.estimates import limited
from nasaudit.report.sections.examples import MOST_VICTIMS
from nasaudit.report.sections.summary import FOLDED_OF_A_KIND, SHOWN_OF_A_KIND
from nasaudit.results.base import Span
from nasaudit.results.schema import Flag, Row, StudyResults
from nasaudit.results.verdict_models import Claim
from nasaudit.spec.study import ArchChoice
from nasaudit.testing.rows import make_row

MakeStudy = Callable[..., StudyResults]


class Page:
    """What is in a report's file: visible text, charts, and tags as they are written."""

    def __init__(self, source: str):
        self.source = source
        self.charts = [
            json.loads(found)
            for found in re.findall(r'<script type="application/json">(.*?)</script>', source, re.DOTALL)
        ]
        bare = re.sub(r"<(script|style)[ >].*?</\1>", " ", source, flags=re.DOTALL)
        words = html.unescape(re.sub(r"<[^>]*>", " ", bare)).replace(format.NBSP, " ")
        self.text = re.sub(r"\s+", " ", words)

    def tags(self, name: str) -> list[str]:
        return re.findall(rf"<{name}[ >][^>]*>?", self.source)


SHARES = {
    "darts": {"stem": 0.02, "preprocess": 0.38, "sep_conv_3x3": 0.6, "skip_connect": 0.0},
    "resnet": {"conv_3x3": 0.9, "linear": 0.1},
}
EDGES = {"normal": {"skip_connect": 2, "sep_conv_3x3": 6}, "reduction": {"skip_connect": 8}}
VARIANCE = {"initial": 2.0, "first_epoch": 5.0, "final": 0.004}


def analysed(spec, scale: float = 1.0) -> list[Row]:
    """Rows of all analyses of one architecture, as a study of one seed has them."""

    def row(family: str, metric: str, estimate: Estimate, **setting: str) -> Row:
        return make_row(spec.name, metric, estimate, family=family, group=spec.group, **setting)

    def about(value: float, n: int, unit: str) -> Estimate:
        return Estimate(value * scale, 0.8 * value * scale, 1.5 * value * scale, n, unit)

    kinds = SHARES["darts" if spec.genotype is not None else "resnet"]
    rows = [
        row("topology", metric, exact(share, "fraction"), op=op)
        for metric in ("flop_share", "parameter_share")
        for op, share in kinds.items()
    ]
    if spec.genotype is not None:
        rows += [
            row("topology", "ops", exact(count, "edges"), cell=cell, op=op)
            for cell, ops in EDGES.items()
            for op, count in ops.items()
        ]
    rows.append(row("topology", "receptive_field", Estimate(11.5, 10.2, 12.8, 8, "pixels")))
    rows += [
        row("convergence", "early_accuracy", exact(accuracy, "fraction"), share=share)
        for share, accuracy in (("0.1", 0.413), ("0.25", 0.702), ("0.5", 0.905))
    ]
    rows.append(
        row(
            "gradients", "gradient_std_sum", about(3172.0, 512, "gradient"), checkpoint="initial",
            images="validation",
        )
    )  # fmt: skip
    for moment, value in VARIANCE.items():
        relative = replace(about(7.25, 16, "ratio"), bound="lower" if moment == "final" else None)
        rows += [
            row("gradients", "gradient_variance", about(value, 16, "squared gradient"), checkpoint=moment),
            row("gradients", "relative_gradient_variance", relative, checkpoint=moment),
            row("gradients", "gradient_variance_per_parameter", about(1e-5, 16, "x"), checkpoint=moment),
        ]
        rows += [
            row(
                "gradients",
                "layer_gradient_variance",
                about(part * value, 16, "x"),
                checkpoint=moment,
                layer=layer,
            )
            for layer, part in (("stem", 0.5), ("cells.0", 0.3), ("cells.1", 0.2), ("classifier", 0.0))
        ]
    for space, value in (("parameters", 41.0), ("input", 9.0)):
        rows += [
            row("smoothness", metric, about(times * value, 100, "nats"), space=space)
            for metric, times in (("hessian_top", 1.0), ("hessian_trace", 6.0), ("gradient_lipschitz", 1.1))
        ]
    return rows


@pytest.fixture
def evidence(make_study: MakeStudy, tmp_path: Path) -> Evidence:
    """DARTS and ResNet; the first is twice as rough, and its gradients vary twice as much."""
    results = make_study(seeds=(0,))
    rows = [
        row for spec in results.architectures for row in analysed(spec, 2.0 if spec.name == "darts" else 1.0)
    ]
    return Evidence(results.model_copy(update={"rows": [*results.rows, *rows]}), tmp_path)


def crowd(make_study: MakeStudy, count: int = 100) -> StudyResults:
    """DARTS many times over, under other names and with other cells, with all that a study knows of each."""
    one = make_study(architectures=("darts",), seeds=(0,))
    specs = [
        resolve(ArchChoice(name=f"cell-{k:03}", genotype=cell, group="random"), "mini", 10, (3, 28, 28))
        for k, cell in enumerate(draw_many(count - 10, 0))
    ]
    specs += [
        spec.model_copy(update={"name": f"made-{k}", "group": "nas"}) for k, spec in enumerate(specs[:10])
    ]
    rows, histories, examples = [], [], []
    for k, spec in enumerate(specs):
        named = {"architecture": spec.name, "group": spec.group}
        rows += [row.model_copy(update=named) for row in one.rows]
        rows += analysed(spec, 1 + k / 10)
        histories += [entry.model_copy(update={"architecture": spec.name}) for entry in one.histories]
        examples += [entry.model_copy(update={"architecture": spec.name}) for entry in one.examples]
    pairs = [(first.name, second.name) for first in specs for second in specs if first.name < second.name]
    flags = [
        Flag(kind="accuracy_gap", architectures=pair, message=f"{pair[0]} and {pair[1]} are far apart")
        for pair in pairs
    ]
    return one.model_copy(
        update={
            "architectures": specs, "rows": rows, "histories": histories, "examples": examples, "flags": flags,
        }
    )  # fmt: skip


def cells(table) -> dict[str, list[str]]:
    """A table's texts by row."""
    return {row[0].text: [cell.text.replace(format.NBSP, " ") for cell in row[1:]] for row in table.rows}


def figures(section: Section | None) -> dict[str, dict]:
    assert section is not None
    return {figure.name: figure.for_page() for figure in section.figures}


def test_without_their_rows_the_sections_are_left_out(make_study: MakeStudy, tmp_path: Path) -> None:
    bare = make_study(attacks=False)
    bare = Evidence(bare.model_copy(update={"rows": [], "histories": [], "variables": []}), tmp_path)
    assert [one.section(bare) for one in (topology, gradients, smoothness, convergence)] == [None] * 4
    assert {section.anchor for section in sections(bare)} == {"verdict", "accuracy", "methods", "reproduce"}


def test_an_analysis_that_the_report_does_not_know_is_a_table_of_all_that_it_measured(
    evidence: Evidence, tmp_path: Path
) -> None:
    like = evidence.results.rows[0].model_copy(
        update={"family": "smell", "attack": "", "seed": "all", "unit": "fraction"}
    )
    rows = [
        like.model_copy(update={"metric": metric, "setting": setting, "value": value, "architecture": name})
        for metric, setting, value in (("odour", {"nose": "left"}, 0.25), ("odour", {"nose": "right"}, 0.5))
        for name in ("darts", "resnet")
        if (name, value) != ("resnet", 0.5)
    ]
    with_rows = evidence.results.model_copy(update={"rows": [*evidence.results.rows, *rows]})
    found = sections(Evidence(with_rows, tmp_path))
    (smell,) = [section for section in found if section.title == "Smell"]
    (measured,) = tables(smell)
    assert measured.columns == ("", "odour (nose left)", "odour (nose right)")
    assert cells(measured) == {"DARTS": ["25.0 %", "50.0 %"], "ResNet": ["25.0 %", "–"]}
    assert "Smell: all that was measured" in Page(render(Evidence(with_rows, tmp_path))).text
    assert {section.anchor for section in found} - {section.anchor for section in sections(evidence)} == {
        "analysis-smell"
    }


def test_the_bars_add_up_the_ops_of_both_cells(evidence: Evidence) -> None:
    drawn = figures(topology.section(evidence))["topology-ops"]["datasets"]["records"]
    assert {(one["label"], one["part"]): one["value"] for one in drawn} == {
        ("DARTS", "skip_connect"): 10,
        ("DARTS", "sep_conv_3x3"): 6,
    }


def test_shares_stand_in_a_table_for_cells_and_one_for_hand_made_networks(evidence: Evidence) -> None:
    found = topology.section(evidence)
    assert found is not None
    of_cells, of_kinds = tables(found)[-2:]
    assert of_cells.columns == ("", "stem", "preprocess", "skip_connect", "sep_conv_3x3")
    assert cells(of_cells) == {"DARTS": ["2.0 %", "38.0 %", "0.0 %", "60.0 %"]}
    assert cells(of_kinds) == {"ResNet": ["90.0 %", "10.0 %"]}
    assert figures(found)["receptive-field"]["datasets"]["records"][1] == {
        "label": "ResNet", "group": "hand-made", "value": 11.5, "low": 10.2, "high": 12.8,
        "estimate": f"11.5 [10.2,{format.NBSP}12.8; n{format.NBSP}={format.NBSP}8]",
    }  # fmt: skip


def test_gradients_are_told_by_moment_and_a_lower_bound_says_so(evidence: Evidence) -> None:
    found = gradients.section(evidence)
    assert found is not None
    variance, relative, _ = tables(found)
    assert cells(variance) == {
        "DARTS": ["4", "10", "0.008", "6,344"],
        "ResNet": ["2", "5", "0.004", "3,172"],
    }
    assert cells(relative)["ResNet"] == ["7.25", "7.25", "≥ 7.25"]
    drawn = figures(found)["gradients-moments"]
    records = drawn["datasets"]["records"]
    assert {(one["label"], one["moment"]): one["value"] for one in records} == {
        (label, words): times * VARIANCE[moment]
        for label, times in (("DARTS", 2), ("ResNet", 1))
        for moment, words in gradients.MOMENTS.items()
    }
    scales = [
        layer["encoding"]["x"]["scale"]["type"]
        for layer in drawn["layer"]
        if "axis" in layer["encoding"]["x"]
    ]
    assert scales == ["log"]


def test_a_layer_without_variance_has_no_place_on_an_axis_by_factors(evidence: Evidence) -> None:
    drawn = figures(gradients.section(evidence))["gradients-layers-initial"]["datasets"]["records"]
    resnet = [one for one in drawn if one["label"] == "ResNet"]
    assert [(one["layer"], one["depth"], one["value"]) for one in resnet] == [
        ("stem", 0.0, 1.0),
        ("cells.0", 0.3333, 0.6),
        ("cells.1", 0.6667, 0.4),
    ]


def test_smoothness_has_a_table_and_a_picture_for_each_space(evidence: Evidence) -> None:
    found = smoothness.section(evidence)
    assert found is not None
    by_parameters, by_pixels = tables(found)
    assert cells(by_parameters)["ResNet"] == ["45.1", "41", "246"]
    assert cells(by_pixels)["DARTS"] == ["19.8", "18", "108"]
    assert set(figures(found)) == {"smoothness-parameters", "smoothness-input"}


def test_early_accuracy_stands_beside_the_steps(evidence: Evidence) -> None:
    found = convergence.section(evidence)
    assert found is not None
    (table,) = tables(found)
    early = [column.replace(format.NBSP, " ") for column in table.columns[-3:]]
    assert early == ["accuracy after 10 %", "accuracy after 25 %", "accuracy after 50 %"]
    assert cells(table)["DARTS"][-3:] == ["41.3 %", "70.2 %", "90.5 %"]
    assert words(found) == []


@pytest.mark.parametrize(
    ("finding", "estimate", "said"),
    [
        (
            "supported",
            Span(value=0.62, low=0.4, high=0.79),
            "is +0.62 [+0.40, +0.79] over 60 random cells, so who",
        ),
        (
            "undecided",
            Span(value=-0.1, low=-0.3, high=0.2),
            "leaves open whether who is ahead early also ends ahead",
        ),
        ("undecided", None, "was not tested over 60 random cells: too few cells."),
    ],
)
def test_the_claim_on_early_ranking_is_told(
    evidence: Evidence, finding: str, estimate: Span, said: str
) -> None:
    claim = Claim(
        kind="correlation", cause="early_accuracy", effect="clean_accuracy", other="", sample="random cells",
        predicted="higher", estimate=estimate, n=60, p=None, p_holm=None, detectable=None, finding=finding,
        why="too few cells",
    )  # fmt: skip
    other = claim.model_copy(update={"effect": "evasion", "finding": "contradicted"})
    told = Evidence(evidence.results.model_copy(update={"claims": [other, claim]}), evidence.folder)
    found = convergence.section(told)
    assert found is not None
    (sentence,) = words(found)
    assert said in sentence.replace(format.NBSP, " ")
    assert sentence.count("over 60") == 1


def test_an_exact_value_is_no_lower_bound(evidence: Evidence) -> None:
    assert "≥" not in limited(evidence.results.rows[0]).text


def test_the_page_renders_the_analyses(evidence: Evidence, tmp_path: Path) -> None:
    page = Page(render(evidence))
    for heading in (
        "What the cells are made of",
        "Gradient variance by moment of training",
        "Loss smoothness",
    ):
        assert heading in page.text
    for name in ("figure-topology-ops", "figure-receptive-field", "figure-smoothness-input"):
        assert f'id="{name}"' in page.source


_MADE: list[Page] = []  # the page of 100 architectures: it takes seconds, and no test changes it


@pytest.fixture
def crowded_page(make_study: MakeStudy, tmp_path: Path) -> Page:
    if not _MADE:
        path = write_report(crowd(make_study), tmp_path)
        _MADE.append(Page(path.read_text(encoding="utf-8")))
    return _MADE[0]


def test_a_page_of_a_hundred_architectures_stays_small(crowded_page: Page) -> None:
    assert len(crowded_page.source.encode()) < 8e6


def test_in_a_crowd_the_legends_name_groups_and_no_drawing_is_made(crowded_page: Page) -> None:
    assert '<button type="button" class="key"' not in crowded_page.source
    assert "random cell (90)" in crowded_page.text
    assert "designed by NAS (10)" in crowded_page.text
    assert not [image for image in crowded_page.tags("img") if "Drawing of the cells" in image]
    assert "Each of the 100 architectures in plain words" in crowded_page.text


def test_in_a_crowd_tables_begin_with_some_rows_and_hold_all(crowded_page: Page) -> None:
    assert f"{100 - FIRST_ROWS} more rows" in crowded_page.text
    assert f"{200 - FIRST_ROWS} more rows" in crowded_page.text  # both cells of each
    start = crowded_page.source.index('<section id="smoothness"')
    part = crowded_page.source[start : crowded_page.source.index("</section>", start)]
    assert part.count("<tr>") == 2 * (100 + 2)  # two tables, each with a head twice


def test_in_a_crowd_charts_draw_groups_in_their_colours(crowded_page: Page) -> None:
    by_axis = [
        {record["group"] for record in chart["datasets"]["records"]}
        for chart in crowded_page.charts
        if "group" in chart["datasets"]["records"][0]
    ]
    assert {frozenset(found) for found in by_axis} == {frozenset({"random cell", "designed by NAS"})}
    ops = next(chart for chart in crowded_page.charts if "part" in chart["datasets"]["records"][0])
    assert {record["label"] for record in ops["datasets"]["records"]} == {
        "random cell (90)",
        "designed by NAS (10)",
    }
    curve = next(chart for chart in crowded_page.charts if "at" in chart["datasets"]["records"][0])
    assert len(curve["layer"]) == 2  # no bands
    assert set(curve["layer"][0]["encoding"]["color"]["scale"]["range"]) == {
        GROUP_COLOURS["random"], GROUP_COLOURS["nas"]
    }  # fmt: skip


def test_in_a_crowd_flags_and_examples_are_some_of_many(crowded_page: Page) -> None:
    pairs = 100 * 99 // 2
    assert f"{pairs - SHOWN_OF_A_KIND} more like this" in crowded_page.text
    assert f"The other {pairs - SHOWN_OF_A_KIND - FOLDED_OF_A_KIND} are in" in crowded_page.text
    assert f"those of the {100 - MOST_VICTIMS} others are in the study's folder" in crowded_page.text


def test_in_a_crowd_histories_are_thinned_to_their_ends(crowded_page: Page) -> None:
    records = next(
        chart["datasets"]["records"]
        for chart in crowded_page.charts
        if "loss" in chart["datasets"]["records"][0]
    )
    assert len(records) <= convergence.MOST_POINTS + 100
    assert max(record["images"] for record in records) == 561 * 64


def test_thinning_averages_neighbours_and_keeps_the_last_step() -> None:
    thinned = list(convergence._thinned([1, 2, 3, 4, 5], [1.0, 3.0, 5.0, 7.0, 9.0], 2))
    assert thinned == [(2, 2.0), (4, 6.0), (5, 9.0)]


def test_a_study_of_few_keeps_names_drawings_and_bands(evidence: Evidence) -> None:
    assert len(evidence.results.architectures) <= CROWD
    page = render(evidence)
    assert '<button type="button" class="key"' in page
    assert "more rows" not in page
    assert all(f"{title} (" not in page for title in GROUP_TITLES.values())
