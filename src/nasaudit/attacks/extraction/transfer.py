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
from nasaudit.spec.units import format_epsilon
from nasaudit.victim.classifier import Classifier

# The largest of the security curve: at 8/255 next to nothing transfers between `mini` networks on digits.
EPSILON = 16 / 255  # linf
STEPS = 10
# A probability never exceeds 1, so PGD takes all its steps: an example that has just crossed the surrogate's
# boundary rarely crosses the victim's.
NEVER_CONTENT = 1.0
JUDGE_BATCH = 256
# Of all rows on transfer: the images counted are those that the victim gets right.
SETTING = (("epsilon", format_epsilon(EPSILON)), ("images", "correct"))


def transfer_examples(
    surrogate: Classifier, images: Split, *, seed: int, progress: Progress = silent
) -> Tensor:
    """PGD on the surrogate: float32 [N, C, H, W] within EPSILON of the images, on the surrogate's device."""
    attack = Pgd(PgdSpec(epsilons=(EPSILON,), steps=STEPS))
    found = attack.perturb(
        surrogate,
        images.pixels().to(surrogate.device),
        Objective(images.labels.to(surrogate.device), min_confidence=NEVER_CONTENT),
        EPSILON,
        seed=seed,
        indices=images.indices.to(surrogate.device),
        progress=progress,
    )
    return found.images


def sign_noise(images: Split, *, seed: int) -> Tensor:
    """The images with every pixel moved by EPSILON up or down at random, within [0,1]: what no thought achieves."""
    pixels = images.pixels()
    shares = noise.uniform(images.indices, pixels[0].numel(), "sign noise", seed)
    signs = torch.where(shares < 0.5, -1.0, 1.0).reshape(pixels.shape)
    return (pixels + EPSILON * signs).clamp_(0, 1)


def fooled(victim: Classifier, images: Tensor, labels: Tensor) -> Estimate | None:
    """Share of the images that the victim does not take for their class; None without images.

    Args:
        victim: the judge.
        images: float32 [N, C, H, W].
        labels: int64 [N].
    """
    if not len(images):
        return None
    with torch.no_grad():
        parts = [victim(part.to(victim.device)).argmax(1).cpu() for part in torch.split(images, JUDGE_BATCH)]
    return proportion(int((torch.cat(parts) != labels.cpu()).sum()), len(labels))
