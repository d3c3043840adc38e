"""DataSpec: which images, and how they are split. The splits depend on nothing else."""

from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.base import Spec
from nasaudit.spec.units import Fractional

OWN = frozenset({"npz", "folder"})  # sets that say nothing of what is in them
MAX_CLASSES = 50_000  # ImageNet-21k has 21,841
MAX_SIDE = 4096  # pixels that images are resized to
MAX_PATH = 4_096  # characters
Seed = Annotated[int, Field(ge=0, lt=2**63)]

# Images that are divided into training and other ones, roughly: what expected times hang on. Own data: a guess.
EXPECTED_IMAGES = {
    "digits": 1_797, "mnist5k": 5_000, "cifar10": 50_000, "cifar100": 50_000, "imagenet32": 1_281_167,
}  # fmt: skip
GUESSED_IMAGES = 5_000
EXPECTED_SIDES = {"digits": 8, "mnist5k": 28}  # pixels; of others: a guess
GUESSED_SIDE = 32
# Images of official test sets, and the classes that both are of.
TEST_IMAGES = {"cifar10": 10_000, "cifar100": 10_000, "imagenet32": 50_000}
ALL_CLASSES = {"imagenet32": 1000}  # of sets of which some classes may be drawn

Role = Literal["train", "validation", "test", "pool"]
# Who divided the images: `drawn`: we, by the fractions and the seed; `given`: whoever trained the weights of the
# study, into those that it was trained on and others; `unknown`: nobody says what its weights were trained on.
Division = Literal["drawn", "given", "unknown"]


class DataSpec(Spec):
    """A data set and its split into train, validation, test and attacker pool.

    Data sets with an official test set (CIFAR, ImageNet32) keep it: `test_fraction` is then unused, and
    the other fractions are of the official training set. What is left over is the training split.
    """

    name: Annotated[str, Field(max_length=MAX_PATH)] = "mnist5k"  # of the set, or name:path
    # File or folder of `folder`, `npz` and the downloaded sets.
    path: Annotated[str, Field(max_length=MAX_PATH)] | None = None
    seed: Seed = 0  # decides the splits, the drawn classes and images
    classes: Annotated[int, Field(ge=2, le=MAX_CLASSES)] | None = None  # how many are drawn; None: all
    # Images to train on, as many of each class; the images of validation and of the pool become fewer in proportion,
    # those of testing stay. None: all. Left out of the digest where it says nothing.
    train_images: Annotated[int, Field(ge=2)] | None = Field(
        default=None, exclude_if=lambda value: value is None
    )
    validation_fraction: Fractional = 0.05  # held back beside the training
    test_fraction: Fractional = 0.2  # what is attacked and counted
    pool_fraction: Fractional = 0.15  # what attackers have
    # The images that models are attacked and counted on: `validation` takes the validation images in the place of the
    # test images, which are then neither seen nor counted. So are models judged that a search chooses among.
    judged_on: Literal["test", "validation"] = Field(default="test", exclude_if=lambda value: value == "test")
    # Beside weights: a file of whole numbers, positions in the source, of the images that the model was trained on.
    train_index: str | None = Field(default=None, exclude_if=lambda value: value is None)
    # The same of images that it was not trained on. One of the two says it all, unless some images are neither.
    test_index: str | None = Field(default=None, exclude_if=lambda value: value is None)
    # Set when a study is planned. Of what is `given` nothing is held back: the fractions of validation and testing
    # are of no account, and the pool is of images that the model was not trained on.
    division: Division = Field(default="drawn", exclude_if=lambda value: value == "drawn")
    # `folder`: side that images are resized to
    image_size: Annotated[int, Field(ge=8, le=MAX_SIDE)] | None = None
    fingerprint: str | None = None  # digest of the file or folder's content, set when a study is planned

    @property
    def label(self) -> str:
        """What a reader knows the images by: `cifar10`, or the name of the user's own file or folder."""
        return PurePath(self.path).name if self.path and self.name in OWN else self.name

    @property
    def expected_side(self) -> int:
        """Height and width of the images, roughly, in pixels."""
        return self.image_size or EXPECTED_SIDES.get(self.name, GUESSED_SIDE)

    def expected_images(self, share: float | None = None) -> float:
        """How many images to train on, roughly; with a share, how many are that share of the whole."""
        whole: float = EXPECTED_IMAGES.get(self.name, GUESSED_IMAGES) * self._drawn_share
        left = 1.0 - self.validation_fraction - self.pool_fraction
        left -= 0.0 if self.name in TEST_IMAGES else self.test_fraction
        if self.train_images is not None and left > 0:
            whole = min(whole, self.train_images / left)
        return whole * (left if share is None else share)

    def expected_roles(self) -> dict[Role, int]:
        """How many images each role has, roughly: what is planned with where the images are not at hand."""
        shares = {
            "validation": self.validation_fraction,
            "pool": self.pool_fraction,
            "test": self.test_fraction,
        }
        roles: dict[Role, int] = {"train": round(self.expected_images())}
        roles |= {role: round(self.expected_images(share)) for role, share in shares.items()}  # type: ignore[misc]
        if self.name in TEST_IMAGES:
            roles["test"] = round(TEST_IMAGES[self.name] * self._drawn_share)
        return roles

    @property
    def _drawn_share(self) -> float:
        return self.classes / ALL_CLASSES[self.name] if self.classes and self.name in ALL_CLASSES else 1.0

    @model_validator(mode="after")
    def _something_is_left_to_train_on(self) -> "DataSpec":
        used = self.validation_fraction + self.test_fraction + self.pool_fraction
        if used >= 1:
            raise SpecError("validation_fraction", "the three fractions to add up to less than 1", used)
        if self.judged_on == "validation" and (not self.validation_fraction or self.division == "given"):
            raise SpecError("judged_on", "`test`, where no image is held back for validation", self.judged_on)
        return self


class ShadowSubset(Spec):
    """Which images one of several shadow models is trained on.

    The population is all images of the roles train, pool and test. Every image of it is in the training set of
    the same share of the shadow models (to within one), the share of the population that victims are trained on.
    """

    model: Annotated[int, Field(ge=0)]
    models: Annotated[int, Field(ge=2)]
    seed: Seed = 0

    @model_validator(mode="after")
    def _numbered_from_zero(self) -> "ShadowSubset":
        if self.model >= self.models:
            raise SpecError("model", f"a number from 0 to {self.models - 1}", self.model)
        return self
