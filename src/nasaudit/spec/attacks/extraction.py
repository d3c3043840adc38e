"""Extraction: how many images the thief asks about, where they come from, and what is trained on the answers."""

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.arch import Protocol, Scale
from nasaudit.spec.attacks.base import ATTACKS, SAME, AttackSpec, DataFacts, Family, ThreatModel
from nasaudit.spec.data import Role
from nasaudit.spec.training import TrainingSpec
from nasaudit.spec.units import Fractional

OTHER = "other"  # an embedded data set that is not the victim's
# What `other` stands for: the first of these that is not the victim's own data.
OTHER_SETS = ("digits", "mnist5k")
OWN_POOLS: tuple[Role, ...] = ("pool", "train")  # splits of the victim's own data

Reward = Literal["certainty", "diversity", "loss"]
# At least so many steps of the surrogate for each epoch of its victim's training: data that take the victim long take
# the surrogate long. Found by trial on mini networks: with fewer, agreement still rises with training alone.
STEPS_FOR_AN_EPOCH = 25
# An eighth, a quarter, a half and all of the pool.
SHARES = (0.125, 0.25, 0.5, 1.0)


class ExtractionSpec(AttackSpec):
    """What every extraction attack shares: budgets, pool, answers, the surrogate and its training."""

    family: ClassVar[Family] = "extraction"
    expected_epochs: ClassVar[float] = 6.0  # of each surrogate

    budgets: tuple[Annotated[int, Field(ge=0)], ...] = ()  # images, ascending; empty: by `budget_shares`
    # Shares of the victim's split `pool` (of `train` where that is the pool), ascending; unused with `budgets`.
    budget_shares: tuple[Fractional, ...] = ()
    # `pool`: images that the victim never saw; `train`: its own training images (protocol `paper`); `other`: an
    # embedded data set that is not the victim's; or a data set by name.
    pool: str = "pool"
    labels: Literal["soft", "hard"] = "soft"  # probabilities, or the predicted class alone
    # What the victim does about thieves: it rounds its probabilities, or tells the largest ones alone (the others are
    # 0). Left out of the digest where it does neither, so that older records are found.
    decimals: Annotated[int, Field(ge=0)] | None = Field(default=None, exclude_if=lambda value: value is None)
    top_k: Annotated[int, Field(ge=1)] | None = Field(default=None, exclude_if=lambda value: value is None)
    surrogate: str = SAME  # `same`, or the name of one architecture for all victims
    recipe: Literal["victim", "published"] = (
        "victim"  # how the surrogate is trained; see `surrogate_training`
    )
    epochs: Annotated[int, Field(ge=1)] = 20
    # More epochs where these would take fewer steps; None: STEPS_FOR_AN_EPOCH times the victim's epochs.
    min_steps: Annotated[int, Field(ge=0)] | None = None
    batch_size: Annotated[int, Field(ge=2)] | None = None  # None: that of the recipe
    transfer_images: Annotated[int, Field(ge=1)] = 200  # test images that adversarial examples are made of
    seed: Annotated[int, Field(ge=0)] = (
        0  # with the victim's: the queries, the surrogate's weights, its training
    )

    @model_validator(mode="before")
    @classmethod
    def _default_budgets(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("budgets") and not values.get("budget_shares"):
            return {**values, "budget_shares": SHARES}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for field in ("budgets", "budget_shares"):
            values = getattr(self, field)
            if list(values) != sorted(set(values)):
                raise SpecError(field, "ascending values, each once", values)
        if self.budgets and self.budget_shares:
            raise SpecError("budget_shares", "nothing beside `budgets`", self.budget_shares)
        for field in ("decimals", "top_k"):
            if self.labels == "hard" and getattr(self, field) is not None:
                raise SpecError(
                    field, "nothing beside hard labels, which have no probabilities", getattr(self, field)
                )
        if 1 in self.budgets:
            raise SpecError("budgets", "0 or at least 2: no network with batch norm trains on one image", 1)
        return self

    @property
    def reference(self) -> Role:
        """The split of the victim's data that `budget_shares` are shares of."""
        return "train" if self.pool == "train" else "pool"

    @property
    def answers_in_full(self) -> bool:
        """Whether the victim answers with its probabilities as they are."""
        return self.labels == "soft" and self.decimals is None and self.top_k is None

    def budgets_of(self, images: int) -> tuple[int, ...]:
        """The budgets in images, ascending.

        Args:
            images: of the split `reference`.
        """
        if self.budgets:
            return self.budgets
        return tuple(sorted({max(2, round(share * images)) for share in self.budget_shares}))

    def pool_data(self, victim_data: str) -> str | None:
        """The data set that the queries come from; None: a split of the victim's own.

        Args:
            victim_data: name of the victim's data set.
        """
        if self.pool in OWN_POOLS:
            return None
        if self.pool == OTHER:
            return next(name for name in OTHER_SETS if name != victim_data)
        return self.pool

    def strongest(self) -> Self:
        """The largest budget."""
        return self.model_copy(
            update={"budgets": self.budgets[-1:], "budget_shares": self.budget_shares[-1:]}
        )

    def label(self) -> str:
        """E.g. `knockoff (soft labels rounded to 1 decimal, pool, surrogate same)`."""
        told = f"{self.labels} labels"
        if self.top_k is not None:
            told += f" of the top {self.top_k}"
        if self.decimals is not None:
            told += f" rounded to {self.decimals} decimal{'' if self.decimals == 1 else 's'}"
        return f"{self.name} ({told}, {self.pool}, surrogate {self.surrogate})"

    def check(self, facts: DataFacts) -> None:
        """No budget may exceed the pool, there must be one, and the largest probabilities must not be all of them.

        The size of another data set is checked where the task is made (`planning.experiments`): it is not known here.
        """
        if self.top_k is not None and self.top_k >= facts.classes:
            raise SpecError("top_k", f"fewer than the {facts.classes} classes", self.top_k)
        if self.pool not in OWN_POOLS and self.budgets:
            return
        size = facts.sizes[self.reference]
        if size < 2:
            raise SpecError(
                "pool",
                f"a split with images, and the data's `{self.reference}` has {size}: "
                "raise data.pool_fraction, or take the pool `train`",
                self.pool,
            )
        if self.budgets and self.budgets[-1] > size:
            raise SpecError(
                "budgets", f"at most {size}, the images of the pool `{self.pool}`", self.budgets[-1]
            )


class KnockoffSpec(ExtractionSpec):
    """Orekondy et al., "Knockoff Nets: Stealing Functionality of Black-Box Models", CVPR 2019: `random`."""

    threat_model: ClassVar[ThreatModel] = "score_based"
    implementation: ClassVar[str] = "nasaudit.attacks.extraction.knockoff:Knockoff"
    summary: ClassVar[str] = "train a surrogate on the victim's answers to random queries"

    name: Literal["knockoff"] = "knockoff"


class AdaptiveKnockoffSpec(ExtractionSpec):
    """Orekondy et al., "Knockoff Nets: Stealing Functionality of Black-Box Models", CVPR 2019: `adaptive`."""

    threat_model: ClassVar[ThreatModel] = "score_based"
    implementation: ClassVar[str] = "nasaudit.attacks.extraction.adaptive:AdaptiveKnockoff"
    summary: ClassVar[str] = "a policy learns which classes of the pool are worth asking about"

    name: Literal["knockoff_adaptive"] = "knockoff_adaptive"
    rewards: Annotated[tuple[Reward, ...], Field(min_length=1)] = ("certainty", "diversity", "loss")
    images_per_action: Annotated[int, Field(ge=2)] = 8
    window: Annotated[int, Field(ge=1)] = 25  # Delta: how many past actions make the baseline
    groups: Annotated[int, Field(ge=1)] | None = (
        None  # of labels, the tree's upper level; None: their square root
    )

    @model_validator(mode="after")
    def _each_reward_once(self) -> Self:
        if len(set(self.rewards)) != len(self.rewards):
            raise SpecError("rewards", "each once", self.rewards)
        return self


ATTACKS.add("knockoff", KnockoffSpec, "knockoff_nets")
ATTACKS.add("knockoff_adaptive", AdaptiveKnockoffSpec, "adaptive_knockoff")

# How the talk's artifact trains a surrogate.
PUBLISHED: dict[str, object] = {
    "optimizer": "sgd",
    "learning_rate": 0.025,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "batch_size": 96,
    "schedule": "cosine",
}


def surrogate_training(spec: ExtractionSpec, victim: TrainingSpec, images: int) -> TrainingSpec:
    """The surrogate's recipe for one budget.

    A transfer set of 94 images fills one batch of 64 an epoch: 20 epochs of it are 20 steps, after which agreement
    says how slowly the surrogate learns and not what the answers are worth. Hence at least `min_steps` steps for
    every budget. The last epoch is kept, as a thief has no images to choose an epoch by. The victim's defences
    are not the thief's.

    Args:
        spec: recipe, epochs, min_steps and batch_size.
        victim: the victim's recipe, from which come augmentation and precision, and all else with `recipe=victim`.
        images: of the transfer set.
    """
    changes = dict(PUBLISHED) if spec.recipe == "published" else {}
    if spec.batch_size is not None:
        changes["batch_size"] = spec.batch_size
    training = victim.undefended().model_copy(update={**changes, "keep": "last", "label_smoothing": 0.0})
    least = STEPS_FOR_AN_EPOCH * victim.epochs if spec.min_steps is None else spec.min_steps
    batches = max(1, images // training.batch_size)
    return training.model_copy(update={"epochs": max(spec.epochs, math.ceil(least / batches))})


# One surrogate for all victims, so that "easy to steal" is not "easy to train".
FIXED = "resnet"
PUBLISHED_BUDGETS = (1000, 2000, 4000, 8000, 16000)
PUBLISHED_TRAIN = 50_000  # images of the training set that the published budgets are drawn from
WHOLE, HALF = (1.0,), (0.5,)  # of the pool


def defaults(protocol: Protocol, scale: Scale) -> tuple[ExtractionSpec, ...]:
    """The extraction attacks of a protocol."""
    if protocol == "paper":
        return (paper_knockoff(scale),)
    # Small batches make many steps of few images: as good at `mini` as the victim's 64, in half the time.
    batch_size = 32 if scale == "mini" else None

    def knockoff(**changes: object) -> KnockoffSpec:
        return KnockoffSpec.parse({"surrogate": FIXED, "batch_size": batch_size, **changes})

    return (
        knockoff(surrogate=SAME),
        knockoff(),
        knockoff(budget_shares=WHOLE, labels="hard"),
        knockoff(budget_shares=WHOLE, pool=OTHER),
        # Asked about the whole pool, every strategy asks the same.
        AdaptiveKnockoffSpec(surrogate=FIXED, batch_size=batch_size, budget_shares=HALF),
    )


def paper_knockoff(scale: Scale) -> KnockoffSpec:
    """The extraction of the talk's artifact; at `mini`, the same shares of the training set and as many steps.

    SGD from .025 leaves mini networks untrained after the few steps that 2 % of a small training set make, so there
    the optimiser is the victim's, and 250 steps (25 epochs of 1,000 images in batches of 96) are the least.
    """
    if scale == "mini":
        shares = tuple(budget / PUBLISHED_TRAIN for budget in PUBLISHED_BUDGETS)
        return KnockoffSpec(pool="train", budget_shares=shares, epochs=25, min_steps=250)
    return KnockoffSpec(pool="train", budgets=PUBLISHED_BUDGETS, recipe="published", epochs=25, min_steps=0)
