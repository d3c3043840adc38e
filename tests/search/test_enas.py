"""ENAS: its policy against all that it can choose, its start, its turns."""

import math
from collections import Counter

import pytest
import torch

from nasaudit.search.cells import cells_of
from nasaudit.search.controllers import clipped, reinforced
from nasaudit.search.methods.enas import Enas, EnasController
from nasaudit.search.methods.nasnet import NasNetController
from nasaudit.search.paths import path_of
from nasaudit.spec.searches import EnasSpec, NasNetSpec
from nasaudit.spec.searches.space import SPACES, SpaceSpec
from nasaudit.testing.search import TINY_SPACE, OneShotConformance, tiny_problem

TINY = {
    "space": TINY_SPACE,
    "epochs": 2,
    "batch_size": 8,
    "init_channels": 4,
    "n_cells": 3,
    "held_out_share": 0.5,
    "controller_steps": 2,
    "controller_samples": 2,
    "controller_size": 6,
    "candidates": 3,
}
# One node in each of two cells, of one edge: 2 sources and 2 ops, so (2 * 2)^2 cells.
SMALLEST = SpaceSpec(name="smallest", primitives=("sep_conv_3x3", "skip_connect"), nodes=1, edges=1)
CELLS = 16


class TestEnas(OneShotConformance):
    def search(self):
        return Enas(EnasSpec.parse(TINY))


class TestEnasOnLooseEnds(OneShotConformance):
    def search(self):
        space = TINY_SPACE.model_copy(update={"concat": "loose", "nodes": 3, "name": "loose"})
        return Enas(EnasSpec.parse({**TINY, "space": space}))


class TestEnasOn201(OneShotConformance):
    def search(self):
        return Enas(EnasSpec.parse({**TINY, "space": "nasbench201", "n_cells": 1}))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def enas(**changes):
    return EnasController(EnasSpec.parse({"space": SMALLEST, "controller_size": 6, **changes}), generator())


def nasnet():
    return NasNetController(NasNetSpec.parse({"space": SMALLEST, "controller_size": 6}), generator())


class UndecidedError(Exception):
    def __init__(self, options):
        self.options = options


def every_walk(controller, made=()):
    """All that the policy can decide."""
    left = list(made)

    def choose(probabilities):
        if not left:
            raise UndecidedError(len(probabilities))
        return left.pop(0)

    try:
        yield controller.walk(choose)
    except UndecidedError as stop:
        for choice in range(stop.options):
            yield from every_walk(controller, (*made, choice))


def reward(walk):
    """Some number for each of the cells, the same each time."""
    return math.sin(sum((k + 1) * choice for k, choice in enumerate(walk.choices)) + 0.3)


@pytest.mark.parametrize("make", [enas, nasnet])
def test_the_gradients_of_samples_are_on_average_that_of_the_expected_reward(make):
    """Sum over all cells of p grad(-log p (R - b)), whatever the baseline: exact, not by sampling."""
    controller = make()
    with torch.no_grad():  # as after some learning: all that is decided hangs on all that is learned
        for name, value in controller.named_parameters():
            value.mul_(0.0 if name == "op_bias" else 20.0)
    parameters = [value for _, value in sorted(controller.named_parameters())]
    walks = list(every_walk(controller))
    assert len(walks) == CELLS
    probabilities = torch.stack([walk.log_prob for walk in walks]).exp()
    assert float(probabilities.sum().detach()) == pytest.approx(1)
    expected = (probabilities * torch.tensor([reward(walk) for walk in walks], dtype=torch.float64)).sum()
    exact = torch.autograd.grad(-expected, parameters, retain_graph=True, allow_unused=True)
    assert any(gradient is not None and gradient.abs().max() > 1e-2 for gradient in exact)
    for baseline in (0.0, 0.7):
        for of_policy in (
            lambda walk, advantage: reinforced(walk.log_prob, advantage),
            lambda walk, advantage: clipped(walk.log_prob, float(walk.log_prob.detach()), advantage, 0.2),
        ):
            total = sum(
                float(probability.detach()) * of_policy(walk, reward(walk) - baseline)
                for probability, walk in zip(probabilities, walks, strict=True)
            )
            ours = torch.autograd.grad(total, parameters, retain_graph=True, allow_unused=True)
            for mine, theirs in zip(ours, exact, strict=True):
                if theirs is None:
                    assert mine is None
                else:
                    torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("make", [enas, nasnet])
