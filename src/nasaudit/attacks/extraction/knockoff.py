"""Knockoff Nets, strategy `random`.

Orekondy, Schiele and Fritz, "Knockoff Nets: Stealing Functionality of Black-Box Models", CVPR 2019, section 4.
Access: black box; probabilities, or the predicted class alone (`labels=hard`).

The thief has images of its own, drawn from P_A(X), and no labels that matter. It asks the victim F_V about B of
them, drawn without replacement, and trains a surrogate F_A on the transfer set {(x_i, F_V(x_i))} by the cross
entropy of soft labels:
    L(F_A) = - sum_k p_k log p^_k    with p = F_V(x), p^ = F_A(x)

Deviations: the surrogate starts from random weights, not from a network trained on ImageNet. With
`recipe=published` it is trained as the talk's artifact does (SGD at a constant .025, batch 96, decay 5e-4, on images
augmented once, for the spec's epochs), not for the paper's 200; with `recipe=victim` by the victim's own
recipe. The answers are those to the image as it is in the pool, also where training crops it.
"""

from typing import final

import torch

from nasaudit.arch.network import Network
from nasaudit.attacks.extraction.base import ExtractionAttack, TransferSet, ask
from nasaudit.data.split import Split
from nasaudit.data.splits import random_order
from nasaudit.progress import Progress, silent
from nasaudit.spec.attacks import KnockoffSpec
from nasaudit.victim.oracle import Oracle


@final
class Knockoff(ExtractionAttack):
    """Random queries: those of a budget are the first of every larger one's."""

    spec: KnockoffSpec

    def query(
        self,
        oracle: Oracle,
        pool: Split,
        budget: int,
        surrogate: Network,
        *,
        seed: int,
        progress: Progress = silent,
    ) -> TransferSet:
        """See `ExtractionAttack.query`."""
        order = torch.from_numpy(random_order(len(pool), "knockoff", seed))
        return ask(oracle, pool, order[:budget], progress)
