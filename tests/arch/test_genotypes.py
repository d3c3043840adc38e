"""The constants against the published cells, which lie beside this file in their authors' flat form."""

import json
from pathlib import Path

import pytest
import torch

from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.arch.cost import count_parameters
from nasaudit.arch.network import build
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.study import ArchChoice

PUBLISHED = json.loads((Path(__file__).parent / "published_cells.json").read_text())


def test_every_cell_of_the_catalogue_is_a_published_one():
    cells = {name for name in CATALOGUE if CATALOGUE[name].genotype}
    assert {name for name in cells if CATALOGUE[name].group != "robust_nas"} == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_constant_equals_the_published_cell_edge_by_edge(name):
    fields = {key: PUBLISHED[name][key] for key in ("normal", "normal_concat", "reduce", "reduce_concat")}
    assert CATALOGUE[name].genotype == Genotype.from_darts(fields)


@pytest.mark.parametrize("name", PUBLISHED)
def test_paper_scale_has_the_published_number_of_parameters(name):
    """10 classes exactly; 100 classes add 90 rows of the classifier, each its features and a bias."""
    spec = resolve(ArchChoice(name=name), "paper", 10, (3, 32, 32))
    counts = PUBLISHED[name]["parameters_c36_l20"]
    with torch.device("meta"):  # shapes are enough
        network = build(spec)
    features = network.body.classifier.in_features
    assert count_parameters(network) == counts["classes10"]
    assert counts["classes10"] + 90 * (features + 1) == counts["classes100"]
