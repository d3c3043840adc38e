"""What PC-DARTS, DrNAS, P-DARTS, SGAS and SNAS compute, against their authors' rules written out."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import dirichlet

from nasaudit.search.costs import op_costs
from nasaudit.search.methods import darts as darts_module
from nasaudit.search.methods.darts import Darts
from nasaudit.search.methods.drnas import Drnas
from nasaudit.search.methods.p_darts import PDarts
from nasaudit.search.methods.pc_darts import PcDarts
from nasaudit.search.methods.sgas import Sgas
from nasaudit.search.methods.snas import Snas
from nasaudit.search.supernet import MixedOp
from nasaudit.search.widening import widen
from nasaudit.spec.searches import DartsSpec, DrnasSpec, PcDartsSpec, PDartsSpec, SgasSpec, SnasSpec
from nasaudit.spec.searches.space import SPACES
from nasaudit.testing.search import TINY_SPACE, tiny_problem

TINY = {"epochs": 2, "warmup_epochs": 0, "batch_size": 8, "init_channels": 4, "n_cells": 3}


def begun(search):
    """A search before its first step."""
    torch.manual_seed(0)
    search.problem = tiny_problem()
    search.generator = torch.Generator().manual_seed(0)
    search.epoch, search.trace = 0, []
    search.make_supernet()
    search.begin()
    return search


def numbers(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# Levers of all methods.


def test_less_weight_for_skips_is_less_in_mixtures_and_cells():
    plain, levered = (
        begun(Darts(DartsSpec.parse({**TINY, "space": TINY_SPACE, "skip_weight": weight})))
        for weight in (1, 0.25)
    )
    skip = TINY_SPACE.primitives.index("skip_connect")
    before, after = plain.mixtures()["normal"].weights, levered.mixtures()["normal"].weights
    torch.testing.assert_close(after[:, skip], before[:, skip] / 4)
    others = [k for k in range(4) if k != skip]
    torch.testing.assert_close(after[:, others], before[:, others])


def test_inner_steps_are_steps_of_the_weights_alone():
    search = begun(Darts(DartsSpec.parse({**TINY, "space": TINY_SPACE, "inner_steps": 3})))
    moved = []
    for _ in range(6):
        before = search.alphas["normal"].detach().clone()
        search.step(search.batch(search.problem.train, torch.arange(8)))
        moved.append(not torch.equal(before, search.alphas["normal"]))
    assert moved == [True, False, False, True, False, False]


# PC-DARTS: yuhuixu1993/PC-DARTS b74702f, model_search.py:141-158 and :188-210.


def test_edges_that_enter_a_node_share_one_softmax():
    search = begun(PcDarts(PcDartsSpec.parse({**TINY, "parts": 2})))
    beta = numbers(14)
    search.betas["normal"].data.copy_(beta)
    weights, start, n = [], 2, 3
    weights.append(torch.softmax(beta[0:2], dim=-1))
    for _ in range(3):
        weights.append(torch.softmax(beta[start : start + n], dim=-1))
        start, n = start + n, n + 1
    torch.testing.assert_close(search.edge_weights("normal").detach(), torch.cat(weights))


def test_the_product_of_both_weights_chooses_the_cell():
    search = begun(PcDarts(PcDartsSpec.parse({**TINY, "parts": 2})))
    for seed, kind in enumerate(search.alphas):
        search.alphas[kind].data.copy_(numbers((14, 8), seed))
        search.betas[kind].data.copy_(2 * numbers(14, seed + 5))
    primitives = search.spec.space.primitives
    none = primitives.index("none")
    for kind, cell in (("normal", search.derive().normal), ("reduction", search.derive().reduction)):
        alpha = search.alphas[kind].softmax(dim=-1).detach().numpy()
        edge_weights = search.edge_weights(kind).detach().numpy()
        start = 0
        for number in range(4):
            n = number + 2
            rows = alpha[start : start + n] * edge_weights[start : start + n, None]
            edges = sorted(range(n), key=lambda x: -max(rows[x][k] for k in range(8) if k != none))[:2]
            expected = set()
            for edge in edges:
                best = max((k for k in range(8) if k != none), key=lambda k: rows[edge][k])
                expected.add((primitives[best], edge))
            assert {tuple(edge) for edge in cell.nodes[number]} == expected
            start += n


# DrNAS: xiangning-chen/DrNAS f2caa4d, utils.py:168-208, net2wider.py:8-110.


def drnas(**changes):
    settings = {**TINY, "init_channels": 8, "stage_parts": [4, 2], "stage_ops": [7, 3]}
    return begun(Drnas(DrnasSpec.parse({**settings, **changes})))


def test_draws_are_dirichlet_and_so_are_their_gradients():
    """Of the mean of a draw, alpha_k / sum(alpha), the gradient is known; the pathwise one has it as its mean."""
    search = drnas()
    alpha = 0.5 * numbers((14, 7))
    search.alphas["normal"].data.copy_(alpha)
    draws, gradients = [], []
    for _ in range(4000):
        weights = search.mixed("normal")
        draws.append(weights.detach()[0])
        (gradient,) = torch.autograd.grad(weights[0, 2], search.alphas["normal"])
        gradients.append(gradient[0])
    concentration = (torch.nn.functional.elu(alpha) + 1)[0].double().numpy()
    law = dirichlet(concentration)
    sampled = torch.stack(draws).double().numpy()
    error = np.sqrt(law.var() / len(sampled))
    assert np.all(abs(sampled.mean(axis=0) - law.mean()) < 5 * error)
    assert sampled.var(axis=0) == pytest.approx(law.var(), rel=0.15)
    variable = alpha[0].double().clone().requires_grad_()
    concentrations = torch.nn.functional.elu(variable) + 1
    (exact,) = torch.autograd.grad(concentrations[2] / concentrations.sum(), variable)
    estimated = torch.stack(gradients).double()
    spread = estimated.std(dim=0) / math.sqrt(len(gradients))
    assert torch.all((estimated.mean(dim=0) - exact).abs() < 5 * spread + 1e-6)


def test_pruned_ops_are_masked_and_their_alphas_are_nought():
    """`prune` with a mask from an earlier stage: what was masked never comes back, though elu(0) + 1 is 1."""
    alpha, mask = numbers((14, 7)), torch.rand(14, 7, generator=torch.Generator().manual_seed(1)) > 0.2
    reference = alpha.clone()
    reference[~mask] -= 1_000_000
    kept, index = reference.topk(k=3, dim=-1)
    expected_alpha = torch.zeros_like(reference).scatter(dim=1, index=index, src=kept)
    expected = torch.zeros_like(mask).scatter(1, index, torch.ones_like(mask))
    pruned = alpha.clone()
    assert torch.equal(Drnas._pruned(pruned, mask, 3), expected)
    torch.testing.assert_close(pruned, expected_alpha)


def test_after_a_stage_ops_are_masked_and_channels_are_more():
    search = drnas()
    search.step(search.batch(search.problem.train, torch.arange(8)))  # so that there is momentum
    search.epoch = search.spec.epochs - 1
    search.after_epoch()
    assert all(len(ops) == 3 for ops in search.active["normal"])
    weights = search.mixtures()["normal"].weights
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(14))
    assert (weights > 0).sum(dim=1).tolist() == [3] * 14
    assert {module.parts for module in search.supernet.modules() if isinstance(module, MixedOp)} == {2}
    search.epoch += 1
    search.step(search.batch(search.problem.train, torch.arange(8)))


def test_what_is_widened_keeps_its_weights_and_momentum():
    """Old channels as they were; new ones copies of old ones, in weights and momentum alike."""
    search = drnas()
    search.step(search.batch(search.problem.train, torch.arange(8)))
    name = "cells.0.mixed.0.ops.3.op.1.weight"  # the 1x1 convolution of a separable one
    old = search.supernet.get_parameter(name)
    before, momentum = old.detach().clone(), search.optimizer.state[old]["momentum_buffer"].clone()
    search.stage = 1
    optimizer = widen(search.supernet, 2, search.optimizer)
    new = search.supernet.get_parameter(name)
    assert before.shape[:2] == (2, 2)
    assert new.shape[:2] == (4, 4)
    torch.testing.assert_close(new[:2, :2].detach(), before)
    for channel in (2, 3):
        assert any(torch.equal(new[channel], new[k]) for k in (0, 1))
        assert any(torch.equal(new[:, channel], new[:, k]) for k in (0, 1))
    widened = optimizer.state[new]["momentum_buffer"]
    torch.testing.assert_close(widened[:2, :2], momentum)
    for channel in (2, 3):
        source = next(k for k in (0, 1) if torch.equal(new[channel], new[k]))
        assert torch.equal(widened[channel], widened[source])
    untouched = search.supernet.classifier.weight
    torch.testing.assert_close(
        optimizer.state[untouched]["momentum_buffer"], search.optimizer.state[untouched]["momentum_buffer"]
    )


def test_a_widened_depthwise_round_does_the_same_on_old_channels():
    search = drnas()
    mixed = search.supernet.cells[0].mixed[0]
    op = mixed.ops[3].op[0]  # a depthwise convolution
    x = numbers((2, 2, 6, 6))
    before = op(x)
    widen(search.supernet, 2, search.optimizer)
    after = op(torch.cat([x, numbers((2, 2, 6, 6), 1)], dim=1))
    torch.testing.assert_close(after[:, :2], before)


# P-DARTS: chenxin061/pdarts b880e87, train_search.py:145-157, :174-199, :363-371.


def p_darts(**changes):
    settings = {**TINY, "stage_cells": [3, 3], "stage_ops": [8, 5], "skip_dropout": [0.1, 0.4], "epochs": 6}
    return begun(PDarts(PDartsSpec.parse({**settings, "warmup_epochs": 2, **changes})))


def test_the_weakest_ops_are_dropped_after_a_stage():
    search = p_darts()
    search.alphas["normal"].data.copy_(numbers((14, 8)))
    weights = search.alphas["normal"].softmax(dim=-1).detach().numpy()
    search.epoch = search.spec.epochs - 1
    search.after_epoch()
    for row, kept in zip(weights, search.active["normal"], strict=True):
        left, dropped = row.copy(), []
        for _ in range(3):
            weakest = int(np.argmin(left))
            dropped.append(weakest)
            left[weakest] = 1
        assert set(kept) == set(range(8)) - set(dropped)
    assert search.stage == 1
    assert search.alphas["normal"].abs().max().item() < 0.1  # begun anew


def test_dropout_behind_skips_falls():
    search = p_darts()
    seen = []
    for search.epoch in range(6):
        search.before_epoch()
        seen.append(search.supernet.cells[0].mixed[0].skip_dropout.p)
    expected = [0.1 * (6 - e - 1) / 6 for e in range(2)] + [
        0.1 * math.exp(-0.2 * (e - 2)) for e in range(2, 6)
    ]
    assert seen == pytest.approx(expected)


@pytest.mark.parametrize("most", [0, 1, 2, 8])
def test_the_normal_cell_has_few_skips(most):
    search = p_darts(skips=most)
    skip = search.spec.space.primitives.index("skip_connect")
    for kind, alpha in search.alphas.items():
        alpha.data.copy_(numbers((14, 8), len(kind)))
        alpha.data[:, skip] += 5
    cells = search.derive()
    count = sum(edge.op == "skip_connect" for edge in cells.normal.edges)
    assert count == min(most, 8)
    assert sum(edge.op == "skip_connect" for edge in cells.reduction.edges) > 2


# SGAS: lightaime/sgas 9cfff65, cnn/train_search.py:86-141, cnn/utils.py:120-137, cnn/model_search.py:171-192.


def sgas(**changes):
    return begun(
        Sgas(SgasSpec.parse({**TINY, "first_decision": 1, "decision_every": 1, "last_epochs": 0, **changes}))
    )


def normalised(values):
    span = values.max() - values.min()
    return (values - values.min()) / span if span > 0 else np.zeros_like(values)


@pytest.mark.parametrize("criterion", [1, 2])
def test_scores_are_importance_certainty_and_stability(criterion):
    search = sgas(criterion=criterion)
    history = []
    for epoch in range(3):
        search.alphas["normal"].data.copy_(numbers((14, 8), epoch))
        mat = search.alphas["normal"].softmax(dim=-1).detach().double().numpy()
        importance = mat[:, 1:].sum(axis=1)
        probs = mat[:, 1:] / importance[:, None]
        entropy = -(probs * np.log(probs)).sum(axis=1) / np.log(7)
        expected = normalised(importance) * normalised(1 - entropy)
        if criterion == 2:
            overlap = (
                np.mean([np.minimum(old, probs).sum(axis=1) for old in history], axis=0)
                if history
                else np.zeros(14)
            )
            expected = expected * normalised(overlap)
            history.append(probs)
        score, weights = search.scores("normal")
        assert score.numpy() == pytest.approx(expected, abs=1e-5)
        assert weights.numpy() == pytest.approx(probs, abs=1e-6)


def test_an_edge_is_decided_and_a_full_node_loses_its_others():
    search = sgas()
    search.alphas["normal"].data.copy_(3 * numbers((14, 8)))
    decided = []
    for epoch in range(search.epochs):
        search.epoch = epoch
        score, weights = search.scores("normal")
        undecided = [k for k in range(14) if search.decided["normal"][k] == -1]
        search.after_epoch()
        if epoch >= 1 and undecided:
            best = max(undecided, key=lambda k: float(score[k]))
            assert search.decided["normal"][best] == 1 + int(weights[best].argmax())
            decided.append(best)
    assert len(decided) == 8
    start = 0
    for n in (2, 3, 4, 5):
        assert sum(op >= 0 for op in search.decided["normal"][start : start + n]) == 2
        start += n
    assert search.batch_size == 8 + 8 * 8


# SNAS: SNAS-Series/SNAS-Series 9a43adb, SNAS/model_search.py:410-460 and :665-670, SNAS/utils.py:128-148.


def snas(**changes):
    return begun(Snas(SnasSpec.parse({**TINY, **changes})))


def test_samples_are_gumbel_and_sharpen():
    """The largest of log-weights plus Gumbel noise is op k with its softmax weight (Gumbel, 1954)."""
    search = snas(epochs=150)
    alpha = numbers((14, 8))
    search.alphas["normal"].data.copy_(alpha)
    winners = torch.stack([search.mixed("normal").argmax(dim=-1) for _ in range(4000)])
    for edge in range(3):
        share = torch.bincount(winners[:, edge], minlength=8) / len(winners)
        expected = alpha[edge].softmax(dim=-1)
        assert share.numpy() == pytest.approx(expected.numpy(), abs=5 * math.sqrt(0.25 / 4000))
    temperatures = {}
    for search.epoch in (0, 75, 149):
        temperatures[search.epoch] = search.temperature
    assert temperatures[0] == pytest.approx(1.0)
    assert temperatures[75] == pytest.approx(0.5 * 0.97 + 0.03)
    search.epoch = 149
    assert float(search.mixed("normal").max(dim=-1).values.mean()) > 0.95


def test_a_sample_costs_the_logarithms_of_what_its_ops_cost():
    search = snas()
    weights = {kind: numbers((14, 8), len(kind)).softmax(dim=-1) for kind in search.alphas}
    costs = op_costs(search.supernet, search.problem.train.shape, "cpu")
    total = 0.0
    for kind, cells in costs.items():
        for cell in cells:
            size, flops, mac = ((each.numpy() * weights[kind].numpy()).sum(axis=-1) for each in cell)
            for each in (size, flops, mac):
                each[abs(each) < 1] = 1
            total += ((np.log(size) + np.log(flops) + np.log(mac)) / 3).sum() / len(cells)
    assert float(search.resource(weights)) == pytest.approx(total, rel=1e-5)


def test_costs_are_those_of_the_convolutions():
    """A separable 3x3 convolution on C channels: 2 (9 C + C^2) weights, and as many multiply-adds a position."""
    search = snas()
    (first, *_) = op_costs(search.supernet, search.problem.train.shape, "cpu")["normal"]
    primitives = SPACES["darts"].primitives
    channels = search.supernet.cells[0].channels
    weights = 2 * (9 * channels + channels**2)
    cost = first[:, 0, primitives.index("sep_conv_3x3")].tolist()
    assert cost == [weights, 2 * weights * 64, weights + 64 * 8 * channels]
    assert first[:, 0, primitives.index("skip_connect")].tolist() == [0, 0, 0]


def test_alphas_begin_near_one_and_every_edge_is_kept():
    search = snas()
    assert float(search.alphas["normal"].mean()) == pytest.approx(1.0, abs=0.01)
    assert len(search.derive().normal.edges) == 14


def test_the_alphas_of_the_bilevel_methods_begin_near_nought():
    """quark0/darts f276dd3, cnn/model_search.py:123."""
    search = begun(Darts(DartsSpec.parse(TINY)))
    assert float(search.alphas["normal"].std()) == pytest.approx(darts_module.INIT_SCALE, rel=0.3)
