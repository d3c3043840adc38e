"""What poisoned trainings cost the model, and what they bring the attacker. No torch.

The clean and the poisoned model are judged on the same test images, so differences are paired: an image that
both get right or both get wrong says nothing about the poison, and intervals are narrower for it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nasaudit.errors import MeasurementError
from nasaudit.measure.bootstrap import bootstrap, mean
from nasaudit.measure.estimate import FloatArray, Measurement, exact
from nasaudit.measure.proportion import paired_difference, proportion

Correct = npt.NDArray[np.bool_]


def setting_of(fraction: float) -> tuple[tuple[str, str], ...]:
    """How rows name a fraction: `fraction=0.1`."""
    return (("fraction", f"{fraction:g}"),)


def accuracy_measurements(
    clean: Correct, poisoned: Mapping[float, Correct], *, seed: int = 0
) -> list[Measurement]:
    """Accuracy and its drop at each fraction, and the area under the drop.

    Args:
        clean: bool [n], which test images the clean model gets right.
        poisoned: the same of the model that was trained at each fraction. At 0 that is the clean model.
        seed: decides the bootstrap's draws.

    Raises:
        MeasurementError: at fraction 0 the model is not the clean one.
    """
    measurements = []
    for fraction, correct in poisoned.items():
        at = setting_of(fraction)
        if fraction == 0 and not np.array_equal(correct, clean):
            raise MeasurementError("at fraction 0 the clean model was expected, and another one came")
        measurements.append(Measurement("clean_accuracy", proportion(int(correct.sum()), len(correct)), at))
        # Without poison nothing is trained anew: the drop is zero by definition, not by measurement.
        drop = paired_difference(clean, correct) if fraction > 0 else exact(0.0, "fraction", len(clean))
        measurements.append(Measurement("cad", drop, at))
    fractions = [fraction for fraction in poisoned if fraction > 0]
    if len(fractions) > 1:
        lost = np.stack([clean.astype(float) - poisoned[fraction] for fraction in fractions], axis=1)
        area = bootstrap([lost], lambda images: drop_area(images.mean(axis=0), fractions), "fraction", seed)
        measurements.append(Measurement("cad_area", area))
    return measurements


def drop_area(drops: FloatArray, fractions: Sequence[float]) -> FloatArray:
    """Area under the accuracy drop from fraction 0 to the largest, divided by that: the mean drop over fractions.

    Trapezoids, from a drop of 0 at fraction 0.

    Args:
        drops: float [..., F].
        fractions: F ascending fractions above 0.
    """
    points = np.array([0.0, *fractions])
    from_zero = np.concatenate([np.zeros((*drops.shape[:-1], 1)), drops], axis=-1)
    return np.asarray(np.trapezoid(from_zero, points, axis=-1) / points[-1])


def target_measurements(
    fraction: float, clean: FloatArray, poisoned: FloatArray, classes: npt.NDArray[np.int64], *, seed: int = 0
) -> list[Measurement]:
    """How many targets are taken for their adversarial class, with the poison and without.

    Args:
        fraction: of the training.
        clean: float [T, K], the clean model's probabilities for the targets.
        poisoned: the poisoned model's.
        classes: int64 [T], the adversarial classes.
        seed: decides the bootstrap's draws.
    """
    at, n, rows = setting_of(fraction), len(classes), np.arange(len(classes))
    reached = int((poisoned.argmax(axis=1) == classes).sum())
    floor = int((clean.argmax(axis=1) == classes).sum())
    gain = poisoned[rows, classes] - clean[rows, classes]
    return [
        Measurement("asr", proportion(reached, n), at),
        Measurement("floor", proportion(floor, n), at),
        Measurement("confidence_gain", bootstrap([gain], mean, "fraction", seed), at),
    ]


def matching_measurements(
    fraction: float, before: FloatArray, after: FloatArray, *, seed: int = 0
) -> list[Measurement]:
    """The loss of an optimised poison, mean over its targets: with unchanged images, and as it is stored."""
    return [
        Measurement(
            "matching_loss",
            bootstrap([losses], mean, "1 - cosine", seed),
            (*setting_of(fraction), ("poison", when)),
        )
        for when, losses in (("before", before), ("after", after))
    ]
