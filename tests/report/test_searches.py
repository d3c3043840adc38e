"""The section on searches: what was found beside random cells, and the way that it went."""

from random import Random

import pytest

from nasaudit.arch.catalogue import resolve
from nasaudit.report.evidence import Evidence
from nasaudit.report.format import duration
from nasaudit.report.page import render
from nasaudit.report.parts import Block, Slides, figures
from nasaudit.report.sections.searches import words
from nasaudit.report.sections.searches.section import section
from nasaudit.report.sections.searches.trail import trails
from nasaudit.results.schema import Searched
from nasaudit.search.cells import draw
from nasaudit.spec.data import DataSpec
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.searches import DartsSpec
from nasaudit.spec.searches.space import SPACES
from nasaudit.spec.searches.task import SearchTask
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.terminal.searches import found
from nasaudit.testing.rows import make_results, make_row
from nasaudit.verdicts.decide import decide

SPACE = SPACES["darts"]
CURVE = {"norm": "linf", "goal": "untargeted", "images": "common"}
CELLS = [draw(SPACE, Random(seed)) for seed in range(12)]
ROBUST = {"searched": (0.30, 0.31, 0.32), "random": (0.20, 0.21, 0.22)}


def with_skips(count: int) -> Genotype:
    """Cells of the space with so many skips in the normal one."""
    ops = ["skip_connect"] * count + ["sep_conv_3x3"] * (8 - count)
    pairs = [(op, place % 2) for place, op in enumerate(ops)]
    concat = (2, 3, 4, 5)
    return Genotype.from_darts(
        {"normal": pairs, "normal_concat": concat, "reduce": pairs[::-1], "reduce_concat": concat}
    )


def entry(epoch, cells, **more):
    weights = [[1 / 8] * 8 for _ in SPACE.sources]
    return {
        "epoch": epoch,
        "loss": 2.0 / epoch,
        "held_out_accuracy": 0.1 * epoch,
        "cells": cells.model_dump(mode="json"),
        "weights": {"normal": weights, "reduction": weights},
        **more,
    }


def searched_study(searches=1, random=2, trace=None, last=None, name="darts-s"):
    """Found cells beside random ones: accuracy and the area under the curve of each."""
    choices = [
        *({"name": f"{name}{seed}", "search": DartsSpec(), "seed": seed} for seed in range(searches)),
        *({"name": f"random-{k}", "group": "random", "genotype": CELLS[k]} for k in range(random)),
    ]
    study = StudySpec.parse({"name": "a search", "architectures": choices, "data": "digits"})
    end = last or with_skips(1)
    specs, rows = [], []
    for choice in study.architectures:
        kind = "random" if choice.search is None else "searched"
        number = int(choice.name[-1])
        known = choice if kind == "random" else ArchChoice(name=choice.name, genotype=end, group="nas")
        specs.append(resolve(known, "mini", 10, (1, 8, 8)))
        group = specs[-1].group
        rows += [
            make_row(choice.name, "clean_accuracy", 0.9 + 0.01 * number, group=group, split="test", n=400),
            make_row(
                choice.name, "curve_area", ROBUST[kind][number], group=group, attack="pgd", n=300, **CURVE
            ),
        ]
    trace = [entry(1, with_skips(0)), entry(2, end)] if trace is None else trace
    told = {"method": "darts", "space": "darts", "images": "100"}
    return decide(
        make_results(
            study,
            rows,
            architectures=specs,
            searches=[
                Searched(
                    architecture=f"{name}{seed}",
                    genotype=end,
                    provenance={**told, "seed": str(seed)},
                    primitives=SPACE.primitives,
                    trace=trace,
                )
                for seed in range(searches)
            ],
            seconds={"search with darts (seed 0)": 75.2},
        )
    )


def parts(results, tmp_path):
    made = section(Evidence(results, tmp_path))
    assert made is not None
    return made


def blocks(made):
    return {part.title: part for part in made.parts if isinstance(part, Block)}


def test_each_search_of_a_method_has_its_own_cost(make_study, tmp_path) -> None:
    """The plain one and the one whose skips weigh half ran with one method and one seed."""
    plain, secure = (
        SearchTask(
            search=DartsSpec.parse({"name": "darts", **levers}), data=DataSpec(name="digits"), seed=0
        ).label()
        for levers in ({}, {"skip_weight": 0.5, "inner_steps": 2, "penalty": "advrush"})
    )
    assert plain == "search with darts (seed 0)"
    assert secure == "search with darts, skip_weight 0.5, inner_steps 2, advrush (seed 0)"
    results = searched_study(searches=2)
    told = results.searches[1].provenance
    told |= {"seed": "0", "levers": "skip_weight 0.5, inner_steps 2, advrush"}
    results.seconds[secure] = 3725.0
    page = render(Evidence(results, tmp_path))
    assert page.count(duration(75.2)) == 2, "of the plain one, here and among all tasks"
    assert page.count(duration(3725)) == 2


def test_a_study_without_a_search_has_no_such_section(make_study, tmp_path) -> None:
    assert section(Evidence(make_study(), tmp_path)) is None


def test_one_chart_is_seen_and_the_rest_is_folded(tmp_path) -> None:
    made = parts(searched_study(), tmp_path)
    assert [part.name for part in made.parts if part.kind == "figure"] == ["search-ops-darts-s0-normal"]
    assert all(block.folded for block in blocks(made).values())
    names = [figure.name for figure in figures(made.parts)]
    assert len(names) == len(set(names)) == 8  # two maps, two of shares, two of shapes, loss and accuracy


