"""What a search cannot do is said before it does anything, with what to change."""

from dataclasses import replace

import pytest
import torch

from nasaudit.data.split import Split
from nasaudit.errors import InputError, SpecError, UnknownNameError
from nasaudit.planning.search_request import make_search
from nasaudit.search import memory
from nasaudit.search.methods.darts import Darts
from nasaudit.search.methods.sgas import Sgas
from nasaudit.spec.data import DataSpec
from nasaudit.spec.searches import DartsSpec, DrnasSpec, PcDartsSpec, PDartsSpec, SgasSpec
from nasaudit.spec.searches.space import SPACES, SpaceSpec
from nasaudit.spec.study import StudySpec
from nasaudit.testing.search import TINY_SPACE, tiny_problem

TINY = {"space": TINY_SPACE, "epochs": 1, "batch_size": 8, "init_channels": 4, "n_cells": 3}


def asked(method="darts", space=None, settings=(), **changes):
    defaults = {
        "searches": 1,
        "random_cells": 0,
        "data": DataSpec(name="digits"),
        "scale": "mini",
        "protocol": "sound",
        "attacks": ["pgd"],
        "seeds": 1,
        "analyses": ["topology"],
    }
    return make_search(method, space, settings, **{**defaults, **changes})


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"primitives": ["none"]}, "an op beside none"),
        ({"primitives": []}, "primitives"),
        ({"primitives": ["sep_conv_3x3", "sep_conv_3x3"]}, "each op once"),
        ({"primitives": ["sep_conv_9x9"]}, "sep_conv_7x7"),
        ({"primitives": ["sep_conv_3x3"], "edges": 3}, "at most 2"),
        ({"primitives": ["sep_conv_3x3"], "edges": 0}, "greater than or equal to 1"),
        ({"primitives": ["nor_conv_3x3"], "skeleton": "nasbench201"}, "all edges"),
        ({"primitives": ["sep_conv_3x3"], "nodes": 0}, "nodes"),
    ],
)
def test_a_space_without_a_valid_cell_is_refused(space, said):
    with pytest.raises(SpecError, match=said):
        SpaceSpec.parse(space)


def test_unknown_names_have_suggestions():
    with pytest.raises(UnknownNameError, match="pc_darts"):
        asked("pcdart")
    with pytest.raises(UnknownNameError, match="nasnet"):
        asked(space="nasne")
    with pytest.raises(SpecError, match="epoch"):
        asked(settings=["epoch=3"])
    with pytest.raises(SpecError, match="FIELD=VALUE"):
        asked(settings=["epochs"])


def test_a_space_may_be_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("primitives: [none, skip_connect, sep_conv_3x3]\nnodes: 3\n")
    (choice,) = asked(space=str(path)).architectures
    assert (choice.search.space.name, choice.search.space.nodes) == ("mine", 3)
    path.write_text("- skip_connect\n")
    with pytest.raises(InputError, match="a mapping"):
        asked(space=str(path))


@pytest.mark.parametrize(("spec", "field"), [(DartsSpec, "epochs"), (SgasSpec, "decision_every")])
def test_a_budget_of_nothing_is_refused(spec, field):
    with pytest.raises(SpecError, match=field):
        spec.parse({field: 0})


@pytest.mark.parametrize(
    ("spec", "fields", "said"),
    [
        (PcDartsSpec, {"init_channels": 6}, "a multiple of 4"),
        (DrnasSpec, {"init_channels": 16}, "a multiple of 6"),
        (DrnasSpec, {"stage_parts": [4, 6], "init_channels": 12}, "never more than before"),
        (DrnasSpec, {"space": "nasbench201"}, "at most 5 ops"),
        (PDartsSpec, {"stage_ops": [8, 5]}, "3, as many as stage_cells"),
        (PDartsSpec, {"skip_dropout": [0.1]}, "3, one a stage"),
    ],
)
def test_stages_that_do_not_fit_are_refused(spec, fields, said):
    with pytest.raises(SpecError, match=said):
        spec.parse(fields)


def test_a_method_says_which_spaces_it_cannot_search():
    search = Sgas(SgasSpec.parse({**TINY, "space": SPACES["nasbench201"]}))
    with pytest.raises(InputError, match="sgas: expected a space in which a node keeps some of its edges"):
        search.search(tiny_problem())


def test_too_few_images_for_a_batch():
    few = Split(
        torch.zeros(5, 1, 8, 8, dtype=torch.uint8), torch.zeros(5, dtype=torch.int64), torch.arange(5), 3
    )
    with pytest.raises(InputError, match="at least 8 images"):
        Darts(DartsSpec.parse(TINY)).search(replace(tiny_problem(), held_out=few))


def test_a_supernet_that_does_not_fit_is_refused_before_it_learns(monkeypatch):
    progress = []
    monkeypatch.setattr(memory, "_free", lambda device: 1000.0)
    with pytest.raises(InputError, match="lower batch_size"):
        Darts(DartsSpec.parse(TINY)).search(
            tiny_problem(progress=lambda done, text="": progress.append(done))
        )
    assert not progress


def test_what_a_step_needs_grows_with_its_batch():
    def needed(batch_size):
        search = Darts(DartsSpec.parse({**TINY, "batch_size": batch_size}))
        search.problem = tiny_problem()
        search.epoch = 0
        search.make_supernet()
        search.begin()
        return memory.bytes_of_a_step(search)

    assert needed(16) - needed(8) == pytest.approx((needed(24) - needed(8)) / 2)
    assert memory._free("cpu") is None or memory._free("cpu") > 2**20


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"search": "darts", "genotype": "Genotype(normal=[])"}, "genotype"),
        ({"search": "darts", "weights": "w.safetensors"}, "nothing beside a search"),
        ({"name": "darts", "seed": 3}, "nothing without a search"),
        ({"search": {"name": "darts", "epochs": "many"}}, "epochs"),
    ],
)
def test_an_entry_of_a_study_is_a_search_or_cells(entry, said):
    with pytest.raises(InputError, match=said):
        StudySpec.parse({"architectures": [entry], "data": "digits"})


def test_a_study_with_searches_reads_back_as_it_was_written():
    study = StudySpec.parse({"architectures": [{"search": "pc_darts"}], "data": "digits", "scale": "mini"})
    assert study.architectures[0].name == "pc_darts-s0"
    assert study.architectures[0].search.epochs == 15
    assert StudySpec.parse(study.model_dump(mode="json")) == study
