"""The security curve: how much of a victim falls as epsilon grows.

One strong setting breaks every undefended network and cannot tell two of them apart; the sweep can. An
example within a small ball is within every larger one, so each epsilon is tried only on the images that all
smaller ones left standing.

Biggio and Roli, "Wild Patterns: Ten Years After the Rise of Adversarial Machine Learning", Pattern
Recognition 2018, section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nasaudit.attacks.base import EvasionAttack, check_images
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import SpecError
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import EvasionSpec
from nasaudit.store.workspace import Progress, silent
from nasaudit.victim.classifier import Classifier

JUDGE_BATCH = 256


@dataclass(frozen=True, eq=False)
class SecurityCurve:
    """What became of each of N images.

    Attributes:
        minimal_epsilon: float64 [N], the smallest epsilon of the grid that broke it: 0 if it needed no
            attack, infinity if nothing did.
        steps: int64 [N], updates used at that epsilon; 0 if it needed none, -1 if nothing broke it.
        images: float32 [N, C, H, W], the example that broke it, or the clean image.
        prediction: int64 [N], what the judge takes `images` for.
        clean_prediction: int64 [N].
        target: int64 [N], the class to reach; -1 in untargeted attacks.
        first_gradient: float32 [N], see `Perturbed`, at the smallest epsilon; NaN where none was taken.
    """

    minimal_epsilon: Tensor
    steps: Tensor
    images: Tensor
    prediction: Tensor
    clean_prediction: Tensor
    target: Tensor
    first_gradient: Tensor


def predict(judge: Classifier, images: Tensor) -> Tensor:
    """Logits, float32 [N, classes], without gradients and in batches."""
    with torch.no_grad():
        parts = [judge(part) for part in torch.split(images, JUDGE_BATCH)]
    return torch.cat(parts) if parts else images.new_zeros(0, judge.classes)


def aim(spec: EvasionSpec, clean_logits: Tensor, labels: Tensor) -> Objective:
    """The objective of each image for the spec's goal.

    Raises:
        SpecError: `target_class` is not a class of the victim.
    """
    if spec.goal == "untargeted":
        return Objective(labels, targeted=False, min_confidence=spec.min_confidence)
    if spec.goal == "least_likely":
        return Objective(clean_logits.argmin(1), targeted=True, min_confidence=spec.min_confidence)
    classes = clean_logits.shape[1]
    if spec.target_class is None or spec.target_class >= classes:
        raise SpecError("target_class", f"a class in 0..{classes - 1}", spec.target_class)
    return Objective(
        torch.full_like(labels, spec.target_class), targeted=True, min_confidence=spec.min_confidence
    )


def security_curve(
    attack: EvasionAttack[Classifier],
    victim: Classifier,
    judge: Classifier,
    images: Tensor,
    labels: Tensor,
    *,
    indices: Tensor,
    epsilons: Sequence[float] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> SecurityCurve:
    """Attack the survivors at each epsilon in turn.

    Args:
        attack: any white-box evasion attack.
        victim: what it attacks.
        judge: the unfolded victim in float32, whose fresh forward pass confirms every image that the attack
            claims.
        images: float32 [N, C, H, W] in [0,1], on the victim's device.
        labels: int64 [N].
        indices: int64 [N], see `EvasionAttack.perturb`.
        epsilons: ascending; None: those of the attack's spec.
        seed: decides the attack's random choices.
        progress: told the share of images and epsilons that is done.
    """
    check_images(images)
    grid = tuple(attack.spec.epsilons if epsilons is None else epsilons)
    clean_logits = predict(judge, images)
    objective = aim(attack.spec, clean_logits, labels)
    fallen = objective.reached(clean_logits)
    curve = SecurityCurve(
        minimal_epsilon=torch.where(fallen, 0.0, torch.inf).double(),
        steps=torch.where(fallen, 0, -1),
        images=images.clone(),
        prediction=clean_logits.argmax(1),
        clean_prediction=clean_logits.argmax(1),
        target=objective.classes if objective.targeted else torch.full_like(labels, -1),
        first_gradient=torch.full((len(images),), torch.nan, device=images.device),
    )
    for position, epsilon in enumerate(grid):
        report = _Share(progress, position, len(grid), f"{int(fallen.sum())} of {len(images)} images broken")
        report(0.0)
        rows = (~fallen).nonzero().squeeze(1)
        if len(rows) == 0:
            break
        found = attack.perturb(
            victim,
            images[rows],
            objective.take(rows),
            epsilon,
            seed=derive_seed("evasion", seed, epsilon),
            indices=indices[rows],
            progress=report,
        )
        if position == 0:
            curve.first_gradient[rows] = found.first_gradient
        claimed = found.broken.nonzero().squeeze(1)
        logits = predict(judge, found.images[claimed])
        confirmed = objective.take(rows[claimed]).reached(logits)
        broken, source = rows[claimed[confirmed]], claimed[confirmed]
        curve.minimal_epsilon[broken] = epsilon
        curve.steps[broken] = found.steps[source]
        curve.images[broken] = found.images[source]
        curve.prediction[broken] = logits[confirmed].argmax(1)
        fallen[broken] = True
    return curve


@dataclass(frozen=True)
class _Share:
    """Progress of one epsilon, as a share of the whole curve."""

    progress: Progress
    position: int
    epsilons: int
    words: str

    def __call__(self, done: float, text: str = "") -> None:
        self.progress((self.position + done) / self.epsilons, self.words)
