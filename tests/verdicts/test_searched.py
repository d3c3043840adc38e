"""Fronts of searches with several objectives: dominance, hypervolumes by hand, pairs of equal cost; their report."""

from random import Random
from typing import Any

import pytest

from nasaudit.arch.catalogue import resolve
from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import Block, Figure, figures
from nasaudit.report.sections.searches import fronts as shown
from nasaudit.report.sections.searches import secure
from nasaudit.report.sections.searches.section import section
from nasaudit.results.schema import Searched, StudyResults
from nasaudit.results.soundness import problems
from nasaudit.search.cells import draw
from nasaudit.spec.searches.space import SPACES
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.testing.rows import make_results, make_row
from nasaudit.verdicts.decide import decide

SPACE = SPACES["darts"]
CURVE = {"norm": "linf", "goal": "untargeted", "images": "common"}
SETTINGS = {"name": "amoebanet", "space": "darts", "children": 12, "child_epochs": 3, "front": 2}
# Accuracy and area of the cells of each search: of seed 0 the secure front is dominated, of seed 1 it is not.
FIGURES = {
    "secure-0": [(0.80, 0.40), (0.70, 0.35)],
    "plain-0": [(0.90, 0.30), (0.85, 0.50)],
    "secure-1": [(0.90, 0.40), (0.80, 0.20)],
    "plain-1": [(0.92, 0.50), (0.85, 0.45)],
}


def study_of(
    plain: dict[str, Any], figures_of=FIGURES, half: float = 0.0, same: tuple[str, ...] = ()
) -> StudyResults:
    secure = {**SETTINGS, "objectives": ["accuracy", "evasion"]}
    choices = [
        {"name": name, "search": secure if "secure" in name else plain, "seed": int(name[-1])}
        for name in figures_of
    ]
    choices.append(
        {"name": "drawn", "group": "random", "genotype": draw(SPACE, Random(99))},
    )
    study = StudySpec.parse({"name": "fronts", "architectures": choices, "data": "digits"})
    specs, rows, searches = [], [], []
    cells = {
        f"{name}-{k + 1}": (name, k) for name, reached in figures_of.items() for k in range(len(reached))
    }
    reached_by = {name: figures_of[of][k] for name, (of, k) in cells.items()} | {"drawn": (0.7, 0.6)}
    for number, (name, (accuracy, area)) in enumerate(reached_by.items()):
        genotype = draw(SPACE, Random(99 if name == "drawn" else 50 if name in same else number))
        group = "random" if name == "drawn" else "nas"
        specs.append(resolve(ArchChoice(name=name, genotype=genotype, group=group), "mini", 10, (1, 8, 8)))
        rows += [
            make_row(name, "clean_accuracy", accuracy, group=group, split="test", n=400),
            make_row(name, "curve_area", area, group=group, attack="pgd", half=half, n=300, **CURVE),
        ]
        if name in cells:
            objectives = [{"accuracy": 0.3, "evasion": 0.2}, None, {"accuracy": 0.2, "evasion": 0.4}]
            entry = {
                "round": 1,
                "children": 3,
                "accuracies": [0.7, None, 0.8],
                "objectives": objectives,
                "front": [0, 2],
                "cells": genotype.model_dump(mode="json"),
            }
            searches.append(
                Searched(
                    architecture=name,
                    search=cells[name][0],
                    genotype=genotype,
                    provenance={"method": "amoebanet", "space": "darts", "seed": cells[name][0][-1]},
                    primitives=SPACE.primitives,
                    trace=[entry] if cells[name][1] == 0 and "secure" in name else [],
                )
            )
    return decide(make_results(study, rows, architectures=specs, searches=searches))


def test_dominance_and_volumes_are_those_of_the_audit() -> None:
    results = study_of(SETTINGS)
    (fronts,) = results.searched_fronts
    assert fronts.objectives == "accuracy, evasion"
    assert fronts.reference == [1.0, 1.0]
    first, second = fronts.pairs
    assert (first.secure, first.plain, first.dominated) == ("secure-0", "plain-0", True)
    assert first.secure_beaten == ["secure-0-1", "secure-0-2"]
    assert first.plain_beaten == []
    assert (second.dominated, second.secure_beaten) == (False, [])
    assert second.plain_beaten == ["plain-1-2"]
    by_search = {front.search: front for front in fronts.fronts}
    # Of errors and areas: (.2, .4) and (.3, .35); (.1, .4) and (.2, .2).
    assert by_search["secure-0"].hypervolume.value == pytest.approx(0.8 * 0.6 + 0.7 * 0.05)
    assert by_search["secure-1"].hypervolume.value == pytest.approx(0.9 * 0.6 + 0.8 * 0.2)
    assert by_search["plain-0"].unbeaten == ["plain-0-1"]
    assert by_search["random"].cells == ["drawn"]
    assert fronts.unbeaten == ["plain-0-1", "secure-1-2", "plain-1-1"]
    gained = [
        by_search[f"secure-{seed}"].hypervolume.value - by_search[f"plain-{seed}"].hypervolume.value
        for seed in range(2)
    ]
    assert fronts.hypervolume is not None
    assert fronts.hypervolume.value == pytest.approx(sum(gained) / 2)
    area = next(pair for pair in fronts.beside_plain if pair.metric == "curve_area")
    assert area.means == pytest.approx((0.3375, 0.4375))
    assert list(problems(results)) == []


