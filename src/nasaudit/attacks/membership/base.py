"""What membership attacks have in common: what they are given, and what they give back.

An attack is asked about images without being told which of them are members. It gives each a score, higher for
what it holds more likely a member; `measures.py` is the judge of it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from nasaudit.data.shadows import Mask
from nasaudit.data.split import Split
from nasaudit.measure.estimate import FloatArray
from nasaudit.progress import Progress, silent
from nasaudit.spec.attacks.membership import MembershipSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle, Output


@dataclass(frozen=True, eq=False)
class ShadowModels:
    """Models that the attacker trained, on images of which it knows who has seen which.

    Attributes:
        load: for each of K models a function that loads it: there may be too many to hold at once.
        trained_on: source indices int64 [N] -> bool [K, N], which models have seen each image.
    """

    load: Sequence[Callable[[], Classifier]]
    trained_on: Callable[[Tensor], Mask]

    def __len__(self) -> int:
        return len(self.load)


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What an attacker has besides the victim's answers.

    Attributes:
        shadows: its own models; none for an attack that asks for none.
        pool: images that it knows not to be members.
        training: the recipe that the victim was trained with.
    """

    shadows: ShadowModels
    pool: Split
    training: TrainingSpec


@dataclass(frozen=True, eq=False)
class Scores:
    """What a membership attack returns.

    Attributes:
        score: float64 [N], higher for an image that is held more likely a member; finite.
        queries: int64 [N], images that the victim answered for each one, where an attack asks for some images
            more often than for others; None: all were asked about alike, and the Oracle's count says how often.
    """

    score: FloatArray
    queries: npt.NDArray[np.int64] | None = None


class MembershipAttack(ABC):
    """An attack on the secret of which images a victim was trained on.

    Subclasses are final. `output` is what the Oracle must answer with. An
    attack leaves its victim as it found it, and draws all its randomness from `seed`.
    """

    spec: MembershipSpec
    output: ClassVar[Output] = "logits"

    def __init__(self, spec: MembershipSpec):
        self.spec = spec

    @abstractmethod
    def score(
        self, victim: Oracle, images: Split, knowledge: Knowledge, *, seed: int, progress: Progress = silent
    ) -> Scores:
        """Score N images, members and non-members in an order that does not tell which is which.

        Args:
            victim: a black box that answers with `output`.
            images: the images, their true labels and source indices.
            knowledge: what else the attacker has.
            seed: decides every random choice.
            progress: called at least once a second with the share that is done.

        Raises:
            NonFiniteError: a logit of the victim or of a shadow model is NaN or infinite.
            QueryBudgetError: the victim's budget does not suffice.
        """
