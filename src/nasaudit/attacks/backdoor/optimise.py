"""Optimising a patch: signed gradient steps on its pattern, within the mask and within [0,1].

The sign makes a step size mean the same in every architecture, whatever the scale of its gradients.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from nasaudit.attacks.backdoor.trigger import Trigger
from nasaudit.errors import NonFiniteError


def descend(trigger: Trigger, cost: Callable[[Trigger], Tensor], step_size: float) -> tuple[Trigger, float]:
    """One step down the cost.

    Args:
        trigger: where to start.
        cost: a scalar, differentiable in the trigger's pattern.
        step_size: in pixel units.

    Returns:
        The next trigger, and the cost of the one that came.

    Raises:
        NonFiniteError: the cost or its gradient is NaN or infinite.
    """
    pattern = trigger.pattern.detach().requires_grad_()
    value = cost(trigger.with_pattern(pattern))
    (gradient,) = torch.autograd.grad(value, pattern)
    if not (torch.isfinite(value) and torch.isfinite(gradient).all()):
        raise NonFiniteError(
            "the cost of a trigger or its gradient is NaN or infinite; check the network's weights"
        )
    moved = (pattern.detach() - step_size * gradient.sign()).clamp(0, 1)
    return trigger.with_pattern(torch.where(trigger.mask > 0, moved, trigger.pattern)), value.item()


def minimise(
    trigger: Trigger,
    cost: Callable[[Trigger], Tensor],
    steps: int,
    step_size: float,
    threshold: float = float("-inf"),
    progress: Callable[[float], None] = lambda done: None,
) -> Trigger:
    """The best of all triggers that so many steps pass through, ended early once the cost is at the threshold."""
    best, lowest = trigger, float("inf")
    for step in range(steps + 1):
        following, value = descend(trigger, cost, step_size)
        if value < lowest:
            best, lowest = trigger, value
        if lowest <= threshold:
            break
        trigger = following
        progress((step + 1) / (steps + 1))
    return best
