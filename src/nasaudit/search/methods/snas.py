"""SNAS: ops are sampled, and the sample is relaxed.

Xie et al., "SNAS: Stochastic Neural Architecture Search", ICLR 2019. The authors' code: SNAS-Series/SNAS-Series
9a43adb, SNAS/. Each forward pass draws softmax((alpha + Gumbel) / T) for every edge (model_search.py:665-670); T
falls linearly from 1 to .03 over the search (utils.py:128-148). One loss on one batch trains weights and alphas
alike, both on all training images (train_search.py:277-305 and :488-512), and adds what the sample costs: lambda
times the mean of the logarithms of size, FLOPs and memory accesses of each edge's weighed ops, summed over the edges
of all cells, divided by the numbers of normal (6) and of reduction cells (2) (:421-452, model_search.py:410-460).
Every edge is kept, and may be `none` (model_search.py:726-752).

Deviations: the divisors are the numbers of cells that there are, which for the published 8 cells are the same; memory
accesses are the numbers that convolutions read and write, weights included, and poolings cost nothing; nothing is
ever measured on test images, which the authors' log calls validation.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from nasaudit.search.base import Found, Problem
from nasaudit.search.cells import Cells, cells_of, strongest
from nasaudit.search.costs import op_costs
from nasaudit.search.methods.darts import AlphaSearch
from nasaudit.search.one_shot import Batch
from nasaudit.search.supernet import SuperCell
from nasaudit.spec.searches import SnasSpec

ALPHA_MEAN, ALPHA_STD = 1.0, 0.01  # of the first alphas (model_search.py:84-85, :160)
ALPHA_CLIP = 10.0  # norm of the gradients of alphas (train_search.py:505)
SMALLEST = 1.0  # cost below which an edge counts 1, whose logarithm is 0 (model_search.py:447-453)


class Snas(AlphaSearch[SnasSpec]):
    """Single level; see the module."""

    def begin(self) -> None:  # noqa: D102
        super().begin()
        with torch.no_grad():
            for alpha in self.alphas.values():
                alpha.copy_(ALPHA_MEAN + ALPHA_STD * torch.randn(alpha.shape))
        self.costs = op_costs(self.supernet, self.problem.train.shape, self.problem.device)

    def make_alpha_optimizer(self) -> torch.optim.Optimizer:
        """Plain SGD, as on a single GPU (train_search.py:268-271)."""
        return torch.optim.SGD(self.architecture_parameters(), self.spec.alpha_learning_rate)

    @property
    def temperature(self) -> float:
        """Of this epoch."""
        first, last = self.spec.temperature, self.spec.min_temperature
        return max(last, (1 - self.epoch / self.epochs) * (first - last) + last)

    def mixed(self, kind: str) -> Tensor:
        """A relaxed sample; outside of training the mean of the samples, a softmax."""
        alpha = self.alphas[kind]
        if not self.supernet.training:
            return alpha.softmax(dim=-1)
        uniform = torch.rand(alpha.shape).clamp_min(torch.finfo(torch.float32).tiny).to(alpha)
        gumbel = -(-uniform.log()).log()
        return ((alpha + gumbel) / self.temperature).softmax(dim=-1)

    def search(self, problem: Problem) -> Found:
        """All training images serve both: there is no second level to hold any out for."""
        return super().search(replace(problem, train=problem.train.joined(problem.held_out)))

    def before_epoch(self) -> None:
        """Whole edges are dropped for single images (train_search.py, README: --drop_path_prob 3e-1)."""
        for cell in self.supernet.cells:
            if isinstance(cell, SuperCell):
                cell.drop_path.probability = self.spec.drop_path

    def step(self, batch: Batch) -> Tensor:
        """One loss, one backward pass; weights and alphas step together."""
        self.optimizer.zero_grad(set_to_none=True)
        self.alpha_optimizer.zero_grad(set_to_none=True)
        mixtures = self.mixtures()
        loss = nn.functional.cross_entropy(self.supernet(batch[0], mixtures), batch[1])
        penalty = self.resource({kind: mixture.weights for kind, mixture in mixtures.items()})
        (loss + self.spec.resource_weight * penalty).backward()  # type: ignore[no-untyped-call]
        if not self.warming:
            self.pay(batch)
        nn.utils.clip_grad_norm_(self.supernet.parameters(), self.spec.gradient_clip)
        nn.utils.clip_grad_norm_(self.architecture_parameters(), ALPHA_CLIP)
        self.optimizer.step()
        if not self.warming:
            self.alpha_optimizer.step()
        return loss.detach()

    def resource(self, weights: dict[str, Tensor]) -> Tensor:
        """What a sample costs: log size, log FLOPs and log memory accesses, averaged."""
        total = torch.zeros((), device=self.problem.device)
        for kind, cells in self.costs.items():
            for costs in cells:  # [3, edges, primitives]
                edges = (costs * weights[kind]).sum(dim=-1)
                total = total + edges.where(edges >= SMALLEST, torch.ones_like(edges)).log().mean(
                    dim=0
                ).sum() / len(cells)
        return total

    def derive(self) -> Cells:
        """The strongest op of every edge, `none` among them."""
        with torch.no_grad():
            weights = {kind: self.levered(alpha.softmax(dim=-1)) for kind, alpha in self.alphas.items()}
        space = self.spec.space
        return cells_of(space, {kind: strongest(space, weight.tolist()) for kind, weight in weights.items()})
