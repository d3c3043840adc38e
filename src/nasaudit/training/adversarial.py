"""Adversarial training: a network learns from the worst images within epsilon of the training images.

`PgdTraining`: Madry, Makelov, Schmidt, Tsipras and Vladu, "Towards Deep Learning Models Resistant to Adversarial
Attacks", ICLR 2018. With S the linf ball of radius epsilon, their saddle point (equation 2.1)
    min_theta  E max_{delta in S} L(theta, x + delta, y)
is descended by a step on theta at the point where PGD, from a random point of x + S, has climbed to:
    x^{t+1} = Pi_{x+S}( x^t + alpha sgn(grad_x L(theta, x^t, y)) )

`Trades`: Zhang, Yu, Jiao, Xing, El Ghaoui and Jordan, "Theoretically Principled Trade-off between Robustness and
Accuracy", ICML 2019, algorithm 1. Accuracy and robustness are two terms, and the inner maximum needs no label:
    min_f  E [ L(f(x), y)  +  beta max_{x' in x + S} KL( f(x) | f(x') ) ]
The climb starts at x + .001 N(0, 1), since at x itself the divergence is at its minimum, 0. KL is that of the
authors' code, sum_k p_k (log p_k - log p'_k) with p the clean prediction; gradients flow through both.

The climb sees the network as it predicts: in eval mode, so that batch normalisation and drop-path neither change nor
disturb it. Its draws have a generator of their own, so a training sees the images in the order and with the
augmentation of its undefended twin.

Deviations: 5 steps by default, where both papers take 7 to 20. The climb of PGD is in eval mode, as in the authors'
code of TRADES, not in training mode. `Trades` sends the clean and the moved images through the network as one batch,
so that batch normalisation averages over both; the authors' code sends them one after the other (and the clean ones
twice). Either method trains for the epochs of the recipe, and keeps the epoch that the recipe says by clean accuracy.

In the history of a training, loss and accuracy are those of the examples with PGD; with TRADES the loss has both of
its terms, and the accuracy is that of the clean images.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasaudit.randomness import derive_seed
from nasaudit.spec.remedies.defences import AdversarialSpec, PgdTrainingSpec, TradesSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.training.seams import Defence, Loss, Seams

START = 0.001  # standard deviation of the first move of `Trades`, in pixel units

# Logits [N, K] -> the scalar that is climbed; the sum over images, so that none's gradient is divided by N.
Objective = Callable[[Tensor], Tensor]


@final
class PgdTraining(Defence):
    """Batches are replaced by their examples."""

    def __init__(self, spec: PgdTrainingSpec):
        self.spec = spec

    def applied(self, seams: Seams, network: nn.Module, training: TrainingSpec, seed: int) -> Seams:
        """See `Defence`."""
        generator, bf16 = _generator(network, seed), training.precision == "bf16"

        def prepare(pixels: Tensor, targets: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
            pixels, targets = seams.prepare(pixels, targets, draws)
            return worst(network, pixels, targets, self.spec, generator, bf16), targets

        return replace(seams, prepare=prepare, generators=(*seams.generators, generator))


@final
class Trades(Defence):
    """Examples are added behind their batch, without targets of their own: logits are [2N, K], targets remain [N]."""

    def __init__(self, spec: TradesSpec):
        self.spec = spec

    def applied(self, seams: Seams, network: nn.Module, training: TrainingSpec, seed: int) -> Seams:
        """See `Defence`."""
        generator, bf16 = _generator(network, seed), training.precision == "bf16"

        def prepare(pixels: Tensor, targets: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
            pixels, targets = seams.prepare(pixels, targets, draws)
            return torch.cat([pixels, divergent(network, pixels, self.spec, generator, bf16)]), targets

        return replace(
            seams,
            prepare=prepare,
            loss=trades_loss(seams.loss, self.spec.beta),
            generators=(*seams.generators, generator),
        )


def _generator(network: nn.Module, seed: int) -> torch.Generator:
    """Of the starts of the climbs, on the network's device."""
    device = next((tensor.device for tensor in network.parameters()), torch.device("cpu"))
    return torch.Generator(device).manual_seed(derive_seed("adversarial training", seed))


def worst(
    network: nn.Module,
    pixels: Tensor,
    targets: Tensor,
    spec: AdversarialSpec,
    generator: torch.Generator,
    bf16: bool = False,
) -> Tensor:
    """PGD on the cross entropy from a random point of the ball.

    Args:
        network: that is trained, on its device; modes, statistics and gradients are as before afterwards.
        pixels: float32 [N, C, H, W] in [0,1].
        targets: int64 [N], or probabilities [N, K].
        spec: epsilon, steps, step size.
        generator: decides the starts; on the pixels' device.
        bf16: whether the network computes in bfloat16.

    Returns:
        Like `pixels`, within epsilon of them and within [0,1].
    """
    start = pixels + torch.empty_like(pixels).uniform_(-spec.epsilon, spec.epsilon, generator=generator)

    def loss(logits: Tensor) -> Tensor:
        return F.cross_entropy(logits, targets, reduction="sum")

    with as_it_predicts(network):
        return climb(network, pixels, start, loss, spec, bf16)


def divergent(
    network: nn.Module,
    pixels: Tensor,
    spec: AdversarialSpec,
    generator: torch.Generator,
    bf16: bool = False,
) -> Tensor:
    """The images whose prediction diverges most from the clean one's; arguments and result as those of `worst`."""
    start = pixels + START * torch.empty_like(pixels).normal_(generator=generator)
    with as_it_predicts(network):
        with torch.no_grad():
            clean = _logits(network, pixels, bf16)
        return climb(network, pixels, start, lambda logits: divergence(clean, logits), spec, bf16)


def climb(
    network: nn.Module,
    pixels: Tensor,
    start: Tensor,
    objective: Objective,
    spec: AdversarialSpec,
    bf16: bool = False,
) -> Tensor:
    """All steps of projected gradient ascent with the gradient's sign; `start` need not be in the ball."""
    lower, upper = (pixels - spec.epsilon).clamp_(min=0), (pixels + spec.epsilon).clamp_(max=1)
    points = torch.clamp(start, lower, upper)
    for _ in range(spec.steps):
        points.requires_grad_()
        (gradient,) = torch.autograd.grad(objective(_logits(network, points, bf16)), points)
        points = points.detach().add_(gradient.sign_(), alpha=spec.step).clamp_(lower, upper)
    return points


def divergence(clean: Tensor, moved: Tensor) -> Tensor:
    """KL(softmax(clean) | softmax(moved)) in nats, summed over images; logits [N, K] both."""
    return F.kl_div(moved.log_softmax(1), clean.log_softmax(1), log_target=True, reduction="sum")


def trades_loss(loss: Loss, beta: float) -> Loss:
    """The loss on the first half of the logits, plus beta times the mean divergence of the second half from it."""

    def both(logits: Tensor, targets: Tensor) -> Tensor:
        clean, moved = logits.chunk(2)
        return loss(clean, targets) + beta * divergence(clean, moved) / len(clean)

    return both


@contextmanager
def as_it_predicts(network: nn.Module) -> Iterator[None]:
    """Eval mode and no gradients of parameters; every module and parameter is as before afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    network.eval()
    for parameter in learned:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter in learned:
            parameter.requires_grad_(True)


def _logits(network: nn.Module, pixels: Tensor, bf16: bool) -> Tensor:
    with torch.autocast(pixels.device.type, torch.bfloat16, enabled=bf16):
        logits: Tensor = network(pixels)
    return logits.float()