def test_cells_are_drawn_as_often_as_the_logits_say(make):
    controller, draws, source = make(), 1000, generator(2)
    with torch.no_grad():
        drawn = Counter(controller.sample(source).choices for _ in range(draws))
        chances = {walk.choices: float(walk.log_prob.exp()) for walk in every_walk(controller)}
        entropy = sum(float(walk.log_prob.exp() * walk.entropy) for walk in every_walk(controller))
    assert set(drawn) <= set(chances)
    # Chi-squared of 15 degrees of freedom exceeds 37.7 once in a thousand times.
    assert sum((drawn[key] - draws * p) ** 2 / (draws * p) for key, p in chances.items()) < 37.7
    # The entropies of the decisions add up to that of the cells.
    assert entropy == pytest.approx(-sum(p * math.log(p) for p in chances.values()))


def test_a_walk_that_is_scored_is_the_one_that_was_drawn():
    controller = EnasController(EnasSpec(), generator())
    with torch.no_grad():
        walk = controller.sample(generator(3))
        again = controller.score(walk.choices)
    assert again.nodes == walk.nodes
    assert float(again.log_prob) == float(walk.log_prob)
    assert float(again.entropy) == float(walk.entropy)


@pytest.mark.parametrize(("kind", "share"), [("normal", 0.63), ("reduction", 0.51)])
def test_separable_convolutions_are_liked_at_first_and_hardly_move(kind, share):
    """melodyguan/enas 4bcfd73, micro_controller.py:100-109 and :178-185: a bias of 10 saturates tanh at .44."""
    controller = EnasController(EnasSpec(), generator())
    decisions, logits_of, kinds = controller.decisions(), [], []
    logits, space = next(decisions), SPACES["enas"]
    numbers = [number for _ in space.kinds for _ in range(space.nodes) for number in range(4)]
    for number in numbers:
        if number >= 2:  # two sources, then two ops
            logits_of.append(logits)
            kinds.append("normal" if len(logits_of) <= 2 * space.nodes else "reduction")
        try:
            logits = decisions.send(0)
        except StopIteration:
            break
    mine = [each for each, of in zip(logits_of, kinds, strict=True) if of == kind]
    assert len(mine) == 2 * space.nodes
    shift = 0.25 if kind == "normal" else 0.0
    for each in mine:
        assert each[:2].tolist() == pytest.approx([0.44 + shift] * 2, abs=1e-6)
        assert each[2:].tolist() == pytest.approx([-shift] * 3, abs=0.05)
        assert float(each.softmax(dim=0)[:2].sum()) == pytest.approx(share, abs=0.01)
        (moved,) = torch.autograd.grad(each.sum(), controller.op_bias, retain_graph=True)
        assert moved[:2].max() < 1e-7
        assert moved[2:].min() > 0.4


def test_the_bias_is_a_lever():
    controller = EnasController(EnasSpec(op_bias=0.0, normal_bias=0.0), generator())
    assert controller.op_bias.tolist() == [0.0] * 5
    assert controller.normal_bias.tolist() == [0.0] * 5


def begun(**changes):
    search = Enas(EnasSpec.parse({**TINY, **changes}))
    search.problem = tiny_problem()
    torch.manual_seed(0)
    search.generator, search.epoch, search.trace = generator(), 0, [{}]
    search.make_supernet()
    search.begin()
    return search


