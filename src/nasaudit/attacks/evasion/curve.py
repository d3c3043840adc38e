"""The security curve: how much of a victim falls as epsilon grows.

One strong setting breaks every undefended network and cannot tell two of them apart; the sweep can. An
example within a small ball is within every larger one, so the smallest epsilon that breaks an image is found
by bisection of the grid: 4 attacks an image for 10 epsilons, where a sweep makes up to 10. A minimal-norm
attack finds that epsilon itself, and runs once.

Biggio and Roli, "Wild Patterns: Ten Years After the Rise of Adversarial Machine Learning", Pattern
Recognition 2018, section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nasaudit.attacks.evasion.base import Access, EvasionAttack, MinimalAttack, check_images
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import SpecError
from nasaudit.progress import Progress, part, silent
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import EvasionSpec, Norm
from nasaudit.victim.batches import in_batches
from nasaudit.victim.classifier import Classifier

# A minimal-norm example lies on the decision boundary itself, where the judge may round the other way. It is then
# moved away from the clean image by these factors, and counts with the distance that it has there.
NUDGES = (1.0, 1.0005, 1.002, 1.01)


@dataclass(frozen=True, eq=False)
class SecurityCurve:
    """What became of each of N images.

    Attributes:
        minimal_epsilon: float64 [N], the smallest epsilon that broke it: 0 if it needed no attack, infinity if
            nothing did. One of the grid's, or for a minimal-norm attack the distance itself.
        steps: int64 [N], updates used at that epsilon; 0 if it needed none, -1 if nothing broke it.
        queries: int64 [N], images that the victim answered at that epsilon; for an image that nothing broke, at
            the last one tried; -1 for a white-box attack.
        pivot: the epsilon that bisection tries first, and so the one that every image was attacked with; None for a
            minimal-norm attack.
        pivot_steps: int64 [N], updates used at the pivot; 0 if it needed none, -1 if it withstood.
        pivot_queries: int64 [N], images that the victim answered at the pivot; -1 for a white-box attack.
        images: float32 [N, C, H, W], the example that broke it, or the clean image.
        prediction: int64 [N], what the judge takes `images` for.
        clean_prediction: int64 [N].
        target: int64 [N], the class to reach; -1 in untargeted attacks.
        first_gradient: float32 [N], see `Perturbed`, of the first attack; NaN where none was taken.
    """

    minimal_epsilon: Tensor
    steps: Tensor
    queries: Tensor
    pivot: float | None
    pivot_steps: Tensor
    pivot_queries: Tensor
    images: Tensor
    prediction: Tensor
    clean_prediction: Tensor
    target: Tensor
    first_gradient: Tensor


def predict(judge: Classifier, images: Tensor) -> Tensor:
    """Logits, float32 [N, classes], without gradients and in batches."""
    return in_batches(judge, images, images.device) if len(images) else images.new_zeros(0, judge.classes)


def aim(spec: EvasionSpec, clean_logits: Tensor, labels: Tensor) -> Objective:
    """The objective of each image for the spec's goal.

    Raises:
        SpecError: `target_class` is not a class of the victim.
    """
    classes = clean_logits.shape[1]
    match spec.goal:
        case "untargeted":
            wanted = labels
        case "least_likely":
            wanted = clean_logits.argmin(1)
        case "second_likely":
            # The likeliest wrong class: for an image that the victim gets right, its second choice.
            wanted = clean_logits.scatter(1, labels[:, None], -torch.inf).argmax(1)
        case _:
            if spec.target_class is None or spec.target_class >= classes:
                raise SpecError("target_class", f"a class in 0..{classes - 1}", spec.target_class)
            wanted = torch.full_like(labels, spec.target_class)
    return Objective(wanted, spec.goal != "untargeted", spec.min_confidence)


def distances(images: Tensor, others: Tensor, norm: Norm) -> Tensor:
    """Float64 [N], how far each image is from the other one."""
    change = (images.double() - others.double()).flatten(1)
    return change.abs().amax(1) if norm == "linf" else change.norm(dim=1)


def security_curve(
    attack: EvasionAttack[Access] | MinimalAttack[Access],
    victim: Access,
    judge: Classifier,
    images: Tensor,
    labels: Tensor,
    *,
    indices: Tensor,
    epsilons: Sequence[float] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> SecurityCurve:
    """Find the smallest epsilon that breaks each image: of the grid, or with a minimal-norm attack of all.

    Every finite verdict has an example that the judge confirmed. As with any attack, an image that stands may
    still fall to a stronger one; a sweep of the whole grid would try it more often.

    Args:
        attack: any evasion attack.
        victim: what it attacks, with the access that it takes.
        judge: the unfolded victim in float32, whose fresh forward pass confirms every image that the attack
            claims. It takes part in no attack, and its images are no queries.
        images: float32 [N, C, H, W] in [0,1], on the victim's device.
        labels: int64 [N].
        indices: int64 [N], see `EvasionAttack.perturb`.
        epsilons: ascending; None: those of the attack's spec.
        seed: decides the attack's random choices.
        progress: told the share of images and epsilons that is done.
    """
    check_images(images)
    clean_logits = predict(judge, images)
    objective = aim(attack.spec, clean_logits, labels)
    fallen = objective.reached(clean_logits)
    grid = tuple(attack.spec.epsilons if epsilons is None else epsilons)
    curve = SecurityCurve(
        minimal_epsilon=torch.where(fallen, 0.0, torch.inf).double(),
        steps=torch.where(fallen, 0, -1),
        queries=torch.where(fallen, 0, -1),
        pivot=None if isinstance(attack, MinimalAttack) else grid[len(grid) // 2],
        pivot_steps=torch.where(fallen, 0, -1),
        pivot_queries=torch.where(fallen, 0, -1),
        images=images.clone(),
        prediction=clean_logits.argmax(1),
        clean_prediction=clean_logits.argmax(1),
        target=objective.classes if objective.targeted else torch.full_like(labels, -1),
        first_gradient=torch.full((len(images),), torch.nan, device=images.device),
    )
    if isinstance(attack, MinimalAttack):
        _nearest(attack, victim, judge, images, objective, indices, seed, curve, progress)
        return curve
    # The answer of an image is a position of the grid in lowest..highest; len(grid): no epsilon breaks it.
    lowest = torch.zeros_like(labels)
    highest = torch.where(fallen, 0, len(grid))
    rounds = len(grid).bit_length()
    for turn in range(rounds):
        middle = (lowest + highest) // 2
        undecided = lowest < highest
        done = 0.0
        for position in sorted(set(middle[undecided].tolist())):
            rows = (undecided & (middle == position)).nonzero().squeeze(1)
            words = f"{int(curve.minimal_epsilon.isfinite().sum())} of {len(images)} images broken"
            share = len(rows) / int(undecided.sum())
            report = part(progress, (turn + done) / rounds, (turn + done + share) / rounds, words)
            report(0.0)
            epsilon = grid[position]
            result = attack.perturb(
                victim,
                images[rows],
                objective.take(rows),
                epsilon,
                seed=derive_seed("evasion", seed, epsilon),
                indices=indices[rows],
                progress=report,
            )
            logits = predict(judge, result.images)
            broken = result.broken & objective.take(rows).reached(logits)
            if result.queries is not None:
                # Of an image that fell at a larger epsilon before and stands now, the earlier ones count.
                noted = broken | curve.minimal_epsilon[rows].isinf()
                curve.queries[rows[noted]] = result.queries[noted]
            curve.minimal_epsilon[rows[broken]] = epsilon
            curve.steps[rows[broken]] = result.steps[broken]
            curve.images[rows[broken]] = result.images[broken]
            curve.prediction[rows[broken]] = logits[broken].argmax(1)
            unseen = curve.first_gradient[rows].isnan()
            curve.first_gradient[rows[unseen]] = result.first_gradient[unseen]
            if epsilon == curve.pivot:
                curve.pivot_steps[rows] = torch.where(broken, result.steps, -1)
                if result.queries is not None:
                    curve.pivot_queries[rows] = result.queries
            highest[rows[broken]] = position
            lowest[rows[~broken]] = position + 1
            done += share
    return curve


def _nearest(
    attack: MinimalAttack[Access],
    victim: Access,
    judge: Classifier,
    images: Tensor,
    objective: Objective,
    indices: Tensor,
    seed: int,
    curve: SecurityCurve,
    progress: Progress,
) -> None:
    """Run a minimal-norm attack on the images that need one, and note what the judge confirms and measures."""
    rows = curve.minimal_epsilon.isinf().nonzero().squeeze(1)
    nearest = attack.minimise(
        victim,
        images[rows],
        objective.take(rows),
        seed=derive_seed("evasion", seed),
        indices=indices[rows],
        progress=progress,
    )
    if nearest.queries is not None:
        curve.queries[rows] = nearest.queries
    claimed = nearest.distance.isfinite()
    for nudge in NUDGES:
        asked = (claimed & curve.minimal_epsilon[rows].isinf()).nonzero().squeeze(1)
        clean = images[rows[asked]]
        examples = nearest.images[asked]
        if nudge > 1:
            examples = (clean + nudge * (examples - clean)).clamp(0, 1)
        logits = predict(judge, examples)
        confirmed = objective.take(rows[asked]).reached(logits)
        fell = rows[asked[confirmed]]
        curve.minimal_epsilon[fell] = distances(examples[confirmed], images[fell], attack.spec.norm)
        curve.steps[fell] = nearest.steps[asked[confirmed]]
        curve.images[fell] = examples[confirmed]
        curve.prediction[fell] = logits[confirmed].argmax(1)