def test_the_ends_of_a_volume_are_those_of_its_figures() -> None:
    front = (
        study_of(SETTINGS, {"secure-0": [(1.0, 0.4)], "plain-0": [(1.0, 0.5)]}, half=0.05)
        .searched_fronts[0]
        .fronts[0]
    )
    assert front.hypervolume.value == pytest.approx(0.6)
    assert front.hypervolume.low < 0.55 + 1e-9 < front.hypervolume.high == pytest.approx(0.65)


def test_cells_that_both_searches_found_do_not_beat_themselves() -> None:
    """By the chance of an attack the one is a little worse than the other."""
    figures_of = {"secure-0": [(0.9, 0.31)], "plain-0": [(0.9, 0.30)]}
    (pair,) = study_of(SETTINGS, figures_of).searched_fronts[0].pairs
    assert pair.dominated
    (pair,) = study_of(SETTINGS, figures_of, same=("secure-0-1", "plain-0-1")).searched_fronts[0].pairs
    assert not pair.dominated
    assert pair.secure_beaten == []


def test_searches_of_other_cost_are_no_pair() -> None:
    (fronts,) = study_of({**SETTINGS, "children": 24}).searched_fronts
    assert fronts.pairs == []
    assert fronts.hypervolume is None


def test_without_the_attack_in_the_audit_there_is_no_front_to_compare() -> None:
    results = study_of(SETTINGS)
    kept = [row for row in results.rows if row.metric != "curve_area"]
    assert decide(results.model_copy(update={"rows": kept, "headlines": []})).searched_fronts == []


def test_the_report_shows_children_and_fronts(tmp_path) -> None:
    results = study_of(SETTINGS)
    made = section(Evidence(results, tmp_path))
    assert made is not None
    (sentence,) = shown.sentences(results)
    assert sentence.startswith("AmoebaNet by accuracy and evasion beside the same search by accuracy alone")
    assert "of its 2 fronts 1 dominated" in sentence
    drawn = {figure.name: figure for figure in figures(made.parts)}
    front = drawn["search-front-0-1"]
    assert len(front.records) == 9
    assert {record["label"] for record in front.records if record["front"]} == {
        "plain-0-1",
        "secure-1-2",
        "plain-1-1",
    }
    assert [title for title, _ in front.key] == ["several objectives", "accuracy alone", "random cells"]
    children = drawn["search-children-secure-0-1-evasion"]
    assert [(record["number"], record["front"]) for record in children.records] == [(0, True), (2, True)]
    assert front in [part for part in made.parts if isinstance(part, Figure)]
    (block,) = [
        part for part in made.parts if isinstance(part, Block) and part.title.startswith("Fronts of several")
    ]
    table = block.parts[0]
    assert [row[4].text for row in table.rows] == ["2 cells", "0 cells", "0 cells", "1 cells", "–"]


def test_levers_stand_beside_the_same_search_as_published() -> None:
    plain, pulled = {"name": "darts", "epochs": 2}, {"skip_weight": 0.5, "inner_steps": 2}
    searches = {
        "plain-0": plain,
        "levers-0": plain | pulled,
        "plain-1": plain,
        "levers-1": plain | pulled,
        "longer-1": plain | pulled | {"epochs": 3},  # of another cost: no pair
    }
    choices = [{"name": name, "search": search, "seed": int(name[-1])} for name, search in searches.items()]
    choices.append({"name": "drawn", "group": "random", "genotype": draw(SPACE, Random(99))})
    study = StudySpec.parse({"name": "levers", "architectures": choices, "data": "digits"})
    accuracies = dict(zip([*searches, "drawn"], (0.80, 0.90, 0.82, 0.94, 0.5, 0.7), strict=True))
    specs, rows, found = [], [], []
    for number, (name, accuracy) in enumerate(accuracies.items()):
        genotype = draw(SPACE, Random(99 if name == "drawn" else number))
        group = "random" if name == "drawn" else "nas"
        specs.append(resolve(ArchChoice(name=name, genotype=genotype, group=group), "mini", 10, (1, 8, 8)))
        rows.append(make_row(name, "clean_accuracy", accuracy, group=group, split="test", n=400))
        if name in searches:
            told = {"method": "darts", "space": "darts", "seed": name[-1]}
            found.append(
                Searched(architecture=name, search=name, genotype=genotype, provenance=told,
                         primitives=SPACE.primitives, trace=[])
            )  # fmt: skip
    results = decide(make_results(study, rows, architectures=specs, searches=found))
    (levers,) = results.pulled_levers
    assert levers.levers == "skip_weight 0.5, inner_steps 2"
    assert levers.pairs == [("levers-0", "plain-0"), ("levers-1", "plain-1")]
    (accuracy,) = levers.beside_plain
    assert accuracy.means == pytest.approx((0.92, 0.81))
    assert accuracy.difference is not None
    assert accuracy.difference.value == pytest.approx(0.11)
    # And each kind of search by itself beside the random cell.
    beside = {pair.levers: [one.architecture for one in pair.searched] for pair in results.beside_random}
    assert beside[""] == ["plain-0", "plain-1"]
    assert beside[levers.levers] == ["levers-0", "levers-1", "longer-1"]
    assert list(problems(results)) == []
    (said,) = secure.sentences(results)
    assert said.startswith("DARTS with skip_weight 0.5 and inner_steps 2 beside DARTS as published")
    (table,) = secure.tables(results)
    assert [cell.text for cell in table.rows[0]][1:3] == ["92.0\u00a0%", "81.0\u00a0%"]