def test_a_turn_of_the_controller_is_a_step_of_the_mean_gradient():
    """Rewards, the mean that moves before it is taken off, and Adam without momentum, written out."""
    search = begun(controller_steps=1, controller_samples=3, entropy_weight=0.1, baseline_decay=0.9)
    before = {name: value.clone() for name, value in search.controller.named_parameters()}
    walks, rewards = [], []
    accuracy, sample = search.path_accuracy, search.controller.sample
    search.controller.sample = lambda source: walks.append(sample(source)) or walks[-1]
    search.path_accuracy = lambda batch: rewards.append(accuracy(batch)) or rewards[-1]
    search.after_epoch()
    reference = EnasController(search.spec, generator())
    reference.load_state_dict(before)
    baseline, loss = 0.0, 0.0
    for walk, reached in zip(walks[:3], rewards[:3], strict=True):
        again = reference.score(walk.choices)
        total = reached + 0.1 * float(again.entropy)
        baseline += 0.1 * (total - baseline)
        loss = loss - again.log_prob * (total - baseline) / 3
    assert search.baseline == pytest.approx(baseline)
    loss.backward()
    for name, value in reference.named_parameters():
        gradient = torch.zeros_like(value) if value.grad is None else value.grad
        step = 0.0035 * gradient / (gradient.abs() + 1e-3)  # the first one of Adam
        now = dict(search.controller.named_parameters())[name]
        torch.testing.assert_close(now.detach(), before[name] - step, rtol=1e-7, atol=1e-10)
    assert len(walks) == 3 + 3
    best = max(rewards[3:])
    assert search.derive() == cells_of(TINY_SPACE, walks[3 + rewards[3:].index(best)].nodes)
    assert search.trace[-1]["mean_reward"] > 0


def test_a_step_trains_the_weights_of_one_path_alone():
    search = begun()
    before = {name: value.clone() for name, value in search.supernet.named_parameters()}
    search.optimizer.param_groups[0]["weight_decay"] = 0
    search.step(search.batch(search.problem.train, torch.arange(8)))
    active = {kind: mixture.active for kind, mixture in search.mixtures().items()}
    moved = set()
    for name, value in search.supernet.named_parameters():
        if ".mixed." in name and not torch.equal(value, before[name]):
            _, cell, _, edge, _, op, *_ = name.split(".")
            kind = "reduction" if search.supernet.cells[int(cell)].reduction else "normal"
            assert int(op) in active[kind][int(edge)]
            moved.add(name)
    assert all(len(ops) <= 1 for of_kind in active.values() for ops in of_kind)
    assert sum(len(ops) for ops in active["normal"]) == TINY_SPACE.nodes * TINY_SPACE.edges
    assert moved or not any(
        3 in ops for of_kind in active.values() for ops in of_kind
    )  # of the tiny space only the separable convolution has weights in every cell


def test_the_rate_restarts_when_the_published_one_does():
    """scripts/cifar10_micro_search.sh:23-27: cosines of 10, 20, 40, ... epochs."""
    search, rates = Enas(EnasSpec()), []
    for search.epoch in range(150):
        rates.append(search.learning_rate())
    assert [epoch for epoch in range(150) if rates[epoch] == 0.05] == [0, 10, 30, 70]
    assert rates[5] == pytest.approx((0.05 + 0.0005) / 2)
    assert min(rates) > 0.0005


def test_loose_ends_alone_are_read_by_the_next_cell():
    """What a path's cell gives is zero where another node reads it."""
    space = SPACES["enas"]
    walk = EnasController(EnasSpec(), generator()).sample(generator(5))
    for kind, mixture in path_of(space, walk.nodes, "cpu").items():
        read = {edge.source for node in walk.nodes[kind] for edge in node}
        assert set(mixture.outputs) == set(range(2, 7)) - read
        assert 0 < len(mixture.outputs) < 5


def test_the_held_out_share_is_the_last_of_the_images():
    seen = {}

    class Looking(Enas):
        def _search(self):
            seen.update(vars(self.problem))
            raise RuntimeError

    problem = tiny_problem()
    with pytest.raises(RuntimeError):
        Looking(EnasSpec.parse({**TINY, "held_out_share": 0.25, "batch_size": 8})).search(problem)
    assert (len(seen["train"]), len(seen["held_out"])) == (36, 12)
    assert torch.equal(seen["held_out"].images, problem.held_out.images[-12:])
    assert torch.equal(seen["train"].images[24:], problem.held_out.images[:12])
