"""Adversarial training against closed forms, another implementation of PGD, and a loss written out in float64."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.arch.network import Network, Normalise, build
from nasaudit.attacks.evasion.ball import Ball, random_point
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.attacks.evasion.pgd import Pgd
from nasaudit.randomness import derive_seed
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.attacks import PgdSpec
from nasaudit.spec.remedies.defences import PgdTrainingSpec, TradesSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.victims import LinearVictim, trained_conv_net
from nasaudit.training.adversarial import Trades, climb, divergence, divergent, trades_loss, worst
from nasaudit.training.loop import fit
from nasaudit.training.seams import Seams, whole_batch
from nasaudit.victim.classifier import Classifier

SHAPE = (1, 8, 8)
SPEC = PgdTrainingSpec(epsilon=8 / 255, steps=7)
METHODS = pytest.mark.parametrize("method", [PgdTrainingSpec, TradesSpec])
PLAIN = TrainingSpec(epochs=1, batch_size=8, crop=0, optimizer="sgd", learning_rate=0.1, weight_decay=0.0)


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=40):
    split = synthetic_split(n, 4, SHAPE, seed=5)
    return split.pixels(), split.labels


def network(seed=0):
    torch.manual_seed(seed)
    body = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    spec = ArchSpec(name="linear", group="custom", classes=4, input_shape=SHAPE)
    return Network(spec, Normalise(torch.tensor([0.5]), torch.tensor([0.25])), body)


def test_on_a_linear_victim_the_climb_ends_at_the_optimum_in_closed_form():
    """The worst image is x -+ epsilon sign(w), clipped to [0,1]; 2.5 epsilon of steps reach it from anywhere."""
    victim, (pixels, _) = LinearVictim(SHAPE), images()
    labels = (victim.margin(pixels) > 0).long()
    towards = torch.where(labels == 1, -1.0, 1.0)[:, None, None, None] * victim.w.detach().sign()
    optimum = (pixels + SPEC.epsilon * towards).clamp(0, 1)
    torch.testing.assert_close(worst(victim, pixels, labels, SPEC, draws()), optimum, rtol=0, atol=1e-6)


def test_the_divergence_of_a_linear_victim_grows_towards_either_end_of_the_ball():
    """KL(p | p') hangs on the margin alone and grows with its change: all pixels move one way or the other."""
    victim, (pixels, _) = LinearVictim(SHAPE), images()
    found = divergent(victim, pixels, SPEC, draws()) - pixels
    along = found * victim.w.detach().sign()
    for change, image in zip(along, pixels, strict=True):
        free = (image > SPEC.epsilon) & (image < 1 - SPEC.epsilon)
        torch.testing.assert_close(change[free].abs(), torch.full_like(change[free], SPEC.epsilon))
        assert len(change[free].sign().unique()) == 1


def test_the_climb_is_the_pgd_of_the_attacks():
    """The same start, steps and size: the attack's log odds have the direction of the cross entropy."""
    victim, (pixels, labels) = trained_conv_net().eval(), images()
    attack = PgdSpec(epsilons=(SPEC.epsilon,), steps=SPEC.steps)
    theirs = Pgd(attack).perturb(
        Classifier(victim, 4, input_shape=SHAPE),
        pixels,
        Objective(labels, min_confidence=1.0),  # never content: all steps are taken
        SPEC.epsilon,
        seed=3,
    )
    start = random_point(Ball.around(pixels, "linf", SPEC.epsilon), torch.arange(len(pixels)), "pgd", 3, 0)
    ours = climb(victim, pixels, start, lambda logits: F.cross_entropy(logits, labels, reduction="sum"), SPEC)
    # A sign may turn where rounding decides it, and moves such a pixel by a step.
    assert ((ours - theirs.images).abs() < 1e-6).float().mean() > 0.99


@pytest.mark.parametrize("make", [worst, lambda net, x, y, *a: divergent(net, x, *a)])
def test_examples_stay_within_epsilon_and_leave_the_network_alone(make):
    spec = ArchSpec.model_validate(
        {**resolve(choose("darts"), "mini", 10, SHAPE).model_dump(), "drop_path": 0.5}
    )
    victim = build(spec).train()
    victim.drop_path.probability = 0.5
    next(victim.body.children()).eval()  # modes of modules are their own
    frozen = next(victim.parameters()).requires_grad_(False)
    before = copy.deepcopy(victim)
    pixels, labels = images(6)
    kept = pixels.clone()
    first, again = (make(victim, pixels, labels, SPEC, draws()) for _ in range(2))
    assert torch.equal(first, again)  # nothing is dropped at random
    assert torch.equal(pixels, kept)
    assert (first - pixels).abs().max() <= SPEC.epsilon + 1e-7
    assert (first - pixels).abs().max() > 0.9 * SPEC.epsilon
    assert first.min() >= 0
    assert first.max() <= 1
    torch.testing.assert_close(victim.state_dict(), before.state_dict(), rtol=0, atol=0)
    assert [m.training for m in victim.modules()] == [m.training for m in before.modules()]
    assert all(parameter.grad is None for parameter in victim.parameters())
    assert [p.requires_grad for p in victim.parameters()] == [p.requires_grad for p in before.parameters()]
    assert not frozen.requires_grad


def test_a_network_is_as_before_when_the_climb_fails():
    victim = trained_conv_net().train()
    with pytest.raises(IndexError):
        worst(victim, images(4)[0], torch.tensor([0, 1, 2, 9]), SPEC, draws())
    assert victim.training
    assert all(parameter.requires_grad for parameter in victim.parameters())
    victim.eval()  # it is shared


def test_the_loss_of_trades_is_its_formula_in_float64():
    logits = 3 * torch.randn(12, 5, generator=draws())
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    p, q = (part.double().softmax(1) for part in logits.split(6))
    expected = 0.0
    for k, label in enumerate(labels):
        expected += float(-p[k, label].log()) / 6
        expected += 2.5 * sum(float(p[k, c] * (p[k, c].log() - q[k, c].log())) for c in range(5)) / 6
    found = trades_loss(nn.CrossEntropyLoss(), 2.5)(logits, labels)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    assert float(divergence(logits[:6], logits[:6])) == 0


def test_the_weight_moves_by_the_gradient_of_the_loss_of_trades():
    """One step of plain SGD against finite differences in float64, the examples held where they are."""
    ours = network()
    split = synthetic_split(8, 4, SHAPE, seed=5)
    adversarial = TradesSpec(steps=3, beta=2.0)
    before = copy.deepcopy(ours)
    history = fit(
        ours,
        split,
        PLAIN.model_copy(update={"momentum": 0.0, "gradient_clip": None, "defences": (adversarial,)}),
        seed=1,
    )
    order = torch.randperm(8, generator=draws(derive_seed("training", 1)))
    pixels, labels = split.pixels()[order], split.labels[order]
    moved = divergent(before, pixels, adversarial, draws(derive_seed("adversarial training", 1))).double()
    exact, pixels = copy.deepcopy(before).double(), pixels.double()
    weight = exact.body[1].weight.data

    @torch.no_grad()
    def total():
        p, q = exact(pixels).log_softmax(1), exact(moved).log_softmax(1)
        return float((-p[range(8), labels] + 2.0 * (p.exp() * (p - q)).sum(1)).mean())

    assert history.loss[0] == pytest.approx(total(), rel=1e-5)
    clean = float((before(pixels.float()).argmax(1) == labels).float().mean())
    assert history.accuracy[0] == pytest.approx(clean)  # of the clean images alone
    step = ours.body[1].weight.detach() - before.body[1].weight.detach()
    for row, column in ((0, 3), (2, 40), (3, 17)):
        sides = []
        for h in (1e-6, -1e-6):
            weight[row, column] += h
            sides.append(total())
            weight[row, column] -= h
        slope = (sides[0] - sides[1]) / 2e-6
        assert float(step[row, column]) == pytest.approx(-0.1 * slope, rel=1e-3, abs=1e-7)


def test_training_against_pgd_is_a_loop_over_its_examples():
    split, ours, theirs = synthetic_split(16, 4, SHAPE, seed=5), network(), network()
    spec = PLAIN.model_copy(update={"momentum": 0.0, "schedule": "cosine", "defences": (SPEC,)})
    history = fit(ours, split, spec, seed=1)
    starts = draws(derive_seed("adversarial training", 1))
    order = torch.randperm(16, generator=draws(derive_seed("training", 1)))
    for step, rows in enumerate(order.split(8)):
        moved = worst(theirs, split.pixels(rows), split.labels[rows], SPEC, starts)
        logits = theirs(moved)
        loss = F.cross_entropy(logits, split.labels[rows])
        assert history.loss[step] == pytest.approx(loss.item(), rel=1e-5)
        assert history.accuracy[step] == pytest.approx(
            float((logits.argmax(1) == split.labels[rows]).float().mean())
        )
        gradients = torch.autograd.grad(loss, list(theirs.parameters()))
        norm = torch.sqrt(sum(gradient.square().sum() for gradient in gradients))
        rate = 0.1 * (1 + torch.cos(torch.tensor(torch.pi * step / 2))) / 2
        for parameter, gradient in zip(theirs.parameters(), gradients, strict=True):
            parameter.data -= rate * gradient * min(1.0, 5.0 / float(norm))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-4, atol=1e-5)


