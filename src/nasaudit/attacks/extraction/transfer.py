"""Whether adversarial examples made on the surrogate fool the victim: what a copy is good for beyond its answers.

Papernot et al., "Practical Black-Box Attacks against Machine Learning", AsiaCCS 2017: steal a model, attack the copy,
and use the examples on the original.
"""

import torch
from torch import Tensor

from nasaudit.attacks.evasion import noise
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.attacks.evasion.pgd import Pgd
from nasaudit.data.split import Split
from nasaudit.measure.estimate import Estimate
from nasaudit.measure.proportion import proportion
from nasaudit.progress import Progress, silent
from nasaudit.spec.attacks import PgdSpec
from nasaudit.victim.batches import in_batches
from nasaudit.victim.classifier import Classifier

# A probability never exceeds 1, so PGD takes all its steps: an example that has just crossed the surrogate's
# boundary rarely crosses the victim's.
NEVER_CONTENT = 1.0


def transfer_examples(
    surrogate: Classifier,
    images: Split,
    epsilon: float,
    steps: int,
    *,
    seed: int,
    progress: Progress = silent,
) -> Tensor:
    """PGD on the surrogate: float32 [N, C, H, W] within epsilon (linf) of the images, on the surrogate's device."""
    attack = Pgd(PgdSpec(epsilons=(epsilon,), steps=steps))
    examples = attack.perturb(
        surrogate,
        images.pixels().to(surrogate.device),
        Objective(images.labels.to(surrogate.device), min_confidence=NEVER_CONTENT),
        epsilon,
        seed=seed,
        indices=images.indices.to(surrogate.device),
        progress=progress,
    )
    return examples.images


def sign_noise(images: Split, epsilon: float, *, seed: int) -> Tensor:
    """The images with every pixel moved by epsilon up or down at random, within [0,1]: what no thought achieves."""
    pixels = images.pixels()
    shares = noise.uniform(images.indices, pixels[0].numel(), "sign noise", seed)
    signs = torch.where(shares < 0.5, -1.0, 1.0).reshape(pixels.shape)
    return (pixels + epsilon * signs).clamp_(0, 1)


def fooled(victim: Classifier, images: Tensor, labels: Tensor) -> Estimate | None:
    """Share of the images that the victim does not take for their class; None without images.

    Args:
        victim: the judge.
        images: float32 [N, C, H, W].
        labels: int64 [N].
    """
    if not len(images):
        return None
    predicted = in_batches(victim, images, victim.device).argmax(1).cpu()
    return proportion(int((predicted != labels.cpu()).sum()), len(labels))
