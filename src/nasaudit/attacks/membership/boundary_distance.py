"""The boundary distance attack: what lies far from the decision boundary is called a member.

Choquette-Choo, Tramer, Carlini and Papernot, "Label-Only Membership Inference Attacks", ICML 2021, section 3.2;
Li and Zhang, "Membership Leakage in Label-Only Exposures", CCS 2021 (their "boundary attack").

Access: the predicted label alone, hundreds of queries an image.

Idea: training pushes the decision boundary away from members, so a member takes a larger change to be misclassified.
The score is the distance to the nearest adversarial example that HopSkipJump finds,

    dist_h(x, y) = min |x' - x|_p  over x' with h(x') != y,    0 where h(x) != y already

With `leave: prediction` h(x) stands for y: the walk starts from the victim's own prediction, and a misclassified
image has a distance too. `score_norm` measures the example found by another norm than it was searched in. The talk's
artifact does both (protocol `paper`).

A defence that hides or blurs the scores does not stop it: the labels say as much.

Deviations: the threshold, which the authors calibrate on a shadow model, is swept; what each gives is the ROC curve.
An image for which no adversarial example was found counts as the diameter of the range of pixels (the artifact's
library gives back the image itself, at distance 0). HopSkipJump
gives an upper bound of the distance; how tight it is depends on `iterations`, `evaluations` and `query_budget`.
"""

import math
from typing import ClassVar, final

import numpy as np
import torch

from nasaudit.attacks.evasion.black_box.hop_skip_jump import HopSkipJump
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.attacks.membership.base import Knowledge, MembershipAttack, Scores
from nasaudit.attacks.membership.signals import ask
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
            max_evaluations=spec.max_evaluations,
            query_budget=spec.query_budget,
        )
        pixels, labels = images.tensors(victim.device)
        predicted = ask(victim, images).to(victim.device) if spec.leave == "prediction" else None
        nearest = HopSkipJump(search).minimise(
            victim,
            pixels,
            Objective(labels if predicted is None else predicted),
            seed=seed,
            indices=images.indices.to(victim.device),
            progress=progress,
        )
        norm = spec.score_norm or spec.norm
        farthest = math.sqrt(pixels.shape[1:].numel()) if norm == "l2" else 1.0
        distance = nearest.distance
        if norm != spec.norm:
            change = (nearest.images.double() - pixels.double()).flatten(1)
            other = change.norm(dim=1) if norm == "l2" else change.abs().amax(1)
            distance = torch.where(distance.isfinite(), other, distance)
        distance = torch.nan_to_num(distance, posinf=farthest)
        queries = None if nearest.queries is None else nearest.queries.cpu().numpy()
        if queries is not None and predicted is not None:
            queries = queries + 1
        return Scores(np.asarray(distance.cpu().numpy(), dtype=np.float64), queries)
