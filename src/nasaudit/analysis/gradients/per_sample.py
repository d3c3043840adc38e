"""The loss gradient of each image by itself, many images at a time.

`torch.func` (functorch: He & Zou, "functorch: JAX-like composable function transforms for PyTorch", 2021) writes the
loss as a function of the parameters, differentiates it, and maps the gradient over images: `vmap(grad(loss))`. Every
layer then works on all images of a chunk at once, where a loop of backward passes starts each layer once an image.

Not every layer can be mapped: those that ask for a value (`if x.max() > 1`, `.item()`), that write into a tensor in
place, or that are an autograd function of the old kind. Then the images are taken one by one: the same gradients,
slower. `PerSampleGradients.how` says which way was taken.

In eval mode batch norm is a factor and a summand for each channel. Written so, its mapped backward pass is a product
and a sum; the library's own, mapped, copies all features into another order first. (Measured: 12 to 40 % less
time, with 28x28 pixels.)
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from nasaudit.analysis.frozen import frozen
from nasaudit.errors import NonFiniteError

AUXILIARY = "body.auxiliary."  # the head that serves training only: its logits are not the network's
# How many images at a time: more are hardly faster on a CPU (measured with 8x8 and 28x28 pixels). Large networks take
# fewer, by the numbers in all their gradients, and large images, by pixels: a chunk is to be done within a second.
CHUNK, CHUNK_VALUES, CHUNK_PIXELS = 64, 2**24, 2**15


def trained_parameters(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that the network's logits are made with, by name, in the order of the network."""
    return {
        name: parameter for name, parameter in network.named_parameters() if not name.startswith(AUXILIARY)
    }


class PerSampleGradients:
    """Gradients of the cross entropy of single images, in eval mode (batch norm uses its running statistics).

    Args:
        network: images [N, C, H, W] -> logits [N, K]. A copy is worked on: weights, buffers,
            gradients and mode stay what they are.

    Attributes:
        names: of the parameters, in the order of the columns.
        parameters: how many numbers they hold together, P.
        how: `vmap`, or `loop` once a layer turned out that torch.func cannot transform.
    """

    def __init__(self, network: nn.Module):
        self._network = network
        self._twin = _mappable(network)
        parameters = trained_parameters(self._twin)
        self.names = tuple(parameters)
        self._sizes = [parameter.numel() for parameter in parameters.values()]
        self.parameters = sum(self._sizes)
        self.how: Literal["vmap", "loop"] = "vmap"

    def chunk(self, pixels: Tensor) -> int:
        """How many images of this size to ask for at a time; at least 1."""
        area = pixels.shape[2] * pixels.shape[3]
        return max(1, min(CHUNK, CHUNK_VALUES // max(1, self.parameters), CHUNK_PIXELS // area))

    def __call__(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """The gradients, a row for each image.

        Args:
            pixels: [N, C, H, W] on the network's device.
            labels: int64 [N].

        Returns:
            [N, P] in the type of the parameters; zeros for a parameter that the logits do not hang on.

        Raises:
            NonFiniteError: a gradient is NaN or infinite; the first layer is named.
        """
        if self.how == "vmap":
            try:
                rows = self._mapped(pixels, labels)
            except RuntimeError:
                # What failed may have left half a step behind in the copy. A true error comes again in the loop.
                self._twin = _mappable(self._network)
                rows = self._looped(pixels, labels)
                self.how = "loop"
        else:
            rows = self._looped(pixels, labels)
        check_finite(torch.split(rows, self._sizes, dim=1), self.names)
        return rows

    def _mapped(self, pixels: Tensor, labels: Tensor) -> Tensor:
        def loss(parameters: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
            logits = functional_call(self._twin, parameters, (image[None],))
            return nn.functional.cross_entropy(logits, label[None])

        parameters = {name: value.detach() for name, value in trained_parameters(self._twin).items()}
        gradients = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, pixels, labels)
        return torch.cat([gradients[name].reshape(len(pixels), -1) for name in self.names], dim=1)

    def _looped(self, pixels: Tensor, labels: Tensor) -> Tensor:
        parameters = list(trained_parameters(self._twin).values())
        rows = pixels.new_empty(len(pixels), self.parameters, dtype=parameters[0].dtype)
        for row, image, label in zip(rows, pixels, labels, strict=True):
            value = nn.functional.cross_entropy(self._twin(image[None]), label[None])
            torch.cat(_flat(value, parameters), out=row)
        return rows


def loss_gradient(loss: Tensor, parameters: dict[str, nn.Parameter]) -> Tensor:
    """The gradient of one loss as a vector [P].

    Raises:
        NonFiniteError: it is NaN or infinite somewhere; the first layer is named.
    """
    parts = _flat(loss, list(parameters.values()))
    check_finite(parts, tuple(parameters))
    return torch.cat(parts)


def check_finite(parts: Sequence[Tensor], names: Sequence[str]) -> None:
    """Check the gradients by each of these parameters.

    Raises:
        NonFiniteError: one is NaN or infinite somewhere; the first layer is named.
    """
    for part, name in zip(parts, names, strict=True):
        if not torch.isfinite(part).all():
            layer, _, kind = name.rpartition(".")
            raise NonFiniteError(
                f"the loss gradient by {kind} of the layer {layer or 'network'!r} is NaN or infinite; expected "
                "finite gradients: check the weights, or train with a lower training.learning_rate"
            )


def _flat(loss: Tensor, parameters: list[nn.Parameter]) -> list[Tensor]:
    return [gradient.flatten() for gradient in torch.autograd.grad(loss, parameters, materialize_grads=True)]


class _FrozenNorm(nn.Module):
    """`nn.BatchNorm2d` in eval mode as a factor and a summand; its parameters have the same names."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, norm: nn.BatchNorm2d):
        super().__init__()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        self.weight, self.bias = norm.weight, norm.bias
        self.register_buffer("mean", norm.running_mean[:, None, None])
        self.register_buffer("deviation", (norm.running_var + norm.eps).sqrt()[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        factor = self.weight[:, None, None] / self.deviation
        return x * factor + (self.bias[:, None, None] - self.mean * factor)


def _mappable(network: nn.Module) -> nn.Module:
    """A frozen copy with batch norms that are quick to map."""
    twin = frozen(network)
    for name, module in list(twin.named_modules()):
        # Exactly this class: one that is derived from it may do more.
        if name and type(module) is nn.BatchNorm2d and module.affine and module.running_mean is not None:
            twin.set_submodule(name, _FrozenNorm(module))
    return twin
