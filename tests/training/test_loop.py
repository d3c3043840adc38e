"""The training loop against a loop written out by hand, and what it does when something is wrong."""

import pytest
import torch
from torch import nn

from nasaudit.arch.network import Network, Normalise
from nasaudit.data.split import Split
from nasaudit.errors import NonFiniteError, SpecError
from nasaudit.randomness import derive_seed
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.training.evaluate import accuracy, predict
from nasaudit.training.loop import fit

PLAIN = TrainingSpec(
    epochs=2, batch_size=8, crop=0, optimizer="sgd", schedule="cosine", learning_rate=0.1, weight_decay=3e-4
)


def split(n=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, 1, 8, 8), dtype=torch.uint8, generator=generator)
    return Split(images, torch.arange(n) % 4, torch.arange(n), 4)


def linear_network(seed=0):
    torch.manual_seed(seed)
    body = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    spec = ArchSpec(name="linear", group="custom", classes=4, input_shape=(1, 8, 8))
    return Network(spec, Normalise(torch.tensor([0.5]), torch.tensor([0.25])), body)


def test_fit_equals_momentum_sgd_written_out_by_hand():
    """Cosine schedule, weight decay, clipping to L2 norm 5, batches in the order that the seed gives."""
    data, ours = split(), linear_network()
    theirs = linear_network()
    history = fit(ours, data, PLAIN, seed=3)

    generator = torch.Generator().manual_seed(derive_seed("training", 3))
    parameters = list(theirs.parameters())
    velocity = [torch.zeros_like(p) for p in parameters]
    losses, total = [], 10
    for _ in range(2):
        for positions in torch.randperm(40, generator=generator).split(8):
            logits = theirs(data.images[positions].float() / 255)
            loss = nn.functional.cross_entropy(logits, data.labels[positions])
            gradients = torch.autograd.grad(loss, parameters)
            norm = torch.sqrt(sum(g.square().sum() for g in gradients))
            rate = 0.1 * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * len(losses) / total)))
            for p, g, v in zip(parameters, gradients, velocity, strict=True):
                clipped = g * min(1.0, 5.0 / (norm.item() + 1e-6))
                v.mul_(0.9).add_(clipped + 3e-4 * p.detach())
                p.data.sub_(rate * v)
            losses.append(loss.item())
    assert history.loss == pytest.approx(losses, rel=1e-4)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-4, atol=1e-5)


def test_a_constant_rate_without_a_clip_is_plain_adam_written_out_by_hand():
    spec = PLAIN.model_copy(update={"schedule": "constant", "gradient_clip": None, "optimizer": "adamw"})
    data, ours, theirs = split(), linear_network(), linear_network()
    fit(ours, data, spec, seed=3)
    generator = torch.Generator().manual_seed(derive_seed("training", 3))
    optimizer = torch.optim.AdamW(theirs.parameters(), 0.1, weight_decay=3e-4)
    for _ in range(2):
        for positions in torch.randperm(40, generator=generator).split(8):
            optimizer.zero_grad()
            logits = theirs(data.images[positions].float() / 255)
            nn.functional.cross_entropy(logits, data.labels[positions]).backward()
            optimizer.step()
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-4, atol=1e-5)


def seen(spec, images, frozen=None):
    """What is learned from in each epoch: pixels [epochs, N, C, H, W] in the order of the images."""
    data = Split(images, torch.arange(len(images)) % 4, torch.arange(len(images)), 4)
    batches = []

    def prepare(pixels, targets, generator):
        batches.append(pixels[targets.argsort()].clone())
        return pixels, targets % 4

    fit(linear_network(), data, spec, 0, targets=torch.arange(len(images)), frozen=frozen, prepare=prepare)
    return torch.stack(batches)


