"""The trace of symmetric operators that are only known by their products with vectors.

Hutchinson, "A Stochastic Estimator of the Trace of the Influence Matrix for Laplacian Smoothing Splines",
Communications in Statistics - Simulation and Computation 19, 1990: for z with independent entries of +1 and -1
(Rademacher), E[z' A z] = tr A, with variance 2 (|A|_F^2 - sum_i A_ii^2): none for a diagonal operator.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def hutchinson(
    product: Callable[[Tensor], Tensor], like: Tensor, probes: int, generator: torch.Generator
) -> Tensor:
    """Estimates of the traces of N operators, one for each probe: float64 [probes, N] on the CPU.

    Args:
        product: [N, D] -> [N, D], row by row a symmetric operator times a vector.
        like: [N, D]: the type, device and shape of a vector.
        probes: how many; each row has its own.
        generator: on the CPU.

    >>> diagonal = torch.tensor([[3.0, -7.0, 2.0]])
    >>> hutchinson(lambda v: diagonal * v, diagonal, 2, torch.Generator().manual_seed(0)).flatten().tolist()
    [-2.0, -2.0]
    """
    estimates = []
    for _ in range(probes):
        z = torch.randint(0, 2, like.shape, generator=generator).mul_(2).sub_(1).to(like)
        estimates.append((product(z) * z).double().sum(dim=1).cpu())
    return torch.stack(estimates)
