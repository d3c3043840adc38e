"""The named training recipes: one for each scale and protocol."""

from nasaudit.spec.arch import Protocol, Scale
from nasaudit.spec.training import TrainingSpec

# Data sets in which a mirrored image is another thing, or nothing at all.
NOT_MIRRORED = frozenset({"digits", "mnist5k"})


def recipe(scale: Scale, protocol: Protocol, data: str) -> TrainingSpec:
    """The default recipe.

    Args:
        scale: `mini` trains in a minute or two on one CPU core; `paper` is the published schedule.
        protocol: at `paper` scale, `paper` is the talk's artifact to the letter (it picks the best epoch
            on test data), `sound` repairs that.
        data: name of the data set; digits are never mirrored.
    """
    flip = data not in NOT_MIRRORED
    if scale == "mini":
        # One recipe for both protocols and all families, found by trial: with it all 18 end within 2 points of
        # accuracy. The published one (SGD, .025) leaves BiT, whose group norm learns slowly, at 91 %.
        return TrainingSpec(flip=flip, epochs=30 if data == "digits" else TrainingSpec().epochs)
    return TrainingSpec(
        epochs=200 if protocol == "paper" else 600,
        batch_size=96,
        optimizer="sgd",
        learning_rate=0.025,
        weight_decay=5e-4 if protocol == "paper" else 3e-4,
        schedule="cosine",
        crop=4,
        flip=flip,
        cutout=16,
        keep="best_test" if protocol == "paper" else "best_validation",
        drop_path_schedule="constant" if protocol == "paper" else "linear",
    )