def test_published_setting_cutout_is_black_and_that_of_its_authors_the_mean_colour():
    """ain-soph/autovul, autovul/vision/utils/data.py:13 and :26: 0 in pixel space, before the model normalises."""
    white = torch.full((8, 1, 8, 8), 255, dtype=torch.uint8)
    for fill, colour in (("black", 0), ("mean", 127 / 255)):  # the network's mean is .5
        spec = PLAIN.model_copy(update={"cutout": 4, "cutout_fill": fill})
        pixels = seen(spec, white)
        assert pixels.unique().tolist() == pytest.approx([colour, 1])
        blank = (pixels < 1).sum(dim=(2, 3, 4))
        assert blank.max() == 16  # 4 x 4, where the border cuts nothing off


def test_frozen_images_are_augmented_once_and_the_others_each_epoch():
    spec = PLAIN.model_copy(update={"epochs": 12, "crop": 2, "flip": True, "cutout": 2})
    images = split(8).images
    frozen = torch.arange(8) % 2 == 0
    pixels = seen(spec, images, frozen)
    changes = (pixels != pixels[0]).flatten(2).any(2).any(0)
    assert torch.equal(changes, ~frozen)
    assert (pixels[0, frozen] != images[frozen].float() / 255).flatten(1).any(1).all()
    torch.testing.assert_close(pixels[:, ~frozen], seen(spec, images)[:, ~frozen], rtol=0, atol=0)
    assert torch.equal(images, split(8).images)


def test_the_seed_decides_and_nothing_else_does():
    runs = []
    for seed in (1, 1, 2):
        torch.rand(5)  # the global generator must not matter
        network = linear_network()
        runs.append((fit(network, split(), PLAIN.model_copy(update={"crop": 1}), seed).loss, network))
    assert runs[0][0] == runs[1][0] != runs[2][0]
    assert torch.equal(runs[0][1].body[1].weight, runs[1][1].body[1].weight)


def test_a_batch_that_does_not_fit_is_left_out_and_a_small_set_is_one_batch():
    assert len(fit(linear_network(), split(43), PLAIN, 0).loss) == 2 * 5
    assert fit(linear_network(), split(5), PLAIN, 0).images_per_step == 5


def test_best_validation_keeps_the_best_epoch():
    spec = PLAIN.model_copy(update={"epochs": 12, "keep": "best_validation", "learning_rate": 0.5})
    validation, network = split(40, seed=9), linear_network()
    history = fit(network, split(), spec, 0, selection=validation)
    assert len(history.selection) == 12
    assert accuracy(network, validation) == max(history.selection)
    assert history.selection[history.kept_epoch - 1] == max(history.selection)


def test_best_validation_without_images_is_refused():
    with pytest.raises(SpecError, match=r"training\.keep: expected 'last'"):
        fit(linear_network(), split(), PLAIN.model_copy(update={"keep": "best_validation"}), 0)


def test_a_loss_that_is_not_finite_stops_at_once_and_says_what_to_do():
    spec = PLAIN.model_copy(update={"learning_rate": 1e30, "gradient_clip": None, "epochs": 50})
    with pytest.raises(NonFiniteError, match=r"at step \d+ \(epoch \d+\).*learning_rate \(now 1e\+30\)"):
        fit(linear_network(), split(), spec, 0)


def test_a_special_loss_is_an_argument():
    seen = []

    def loss(logits, labels):
        seen.append(len(labels))
        return nn.functional.cross_entropy(logits, torch.zeros_like(labels))

    network = linear_network()
    fit(network, split(), PLAIN.model_copy(update={"epochs": 20}), 0, loss=loss)
    assert seen == [8] * 100
    assert (predict(network, split()).argmax(dim=1) == 0).float().mean() > 0.9


def test_progress_ends_at_one_and_predict_restores_the_mode():
    done = []
    network = linear_network()
    fit(network, split(), PLAIN, 0, progress=lambda share, text="": done.append(share))
    assert done == sorted(done)
    assert done[-1] == 1
    network.train()
    predict(network, split())
    assert network.training


@pytest.mark.parametrize(
    "change", [{"precision": "bf16"}, {"optimizer": "adamw", "learning_rate": 0.01}, {"label_smoothing": 0.1}]
)
def test_every_option_learns(change):
    spec = PLAIN.model_copy(update={"epochs": 40, **change})
    network = linear_network()
    fit(network, split(), spec, 0)
    assert accuracy(network, split()) > 0.9
