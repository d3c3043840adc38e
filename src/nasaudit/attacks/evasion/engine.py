"""The live set: only images that are not yet broken go on.

Whether an image is broken is read from the forward pass that the next gradient needs anyway, and the
survivors are packed into full batches again before every step. Verdicts do not depend on the batches.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nasaudit.attacks.base import Perturbed
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import NonFiniteError
from nasaudit.progress import Progress, silent
from nasaudit.spec.attacks import Norm
from nasaudit.victim.classifier import Classifier

# Images of one forward pass: on a CPU as many as its cache holds, on a GPU as many as keep it busy.
CPU_BATCH, GPU_BATCH = 64, 512

# (objective of N images, their logits [N, classes]) -> what is to be ascended, [N].
Loss = Callable[[Objective, Tensor], Tensor]


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


# Where the images of a batch go next.
Update = Callable[[Climb], Tensor]


def batch_size_for(device: torch.device) -> int:
    """How many images of one forward pass suit a device."""
    return CPU_BATCH if device.type == "cpu" else GPU_BATCH


def no_result(images: Tensor) -> Perturbed:
    """What an attack knows before it begins: the images as they are, none broken."""
    return Perturbed(
        images.clone(),
        torch.full((len(images),), -1, device=images.device),
        torch.full((len(images),), torch.nan, device=images.device),
    )


def ascend(
    victim: Classifier,
    start: Tensor,
    objective: Objective,
    update: Update,
    steps: int,
    *,
    loss: Loss = Objective.loss,
    batch_size: int | None = None,
    progress: Progress = silent,
) -> Perturbed:
    """Walk every image along its gradient until it is broken or the steps are used up.

    Args:
        victim: the white box.
        start: float32 [N, C, H, W], where each image starts.
        objective: for these N images.
        update: one step of the attack; must treat each image by itself.
        steps: how many updates each image gets at most.
        loss: what is ascended.
        batch_size: images of one forward pass; None: by the victim's device.
        progress: called before every batch with the share of the steps that is done.

    Raises:
        NonFiniteError: a logit or a gradient is NaN or infinite.
    """
    batch = batch_size or batch_size_for(victim.device)
    points = start.clone()
    used = torch.full((len(start),), -1, device=start.device)
    first_gradient = torch.full((len(start),), torch.nan, device=start.device)
    live = torch.arange(len(start), device=start.device)
    for step in range(steps + 1):
        survivors = []
        for rows in torch.split(live, batch):
            progress(step / (steps + 1))
            seen = look(victim, points[rows], objective.take(rows), climb=step < steps, loss=loss)
            used[rows[seen.broken]] = step
            going = rows[~seen.broken]
            survivors.append(going)
            if step == steps or len(going) == 0:
                continue
            gradient = seen.gradient[~seen.broken]
            if step == 0:
                first_gradient[going] = gradient.flatten(1).abs().amax(1)
            points[going] = update(Climb(going, step, points[going], seen.value[~seen.broken], gradient))
        if not survivors:
            break
        live = torch.cat(survivors)
    return Perturbed(points, used, first_gradient)


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


def share_of(progress: Progress, part: int, parts: int, done: float, text: str = "") -> None:
    """Tell the progress of one of several equal parts (restarts, batches)."""
    progress((part + done) / parts, text)
