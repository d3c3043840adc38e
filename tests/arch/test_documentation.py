"""The page on architectures says what the code does."""

import re
from pathlib import Path

import pytest
import torch
import yaml

from nasaudit.analysis.topology.shape import topology
from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.arch.cost import count_flops, count_parameters
from nasaudit.arch.genotypes import DARTS
from nasaudit.arch.network import build
from nasaudit.arch.pictures.cells import draw_svg, draw_text
from nasaudit.spec.arch import IMAGE_SIDE
from nasaudit.spec.study import ArchChoice, StudySpec

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "architectures.md").read_text()
ROWS = {
    row[0].strip("`"): row[1:]
    for line in PAGE.splitlines()
    if line.startswith("| `") and (row := [cell.strip() for cell in line.strip("|").split("|")])
}


def test_the_table_has_every_architecture():
    assert list(ROWS) == list(CATALOGUE)


@pytest.mark.parametrize("name", ROWS)
def test_the_table_is_up_to_date(name):
    entry = CATALOGUE[name]
    expected = [entry.title, entry.group]
    for scale in ("mini", "paper"):
        shape = (3, IMAGE_SIDE[scale], IMAGE_SIDE[scale])
        with torch.device("meta"):  # shapes are enough
            network = build(resolve(ArchChoice(name=name), scale, 10, shape))
        expected += [f"{count_parameters(network):,}", f"{count_flops(network, shape) / 1e6:,.1f}"]
    shapes = topology(entry.genotype) if entry.genotype else {}
    for field in ("depth", "width", "skips"):
        expected.append(" / ".join(f"{getattr(shape, field):g}" for shape in shapes.values()))
    assert ROWS[name] == expected


def test_the_drawings_are_those_of_the_code():
    assert (DOCS / "images" / "cells_darts.svg").read_text() == draw_svg(DARTS, "DARTS") + "\n"
    assert draw_text(DARTS).split("\n\n")[0] in PAGE


def test_the_example_of_an_own_genotype_is_valid():
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL).group(1)
    spec = StudySpec.parse(yaml.safe_load(example))
    assert [choice.name for choice in spec.architectures] == ["darts", "mine"]
    assert len(spec.architectures[1].genotype.normal.nodes) == 2
