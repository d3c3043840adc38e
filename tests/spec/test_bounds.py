"""Numbers and texts without bounds are refused before anything is planned, in a message that can be read."""

from pathlib import Path

import pytest

from nasaudit.arch.catalogue import choose
from nasaudit.cli.runs import names
from nasaudit.data.catalogue import parse_data
from nasaudit.errors import InputError
from nasaudit.planning.requests import make_study
from nasaudit.planning.studies import load_study, parse_study
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.remedies.mitigation import MitigationSpec
from nasaudit.spec.units import as_number
from nasaudit.terminal.architecture import describe

LONG = "a" * 100_000
BIG = 10**12


def wide_genotype() -> Genotype:
    cell = {"nodes": [[["none", 0]] * 900], "concat": [2]}
    return Genotype.from_json({"normal": cell, "reduction": cell})


ASKED = {
    "seeds": lambda: make_study(["darts"], "digits", "mini", "sound", (), 3_000_000),
    "seeds of 10^12": lambda: make_study(["darts"], "digits", "mini", "sound", (), BIG),
    "seeds in YAML": lambda: parse_study("architectures: [darts]\nseeds: 3000000", "s.yaml"),
    "a seed of 10^20": lambda: parse_study(f"architectures: [darts]\nseeds: [{10**20}]", "s.yaml"),
    "classes": lambda: parse_data("digits", classes=BIG),
    "classes of show": lambda: describe("darts", "mini", BIG),
    "side": lambda: parse_study(f"architectures: [darts]\ndata: {{name: x, image_size: {BIG}}}", "s.yaml"),
    "no name": lambda: names(",,"),
    "nothing": lambda: names(""),
    "doses twice": lambda: MitigationSpec.parse({"doses": ["1", "1"]}),
    "dose without end": lambda: MitigationSpec.parse({"doses": ["9" * 5000]}),
    "ops": lambda: ArchSpec.parse(
        {"name": "x", "group": "nas", "genotype": wide_genotype(), "init_channels": 4, "n_cells": 20}
    ),
    "channels": lambda: ArchSpec.parse(
        {"name": "x", "group": "nas", "genotype": wide_genotype(), "init_channels": BIG, "n_cells": 2}
    ),
    "epsilon": lambda: parse_study(
        "architectures: [darts]\nattacks: [{name: pgd, epsilons: ['1e999999999']}]", "s.yaml"
    ),
    "architecture": lambda: choose(LONG),
    "model": lambda: choose(f"timm:{LONG}"),
    "code": lambda: choose(f"{LONG}.py:build"),
    "cell": lambda: choose(f"|{LONG}"),
    "genotype file": lambda: choose(f"{LONG}.json"),
    "data": lambda: parse_data(LONG),
    "path": lambda: parse_data(f"npz:{LONG}"),
    "attack": lambda: make_study(["darts"], "digits", "mini", "sound", [LONG], 1),
    "study": lambda: load_study(LONG),
    "study file": lambda: load_study(f"{LONG}.yaml"),
    "field": lambda: parse_study("architectures: [darts]", "s.yaml", [f"{LONG}=1"]),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("asked", ASKED)
def test_what_has_no_bounds_is_refused_in_a_short_message(asked: str) -> None:
    with pytest.raises(InputError) as caught:
        ASKED[asked]()
    assert len(str(caught.value)) < 2000


def test_the_name_of_a_genotype_file_has_a_bound(tmp_path: Path) -> None:
    file = tmp_path / f"{'a' * 200}.txt"
    file.write_text(
        "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1)], normal_concat=[2], "
        "reduce=[('max_pool_3x3', 0), ('skip_connect', 1)], reduce_concat=[2])"
    )
    with pytest.raises(InputError, match=r"architecture\.name: expected String should have at most 80"):
        choose(str(file))


@pytest.mark.timeout(10)
def test_a_number_of_a_billion_digits_is_none() -> None:
    assert as_number("1e999999999") is None
    assert as_number("1e1_000_000_000") is None
    assert as_number("1/" + "9" * 1000) is None
    assert as_number("1e-3") == 0.001
