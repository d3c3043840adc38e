import subprocess
import sys

import pytest

from nasaudit.arch.catalogue import CATALOGUE, Entry, resolve
from nasaudit.arch.genotypes import DARTS, SNAS
from nasaudit.arch.manual.families import FAMILIES
from nasaudit.errors import NasauditError, SpecError, UnknownNameError
from nasaudit.spec.arch import CELL_SIZE
from nasaudit.spec.study import ArchChoice

SEVENTEEN = {
    "manual": {"bit", "densenet", "dla", "resnet", "resnext", "vgg", "wideresnet"},
    "nas": {"amoebanet", "darts", "drnas", "enas", "nasnet", "pc_darts", "pdarts", "sgas", "snas"},
    "random": {"random"},
}
HARDENED = {"darts-i", "darts-ii", "darts-iii"}
SHAPE = (3, 28, 28)


def test_the_seventeen_of_the_talk_darts_v1_and_the_hardened_ones():
    for group, names in SEVENTEEN.items():
        found = {name for name in CATALOGUE if CATALOGUE[name].group == group}
        assert found == names | ({"darts_v1"} if group == "nas" else set())
    assert {name for name in CATALOGUE if CATALOGUE[name].group == "hardened"} == HARDENED
    assert len(CATALOGUE) == 17 + 1 + 3 + 6


def test_every_manual_family_has_numbers_at_every_scale():
    assert set(FAMILIES) == SEVENTEEN["manual"]
    assert all(set(plans) == set(CELL_SIZE) for plans in FAMILIES.values())


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("PC-DARTS", "pc_darts"),
        ("pcdarts", "pc_darts"),
        ("P-DARTS", "pdarts"),
        ("p_darts", "pdarts"),
        ("DARTS V2", "darts"),
        ("darts-v1", "darts_v1"),
        ("ResNeXt", "resnext"),
        ("Wide ResNet", "wideresnet"),
        ("WRN-50-2", "wideresnet"),
        ("wrn", "wideresnet"),
        ("ResNet-18", "resnet"),
        ("NASNet-A", "nasnet"),
        ("darts_i", "darts-i"),
        ("DARTS II", "darts-ii"),
        ("dartsiii", "darts-iii"),
    ],
)
def test_names_are_forgiving(written, canonical):
    assert resolve(ArchChoice(name=written), "mini", 10, SHAPE).name == canonical


def test_titles_are_found_as_names():
    for name in CATALOGUE:
        assert CATALOGUE.canonical(CATALOGUE[name].title) == name


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean darts"):
        resolve(ArchChoice(name="dart"), "mini", 10, SHAPE)


@pytest.mark.parametrize(("scale", "channels", "cells"), [("mini", 8, 5), ("paper", 36, 20)])
def test_scale_sets_the_size_of_a_cell_network(scale, channels, cells):
    spec = resolve(ArchChoice(name="darts", auxiliary=True, drop_path=0.2), scale, 32, (1, 8, 8))
    assert (spec.init_channels, spec.n_cells, spec.scale) == (channels, cells, scale)
    assert (spec.genotype, spec.group) == (DARTS, "nas")
    assert (spec.classes, spec.input_shape) == (32, (1, 8, 8))
    assert (spec.auxiliary, spec.drop_path) == (True, 0.2)


@pytest.mark.parametrize(
    ("scale", "protocol", "drop_path", "dropout"),
    [
        ("paper", "sound", 0.2, 0),
        ("paper", "paper", 0, 0.2),
        ("mini", "sound", 0, 0),
        ("mini", "paper", 0, 0),
    ],
)
def test_cells_drop_what_the_protocol_does_at_the_scale_of_the_paper(scale, protocol, drop_path, dropout):
    spec = resolve(ArchChoice(name="darts"), scale, 10, SHAPE, protocol)
    assert (spec.drop_path, spec.dropout) == (drop_path, dropout)
    manual = resolve(ArchChoice(name="vgg"), scale, 10, SHAPE, protocol)
    assert (manual.drop_path, manual.dropout) == (0, 0)
    own = resolve(ArchChoice(name="darts", drop_path=0.3, dropout=0.1), scale, 10, SHAPE, protocol)
    assert (own.drop_path, own.dropout) == (0.3, 0.1)
    assert ("dropout" in spec.model_dump()) == (dropout > 0)  # older records of the others are found


def test_manual_family_carries_no_cells():
    spec = resolve(ArchChoice(name="vgg"), "mini", 10, SHAPE)
    assert (spec.group, spec.genotype, spec.init_channels, spec.n_cells) == ("manual", None, None, None)


def test_own_genotype_is_custom():
    spec = resolve(ArchChoice(name="mine", genotype=SNAS), "mini", 10, SHAPE)
    assert (spec.name, spec.group, spec.genotype, spec.init_channels) == ("mine", "custom", SNAS, 8)


@pytest.mark.parametrize("group", ["nas", "random", "hardened", "robust_nas", "manual"])
def test_own_genotype_may_say_where_it_comes_from(group):
    assert resolve(ArchChoice(name="mine", genotype=SNAS, group=group), "mini", 10, SHAPE).group == group


def test_the_catalogue_knows_the_groups_of_its_own():
    with pytest.raises(SpecError, match="group: expected nas, as the catalogue has it, got 'random'"):
        resolve(ArchChoice(name="darts", group="random"), "mini", 10, SHAPE)
    assert resolve(ArchChoice(name="darts", group="nas"), "mini", 10, SHAPE).group == "nas"


def test_a_catalogue_name_with_its_own_genotype_is_the_catalogue_entry():
    named = resolve(ArchChoice(name="darts"), "mini", 10, SHAPE)
    assert resolve(ArchChoice(name="DARTS", genotype=DARTS), "mini", 10, SHAPE) == named


@pytest.mark.parametrize("name", ["darts", "P-DARTS", "resnet"])
def test_a_catalogue_name_with_another_genotype_is_refused(name):
    with pytest.raises(SpecError, match="another name for this genotype"):
        resolve(ArchChoice(name=name, genotype=SNAS), "mini", 10, SHAPE)


def test_cell_options_for_a_manual_family_are_refused_with_the_field():
    with pytest.raises(SpecError, match=r"resnet.*auxiliary.*cell networks"):
        resolve(ArchChoice(name="resnet", auxiliary=True), "mini", 10, SHAPE)


@pytest.mark.parametrize(("group", "genotype"), [("nas", None), ("manual", DARTS)])
def test_entry_needs_a_genotype_unless_manual(group, genotype):
    with pytest.raises(NasauditError, match="expected a genotype"):
        Entry("x", "X", group, genotype, "nowhere")


def test_catalogue_drawing_and_topology_import_no_torch():
    code = (
        "import sys, nasaudit.arch.catalogue, nasaudit.arch.pictures.cells, nasaudit.analysis.topology.shape, "
        "nasaudit.analysis.topology.work; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
