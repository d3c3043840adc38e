"""The mean loss over images as a function of all parameters, in chunks of images so that memory stays bounded.

Pearlmutter's products as in `curvature`; the graph of each chunk's gradient is kept from one product to the next
where all of them fit into GRAPH_BYTES.
"""

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from nasaudit.analysis.smoothness.curvature import Loss, finite, first_derivative, second_derivative
from nasaudit.errors import MeasurementError

GRAPH_BYTES = 1 << 30  # graphs are kept for the next product up to this size, and rebuilt beyond
CHUNK_BYTES = 1 << 27  # and images are taken in chunks whose graph has about this size
MOST_IMAGES = 128  # of a chunk: a product of a small network is not to silence the progress


def at_once(size: int) -> int:
    """Images of a chunk, when the graph of one has this many bytes."""
    return max(1, min(MOST_IMAGES, CHUNK_BYTES // size))


@final
class ParameterLoss(Loss):
    """Mean cross entropy over images, as one function of all parameters: N = 1.

    Args:
        network: from `analysis.frozen`; eval mode, so that batch normalisation uses its running statistics.
        pixels: float [M, C, H, W] on the network's device.
        labels: int64 [M].
        size: bytes of the graph of one image, if that is known from another loss of the same network.

    Attributes:
        tick: called after each chunk of images, so that nobody waits in silence.
        size: as above.

    Raises:
        MeasurementError: the network has no parameters.
    """

    def __init__(self, network: nn.Module, pixels: Tensor, labels: Tensor, size: int | None = None):
        parameters = {n: p for n, p in network.named_parameters() if p.is_floating_point()}
        if not parameters:
            raise MeasurementError(
                f"expected a network with parameters, got {type(network).__name__} without"
            )
        self._network, self._images = network, len(pixels)
        self._names, self._parameters = tuple(parameters), tuple(parameters.values())
        self.point = _flat([p.detach() for p in self._parameters])
        self.tick: Callable[[], None] = lambda: None
        self.size = self._image_bytes(pixels[:1], labels[:1]) if size is None else size
        count = at_once(self.size)
        self._chunks = list(zip(torch.split(pixels, count), torch.split(labels, count), strict=True))
        self._keep = len(pixels) * self.size <= GRAPH_BYTES
        self._kept: dict[int, list[Tensor]] = {}

    @property
    def chunks(self) -> int:
        """How many chunks the images are taken in."""
        return len(self._chunks)

    def gradient(self, at: Tensor) -> Tensor:  # noqa: D102
        total = torch.zeros_like(self.point)
        shapes = [p.shape for p in self._parameters]
        sizes = [p.numel() for p in self._parameters]
        moved = [
            part.reshape(shape).requires_grad_(True)
            for part, shape in zip(torch.split(at[0].detach(), sizes), shapes, strict=True)
        ]
        for pixels, labels in self._chunks:
            total += _flat(self._differentiate(moved, pixels, labels, create_graph=False))
            self.tick()
        return finite(total, "the gradient of the loss with respect to the parameters")

    def product(self, vectors: Tensor) -> Tensor:  # noqa: D102
        total = torch.zeros_like(self.point)
        sizes = [p.numel() for p in self._parameters]
        parts = [
            v.reshape(p.shape) for v, p in zip(torch.split(vectors[0], sizes), self._parameters, strict=True)
        ]
        for number, (pixels, labels) in enumerate(self._chunks):
            gradients = self._kept.get(number)
            if gradients is None:
                gradients = self._differentiate(self._parameters, pixels, labels, create_graph=True)
            if self._keep:
                self._kept[number] = gradients
            total += _flat(second_derivative(gradients, self._parameters, parts, retain=self._keep))
            self.tick()
        return finite(total, "a Hessian-vector product of the loss with respect to the parameters")

    def release(self) -> None:
        """Give back the memory of the graphs."""
        self._kept.clear()

    def _differentiate(
        self,
        parameters: tuple[Tensor, ...] | list[Tensor],
        pixels: Tensor,
        labels: Tensor,
        create_graph: bool,
    ) -> list[Tensor]:
        """A chunk's share of the gradient."""
        named = dict(zip(self._names, parameters, strict=True))
        # A copy, because a first layer that works in place would change the images.
        logits = torch.func.functional_call(self._network, named, (pixels.clone(),))
        loss = nn.functional.cross_entropy(logits, labels, reduction="sum") / self._images
        return first_derivative(loss, parameters, create_graph)

    def _image_bytes(self, pixels: Tensor, labels: Tensor) -> int:
        """What the graph of one image's gradient holds, beside the parameters."""
        known = {p.untyped_storage().data_ptr() for p in self._parameters}
        held: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in known:
                held[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            # The gradients are kept until the storages have been counted: a freed one's address is used again.
            gradients = self._differentiate(self._parameters, pixels, labels, create_graph=True)
        del gradients
        return max(1, sum(held.values()))


def _flat(tensors: list[Tensor]) -> Tensor:
    """[1, D]."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])[None]
