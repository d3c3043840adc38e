"""Every method keeps the rules that all searches keep."""

import pytest

from nasaudit.search.methods.drnas import Drnas
from nasaudit.search.methods.p_darts import PDarts
from nasaudit.search.methods.pc_darts import PcDarts
from nasaudit.search.methods.sgas import Sgas
from nasaudit.search.methods.snas import Snas
from nasaudit.spec.searches import SEARCHES, DrnasSpec, PcDartsSpec, PDartsSpec, SgasSpec, SnasSpec
from nasaudit.testing.search import TINY_SPACE, OneShotConformance

TINY = {
    "space": TINY_SPACE,
    "epochs": 2,
    "warmup_epochs": 1,
    "batch_size": 12,
    "init_channels": 4,
    "n_cells": 3,
}


class TestPcDarts(OneShotConformance):
    def search(self):
        return PcDarts(PcDartsSpec.parse({**TINY, "parts": 2}))


class TestDrnas(OneShotConformance):
    def search(self):
        return Drnas(DrnasSpec.parse({**TINY, "stage_parts": [4, 2], "stage_ops": [4, 2]}))


class TestPDarts(OneShotConformance):
    def search(self):
        stages = {"stage_cells": [3, 3, 4], "stage_ops": [4, 3, 2], "skips": 1}
        return PDarts(PDartsSpec.parse({**TINY, **stages}))


class TestSgas(OneShotConformance):
    def search(self):
        return Sgas(SgasSpec.parse({**TINY, "first_decision": 1, "decision_every": 1, "last_epochs": 1}))


class TestSgasByStability(OneShotConformance):
    def search(self):
        settings = {"first_decision": 1, "decision_every": 1, "last_epochs": 0, "criterion": 2}
        return Sgas(SgasSpec.parse({**TINY, **settings}))


class TestSnas(OneShotConformance):
    def search(self):
        space = TINY_SPACE.model_copy(update={"edges": None})
        return Snas(SnasSpec.parse({**TINY, "space": space, "alpha_learning_rate": 0.1}))


@pytest.mark.parametrize("name", list(SEARCHES))
def test_every_scale_has_settings(name):
    """And what is settled for a scale is settled for good."""
    for scale in ("mini", "small", "paper"):
        spec = SEARCHES[name]().at(scale)
        assert spec.at(scale) == spec
        assert SEARCHES[name].parse(spec.model_dump(mode="json")) == spec
