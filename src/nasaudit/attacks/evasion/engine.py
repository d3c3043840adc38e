"""The live set: only images that are not yet broken go on.

Whether an image is broken is read from the forward pass that the next gradient needs anyway, and the
survivors are packed into full batches again before every step. Verdicts do not depend on the batches.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from nasaudit.attacks.base import Perturbed
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import NonFiniteError
from nasaudit.store.workspace import Progress, silent
from nasaudit.victim.classifier import Classifier

# Images of one forward pass: on a CPU as many as its cache holds, on a GPU as many as keep it busy.
CPU_BATCH, GPU_BATCH = 64, 512

# (positions of images, their current points, the gradients there) -> their next points.
Update = Callable[[Tensor, Tensor, Tensor], Tensor]


def ascend(
    victim: Classifier,
    start: Tensor,
    objective: Objective,
    update: Update,
    steps: int,
    *,
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
        batch_size: images of one forward pass; None: by the victim's device.
        progress: called before every batch with the share of the steps that is done.

    Raises:
        NonFiniteError: a logit or a gradient is NaN or infinite.
    """
    batch = batch_size or (CPU_BATCH if victim.device.type == "cpu" else GPU_BATCH)
    points = start.clone()
    used = torch.full((len(start),), -1, device=start.device)
    first_gradient = torch.full((len(start),), torch.nan, device=start.device)
    live = torch.arange(len(start), device=start.device)
    for step in range(steps + 1):
        survivors = []
        for rows in torch.split(live, batch):
            aims = objective.take(rows)
            progress(step / (steps + 1))
            broken, gradient = judge_and_climb(victim, points[rows], aims, climb=step < steps)
            used[rows[broken]] = step
            going = rows[~broken]
            survivors.append(going)
            if gradient is None:
                continue
            if step == 0:
                first_gradient[going] = gradient.flatten(1).abs().amax(1)
            points[going] = update(going, points[going], gradient)
        if not survivors:
            break
        live = torch.cat(survivors)
    return Perturbed(points, used, first_gradient)


def judge_and_climb(
    victim: Classifier, points: Tensor, objective: Objective, climb: bool = True
) -> tuple[Tensor, Tensor | None]:
    """One forward pass that says which images are broken, and the gradient of the others' loss.

    Returns:
        bool [N], broken; and float32 [M, C, H, W], the gradient for the M others in their order, or None when
        there are none or `climb` is False.
    """
    with torch.set_grad_enabled(climb):
        pixels = points.detach().requires_grad_(climb)
        logits = victim(pixels)
    broken = objective.reached(logits.detach())
    if not torch.isfinite(logits).all():
        raise NonFiniteError(
            "a logit of the victim is NaN or infinite under attack; check its training and weights"
        )
    going = (~broken).nonzero().squeeze(1)
    if not climb or len(going) == 0:
        return broken, None
    loss = objective.take(going).loss(logits[going]).sum()
    gradient = torch.autograd.grad(loss, pixels)[0][going]
    if not torch.isfinite(gradient).all():
        raise NonFiniteError(
            "a gradient of the victim is NaN or infinite under attack; check its activations"
        )
    return broken, gradient
