"""Random search with weight sharing: what it draws, trains and takes."""

from collections import Counter
from random import Random

import pytest
import torch

from nasaudit.search.cells import belongs, cells_of
from nasaudit.search.methods.random_ws import RandomWs
from nasaudit.spec.searches import RandomWsSpec
from nasaudit.spec.searches.space import SpaceSpec
from nasaudit.testing.search import TINY_SPACE, OneShotConformance, tiny_problem

TINY = {
    "space": TINY_SPACE,
    "epochs": 3,
    "batch_size": 8,
    "init_channels": 4,
    "n_cells": 3,
    "samples": 6,
    "sample_batches": 1,
    "finalists": 2,
}


class TestRandomWs(OneShotConformance):
    def search(self):
        return RandomWs(RandomWsSpec.parse(TINY))


class TestRandomWsOn201(OneShotConformance):
    def search(self):
        return RandomWs(RandomWsSpec.parse({**TINY, "space": "nasbench201", "n_cells": 1}))


def begun(**changes):
    search = RandomWs(RandomWsSpec.parse({**TINY, **changes}))
    search.problem = tiny_problem()
    torch.manual_seed(0)
    search.generator, search.trace = torch.Generator().manual_seed(0), [{}]
    search.epoch = search.spec.epochs - 1
    search.make_supernet()
    search.begin()
    return search


def test_all_cells_are_drawn_alike():
    """One node of two edges, whose ops alone differ: 3 of each, so 9 cells of each kind."""
    space = SpaceSpec(name="flat", primitives=TINY_SPACE.primitives, nodes=1)
    search = begun(space=space)
    drawn = Counter(tuple(map(tuple, search.drawn()["normal"])) for _ in range(900))
    assert len(drawn) == 9
    # Chi-squared of 8 degrees of freedom exceeds 26.1 once in a thousand times.
    assert sum((count - 100) ** 2 / 100 for count in drawn.values()) < 26.1
    assert all(belongs(space, cells_of(space, search.drawn())) for _ in range(20))


@pytest.mark.parametrize(("steps_a_round", "rounds"), [(1000, 1), (3, 3)])
def test_the_best_of_the_best_samples_is_taken(steps_a_round, rounds):
    """random_weight_share.py:81-115, literally, on scores that are made up: 9 steps, 6 samples, 2 finalists."""
    search, order = begun(steps_a_round=steps_a_round), []

    def score(nodes, images=None):
        quick, whole = (Random(f"{nodes} {part}").random() for part in ("quick", "whole"))
        search.nodes = nodes
        order.append((str(nodes), images, quick, whole, nodes))
        return whole if images is None else quick

    search.score = score
    search.after_epoch()
    expected = None
    for number in range(rounds):
        block = order[8 * number : 8 * number + 8]
        samples, finalists = block[:6], block[6:]
        assert {images for _, images, *_ in samples} == {8}
        best = sorted(samples, key=lambda sample: -sample[2])[:2]
        assert [sample[0] for sample in best] == [finalist[0] for finalist in finalists]
        for finalist in finalists:
            if expected is None or finalist[3] > expected[3]:
                expected = finalist
    assert len(order) == 8 * rounds
    assert search.derive() == cells_of(TINY_SPACE, expected[4])
    assert search.trace[-1]["held_out_accuracy"] == expected[3]


def test_a_score_is_the_accuracy_of_the_path():
    """On all held-out images, with BN as in testing; and on some of them a share of those."""
    search = begun()
    search.nodes = nodes = search.drawn()
    search.weights_step(search.batch(search.problem.train, torch.arange(8)))
    search.supernet.eval()
    held_out = search.problem.held_out
    with torch.no_grad():
        right = search.forward(held_out.pixels(torch.arange(24))).argmax(dim=1) == held_out.labels
    assert search.score(nodes) == pytest.approx(right.double().mean())
    some = 8 * search.score(nodes, 8)
    assert some == pytest.approx(round(some))


def test_scores_may_take_the_statistics_of_each_batch():
    """Then what the supernet keeps of other paths is of no account; published, it is what counts."""
    scores = {}
    for by_batch in (False, True):
        search = begun(batch_statistics=by_batch)
        nodes = search.drawn()
        for _ in range(30):
            search.nodes = nodes
            search.weights_step(search.batch(search.problem.train, torch.arange(24)))
        for name, buffer in search.supernet.named_buffers():
            if name.endswith("running_var"):
                buffer.mul_(torch.rand(len(buffer), generator=torch.Generator().manual_seed(0)) * 100)
        scores[by_batch] = search.score(nodes)
    assert scores[True] > 0.9
    assert scores[True] > scores[False]
    assert "batch_statistics" not in RandomWsSpec().model_dump()


def test_weights_that_a_step_does_not_use_go_on_by_momentum():
    """As by torch of those days, whose gradients are zeros: v <- .9 v + decay w, w <- w - rate v."""
    search = begun()
    batch = search.batch(search.problem.train, torch.arange(8))
    search.nodes = search.drawn()
    search.weights_step(batch)
    search.nodes = search.drawn()
    unused = [
        (weight, weight.detach().clone(), search.optimizer.state[weight]["momentum_buffer"].clone())
        for weight in search.supernet.parameters()
    ]
    search.weights_step(batch)
    spec, checked = search.spec, 0
    for weight, before, momentum in unused:
        if not weight.grad.any():
            velocity = spec.momentum * momentum + spec.weight_decay * before
            torch.testing.assert_close(weight.detach(), before - spec.learning_rate * velocity)
            checked += bool(momentum.abs().max() > 1e-3 * before.abs().max())
    assert checked > 0
