"""The largest eigenvalue of symmetric operators that are only known by their products with vectors.

Lanczos, "An Iteration Method for the Solution of the Eigenvalue Problem of Linear Differential and Integral
Operators", Journal of Research of the National Bureau of Standards 45, 1950; Golub and Van Loan, "Matrix
Computations", chapter 10; Parlett, "The Symmetric Eigenvalue Problem", chapters 12 and 13 (the residual bound, and
why the basis must be kept orthogonal). For Hessians of networks: Ghorbani, Krishnan and Xiao, "An Investigation
into Neural Net Optimization via Hessian Eigenvalue Density", ICML 2019; Yao, Gholami, Keutzer and Mahoney,
"PyHessian: Neural Networks Through the Lens of the Hessian", IEEE Big Data 2020 (by power iteration).

Idea: after k products A is known on the Krylov space of q_1, A q_1, ..., A^(k-1) q_1. In its orthonormal basis Q it
is the tridiagonal matrix T = Q' A Q with diagonal alpha and off-diagonal beta. With (theta, s) the top eigenpair of
T, the Ritz vector y = Q s has Rayleigh quotient theta, so theta <= lambda_max, and

    |A y - theta y| = beta_k |s_k|,

within which of theta there is an eigenvalue of A.

The largest eigenvalue is the largest algebraically: that of the steepest upward curvature. A power iteration finds
the largest in magnitude, which may be a negative one; the tests have one as an independent way.

Deviations: every new vector is orthogonalised twice against all earlier ones (full reorthogonalisation), which
costs little beside a product with a Hessian. N operators run side by side, each with a space of its own.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from nasaudit.analysis.smoothness.curvature import Product


@dataclass(frozen=True, eq=False)
class Top:
    """The largest eigenvalues of N operators.

    Attributes:
        value: float64 [N] on the CPU: the Ritz values theta, never above the largest eigenvalue.
        residual: float64 [N]: |A y - theta y|; an eigenvalue is within this distance of theta.
        vector: [N, D], unit length: the Ritz vectors y.
        products: how many products were taken.
    """

    value: Tensor
    residual: Tensor
    vector: Tensor
    products: int


def lanczos(product: Product, start: Tensor, iterations: int, tolerance: float = 1e-2) -> Top:
    """The top eigenpair of each operator.

    Args:
        product: [N, D] -> [N, D], row by row a symmetric operator times a vector.
        start: [N, D], no row zero; random, so that it has a share in every eigenvector.
        iterations: products at most; no more than D are taken.
        tolerance: ends it when each residual is at most this share of |theta|.

    >>> diagonal = torch.tensor([[3.0, -7.0, 2.0, 1.0]], dtype=torch.float64)
    >>> top = lanczos(lambda v: diagonal * v, torch.ones(1, 4, dtype=torch.float64), iterations=4)
    >>> round(top.value.item(), 9), top.products
    (3.0, 4)
    """
    vector = start / start.norm(dim=1, keepdim=True)
    basis, alphas, betas = [vector], [], []
    scale = torch.zeros(len(start), dtype=torch.float64)
    for _ in range(min(iterations, start.shape[1])):
        image = product(basis[-1])
        alphas.append((image * basis[-1]).sum(dim=1).double().cpu())
        rest = _orthogonal(image, basis)
        beta = rest.norm(dim=1)
        scale = torch.maximum(scale, image.norm(dim=1).double().cpu())
        # Rounding is all that is left of an invariant subspace; from there on this row is padded (see _ritz).
        ended = beta.double().cpu() <= 10 * torch.finfo(start.dtype).eps * scale
        betas.append(torch.where(ended, 0.0, beta.double().cpu()))
        theta, residual, weights = _ritz(alphas, betas)
        if (residual <= tolerance * theta.abs()).all():
            break
        basis.append(torch.where(ended.to(beta.device)[:, None], 0.0, rest / beta.clamp_min(1e-300)[:, None]))
    space = torch.stack(basis[: len(alphas)], dim=1)
    ritz = torch.einsum("nk,nkd->nd", weights.to(space), space)
    return Top(theta, residual, ritz / ritz.norm(dim=1, keepdim=True), len(alphas))


def _orthogonal(vectors: Tensor, basis: list[Tensor]) -> Tensor:
    """The part of each vector that is orthogonal to its row of the basis: twice is enough (Parlett, 6.9)."""
    space = torch.stack(basis, dim=1)
    for _ in range(2):
        shares = torch.einsum("nkd,nd->nk", space, vectors)
        vectors = vectors - torch.einsum("nkd,nk->nd", space, shares)
    return vectors


def _ritz(alphas: list[Tensor], betas: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Theta [N], |A y - theta y| [N] and s [N, k], from the tridiagonal matrices."""
    alpha, beta = torch.stack(alphas, dim=1), torch.stack(betas, dim=1)
    # After an invariant subspace, vectors are zero and so is alpha. A diagonal entry below alpha_1 <= theta keeps
    # the padding from being taken for the top eigenvalue of an operator whose eigenvalues are all negative.
    padded = torch.cat([torch.zeros_like(beta[:, :1]), (beta == 0).double().cumsum(1)[:, :-1]], dim=1) > 0
    alpha = torch.where(padded, alpha[:, :1] - alpha[:, :1].abs() - 1, alpha)
    matrix = torch.diag_embed(alpha)
    if alpha.shape[1] > 1:
        matrix += torch.diag_embed(beta[:, :-1], 1) + torch.diag_embed(beta[:, :-1], -1)
    values, vectors = torch.linalg.eigh(matrix)
    weights = vectors[:, :, -1]
    return values[:, -1], (beta[:, -1] * weights[:, -1]).abs(), weights
