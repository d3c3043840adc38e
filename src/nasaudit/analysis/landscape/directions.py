"""Pairs of directions that span the planes of a loss landscape.

- Signs, as in Pang et al., "On the Security Risks of AutoML", USENIX Security 2022: two orthogonal directions of +-1
  entries, in the weights of the first convolution, or in pixel space, where one shift serves all images.
- Filters, as in Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018, section 4: a network with
  batch normalisation does not change when its filters grow, so a step of fixed length means little. Each filter
  d_ij of a Gaussian direction is therefore brought to the length of the network's filter theta_ij:
  d_ij <- d_ij / |d_ij| * |theta_ij|.

Deviations: of an odd number of entries no two vectors of +-1 are orthogonal; their product is then 1 or -1, the least
there is. Biases and BN parameters get no direction, as with the option `biasbn` of the code of Li et al.
"""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nasaudit.errors import MeasurementError
from nasaudit.randomness import derive_seed

PARALLEL = 1 - 1e-6  # cosine from which two directions span no plane

Direction = Mapping[str, Tensor]  # what is added to each parameter, by its name; "" for the input


def sign_directions(like: Tensor, seed: int, name: str = "") -> tuple[Direction, Direction]:
    """Two orthogonal directions with entries of +-1, uniform among all such pairs.

    The second is the first with half of its signs turned (of an odd number, half rounded down).

    Args:
        like: of the shape, type and device that the directions get.
        seed: decides them, together with the shape.
        name: of the parameter that they belong to.
    """
    generator = torch.Generator().manual_seed(derive_seed("signs", tuple(like.shape), seed))
    first = torch.randint(0, 2, (like.numel(),), generator=generator) * 2 - 1
    second = first.clone()
    turned = torch.randperm(like.numel(), generator=generator)[: like.numel() // 2]
    second[turned] *= -1
    return {name: first.reshape(like.shape).to(like)}, {name: second.reshape(like.shape).to(like)}


def filter_directions(network: nn.Module, seed: int) -> tuple[Direction, Direction]:
    """Two Gaussian directions, each of whose filters has the norm of the network's (Li et al. 2018).

    A filter is what one output channel of a convolution, or one output of a linear layer, reads: a slice of a
    parameter along its first axis. Parameters with a single axis (biases, BN) are left out.

    Args:
        network: whose parameters are taken as they are.
        seed: decides the directions.
    """
    weights = {name: w.detach() for name, w in network.named_parameters() if w.ndim > 1}
    generators = [torch.Generator().manual_seed(derive_seed("filters", seed, k)) for k in range(2)]
    first, second = (
        {name: _normalised(_gaussian(w, generator), w) for name, w in weights.items()}
        for generator in generators
    )
    return first, second


def first_convolution(network: nn.Module, pixels: Tensor) -> str:
    """Name of the weights of the convolution that a forward pass reaches first.

    Raises:
        MeasurementError: the network has no convolution.
    """
    copied, reached = copy.deepcopy(network).eval(), list[str]()
    for name, module in copied.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(lambda _module, _x, name=name: reached.append(name))
    with torch.no_grad():
        copied(pixels[:1])
    if not reached:
        raise MeasurementError(
            "the plane 'first_layer' needs a network with a convolution (torch.nn.Conv2d), and this one has none: "
            "leave it out of the `kinds` of the analysis `landscape`"
        )
    return f"{reached[0]}.weight"


def check_directions(first: Direction, second: Direction) -> None:
    """Refuse directions that span no plane.

    Raises:
        MeasurementError: one has the norm 0, or they are parallel.
    """
    norms = [sum(float(part.double().square().sum()) for part in each.values()) for each in (first, second)]
    if min(norms) == 0:
        which = "first" if norms[0] == 0 else "second"
        raise MeasurementError(
            f"expected two directions that lead somewhere, but the {which} one has the norm 0, as all filters of "
            "a network have whose weights are zero: there is no plane to draw"
        )
    product = sum(float((first[name].double() * second[name].double()).sum()) for name in first)
    if abs(product) > PARALLEL * (norms[0] * norms[1]) ** 0.5:
        raise MeasurementError(
            "expected two directions that span a plane, but they are parallel: "
            "it takes at least 2 parameters or pixels"
        )


def _gaussian(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like)


def _normalised(direction: Tensor, weights: Tensor) -> Tensor:
    """Each filter of a direction brought to the norm of the same filter of the weights."""
    lengths = [torch.linalg.vector_norm(each.flatten(1), dim=1) for each in (direction, weights)]
    scale = (lengths[1] / lengths[0]).reshape(-1, *[1] * (weights.ndim - 1))
    scaled: Tensor = direction * scale
    return scaled
