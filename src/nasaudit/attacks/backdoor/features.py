"""The features of the penultimate layer: what the final classifier of any network reads."""

from types import TracebackType
from typing import cast

import torch
from torch import Tensor, nn

from nasaudit.arch.cells import CellNetwork
from nasaudit.arch.network import Network
from nasaudit.data.split import Split
from nasaudit.errors import MeasurementError
from nasaudit.victim.batches import BATCH


def head_of(network: Network) -> nn.Linear | nn.Conv2d:
    """The final classifier: a linear layer, or the 1x1 convolution that some families have in its place."""
    body = network.body
    if isinstance(body, CellNetwork):
        return body.classifier
    own = body.get_classifier() if hasattr(body, "get_classifier") else None  # type: ignore[operator]
    if isinstance(own, nn.Linear | nn.Conv2d):
        return own
    # Elsewhere it is the last layer that has one output for each class.
    for layer in reversed(list(body.modules())):
        if _outputs(layer) == network.spec.classes:
            return cast(nn.Linear | nn.Conv2d, layer)
    raise MeasurementError(
        f"{network.spec.name}: expected a linear layer or a 1x1 convolution with {network.spec.classes} outputs as "
        "the final classifier, found none: this attack works on what it reads"
    )


def _outputs(layer: nn.Module) -> int | None:
    """How many outputs a layer has that can be a classifier."""
    if isinstance(layer, nn.Linear):
        return layer.out_features
    return layer.out_channels if isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1) else None


def head_weight(network: Network) -> Tensor:
    """Weight of the final classifier: float32 [classes, features], detached."""
    return head_of(network).weight.detach().flatten(1)


class FeatureTap:
    """Notes what the final classifier reads in each forward pass, while it is open.

    Attributes:
        features: float [N, D] of the last forward pass, with its graph.
    """

    def __init__(self, network: Network):
        self._head = head_of(network)
        self.features: Tensor | None = None

    def __enter__(self) -> "FeatureTap":
        self._handle = self._head.register_forward_pre_hook(self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.remove()

    def take(self) -> Tensor:
        """The noted features, which are then forgotten."""
        features = self.features
        if features is None:
            raise RuntimeError("expected a forward pass before its features are taken")
        self.features = None
        return features

    def _note(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.features = inputs[0].flatten(1)


def mean_features(network: Network, images: Split, rows: Tensor, device: str = "cpu") -> Tensor:
    """Mean of the features [D] of these images, at least one, in the network's mode."""
    total = torch.zeros((), device=device)
    with FeatureTap(network) as tap, torch.no_grad():
        for part in torch.split(rows, BATCH):
            network(images.pixels(part).to(device))
            total = total + tap.take().sum(0)
    return total / len(rows)
