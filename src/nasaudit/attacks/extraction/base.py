"""What extraction attacks have in common: a thief asks, keeps the answers, and trains a surrogate on them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from nasaudit.arch.network import Network
from nasaudit.data.split import Split
from nasaudit.errors import DataError, SpecError
from nasaudit.progress import Progress, part, silent
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import ExtractionSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.training.loop import fit
from nasaudit.victim.batches import in_batches
from nasaudit.victim.oracle import Oracle

# A smaller batch has no statistics for batch normalisation to learn from.
FEWEST_TO_TRAIN_ON = 2
# float32 probabilities of a thousand classes add up to 1 within this.
SUM_TOLERANCE = 1e-4
# What querying takes of an attack's time, for the progress bar.
QUERY_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class TransferSet:
    """What the victim was asked, and what it answered.

    Attributes:
        positions: int64 [n], positions in the thief's pool, in the order of asking, none twice.
        answers: float32 [n, classes], probabilities; or int64 [n], predicted classes.

    Raises:
        DataError: answers that are neither; logits, above all, which a surrogate would fit without complaint.
    """

    positions: Tensor
    answers: Tensor

    def __post_init__(self) -> None:
        if len(self.positions) != len(self.answers):
            raise DataError(
                f"expected one answer an image, got {len(self.answers)} for {len(self.positions)} images"
            )
        if self.answers.ndim == 1 and self.answers.dtype == torch.int64:
            return
        if self.answers.ndim != 2 or not self.answers.is_floating_point():
            raise DataError(
                "expected probabilities [n, classes] or classes int64 [n], "
                f"got {self.answers.dtype} {list(self.answers.shape)}"
            )
        inside = ((self.answers >= 0) & (self.answers <= 1)).all(1)  # NaN compares false
        complete = (self.answers.double().sum(1) - 1).abs() <= SUM_TOLERANCE
        if not (inside & complete).all():
            first = int((~(inside & complete)).nonzero()[0])
            raise DataError(
                "expected soft answers that are probabilities (in [0,1], adding up to 1), got "
                f"{self.answers[first].tolist()} for image {first}; take an oracle whose output is 'probabilities'"
            )

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True, eq=False)
class Stolen:
    """What a thief walks away with. How good it is, others judge.

    Attributes:
        transfer: the questions and answers.
        surrogate: trained on them, in eval mode; as it was built if there were fewer than two answers.
    """

    transfer: TransferSet
    surrogate: Network


class ExtractionAttack(ABC):
    """An attack that sees only answers. Subclasses name the class of their spec, and are final."""

    spec: ExtractionSpec

    def __init__(self, spec: ExtractionSpec):
        self.spec = spec

    @abstractmethod
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
        """Choose images of the pool and ask about them; the arguments are those of `steal`.

        The choice must not depend on `budget`: a smaller one asks the first of a larger one's questions. The
        `surrogate` may be copied, and must not be trained.
        """

    def steal(
        self,
        oracle: Oracle,
        pool: Split,
        budget: int,
        surrogate: Network,
        training: TrainingSpec,
        *,
        seed: int,
        progress: Progress = silent,
    ) -> Stolen:
        """Ask, and train the surrogate on the answers.

        Args:
            oracle: the victim. If it answers fewer than `budget` images, what it has answered is used.
            pool: the thief's images, of the victim's input shape; its labels are never trained on.
            budget: images to ask about; 0 leaves the surrogate untrained.
            surrogate: fresh; it is trained in place, on the oracle's device.
            training: the recipe.
            seed: decides the choice of images and the training.
            progress: called with the share done.

        Raises:
            SpecError: a budget that the pool does not have.
        """
        if not 0 <= budget <= len(pool):
            raise SpecError("budget", f"from 0 to {len(pool)}, the images of the pool", budget)
        asking = part(progress, 0.0, QUERY_SHARE, "asking")
        transfer = self.query(oracle, pool, budget, surrogate, seed=seed, progress=asking)
        device = str(oracle.device)
        if len(transfer) >= FEWEST_TO_TRAIN_ON:
            fit(
                surrogate,
                pool.take(transfer.positions),
                training,
                derive_seed("surrogate training", seed),
                targets=transfer.answers,
                device=device,
                progress=part(progress, QUERY_SHARE, 1.0),
            )
        return Stolen(transfer, surrogate.to(device).eval())


def ask(oracle: Oracle, pool: Split, positions: Tensor, progress: Progress = silent) -> TransferSet:
    """Ask about these images of the pool, in this order, as far as the oracle's budget goes.

    Of probabilities that the victim has rounded or shortened the thief makes distributions again.
    """
    positions = positions[: oracle.remaining]
    answers = in_batches(oracle, pool.take(positions), oracle.device, progress).cpu()
    return TransferSet(positions, rescaled(answers) if oracle.limits else answers)


def rescaled(answers: Tensor) -> Tensor:
    """Each row divided by its sum; a row of zeros, in which no class was worth a digit, becomes uniform.

    Args:
        answers: float32 [n, classes], not negative.
    """
    total = answers.sum(1, keepdim=True)
    return torch.where(
        total > 0, answers / total.clamp_min(torch.finfo(answers.dtype).tiny), 1 / answers.shape[1]
    )
