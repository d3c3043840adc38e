"""Oracle: a victim as a black box that counts every image it is asked about, and may say less than it knows."""

from collections.abc import Callable, Sequence
from typing import Literal, final, get_args

import torch
from torch import Tensor

from nasaudit.errors import QueryBudgetError, SpecError
from nasaudit.victim.classifier import Classifier

Output = Literal["probabilities", "label", "logits"]
# Probabilities [N, classes] -> what is told of them, which need not add up to 1.
Limit = Callable[[Tensor], Tensor]


@final
class Oracle:
    """Answers queries until the budget is used up. One query is one image.

    Args:
        classifier: the victim.
        query_budget: how many images it answers in all; None: any number.
        output: `probabilities` [N, classes] and `logits` [N, classes] for score-based attackers, `label`
            int64 [N] for label-based ones.
        limits: what is done to probabilities before they are told, in this order.

    Attributes:
        queries: how many images have been answered.

    Raises:
        SpecError: a negative budget, another output, or limits where no probabilities are told.
    """

    def __init__(
        self,
        classifier: Classifier,
        query_budget: int | None = None,
        output: Output = "probabilities",
        limits: Sequence[Limit] = (),
    ):
        if query_budget is not None and query_budget < 0:
            raise SpecError("query_budget", "a number of images, or None", query_budget)
        if output not in get_args(Output):
            raise SpecError("output", f"one of {', '.join(get_args(Output))}", output)
        if limits and output != "probabilities":
            raise SpecError("limits", "none, without probabilities", len(limits))
        self._classifier = classifier
        self.query_budget = query_budget
        self.output = output
        self.limits = tuple(limits)
        self.queries = 0

    @property
    def classes(self) -> int:
        """How many classes the victim tells apart."""
        return self._classifier.classes

    @property
    def device(self) -> torch.device:
        """Where its images must be."""
        return self._classifier.device

    @property
    def remaining(self) -> int | None:
        """How many more images it will answer; None without a budget."""
        return None if self.query_budget is None else self.query_budget - self.queries

    @torch.no_grad()
    def __call__(self, pixels: Tensor) -> Tensor:
        """Ask about every image of a batch, float32 [N, C, H, W] in [0,1].

        Raises:
            QueryBudgetError: the batch does not fit in what is left. None of it is then forwarded or counted,
                and the attack keeps what it has so far.
        """
        if self.remaining is not None and len(pixels) > self.remaining:
            raise QueryBudgetError(
                f"{len(pixels)} images were asked for, "
                f"with {self.remaining} of {self.query_budget} queries left"
            )
        self.queries += len(pixels)
        logits = self._classifier(pixels)
        if self.output != "probabilities":
            return logits if self.output == "logits" else logits.argmax(1)
        answers = logits.softmax(1)
        for limit in self.limits:
            answers = limit(answers)
        return answers
