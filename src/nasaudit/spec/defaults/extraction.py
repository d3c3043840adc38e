"""What `extraction` stands for."""

from nasaudit.spec.arch import Scale
from nasaudit.spec.attacks import AdaptiveKnockoffSpec, ExtractionSpec, KnockoffSpec
from nasaudit.spec.attacks.base import SAME
from nasaudit.spec.attacks.extraction import OTHER
from nasaudit.spec.tasks import Protocol

# One surrogate for all victims, so that "easy to steal" is not "easy to train".
FIXED = "resnet"
PUBLISHED_BUDGETS = (1000, 2000, 4000, 8000, 16000)
PUBLISHED_TRAIN = 50_000  # images of the training set that the published budgets are drawn from
WHOLE, HALF = (1.0,), (0.5,)  # of the pool


def extraction(protocol: Protocol, scale: Scale) -> tuple[ExtractionSpec, ...]:
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