def test_it_composes_with_the_batch_change_and_the_loss_of_a_caller():
    """Examples are made of what the caller's change returns; its loss sees clean logits with its targets."""
    seen = []

    def doubled(pixels, targets, _):
        return torch.cat([pixels, 1 - pixels]), torch.cat([targets, targets])

    def loss(logits, targets):
        seen.append((len(logits), len(targets)))
        return F.cross_entropy(logits, targets)

    for method in (PgdTrainingSpec, TradesSpec):
        spec = PLAIN.model_copy(update={"defences": (method(steps=1),)})
        fit(network(), synthetic_split(8, 4, SHAPE, seed=5), spec, 0, loss=loss, prepare=doubled)
    assert seen == [(16, 16), (16, 16)]
    net = network()
    seams = Trades(TradesSpec(steps=1)).applied(Seams(doubled, loss, whole_batch(net, None)), net, PLAIN, 0)
    pixels, labels = images(4)
    batch, targets = seams.prepare(pixels, labels, draws())
    assert len(batch) == 16
    assert len(targets) == 8
    torch.testing.assert_close(batch[4:8], 1 - pixels)
    assert 0 < (batch[8:] - batch[:8]).abs().max() <= 8 / 255 + 1e-7


@METHODS
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_seed_decides_and_soft_targets_are_learned_too(method, precision):
    split = synthetic_split(16, 4, SHAPE, seed=5)
    answers = F.one_hot(split.labels, 4) * 0.8 + 0.05
    spec = PLAIN.model_copy(update={"defences": (method(steps=2),), "precision": precision})
    losses = [fit(network(), split, spec, seed, targets=answers).loss for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


@METHODS
def test_an_auxiliary_head_is_trained_as_well(method):
    spec = resolve(choose("darts").model_copy(update={"auxiliary": True}), "mini", 4, SHAPE)
    trained = build(spec)
    before = copy.deepcopy(trained.body.auxiliary.state_dict())
    recipe = TrainingSpec(epochs=1, batch_size=8, defences=(method(steps=1),))
    fit(trained, synthetic_split(8, 4, SHAPE, seed=5), recipe, 0)
    after = trained.body.auxiliary.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_the_order_of_the_images_is_that_of_the_undefended_twin():
    seen = {}
    for name, defences in (("plain", ()), ("defended", (PgdTrainingSpec(steps=1),))):
        batches = seen[name] = []

        def note(pixels, targets, generator, batches=batches):
            batches.append(pixels.clone())
            return pixels, targets

        spec = PLAIN.model_copy(update={"epochs": 2, "crop": 1, "defences": defences})
        fit(network(), synthetic_split(16, 4, SHAPE, seed=5), spec, 0, prepare=note)
    assert all(torch.equal(*pair) for pair in zip(seen["plain"], seen["defended"], strict=True))
