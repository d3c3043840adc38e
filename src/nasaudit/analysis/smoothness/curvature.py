"""The loss as a function of the parameters, and of the pixels: its gradient and its Hessian-vector products.

Pearlmutter, "Fast Exact Multiplication by the Hessian", Neural Computation 6, 1994: with g the gradient of L,

    H v = d/dr g(w + r v) at r = 0 = grad_w <g(w), v>,

so a product with the Hessian costs about two gradients, and the Hessian itself is never written down. Here it is
a second backward pass through the graph of the first one, which is kept from one product to the next where it
fits into memory.

Both functions have one form, that of N independent functions of D numbers: `point` is [N, D], so are gradients and
vectors. The loss of all images by the parameters is one function (N = 1); the loss of each image by its pixels is
N functions, whose Hessians are the diagonal blocks of one that is block-diagonal, so that a single product serves
all images.

An autograd Hessian is that of the linear piece on which the point lies: a ReLU or a max pooling has second
derivative 0, and the kinks between pieces do not count. A difference of gradients at two points sees them. Where
an op has no second derivative at all, `by_differences` stands in for the product.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from nasaudit.errors import NonFiniteError

Product = Callable[[Tensor], Tensor]


def finite(values: Tensor, what: str) -> Tensor:
    """`values`, after a check.

    Raises:
        NonFiniteError: one of them is NaN or infinite.
    """
    if not torch.isfinite(values).all():
        raise NonFiniteError(
            f"{what} is NaN or infinite; check the weights and the training of this network (a lower learning rate?)"
        )
    return values


class Loss(ABC):
    """N functions of D numbers each, with first and second derivatives.

    Attributes:
        point: [N, D], where the second derivatives are taken.
        tick: called while something is computed.
    """

    point: Tensor
    tick: Callable[[], None]

    @abstractmethod
    def gradient(self, at: Tensor) -> Tensor:
        """The gradients [N, D] at the points `at` [N, D].

        Raises:
            NonFiniteError: one is NaN or infinite.
        """

    @abstractmethod
    def product(self, vectors: Tensor) -> Tensor:
        """The Hessians at `point` times the vectors [N, D].

        Raises:
            NonFiniteError: a product is NaN or infinite.
        """


class FunctionLoss(Loss):
    """N functions given as a callable.

    Args:
        function: [N, D] -> [N], whose row n hangs on row n alone, differentiable twice.
        point: [N, D].
        by: what the derivatives are with respect to, for errors.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], point: Tensor, by: str = "its argument"):
        self._function, self._by = function, by
        self.point = point.detach()
        self.tick: Callable[[], None] = lambda: None
        self._kept: tuple[Tensor, Tensor] | None = None

    def gradient(self, at: Tensor) -> Tensor:  # noqa: D102
        gradient = self._differentiate(at, create_graph=False)[1]
        self.tick()
        return finite(gradient, f"the gradient of the loss with respect to {self._by}")

    def product(self, vectors: Tensor) -> Tensor:  # noqa: D102
        if self._kept is None:
            self._kept = self._differentiate(self.point, create_graph=True)
        at, gradient = self._kept
        (product,) = second_derivative([gradient], [at], [vectors], retain=True)
        self.tick()
        return finite(product, f"a Hessian-vector product of the loss with respect to {self._by}")

    def _differentiate(self, at: Tensor, create_graph: bool) -> tuple[Tensor, Tensor]:
        at = at.detach().requires_grad_(True)
        return at, first_derivative(self._function(at).sum(), [at], create_graph)[0]


def pixel_loss(network: nn.Module, pixels: Tensor, labels: Tensor) -> FunctionLoss:
    """The cross entropy of each of N images, as a function of its own D = C H W pixels.

    Args:
        network: from `analysis.frozen`. It must judge each image by itself (`second_derivatives.check_independent`).
        pixels: float [N, C, H, W] on the network's device. A step from them may lead out of [0,1], where the
            network is defined as well.
        labels: int64 [N].
    """

    def losses(at: Tensor) -> Tensor:
        # A copy, because a layer that works in place must not find a leaf or a view of one.
        logits = network(at.reshape(pixels.shape).clone())
        return nn.functional.cross_entropy(logits, labels, reduction="none")

    return FunctionLoss(losses, pixels.flatten(1), "the pixels")


def by_differences(loss: Loss) -> Product:
    """Hessian-vector products by central differences of the gradient: (g(w + h v) - g(w - h v)) / 2h.

    The step h |v| is eps^(1/3) times the norm of the point (or 1, if that is less), which balances the rounding
    of the gradient against the third derivative. Unlike autograd's, this Hessian sees the kinks within the step.
    """
    length = torch.finfo(loss.point.dtype).eps ** (1 / 3) * loss.point.norm(dim=1, keepdim=True).clamp_min(1)

    def product(vectors: Tensor) -> Tensor:
        norm = vectors.norm(dim=1, keepdim=True)
        step = length * vectors / torch.where(norm > 0, norm, 1)
        change = loss.gradient(loss.point + step) - loss.gradient(loss.point - step)
        scaled: Tensor = change * (norm / (2 * length))
        return scaled

    return product


def first_derivative(loss: Tensor, by: tuple[Tensor, ...] | list[Tensor], create_graph: bool) -> list[Tensor]:
    """The gradient of a scalar; zeros where it does not depend on a tensor, and where it is a constant."""
    if not loss.requires_grad:
        return [torch.zeros_like(each) for each in by]
    return list(torch.autograd.grad(loss, by, create_graph=create_graph, materialize_grads=True))


def second_derivative(
    gradients: list[Tensor], by: tuple[Tensor, ...] | list[Tensor], vectors: list[Tensor], retain: bool
) -> list[Tensor]:
    """Grad <g, v>. A gradient that hangs on nothing (a linear loss) has none."""
    pairs = [(g, v) for g, v in zip(gradients, vectors, strict=True) if g.requires_grad]
    if not pairs:
        return [torch.zeros_like(each) for each in by]
    outputs, weights = zip(*pairs, strict=True)
    return list(
        torch.autograd.grad(outputs, by, grad_outputs=weights, retain_graph=retain, materialize_grads=True)
    )
