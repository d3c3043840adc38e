"""Which layers have no second derivative, and networks whose images are not independent: found before measuring.

A backward pass that autograd cannot differentiate once more either raises (`once_differentiable`, ops without a
derivative formula) or, worse, returns a gradient that is cut off from its inputs: the Hessian would silently lack
what lies behind it. Each layer is therefore tried by itself on its own input. Its vector-Jacobian product J' u is
linear in u, so one that does not hang on u has been cut off.
"""

import torch
from torch import Tensor, nn

from nasaudit.analysis.smoothness.curvature import finite
from nasaudit.errors import MeasurementError, SecondDerivativeError

IMAGES = 2
MISSING = ("Error", "NotImplemented")  # names of the nodes that raise when they are passed


def check_second_derivatives(network: nn.Module, pixels: Tensor) -> None:
    """Try every layer; the innermost that fails is named.

    Args:
        network: from `analysis.frozen`.
        pixels: [N, C, H, W] on its device; the first two are used.

    Raises:
        SecondDerivativeError: a layer cannot be differentiated twice.
    """
    calls = _inputs(network, pixels[:IMAGES])
    # What torch itself ships is never cut off, and where it raises, so does the module that it is in.
    own = [call for call in calls if not type(call[1]).__module__.startswith("torch.nn.")]
    if any(_problem(module, given) for _, module, given in own):
        for name, module, given in calls:
            if problem := _problem(module, given):
                raise SecondDerivativeError(
                    "expected layers that can be differentiated twice, got "
                    f"{name or 'the network'} ({type(module).__name__}): {problem}; write its backward pass in "
                    "differentiable operations, or take Hessian-vector products by finite differences"
                )


def check_independent(network: nn.Module, pixels: Tensor, labels: Tensor) -> None:
    """Check that an image's loss does not depend on the others of its batch.

    Raises:
        MeasurementError: it does, so that it has no Hessian of its own.
        NonFiniteError: its gradient is NaN or infinite.
    """
    x = pixels[:IMAGES].detach().clone().requires_grad_(True)
    loss = nn.functional.cross_entropy(network(x.clone()), labels[:IMAGES], reduction="none")
    if not loss.requires_grad:
        return
    (gradient,) = torch.autograd.grad(loss[0], x, materialize_grads=True)
    if finite(gradient, "the gradient of the loss with respect to the pixels")[1:].any():
        raise MeasurementError(
            "expected a network that judges each image by itself, got one whose loss of an image depends on the "
            "others of its batch: give its normalisation running statistics (track_running_stats=True)"
        )


def _inputs(network: nn.Module, pixels: Tensor) -> list[tuple[str, nn.Module, Tensor]]:
    """(name, module, its input) of each module that was called with one float tensor, inner ones first."""
    calls: list[tuple[str, nn.Module, Tensor]] = []

    def remember(name: str) -> object:
        def hook(module: nn.Module, given: tuple[object, ...]) -> None:
            if len(given) == 1 and isinstance(given[0], Tensor) and given[0].is_floating_point():
                # A copy: an in-place layer behind it would change what this one saw.
                calls.append((name, module, given[0].detach().clone()))

        return hook

    handles = [module.register_forward_pre_hook(remember(name)) for name, module in network.named_modules()]
    try:
        with torch.no_grad():
            network(pixels.clone())
    finally:
        for handle in handles:
            handle.remove()
    # A caller is met before what it calls.
    return calls[::-1]


def _problem(module: nn.Module, given: Tensor) -> str:
    """Why a module has no second derivative; empty if it has one.

    u' f(x) is differentiated by x and the parameters, and the result by u and all of them.
    """
    x = given.detach().requires_grad_(True)
    by = [x, *(p for p in module.parameters() if p.is_floating_point())]
    y = module(x.clone())
    if not isinstance(y, Tensor) or not y.requires_grad:
        return ""
    u = torch.ones_like(y).requires_grad_(True)
    try:
        first = torch.autograd.grad(y, by, u, create_graph=True, allow_unused=True)
        there = [g for g in first if g is not None]
        if _reaches_an_error(there):
            return "an op in it is differentiable once only"
        if not list(module.children()) and any(_is_cut_off(g, u) for g in there):
            return "its backward pass returns a gradient that is cut off from autograd"
        live = [g for g in there if g.requires_grad]
        if live:
            torch.autograd.grad(live, [u, *by], [g.detach() for g in live], allow_unused=True)
    except (RuntimeError, NotImplementedError) as error:
        return str(error).splitlines()[0]
    return ""


def _reaches_an_error(gradients: list[Tensor]) -> bool:
    """Whether the graph behind them has a node that stands for a missing derivative.

    Autograd would raise there only if it had to pass; asked for the derivative by a tensor in front of it, it takes
    the node for a leaf, and the product lacks what lies behind.
    """
    seen: set[object] = set()
    waiting = [g.grad_fn for g in gradients]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if node.name().rsplit("::")[-1] in MISSING:
            return True
        seen.add(node)
        waiting.extend(following for following, _ in node.next_functions)
    return False


def _is_cut_off(gradient: Tensor, u: Tensor) -> bool:
    if not gradient.any():
        return False
    if not gradient.requires_grad:
        return True
    (by_u,) = torch.autograd.grad(gradient.sum(), u, retain_graph=True, allow_unused=True)
    return by_u is None
