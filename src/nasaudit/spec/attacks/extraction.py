"""Extraction: how many images the thief asks about, where they come from, and what is trained on the answers."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.arch import Protocol, Scale
from nasaudit.spec.attacks.base import ATTACKS, SAME, AttackSpec, DataFacts, Family, ThreatModel
from nasaudit.spec.data import Role
from nasaudit.spec.remedies.catalogue import AnyLimit
from nasaudit.spec.units import Fractional, PixelSize

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
    expected_epochs: ClassVar[float] = 0.7  # beside the training of each surrogate

    budgets: tuple[Annotated[int, Field(ge=0)], ...] = ()  # images, ascending; empty: by `budget_shares`
    # Shares of the victim's split `pool` (of `train` where that is the pool), ascending; unused with `budgets`.
    budget_shares: tuple[Fractional, ...] = ()
    # `pool`: images that the victim never saw; `train`: its own training images (protocol `paper`); `other`: an
    # embedded data set that is not the victim's; or a data set by name.
    pool: str = "pool"
    labels: Literal["soft", "hard"] = "soft"  # probabilities, or the predicted class alone
    # What the victim does about thieves: limits on its probabilities, applied in this order. Left out of the digest
    # where there is none.
    answers: tuple[AnyLimit, ...] = Field(default=(), exclude_if=lambda value: not value)
    surrogate: str = SAME  # `same`, or the name of one architecture for all victims
    # How the surrogate is trained (`surrogate_training`): by the victim's recipe; or as published, by SGD at a
    # constant rate, without clipping, on images cropped and mirrored once, before the victim is asked about them.
    recipe: Literal["victim", "published"] = "victim"
    epochs: Annotated[int, Field(ge=1)] = 20  # of the surrogate's training
    # More epochs where these would take fewer steps; None: STEPS_FOR_AN_EPOCH times the victim's epochs.
    min_steps: Annotated[int, Field(ge=0)] | None = None
    batch_size: Annotated[int, Field(ge=2)] | None = None  # None: that of the recipe
    # PGD on the surrogate, whose examples are tried on the victim. Twice the radius that the field quotes most: at
    # 8/255 next to nothing transfers between `mini` networks on digits.
    transfer_images: Annotated[int, Field(ge=1)] = 200  # test images that adversarial examples are made of
    transfer_epsilon: Annotated[PixelSize, Field(gt=0)] = 16 / 255  # linf
    transfer_steps: Annotated[int, Field(ge=1)] = 10  # of that PGD
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
        if self.labels == "hard" and self.answers:
            raise SpecError(
                "answers", "nothing beside hard labels, which have no probabilities", self.answers[0].name
            )
        if len({limit.name for limit in self.answers}) != len(self.answers):
            raise SpecError("answers", "each limit once", [limit.name for limit in self.answers])
        if 1 in self.budgets:
            raise SpecError("budgets", "0 or at least 2: no network with batch norm trains on one image", 1)
        return self

    @property
    def needs_recipe(self) -> bool:
        """No: a surrogate is trained by the thief's."""
        return False

    @property
    def reference(self) -> Role:
        """The split of the victim's data that `budget_shares` are shares of."""
        return "train" if self.pool == "train" else "pool"

    @property
    def augmented_once(self) -> bool:
        """Whether images are augmented before the victim is asked about them, and not again in training."""
        return self.recipe == "published"

    @property
    def answers_in_full(self) -> bool:
        """Whether the victim answers with its probabilities as they are."""
        return self.labels == "soft" and not self.answers

    def told(self, field: str) -> str:
        """Limits of the answers by their labels: `top 3, 2 decimals`."""
        return (
            ", ".join(limit.label() for limit in self.answers) if field == "answers" else super().told(field)
        )

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
        """E.g. `knockoff (soft labels: 1 decimal; pool, surrogate same)`."""
        limits = f": {self.told('answers')};" if self.answers else ","
        return f"{self.name} ({self.labels} labels{limits} {self.pool}, surrogate {self.surrogate})"

    def check(self, facts: DataFacts) -> None:
        """No budget may exceed the pool, there must be one, and limits of the answers must be some.

        The size of another data set is checked where the task is made (`planning.experiments`): it is not known here.
        """
        for position, limit in enumerate(self.answers):
            try:
                limit.check(facts.classes)
            except SpecError as error:
                field = f"answers[{position}].{error.field}"
                raise SpecError(field, error.expected, error.got) from error
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
    # What an action is rewarded for.
    rewards: Annotated[tuple[Reward, ...], Field(min_length=1)] = ("certainty", "diversity", "loss")
    images_per_action: Annotated[int, Field(ge=2)] = 8  # asked about at a time
    online_learning_rate: Annotated[float, Field(gt=0)] = (
        0.01  # of the surrogate that the loss is measured on
    )
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
    batch_size = 32 if scale != "paper" else None

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
    """The extraction of the talk's artifact; below `paper` scale the same shares, and as many steps.

    Its labels are hard: it hands logits to KnockoffNets of ART (ain-soph/autovul, projects/extraction_attack.py:80),
    whose releases of that time train on their arg max (Trusted-AI/adversarial-robustness-toolbox 1.9.1,
    art/estimators/classification/pytorch.py:380; soft targets came with 1.13.0). It does not say which one it ran.

    250 steps are 25 epochs of 1,000 images in batches of 96; 2 % of a small training set make fewer in 25 epochs. By
    trial at `mini` on digits: with them SGD copies ResNet, DARTS and BiT no worse than the victim's AdamW does.
    """
    published = KnockoffSpec(
        pool="train", labels="hard", recipe="published", epochs=25, budgets=PUBLISHED_BUDGETS, min_steps=0
    )
    if scale == "paper":
        return published
    shares = tuple(budget / PUBLISHED_TRAIN for budget in PUBLISHED_BUDGETS)
    return published.model_copy(update={"budgets": (), "budget_shares": shares, "min_steps": 250})
