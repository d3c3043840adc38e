"""When a search is called collapsed."""

from random import Random
from types import SimpleNamespace

import pytest

from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.results.flags import CHECKS
from nasaudit.results.flags.base import Facts, flags_of
from nasaudit.results.flags.searches import normal_skips, search_collapsed, share_with_skips
from nasaudit.search.cells import draw
from nasaudit.search.found import FoundCells
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.searches import DartsSpec
from nasaudit.spec.searches.space import SPACES
from nasaudit.spec.study import ArchChoice

SKIPS_201 = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"


@pytest.mark.parametrize("name", list(SPACES))
def test_shares_are_those_of_draws(name: str) -> None:
    space, random = SPACES[name], Random(0)
    drawn = [normal_skips(draw(space, random)) for _ in range(4000)]
    for skips in range(5):
        seen = sum(count >= skips for count in drawn) / len(drawn)
        assert share_with_skips(space, skips) == pytest.approx(seen, abs=0.025)  # 3 standard errors


def flags(cells, **settings):
    choice = ArchChoice(name="mine", search=DartsSpec(**settings))
    planned = SimpleNamespace(
        searches={"mine": choice.search},
        found=(("mine", FoundCells(genotype=cells, provenance={})),),
    )
    return flags_of(Facts(planned, {}, (), (), 0), (search_collapsed,))


def of_skips(count: int) -> Genotype:
    ops = [("skip_connect" if k < count else "sep_conv_3x3", k % 2) for k in range(8)]
    darts = CATALOGUE["darts"].genotype
    normal = Genotype.from_darts(
        {"normal": ops, "normal_concat": [2, 3, 4, 5], "reduce": ops, "reduce_concat": [2, 3, 4, 5]}
    ).normal
    return Genotype(normal=normal, reduction=darts.reduction)


def test_cells_of_skips_are_collapsed() -> None:
    (flag,) = flags(of_skips(6))
    assert flag.kind == "search_collapsed"
    assert (
        "collapsed: 6 of the 8 edges of its normal cell are skips, as of 0.0% of random cells" in flag.message
    )
    (flag,) = flags(SKIPS_201, space=SPACES["nasbench201"])  # what DARTS finds there
    assert "6 of the 6 edges" in flag.message


def test_what_random_cells_have_too_is_no_collapse() -> None:
    assert flags(CATALOGUE["darts"].genotype) == []  # two skips
    assert flags(of_skips(3)) == []  # of 9 % of random cells
    assert flags(of_skips(4)) != []  # of 2 %


def test_it_is_among_the_checks_of_every_study() -> None:
    assert search_collapsed in CHECKS
