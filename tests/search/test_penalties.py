"""What a mixture pays beside its loss: the authors' rules written out, and its gradient by differences."""

import numpy as np
import pytest
import torch
from torch import nn

from nasaudit.errors import SpecError, UnknownNameError
from nasaudit.search.methods.darts import Darts
from nasaudit.search.methods.drnas import Drnas
from nasaudit.search.methods.p_darts import PDarts
from nasaudit.search.methods.pc_darts import PcDarts
from nasaudit.search.methods.sgas import Sgas
from nasaudit.search.methods.snas import Snas
from nasaudit.search.penalties import advrush, input_gradient
from nasaudit.spec.searches import (
    SEARCHES,
    DartsSpec,
    DrnasSpec,
    EnasSpec,
    PcDartsSpec,
    PDartsSpec,
    RandomWsSpec,
    SgasSpec,
    SnasSpec,
)
from nasaudit.spec.searches.penalties import AdvRushSpec, InputGradientSpec
from nasaudit.spec.searches.space import SpaceSpec
from nasaudit.testing.search import TINY_SPACE, OneShotConformance, tiny_problem

TINY = {
    "space": TINY_SPACE,
    "epochs": 3,
    "warmup_epochs": 0,
    "batch_size": 8,
    "init_channels": 4,
    "n_cells": 3,
}
ALWAYS = {"warmup": 0.0}
METHODS = {
    "darts": (Darts, DartsSpec, {}),
    "second order": (Darts, DartsSpec, {"order": 2}),
    "pc_darts": (PcDarts, PcDartsSpec, {"parts": 2}),
    "drnas": (Drnas, DrnasSpec, {"stage_parts": [4, 2], "stage_ops": [4, 2]}),
    "p_darts": (PDarts, PDartsSpec, {"stage_cells": [3], "stage_ops": [4], "skip_dropout": [0.1]}),
    "sgas": (Sgas, SgasSpec, {"first_decision": 1, "decision_every": 1}),
    "snas": (Snas, SnasSpec, {}),
}


def begun(method="darts", **changes):
    """A search before its first step."""
    search, spec, settings = METHODS[method]
    search = search(spec.parse({**TINY, **settings, **changes}))
    torch.manual_seed(0)
    search.problem = tiny_problem()
    search.generator = torch.Generator().manual_seed(0)
    search.epoch, search.trace = 0, []
    search.make_supernet()
    search.begin()
    return search


class TestAdvRush(OneShotConformance):
    def search(self):
        penalty = {"name": "advrush", "warmup": 0.5, "weight": 10}
        return Darts(DartsSpec.parse({**TINY, "epochs": 2, "penalty": penalty}))


# The authors' rules, on two smooth layers whose derivatives are written down.


@pytest.fixture
def layers():
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(shape, generator=generator).double() for shape in ((5, 12), (3, 5)))
    images = torch.randn(4, 3, 2, 2, generator=generator).double()
    labels = torch.tensor([0, 2, 1, 1])

    def logits(x):
        return torch.tanh(x.flatten(1) @ first.T) @ second.T

    return first.numpy(), second.numpy(), images, labels, logits


def jacobian(first, second, x):
    """[3, 12] of one image."""
    return (second * (1 - np.tanh(first @ x) ** 2)) @ first


def test_advrush_is_the_authors_term(layers):
    """nutellamok/advrush a15b26a, advrush/regularizer.py:31-67, called by architect.py:51-52.

    Their loss is the mean over the batch (train_search.py:88), of which each image's gradient is a part; z is h times
    the sign, over the sign's norm; then the norm of the difference, image by image, summed and divided by the number
    of images. Their 1e-7 keep a gradient of nothing from a division by zero. Their lambda_ is in the weight.
    """
    first, second, images, labels, logits = layers
    h = 1.5

    def gradient(x, label):
        scores = second @ np.tanh(first @ x)
        shares = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        return (shares - np.eye(3)[label]) @ jacobian(first, second, x) / len(images)

    reg = 0.0
    for image, label in zip(images.flatten(1).numpy(), labels.tolist(), strict=True):
        grad = gradient(image, label)
        z = np.sign(grad)
        z = 1.0 * h * (z + 1e-7) / (np.linalg.norm(z) + 1e-7)
        reg += np.linalg.norm(gradient(image + z, label) - grad)
    expected = reg / float(len(images))
    ours = advrush(logits, images, labels, AdvRushSpec(distance=h))
    assert float(ours.detach()) == pytest.approx(expected, rel=1e-5)
    assert AdvRushSpec().weight == pytest.approx(0.01 * 4)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_input_gradient_is_that_of_the_strongest_logits(layers, n):
    """leopard-ai/betty cb6221f, examples/robust_nas/regularizer.py:154-171 (JacobiNormReg, Frobenius)."""
    first, second, images, labels, logits = layers
    expected = 0.0
    rows = []
    for image in images.flatten(1).numpy():
        index = np.argsort(-(second @ np.tanh(first @ image)))
        rows.append(jacobian(first, second, image)[index])
    for ii in range(n):
        expected += np.linalg.norm(np.stack([row[ii] for row in rows])) / (n * len(images))
    ours = input_gradient(logits, images, labels, InputGradientSpec(logits=n))
    assert float(ours.detach()) == pytest.approx(expected, rel=1e-9)


# Through the supernet.

SMOOTH = SpaceSpec(
    name="smooth", primitives=("none", "skip_connect", "avg_pool_3x3", "sep_conv_3x3"), nodes=2
)


