"""What limits do to a victim's probabilities; `spec.remedies.answers` has their sources."""

from typing import final

import torch
from torch import Tensor

from nasaudit.spec.remedies.answers import RoundedSpec, TopSpec


@final
class Rounded:
    """To so many decimals."""

    def __init__(self, spec: RoundedSpec):
        self.spec = spec

    def __call__(self, probabilities: Tensor) -> Tensor:
        """See `victim.oracle.Limit`."""
        return probabilities.round(decimals=self.spec.decimals)


@final
class Largest:
    """The k largest of each row; 0 in the place of the others."""

    def __init__(self, spec: TopSpec):
        self.spec = spec

    def __call__(self, probabilities: Tensor) -> Tensor:
        """See `victim.oracle.Limit`."""
        values, classes = probabilities.topk(min(self.spec.k, probabilities.shape[1]), dim=1)
        return torch.zeros_like(probabilities).scatter_(1, classes, values)
