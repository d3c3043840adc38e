"""Questions to an Oracle: stacked into full batches, and counted for each image."""

from typing import final

import torch
from torch import Tensor

from nasaudit.errors import NonFiniteError, SpecError
from nasaudit.progress import Progress, silent
from nasaudit.victim.oracle import Oracle

# Images of one forward pass without gradients: on a CPU as many as its cache holds.
CPU_BATCH, GPU_BATCH = 256, 2048


@final
class Questions:
    """One attack's way to the oracle.

    Args:
        oracle: the victim.
        images: how many images are attacked.
        batch_size: images of one forward pass; None: by the oracle's device.
        progress: called after every forward pass with `done`.

    Attributes:
        queries: int64 [images], how many answers each image has cost so far. The sum is what the oracle has
            counted, also when its budget ends in the middle.
        done: the share of the attack that is done; set by the attack.
    """

    def __init__(
        self, oracle: Oracle, images: int, batch_size: int | None = None, progress: Progress = silent
    ):
        self._oracle = oracle
        self._progress = progress
        self.batch_size = batch_size or (CPU_BATCH if oracle.device.type == "cpu" else GPU_BATCH)
        self.queries = torch.zeros(images, dtype=torch.int64, device=oracle.device)
        self.done = 0.0

    def logits(self, rows: Tensor, points: Tensor) -> Tensor:
        """The scores of M points, float32 [M, classes]; of an oracle of probabilities, their logarithms.

        Args:
            rows: int64 [M], the position of the image that each question is about; it may occur many times.
            points: float32 [M, C, H, W] in [0,1].

        Raises:
            SpecError: the oracle gives labels.
            QueryBudgetError: the oracle's budget is used up. The batches answered until then are counted.
            NonFiniteError: an answer is NaN or infinite.
        """
        if self._oracle.output == "label":
            raise SpecError(
                "output", "an oracle of `probabilities` or `logits` for a score-based attack", "label"
            )
        answers = self._ask(rows, points)
        if not torch.isfinite(answers).all():
            raise NonFiniteError("an answer of the victim is NaN or infinite; check its training and weights")
        if self._oracle.output == "probabilities":
            return answers.clamp_min(torch.finfo(answers.dtype).tiny).log()
        return answers

    def labels(self, rows: Tensor, points: Tensor) -> Tensor:
        """The class that the victim names for each of M points, int64 [M], whatever else it says.

        The arguments are those of `logits`.

        Raises:
            QueryBudgetError: see `logits`.
        """
        answers = self._ask(rows, points)
        return answers if self._oracle.output == "label" else answers.argmax(1)

    def _ask(self, rows: Tensor, points: Tensor) -> Tensor:
        answers = []
        for owners, batch in zip(
            torch.split(rows, self.batch_size), torch.split(points, self.batch_size), strict=True
        ):
            answers.append(self._oracle(batch))
            self.queries.index_add_(0, owners, torch.ones_like(owners))
            self._progress(self.done)
        return torch.cat(answers)
