"""NASNet's updates; its gradient against enumeration is in test_enas.py, beside that of the other policy."""

import pytest
import torch

from nasaudit.search.base import Child
from nasaudit.search.controllers import clipped
from nasaudit.search.methods import nasnet
from nasaudit.search.methods.nasnet import NasNet
from nasaudit.spec.searches import NasNetSpec
from nasaudit.testing.search import TINY_SPACE, SampledConformance

SETTINGS = {"space": TINY_SPACE, "children": 10, "batch": 4, "controller_size": 6}


class TestNasNet(SampledConformance):
    def search(self):
        return NasNet(NasNetSpec.parse(SETTINGS))


class TestNasNetOn201(SampledConformance):
    def search(self):
        return NasNet(NasNetSpec.parse({**SETTINGS, "space": "nasbench201"}))


@pytest.mark.parametrize(
    ("ratio", "advantage", "moves"),
    [(1.0, 1.0, True), (1.3, 1.0, False), (1.3, -1.0, True), (0.7, 1.0, True), (0.7, -1.0, False)],
)
def test_what_moved_far_enough_moves_no_further(ratio, advantage, moves):
    """Schulman et al. 2017, figure 1."""
    log_prob = torch.tensor(ratio).log().requires_grad_()
    loss = clipped(log_prob, 0.0, advantage, 0.2)
    bound = min(max(ratio, 0.8), 1.2)
    assert loss.item() == pytest.approx(-min(ratio * advantage, bound * advantage))
    (gradient,) = torch.autograd.grad(loss, log_prob)
    assert gradient.item() == pytest.approx(-ratio * advantage if moves else 0.0)


def played(judge, **changes):
    rounds, cells, batches = NasNet(NasNetSpec.parse({**SETTINGS, **changes})).rounds(0), None, []
    cells = next(rounds)
    while True:
        batches.append(cells)
        try:
            cells = rounds.send([judge(each) for each in cells])
        except StopIteration as end:
            return batches, end.value


def convolutions(cells):
    return sum(edge.op == "sep_conv_3x3" for edge in (*cells.normal.edges, *cells.reduction.edges))


def test_it_learns_what_is_rewarded():
    """Convolutions are: of 4 edges a third at first, nearly all in the end."""
    batches, found = played(
        lambda cells: Child(cells, {"accuracy": 1 - convolutions(cells) / 4}),
        space=TINY_SPACE.model_copy(update={"nodes": 1}),
        children=200,
        batch=10,
        controller_learning_rate=0.05,
        entropy_weight=0.0,
        passes=2,
    )
    means = [sum(map(convolutions, batch)) / len(batch) for batch in batches]
    assert means[0] < 2.2
    assert means[-1] > 3.5
    assert found.trace[-1]["entropy"] < found.trace[0]["entropy"] - 1
    assert found.trace[-1]["mean_accuracy"] == pytest.approx(means[-1] / 4)


def test_batches_are_as_asked_and_the_last_is_what_is_left():
    batches, found = played(lambda cells: Child(cells, {"accuracy": 0.5}))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert [entry["children"] for entry in found.trace] == [4, 8, 10]


def test_a_batch_that_failed_teaches_nothing(monkeypatch):
    losses = []
    monkeypatch.setattr(nasnet, "clipped", lambda *values: losses.append(values[2]) or clipped(*values))
    count = iter(range(10))
    _, found = played(
        lambda cells: Child(cells, {"accuracy": 0.25} if next(count) in (5, 6) else None), passes=1
    )
    assert losses == [0.0, 0.0]  # the first mean is the first baseline
    assert found.trace[0]["mean_accuracy"] is None
    assert found.trace[1]["accuracies"] == [None, 0.75, 0.75, None]
