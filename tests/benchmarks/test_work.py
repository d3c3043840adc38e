"""Counted work, against counts by hand; and what the guard says of parts that became dearer."""

import torch
from benchmarks.work import Work, count
from torch import nn

from benchmarks import guard


def test_a_convolution_by_hand():
    conv, x = nn.Conv2d(3, 5, 3, padding=1), torch.rand(4, 3, 8, 8)
    products = 4 * 5 * 8 * 8 * 3 * 3 * 3
    assert count(lambda: conv(x)) == Work(calls=1, flops=2 * products, bytes=4 * 5 * 8 * 8 * 4)
    # The gradient by the weights alone: as many products once more.
    assert count(lambda: conv(x).sum().backward()).flops == 4 * products


def test_views_write_nothing_and_work_in_place_does():
    x = torch.rand(10, 10)
    assert count(lambda: x.t()[:5].reshape(-1, 1, 10)).bytes in {0, 200}  # a copy only where no view does
    assert count(lambda: x.view(-1)).bytes == 0
    assert count(lambda: x.add_(1)).bytes == 400


def test_gradients_by_pixels_alone_are_counted_too():
    """PyTorch's own counter hooks into modules, and fails there."""
    net, x = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 1)), torch.rand(2, 6, requires_grad=True)
    work = count(lambda: torch.autograd.grad(net(x).sum(), x))
    assert work.flops == 2 * 2 * (6 * 4 + 4) * 2


def test_a_part_that_costs_more_is_named(monkeypatch, capsys):
    now = {"cheap": Work(100, 10, 10), "dear": Work(100, 10, 13), "new": Work(1, 1, 1)}
    before = {"cheap": Work(90, 20, 10), "dear": Work(100, 10, 10)}
    monkeypatch.setattr(guard, "counted", lambda: iter(now.items()))
    monkeypatch.setattr(guard, "baseline", lambda: before)
    assert guard.main() == 1
    assert "more than 1.2 times the work of guard.json: dear, new" in capsys.readouterr().err
    monkeypatch.setattr(guard, "counted", lambda: iter([("cheap", now["cheap"])]))
    assert guard.main() == 0
    assert "1.11" in capsys.readouterr().out


def test_every_part_has_a_baseline():
    assert list(guard.baseline()) == list(guard.PARTS)
