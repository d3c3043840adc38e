"""Random numbers that belong to an image: the same for an index and a seed, in whatever batch it stands.

A counter-based generator makes all of them at once, where a generator for each image would need a loop:
the mixing function of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators",
OOPSLA 2014).
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nasaudit.randomness import derive_seed

Bits = npt.NDArray[np.uint64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def uniform(indices: Tensor, count: int, *purpose: object) -> Tensor:
    """float32 [N, count] in [0, 1), one row for each index.

    Args:
        indices: int64 [N], the identities of the images.
        count: how many numbers each gets.
        purpose: what they are for (a seed, a restart): any printable parts.
    """
    stream = _mix(_mix(indices.cpu().numpy().astype(np.uint64)) ^ np.uint64(derive_seed(*purpose)))
    with np.errstate(over="ignore"):
        counter = np.arange(1, count + 1, dtype=np.uint64) * GOLDEN
        bits = _mix(stream[:, None] + counter)
    # float32 holds 24 bits: more would round up to 1.
    shares = (bits >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)
    return torch.from_numpy(shares).to(indices.device)


def normal(indices: Tensor, count: int, *purpose: object) -> Tensor:
    """float32 [N, count], standard normal, one row for each index (Box and Muller 1958).

    The arguments are those of `uniform`.
    """
    angle, radius = torch.split(uniform(indices, 2 * count, *purpose), count, dim=1)
    return torch.sqrt(-2 * torch.log(1 - radius)) * torch.cos(2 * torch.pi * angle)


def _mix(z: Bits) -> Bits:
    """The finaliser of SplitMix64: a bijection of 64-bit words."""
    with np.errstate(over="ignore"):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