def test_the_difference_is_that_of_the_verdict(tmp_path) -> None:
    results = searched_study(searches=3, random=3)
    area = next(pair for pair in results.beside_random if pair.metric == "curve_area")
    assert area.means == pytest.approx((0.31, 0.21))
    assert area.finding == "higher"
    (sentence,) = words.sentences(results)
    assert "DARTS found 3 cells, which stand beside 3 random cells of the same space (darts)" in sentence
    assert "Higher than of random cells: area under the security curve (+0.100)." in sentence
    assert "Undecided: clean accuracy." in sentence
    assert "So few" not in sentence
    row = words.table(results).rows[1]
    assert [cell.text for cell in row[1:]] == ["0.310", "0.210", "+0.100", "higher"]
    assert "+0.100" in found(results)


def test_few_cells_are_called_few(tmp_path) -> None:
    assert "So few cells say little of the method" in words.sentences(searched_study())[0]


def test_without_random_cells_there_is_nothing_to_compare(tmp_path) -> None:
    results = searched_study(random=0)
    assert results.beside_random == []
    assert "Searched against random cells, in numbers" not in blocks(parts(results, tmp_path))
    assert "difference" not in found(results)


def test_one_cell_of_each_has_a_difference_without_an_interval(tmp_path) -> None:
    results = searched_study(random=1)
    assert {pair.difference for pair in results.beside_random} == {None}
    assert words.table(results).rows[1][3].text == "+0.100"


def test_collapse_is_named_with_its_epoch(tmp_path) -> None:
    steps = [with_skips(count) for count in (1, 4, 2, 4, 6)]
    trace = [entry(epoch, cells) for epoch, cells in enumerate(steps, start=1)]
    results = searched_study(trace=trace, last=steps[-1])
    (way,) = trails(results)
    assert (way.stop, way.collapse) == (2, 4)
    said = " ".join(part.words for part in parts(results, tmp_path).parts if part.kind == "text")
    assert "The search of darts-s0 collapsed from epoch 4 on: 6 of the 8 edges" in said
    assert "which was epoch 2 here" in said


def test_two_skips_are_no_collapse(tmp_path) -> None:
    results = searched_study(last=with_skips(2))
    (way,) = trails(results)
    assert (way.stop, way.collapse) == (2, None)


def test_the_slides_draw_each_cell_once(tmp_path) -> None:
    steps = [with_skips(0), with_skips(1), with_skips(1), with_skips(0)]
    trace = [entry(epoch, cells) for epoch, cells in enumerate(steps, start=1)]
    made = parts(searched_study(trace=trace, last=steps[-1]), tmp_path)
    (slides,) = [part for block in blocks(made).values() for part in block.parts if isinstance(part, Slides)]
    assert slides.order == [("1", 0), ("2", 1), ("3", 1), ("4", 0)]
    assert len(slides.pictures) == 2


def test_a_long_search_keeps_its_last_cell(tmp_path) -> None:
    trace = [entry(epoch, CELLS[epoch % 12]) for epoch in range(1, 101)]
    made = parts(searched_study(trace=trace, last=CELLS[100 % 12]), tmp_path)
    (slides,) = [part for block in blocks(made).values() for part in block.parts if isinstance(part, Slides)]
    assert len(slides.slides) == 100
    assert "cells in between are left out" in slides.caption
    last = "".join(edge.op for edge in CELLS[100 % 12].normal.edges[:1])
    assert last in slides.slides[-1].alt.splitlines()[1]


def test_rounds_of_a_sampled_search_are_lines(tmp_path) -> None:
    trace = [{"round": k, "best": 0.1 * k, "entropy": 2.0 - k / 10, "note": "text"} for k in range(1, 5)]
    made = parts(searched_study(trace=trace), tmp_path)
    titles = [figure.title for figure in figures(made.parts)]
    assert titles == ["Best", "Entropy"]
    assert "by round" in next(figures(made.parts)).caption


@pytest.mark.parametrize(
    "trace",
    [
        [],
        [{}],
        [{"epoch": 1, "weights": "no", "cells": {"normal": 3}}],
        [{"epoch": 1, "weights": {"normal": [[1.0]]}, "edges": {"normal": "long text"}}],
        [{"epoch": 1, "weights": {"normal": [["a"] * 8] * 14, "reduction": [[-1.0] * 8] * 14}}],
        [{"epoch": "first", "loss": float("nan"), "held_out_accuracy": True}],
        [{"epoch": 1, "weights": {"normal": [[0.0] * 8] * 14}}],
    ],
)
def test_a_trace_of_a_stranger_is_read_as_far_as_it_goes(trace, tmp_path) -> None:
    made = parts(searched_study(trace=trace), tmp_path)
    assert not [part for part in made.parts if part.kind == "figure"]
    render(Evidence(searched_study(trace=trace), tmp_path))


def test_edges_of_pc_darts_stand_beside_their_names(tmp_path) -> None:
    strengths = [round(0.01 * place, 2) for place in range(len(SPACE.sources))]
    edges = {"normal": strengths, "reduction": strengths}
    trace = [entry(epoch, with_skips(1), edges=edges) for epoch in (1, 2)]
    made = parts(searched_study(trace=trace), tmp_path)
    (map_,) = [figure for figure in figures(made.parts) if figure.name == "search-map-darts-s0-normal"]
    assert {record["edge"] for record in map_.records} >= {"c(k−2) → node 0 (0.00)", "node 2 → node 3 (0.13)"}


def test_the_page_escapes_what_a_trace_says(tmp_path) -> None:
    trace = [entry(1, with_skips(1), **{"<script>alert(1)</script>": 0.5})]
    page = render(Evidence(searched_study(trace=trace), tmp_path))
    assert "<script>alert" not in page
    assert 'id="searches"' in page
