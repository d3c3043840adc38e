"""The cells that searches for robustness published, against their authors' files and code.

`robust_cells.json` was read out of the files that `arch/genotypes_robust.py` names. Its numbers of parameters are
those of the network of fly2tortoise/TRNAS (66b668f), 2_Darts_space/eval/model.py:111, `NetworkCIFAR(36, classes, 20,
False, genotype)`: that of DARTS.
"""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.arch.cost import count_parameters
from nasaudit.arch.network import build
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.study import ArchChoice
from nasaudit.testing.rows import make_row
from nasaudit.verdicts.groups import compare_groups
from nasaudit.verdicts.headlines import find_headlines

PUBLISHED = json.loads((Path(__file__).parent / "robust_cells.json").read_text())
ROBUST = [name for name in CATALOGUE if CATALOGUE[name].group == "robust_nas"]
# gmh14/RobNets (0fbcb03), architecture_code.py:1-7: of each edge, node by node; 01 a convolution, 10 a skip, 11 both.
ROBNET_CODE = ["11", "11", "11", "11", "11", "01", "11", "01", "10", "11", "01", "01", "01", "11"]
# Of its Network(C=36, layers=20, share=True), whose batch norms but the stem's are without scale and shift:
# models/basic_model.py:58.
ROBNET_PARAMETERS, ROBNET_STEM_NORM = 6_842_710, 216


def paper_network(name: str) -> nn.Module:
    with torch.device("meta"):  # shapes are enough
        return build(resolve(ArchChoice(name=name), "paper", 10, (3, 32, 32)))


def test_they_are_all_there() -> None:
    assert set(ROBUST) == {*PUBLISHED, "robnet_large"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_constant_equals_the_published_cell_edge_by_edge(name: str) -> None:
    fields = {key: PUBLISHED[name][key] for key in ("normal", "normal_concat", "reduce", "reduce_concat")}
    assert CATALOGUE[name].genotype == Genotype.from_darts(fields)


@pytest.mark.parametrize("name", PUBLISHED)
def test_paper_scale_has_the_number_of_parameters_of_the_authors_code(name: str) -> None:
    network, counts = paper_network(name), PUBLISHED[name]["parameters_c36_l20"]
    assert count_parameters(network) == counts["classes10"]
    assert counts["classes10"] + 90 * (network.body.classifier.in_features + 1) == counts["classes100"]


def test_robnet_is_its_code() -> None:
    genotype = CATALOGUE["robnet_large"].genotype
    codes = iter(ROBNET_CODE)
    for number, node in enumerate(genotype.normal.nodes):
        wanted = []
        for source, code in zip(range(2 + number), codes, strict=False):
            wanted += [("sep_conv_3x3", source)] * (code[1] == "1") + [("skip_connect", source)] * (
                code[0] == "1"
            )
        assert [tuple(edge) for edge in node] == wanted
    assert genotype.normal == genotype.reduction
    network = paper_network("robnet_large")
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    affine = sum(parameter.numel() for norm in norms for parameter in norm.parameters())
    assert count_parameters(network) - affine + ROBNET_STEM_NORM == ROBNET_PARAMETERS


def test_none_of_them_counts_as_nas() -> None:
    setting = {"norm": "linf", "goal": "untargeted", "images": "common"}
    values = {"darts": 0.3, "enas": 0.4, "racl": 0.1, "trnas": 0.1, "resnet": 0.2, "vgg": 0.3}
    rows = [make_row(name, "curve_area", value, attack="pgd", **setting) for name, value in values.items()]
    (compared,) = compare_groups(rows, find_headlines(rows))
    assert (compared.n_nas, compared.n_manual) == (2, 2)
    assert compared.means["robust_nas"] == pytest.approx(0.1)
