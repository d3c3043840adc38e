"""Oracle: a victim as a black box that counts every image it is asked about, and may say less than it knows.

Two ways to say less are the ordinary remedies against a thief, and cost the honest user least: the most probable class
remains what it is.
- rounding: Tramer, Zhang, Juels, Reiter and Ristenpart, "Stealing Machine Learning Models via Prediction APIs", USENIX
  Security 2016, section 7;
- the largest probabilities alone: Orekondy, Schiele and Fritz, "Knockoff Nets", CVPR 2019, section 5 (truncated
  posteriors). As in their code, the other ones become 0, rounding comes after that, and nothing is rescaled: a row need
  not add up to 1.
"""

from typing import Literal, final, get_args

import torch
from torch import Tensor

from nasaudit.errors import QueryBudgetError, SpecError
from nasaudit.victim.classifier import Classifier

Output = Literal["probabilities", "label", "logits"]


@final
class Oracle:
    """Answers queries until the budget is used up. One query is one image.

    Args:
        classifier: the victim.
        query_budget: how many images it answers in all; None: any number.
        output: `probabilities` [N, classes] and `logits` [N, classes] for score-based attackers, `label`
            int64 [N] for label-based ones.
        decimals: probabilities are rounded to so many; None: they are not.
        top_k: the largest so many probabilities of an image are told, the others are 0; None: all.

    Attributes:
        queries: how many images have been answered.

    Raises:
        SpecError: a negative budget, another output, or probabilities shortened where none are told.
    """

    def __init__(
        self,
        classifier: Classifier,
        query_budget: int | None = None,
        output: Output = "probabilities",
        *,
        decimals: int | None = None,
        top_k: int | None = None,
    ):
        if query_budget is not None and query_budget < 0:
            raise SpecError("query_budget", "a number of images, or None", query_budget)
        if output not in get_args(Output):
            raise SpecError("output", f"one of {', '.join(get_args(Output))}", output)
        for field, value, least in (("decimals", decimals, 0), ("top_k", top_k, 1)):
            if value is not None and (value < least or output != "probabilities"):
                wanted = (
                    f"at least {least}" if output == "probabilities" else "nothing, without probabilities"
                )
                raise SpecError(field, wanted, value)
        self._classifier = classifier
        self.query_budget = query_budget
        self.output = output
        self.decimals = decimals
        self.top_k = top_k
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

    @property
    def shortened(self) -> bool:
        """Whether its probabilities need not add up to 1."""
        return self.decimals is not None or self.top_k is not None

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
        if self.output == "label":
            return logits.argmax(1)
        return self._told(logits.softmax(1)) if self.output == "probabilities" else logits

    def _told(self, probabilities: Tensor) -> Tensor:
        if self.top_k is not None:
            values, classes = probabilities.topk(min(self.top_k, self.classes), dim=1)
            probabilities = torch.zeros_like(probabilities).scatter_(1, classes, values)
        return probabilities if self.decimals is None else probabilities.round(decimals=self.decimals)
