"""DrNAS: the mixture of each edge is drawn from a Dirichlet distribution, which is learned.

Chen et al., "DrNAS: Dirichlet Neural Architecture Search", ICLR 2021. The authors' code: xiangning-chen/DrNAS
f2caa4d. Each forward pass draws Dirichlet(elu(alpha) + 1) for every edge, in evaluation too, and its gradient goes
through the draw (utils.py:168-182). Ops read a part of the channels, as PC-DARTS does (model_search.py:41-56). The
search is progressive: after a stage the weakest ops of each edge are masked, their alphas set to 0
(utils.py:197-208), and the searched part of the channels is widened (net2wider.py). The rate follows one cosine over
all stages. The derived cells are those of softmax(alpha) under the mask.

With regulariser `kl` the loss has the divergence from Dirichlet(1, ..., 1) in the place of weight decay
(model_search.py:203-212).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Dirichlet, kl_divergence

from nasaudit.search.methods.darts import BETAS, AlphaSearch
from nasaudit.search.one_shot import Batch
from nasaudit.search.widening import widen
from nasaudit.spec.searches import DrnasSpec

KL_SCALE = 1e-3  # reg_scale (DARTS-space/train_search.py:46)


class Drnas(AlphaSearch[DrnasSpec]):
    """See the module."""

    def begin(self) -> None:  # noqa: D102
        super().begin()
        self.masks = {kind: torch.ones_like(alpha, dtype=torch.bool) for kind, alpha in self.alphas.items()}

    @property
    def parts(self) -> int:  # type: ignore[override]
        """Of the channels, in this stage."""
        return self.spec.stage_parts[self.stage]

    def make_alpha_optimizer(self) -> torch.optim.Optimizer:  # noqa: D102
        decay = self.spec.alpha_weight_decay if self.spec.regulariser == "l2" else 0.0
        return torch.optim.Adam(
            self.architecture_parameters(), self.spec.alpha_learning_rate, BETAS, weight_decay=decay
        )

    def mixed(self, kind: str) -> Tensor:
        """A draw for each edge, renormalised over the ops that are left."""
        drawn: Tensor = Dirichlet(nn.functional.elu(self.alphas[kind]) + 1).rsample()
        left = drawn * self.masks[kind]
        return left / left.sum(dim=-1, keepdim=True)

    def loss(self, batch: Batch) -> Tensor:  # noqa: D102
        loss = super().loss(batch)
        if self.spec.regulariser == "kl":
            for alpha in self.alphas.values():
                drawn = Dirichlet(nn.functional.elu(alpha) + 1)
                loss = loss + KL_SCALE * kl_divergence(drawn, Dirichlet(torch.ones_like(alpha))).sum()
        return loss

    def strengths(self) -> dict[str, Tensor]:
        """Softmax of the alphas, renormalised over the ops that are left."""
        strengths = {}
        for kind, alpha in self.alphas.items():
            left = self.levered(alpha.softmax(dim=-1)) * self.masks[kind]
            strengths[kind] = left / left.sum(dim=-1, keepdim=True)
        return strengths

    def said(self) -> dict[str, Any]:
        """The means of the draws, not one of them."""
        means = {kind: strength.detach().cpu().tolist() for kind, strength in self.strengths().items()}
        return {"weights": means, **self.said_of_penalty()}

    def after_epoch(self) -> None:
        """At the end of a stage but the last, mask ops and widen."""
        if self.epoch_of_stage + 1 < self.spec.epochs or self.epoch + 1 == self.epochs:
            return
        self.stage += 1
        keep = self.spec.stage_ops[self.stage]
        for kind, alpha in self.alphas.items():
            self.masks[kind] = self._pruned(alpha, self.masks[kind], keep)
            self.active[kind] = tuple(
                tuple(row.nonzero().flatten().tolist()) for row in self.masks[kind].cpu()
            )
        self._widen()

    @staticmethod
    @torch.no_grad()
    def _pruned(alpha: Tensor, mask: Tensor, keep: int) -> Tensor:
        """The mask of the strongest `keep` of those left; the alphas of all others become 0."""
        strongest = alpha.masked_fill(~mask, -torch.inf).topk(keep, dim=-1).indices
        left = torch.zeros_like(mask).scatter(1, strongest, torch.ones_like(mask))
        alpha.mul_(left)
        return left

    def _widen(self) -> None:
        if self.spec.stage_parts[self.stage] < self.spec.stage_parts[self.stage - 1]:
            assert isinstance(self.optimizer, torch.optim.SGD)
            self.optimizer = widen(self.supernet, self.parts, self.optimizer)

    def state(self) -> dict[str, Any]:  # noqa: D102
        return {**super().state(), "stage": self.stage, "masks": self.masks, "active": self.active}

    def restore(self, state: dict[str, Any]) -> None:  # noqa: D102
        self.stage = state["stage"]
        self.make_supernet()
        super().restore(state)
        self.masks, self.active = state["masks"], state["active"]
