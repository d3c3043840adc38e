"""What evasion attacks have in common: images in, images out, at prediction time."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import DataError, SpecError
from nasaudit.progress import Progress, silent
from nasaudit.spec.attacks import EvasionSpec
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle

Access = TypeVar("Access", Classifier, Oracle)


@dataclass(frozen=True, eq=False)
class Perturbed:
    """What an evasion attack returns. It is a claim; `curve.py` is the judge of it.

    Attributes:
        images: float32 [N, C, H, W], within the ball and within [0,1]. An image that was not broken is where
            the attack ended.
        steps: int64 [N], updates made until the image was broken; -1 if it never was. Restarts add up.
        first_gradient: float32 [N], largest absolute entry of the loss gradient at the image's first step;
            NaN where none was taken. A white-box attack that finds zeros here meets masked gradients.
        queries: int64 [N], images that the victim answered for each one until it was broken, or in all if it
            never was; None for a white-box attack, which does not ask.
    """

    images: Tensor
    steps: Tensor
    first_gradient: Tensor
    queries: Tensor | None = None

    @classmethod
    def begin(cls, images: Tensor, queries: Tensor | None = None) -> "Perturbed":
        """What an attack knows before it begins: where each image starts, none broken. The tensors are its own."""
        return cls(
            images.clone(),
            torch.full((len(images),), -1, device=images.device),
            torch.full((len(images),), torch.nan, device=images.device),
            queries,
        )

    @property
    def broken(self) -> Tensor:
        """Bool [N]: the images that the attack believes to have broken."""
        return self.steps >= 0

    def add(self, rows: Tensor, later: "Perturbed", spent: int, *, first: bool) -> None:
        """Note what one more attempt, after `spent` updates by earlier ones, made of the images that still stood."""
        self.images[rows] = later.images
        self.steps[rows] = torch.where(later.broken, later.steps + spent, -1)
        if first:
            self.first_gradient[rows] = later.first_gradient


@dataclass(frozen=True, eq=False)
class Nearest:
    """What a minimal-norm attack returns. It is a claim; `curve.py` is the judge of it.

    Attributes:
        images: float32 [N, C, H, W] within [0,1], the nearest adversarial example found; the image itself where
            it needed no change or none was found.
        distance: float64 [N], its distance in the spec's norm: 0 where no change was needed, infinity where
            none was found.
        steps: int64 [N], updates made.
        queries: int64 [N], images that the victim answered for each one; None for a white-box attack.
    """

    images: Tensor
    distance: Tensor
    steps: Tensor
    queries: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Attempt:
    """Which images are attacked, and to what end: the arguments of `EvasionAttack.perturb`, checked and complete."""

    images: Tensor
    objective: Objective
    indices: Tensor
    seed: int
    progress: Progress

    @classmethod
    def of(
        cls, images: Tensor, objective: Objective, indices: Tensor | None, seed: int, progress: Progress
    ) -> "Attempt":
        """Check the images, and number them by position unless they have numbers."""
        check_images(images)
        if indices is None:
            indices = torch.arange(len(images), device=images.device)
        return cls(images, objective, indices, seed, progress)


class MinimalAttack(ABC, Generic[Access]):
    """An attack that looks for the nearest adversarial example, with no epsilon given beforehand.

    The rules are those of `EvasionAttack`, and so are the arguments.
    """

    spec: EvasionSpec

    def __init__(self, spec: EvasionSpec, batch_size: int | None = None):
        self.spec = spec
        self.batch_size = batch_size

    def minimise(
        self,
        victim: Access,
        images: Tensor,
        objective: Objective,
        *,
        seed: int = 0,
        indices: Tensor | None = None,
        progress: Progress = silent,
    ) -> Nearest:
        """Look for the nearest example of each image; the arguments are those of `EvasionAttack.perturb`."""
        return self._minimise(victim, Attempt.of(images, objective, indices, seed, progress))

    @abstractmethod
    def _minimise(self, victim: Access, attempt: Attempt) -> Nearest:
        """The attack itself."""


class EvasionAttack(ABC, Generic[Access]):
    """An attack on images at prediction time. The type of victim it takes is its threat model.

    Subclasses are final, and implement `_perturb`. An attack leaves its victim as it found it, gives the same
    verdicts however a batch is split, and draws all its randomness from `seed` and `indices`. When an Oracle's budget
    is used up it returns what it has.

    Args:
        spec: the attack's settings.
        batch_size: images of one forward pass; None: by the victim's device. It changes the speed and nothing else.
    """

    spec: EvasionSpec

    def __init__(self, spec: EvasionSpec, batch_size: int | None = None):
        self.spec = spec
        self.batch_size = batch_size

    def perturb(
        self,
        victim: Access,
        images: Tensor,
        objective: Objective,
        epsilon: float,
        *,
        seed: int = 0,
        indices: Tensor | None = None,
        progress: Progress = silent,
    ) -> Perturbed:
        """Look for adversarial examples within distance `epsilon` of each image.

        Args:
            victim: white-box Classifier or black-box Oracle.
            images: float32 [N, C, H, W] in [0,1], on the victim's device. N may be 0.
            objective: what counts as broken, for these N images.
            epsilon: radius of the ball in pixel units; 0 returns the images bit by bit.
            seed: decides every random choice, together with an image's own index.
            indices: int64 [N], the identity of each image: the same image is attacked in the same way
                whichever others stand beside it. None: the images are numbered by position.
            progress: called at least once a second with the share that is done.

        Raises:
            DataError: images outside of [0,1], not finite, or of the wrong type or shape.
            SpecError: an epsilon that no ball has.
            NonFiniteError: the victim's logits or gradients are NaN or infinite.
        """
        if not 0 <= epsilon < float("inf"):
            raise SpecError("epsilon", "a finite radius of at least 0", epsilon)
        return self._perturb(victim, Attempt.of(images, objective, indices, seed, progress), epsilon)

    @abstractmethod
    def _perturb(self, victim: Access, attempt: Attempt, epsilon: float) -> Perturbed:
        """The attack itself."""


def check_images(images: Tensor) -> None:
    """Refuse what is not float32 [N, C, H, W] in [0,1]. Raises DataError, naming the first bad image."""
    if images.dtype != torch.float32 or images.ndim != 4:
        raise DataError(f"expected float32 images [N, C, H, W], got {images.dtype} {list(images.shape)}")
    inside = ((images >= 0) & (images <= 1)).flatten(1).all(1)  # NaN compares false
    if not inside.all():
        first = int((~inside).nonzero()[0])
        low, high = float(images[first].min()), float(images[first].max())
        raise DataError(
            f"expected pixels in [0, 1], got {low:.4g} to {high:.4g} in image {first}; "
            "divide 8-bit images by 255"
        )


def open_access(spec: EvasionSpec, classifier: Classifier) -> Classifier | Oracle:
    """The victim as the spec's threat model has it: see `EvasionSpec`."""
    if spec.threat_model == "white_box":
        return classifier
    return Oracle(classifier, output="probabilities" if spec.threat_model == "score_based" else "label")