def smooth(monkeypatch, method, penalty):
    """A search in float64 whose supernet has no kinks, and a batch."""
    softplus = nn.functional.softplus
    monkeypatch.setattr(torch, "relu", softplus)
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: softplus(x))
    search = begun(method, space=SMOOTH, penalty=penalty)
    search.supernet.double()
    for parameter in search.architecture_parameters():
        parameter.data = torch.randn(parameter.shape).double()
    pixels, labels = search.held_out()
    batch = pixels.double(), labels
    for _ in range(10):  # so that what BN keeps is of such images
        search.weights_step(batch)
    return search, batch


@pytest.mark.parametrize("name", ["advrush", "input_gradient"])
@pytest.mark.parametrize("method", ["darts", "pc_darts"])
def test_the_gradient_is_that_of_differences(name, method, monkeypatch):
    """The third derivative of the network, so to speak: by pixels, by pixels' gradient, by alphas."""
    search, batch = smooth(monkeypatch, method, {"name": name, **ALWAYS})
    parameters = search.architecture_parameters()
    gradients = torch.autograd.grad(search.penalty(batch), parameters)
    assert max(float(gradient.abs().max()) for gradient in gradients) > 1e-4
    for parameter, gradient in zip(parameters, gradients, strict=True):
        direction = torch.randn(parameter.shape).double()
        sides = []
        for move in (1e-5, -1e-5):
            parameter.data += move * direction
            sides.append(float(search.penalty(batch).detach()))
            parameter.data -= move * direction
        difference = (sides[0] - sides[1]) / 2e-5
        assert float((gradient * direction).sum()) == pytest.approx(difference, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("name", ["advrush", "input_gradient"])
def test_descent_on_it_alone_makes_it_less(name, monkeypatch):
    search, batch = smooth(monkeypatch, "darts", {"name": name, **ALWAYS})
    optimizer = torch.optim.Adam(search.architecture_parameters(), 0.1)
    for _ in range(8):
        optimizer.zero_grad()
        search.pay(batch)
        optimizer.step()
    reached = search.paid[0]
    assert reached[-1] < 0.7 * reached[0]


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("name", ["advrush", "input_gradient"])
def test_every_method_pays_with_its_mixture_alone(method, name):
    """A weight that outdoes all else turns the first step of the mixture; the weights of the network pay nothing."""
    moved = {}
    for weight in (None, 1e9):
        penalty = None if weight is None else {"name": name, "weight": weight, **ALWAYS}
        search = begun(method, penalty=penalty)
        search.pay(search.held_out())
        assert all(weight.grad is None for weight in search.supernet.parameters())
        search.step(search.batch(search.problem.train, torch.arange(8)))
        moved[weight] = [parameter.detach().clone() for parameter in search.architecture_parameters()]
        assert search.supernet.training
        said = search.said()
        assert ("penalty" in said) == (weight is not None)
    assert said["penalty"] > 0
    assert not all(map(torch.equal, moved[None], moved[1e9]))


def test_it_counts_after_its_share_of_the_epochs():
    search = Darts(DartsSpec.parse({**TINY, "penalty": {"name": "input_gradient", "warmup": 0.5}}))
    trace = search.search(tiny_problem()).trace
    assert [entry["penalty"] is None for entry in trace] == [True, True, False]


def test_a_heavy_penalty_is_paid_less():
    """Of a whole search: what it measures at the end."""

    def reached(weight):
        penalty = {"name": "input_gradient", "weight": weight, **ALWAYS}
        settings = {**TINY, "alpha_learning_rate": 0.2, "penalty": penalty}
        return Darts(DartsSpec.parse(settings)).search(tiny_problem()).trace[-1]["penalty"]

    assert reached(100.0) < 0.8 * reached(1e-9)


# What is refused, and what stays as it was.


def test_methods_that_sample_paths_refuse_it_by_name():
    for spec in (EnasSpec, RandomWsSpec):
        with pytest.raises(SpecError, match=r"penalty.*no gradient"):
            spec.parse({"penalty": "advrush"})
        assert spec.parse({**spec().model_dump()}) == spec()


def test_unknown_penalties_are_refused_with_those_that_there_are():
    with pytest.raises(UnknownNameError, match="advrush, input_gradient"):
        DartsSpec.parse({"penalty": "trades"})
    with pytest.raises(SpecError, match=r"penalty\.weight"):
        DartsSpec.parse({"penalty": {"name": "advrush", "weight": 0}})
    assert DartsSpec.parse({"penalty": "DSRNA"}) == DartsSpec(penalty=InputGradientSpec())


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("darts", "27fc656212ad5e6b2b5e"),
        ("drnas", "9ad1322fd7c4c2ca8222"),
        ("pc_darts", "28062b543c3a1bbc0c70"),
        ("p_darts", "bf53bcf30ad2e3951496"),
        ("sgas", "2e0f48e8ca57f8abe808"),
        ("snas", "ef8917021d4c7e2b605f"),
    ],
)
def test_without_one_digests_are_what_they_were(name, digest):
    """A store that is older finds its records again."""
    assert SEARCHES[name]().digest() == digest
    assert (
        len({SEARCHES[name](penalty=each).digest() for each in (None, AdvRushSpec(), InputGradientSpec())})
        == 3
    )
    levered = SEARCHES[name](penalty=AdvRushSpec(weight=3)).at("mini")
    assert SEARCHES[name].model_validate_json(levered.canonical_json()) == levered
