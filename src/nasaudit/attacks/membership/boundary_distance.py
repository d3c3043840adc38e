"""The boundary distance attack: what lies far from the decision boundary is called a member.

Choquette-Choo, Tramer, Carlini and Papernot, "Label-Only Membership Inference Attacks", ICML 2021, section 3.2;
Li and Zhang, "Membership Leakage in Label-Only Exposures", CCS 2021 (their "boundary attack").

Access: the predicted label alone, hundreds of queries an image.

Idea: training pushes the decision boundary away from members, so a member takes a larger change to be misclassified.
The score is the distance to the nearest adversarial example that HopSkipJump finds,

    dist_h(x, y) = min |x' - x|_p  over x' with h(x') != y,    0 where h(x) != y already

A defence that hides or blurs the scores does not stop it: the labels say as much.

Deviations: the threshold, which the authors calibrate on a shadow model, is swept; what each gives is the ROC curve.
An image for which no adversarial example was found counts as the diameter of the range of pixels. HopSkipJump
gives an upper bound of the distance; how tight it is depends on `iterations`, `evaluations` and `query_budget`.
"""

import math
from typing import ClassVar, final

import numpy as np
import torch

from nasaudit.attacks.evasion.black_box.hop_skip_jump import HopSkipJump
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.attacks.membership.base import Knowledge, MembershipAttack, Scores
from nasaudit.data.split import Split
from nasaudit.progress import Progress, silent
from nasaudit.spec.attacks import HopSkipJumpSpec
from nasaudit.spec.attacks.membership import BoundaryDistanceSpec
from nasaudit.victim.oracle import Oracle, Output


@final
class BoundaryDistance(MembershipAttack):
    """The boundary distance attack."""

    spec: BoundaryDistanceSpec
    output: ClassVar[Output] = "label"

    def score(  # noqa: D102
        self, victim: Oracle, images: Split, knowledge: Knowledge, *, seed: int, progress: Progress = silent
    ) -> Scores:
        spec = self.spec
        search = HopSkipJumpSpec(
            norm=spec.norm,
            iterations=spec.iterations,
            evaluations=spec.evaluations,
            query_budget=spec.query_budget,
        )
        pixels, labels = images.tensors(victim.device)
        nearest = HopSkipJump(search).minimise(
            victim,
            pixels,
            Objective(labels),
            seed=seed,
            indices=images.indices.to(victim.device),
            progress=progress,
        )
        farthest = math.sqrt(pixels.shape[1:].numel()) if spec.norm == "l2" else 1.0
        distance = torch.nan_to_num(nearest.distance, posinf=farthest)
        queries = None if nearest.queries is None else nearest.queries.cpu().numpy()
        return Scores(np.asarray(distance.cpu().numpy(), dtype=np.float64), queries)
