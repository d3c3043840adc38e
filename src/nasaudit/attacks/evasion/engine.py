"""The live set: only images that are not yet broken go on.

Whether an image is broken is read from the forward pass that the next gradient needs anyway, and the
survivors are packed into full batches again before every step. Verdicts do not depend on the batches.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nasaudit.attacks.evasion.base import Perturbed
from nasaudit.attacks.evasion.objective import Loss, Objective
from nasaudit.errors import NonFiniteError
from nasaudit.progress import Progress, silent
from nasaudit.spec.attacks import Norm
from nasaudit.victim.classifier import Classifier

# Images of one forward pass: on a CPU as many as small images need to keep it busy and large ones bear (by trial,
# docs/performance.md), on a GPU as many as keep that busy.
CPU_BATCH, GPU_BATCH = 128, 512


@dataclass(frozen=True, eq=False)
class Look:
    """What one forward and backward pass says of N points.

    Attributes:
        broken: bool [N], which of them have reached the objective.
        value: float32 [N], the loss at each.
        gradient: float32 [N, C, H, W], of the loss; 0 for points that no gradient was asked for.
    """

    broken: Tensor
    value: Tensor
    gradient: Tensor


@dataclass(frozen=True, eq=False)
class Climb:
    """One step of the M images of a batch that stand.

    Attributes:
        rows: int64 [M], their positions among the N attacked ones.
        step: how many updates each of them has had.
        points: float32 [M, C, H, W], where they are.
        value: float32 [M], the loss there.
        gradient: float32 [M, C, H, W], its gradient.
    """

    rows: Tensor
    step: int
    points: Tensor
    value: Tensor
    gradient: Tensor


def batch_size_for(device: torch.device) -> int:
    """How many images of one forward pass suit a device."""
    return CPU_BATCH if device.type == "cpu" else GPU_BATCH


def ascend(
    victim: Classifier,
    walk: Perturbed,
    objective: Objective,
    steps: int,
    *,
    loss: Loss = Objective.loss,
    batch_size: int | None = None,
    progress: Progress = silent,
) -> Iterator[Climb]:
    """The images that stand, step by step and batch by batch, until all are broken or the steps are used up.

    The attack moves each batch before it asks for the next: `walk.images[climb.rows] = ...`, each image by itself.

    Args:
        victim: the white box.
        walk: begins where each of N images starts; steps and first gradients are noted in it.
        objective: for these N images.
        steps: how many updates each image gets at most.
        loss: what is ascended.
        batch_size: images of one forward pass; None: by the victim's device.
        progress: called before every batch with the share of the steps that is done.

    Raises:
        NonFiniteError: a logit or a gradient is NaN or infinite.
    """
    live = torch.arange(len(walk.images), device=walk.images.device)
    for step in range(steps + 1):
        for rows in torch.split(live, batch_size or batch_size_for(victim.device)):
            progress(step / (steps + 1))
            seen = look(victim, walk.images[rows], objective.take(rows), climb=step < steps, loss=loss)
            walk.steps[rows[seen.broken]] = step
            standing = ~seen.broken
            going = rows[standing]
            if step == steps or len(going) == 0:
                continue
            gradient = seen.gradient[standing]
            if step == 0:
                walk.first_gradient[going] = gradient.flatten(1).abs().amax(1)
            yield Climb(going, step, walk.images[going], seen.value[standing], gradient)
        live = live[~walk.broken[live]]
        if len(live) == 0:
            break


def look(
    victim: Classifier,
    points: Tensor,
    objective: Objective,
    *,
    climb: bool = True,
    all_gradients: bool = False,
    loss: Loss = Objective.loss,
) -> Look:
    """One forward pass that says which images are broken, and the gradient of the others' loss.

    Args:
        victim: the white box.
        points: float32 [N, C, H, W]; one batch.
        objective: for these N images.
        climb: False: no gradient is wanted.
        all_gradients: whether those of broken images are wanted too (they cost a backward pass).
        loss: what is to be ascended.

    Raises:
        NonFiniteError: a logit or a gradient is NaN or infinite.
    """
    with torch.set_grad_enabled(climb):
        pixels = points.detach().requires_grad_(climb)
        logits = victim(pixels)
    if not torch.isfinite(logits).all():
        raise NonFiniteError(
            "a logit of the victim is NaN or infinite under attack; check its training and weights"
        )
    with torch.set_grad_enabled(climb):
        values = loss(objective, logits)
    broken = objective.reached(logits.detach())
    wanted = torch.ones_like(broken) if all_gradients else ~broken
    if not climb or not wanted.any():
        return Look(broken, values.detach(), torch.zeros_like(points))
    gradient = torch.autograd.grad(values[wanted].sum(), pixels)[0]
    if not torch.isfinite(gradient[wanted]).all():
        raise NonFiniteError(
            "a gradient of the victim is NaN or infinite under attack; check its activations"
        )
    return Look(broken, values.detach(), gradient)


def ascent_direction(gradient: Tensor, norm: Norm) -> Tensor:
    """The gradient's sign (linf) or its direction (l2), [N, C, H, W]: the steepest step of size 1."""
    if norm == "linf":
        return gradient.sign()
    # In float64, where the squares of small gradients do not vanish; a gradient of zero stays one.
    length = gradient.flatten(1).double().norm(dim=1).clamp_min(1e-300)
    direction: Tensor = (gradient / length[:, None, None, None]).float()
    return direction
