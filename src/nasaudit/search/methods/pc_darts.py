"""PC-DARTS: DARTS on a part of the channels, with a weight for each edge.

Xu et al., "PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search", ICLR 2020. The authors'
code: yuhuixu1993/PC-DARTS b74702f. One of `parts` parts of the channels goes through the ops, the others pass by
(model_search.py:39-53); each node weighs the edges that enter it by a softmax of beta (:141-158, "edge
normalisation"); the product of both weights chooses edges and ops (:188-210).
"""

from typing import Any

import torch
from torch import Tensor, nn

from nasaudit.search.methods.darts import INIT_SCALE, AlphaSearch
from nasaudit.search.supernet import Mixture
from nasaudit.spec.searches import PcDartsSpec


class PcDarts(AlphaSearch[PcDartsSpec]):
    """First order; see the module."""

    def begin(self) -> None:  # noqa: D102
        edges = len(self.spec.space.sources)
        self.betas = {
            kind: nn.Parameter((INIT_SCALE * torch.randn(edges)).to(self.problem.device))
            for kind in self.spec.space.kinds
        }
        super().begin()

    @property
    def parts(self) -> int:  # type: ignore[override]
        """Of the channels."""
        return self.spec.parts

    def architecture_parameters(self) -> list[nn.Parameter]:  # noqa: D102
        return [*self.alphas.values(), *self.betas.values()]

    def edge_weights(self, kind: str) -> Tensor:
        """What the edges of a kind are multiplied by: softmax over those that enter one node, [edges]."""
        space, beta = self.spec.space, self.betas[kind]
        nodes = range(space.inputs, space.inputs + space.nodes)
        return torch.cat([beta[[*space.edges_into(node)]].softmax(dim=0) for node in nodes])

    def forward(self, pixels: Tensor, mixtures: dict[str, Mixture] | None = None) -> Tensor:  # noqa: D102
        edges = {kind: self.edge_weights(kind) for kind in self.betas}
        logits: Tensor = self.supernet(pixels, self.mixtures() if mixtures is None else mixtures, edges)
        return logits

    def strengths(self) -> dict[str, Tensor]:  # noqa: D102
        return {
            kind: strength * self.edge_weights(kind).unsqueeze(1)
            for kind, strength in super().strengths().items()
        }

    def said(self) -> dict[str, Any]:  # noqa: D102
        return {**super().said(), "edges": {kind: self.edge_weights(kind).tolist() for kind in self.betas}}

    def state(self) -> dict[str, Any]:  # noqa: D102
        return {**super().state(), "betas": {kind: beta.detach() for kind, beta in self.betas.items()}}

    def restore(self, state: dict[str, Any]) -> None:  # noqa: D102
        super().restore(state)
        with torch.no_grad():
            for kind, beta in self.betas.items():
                beta.copy_(state["betas"][kind])
