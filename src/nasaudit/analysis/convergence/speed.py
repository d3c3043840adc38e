"""How fast a network learns, from the history of its training. No torch.

The talk's claim rests on it: search favours cells that converge fast (Shu et al., "Understanding Architectures
Learnt by Cell-based Neural Architecture Search", ICLR 2020, measures convergence the same way, by loss curves).
"""

import math
from collections.abc import Sequence

import numpy as np

from nasaudit.measure.estimate import FloatArray, Measurement, exact
from nasaudit.spec.analyses import ConvergenceSpec


def running_mean(values: Sequence[float], window: int) -> FloatArray:
    """Mean of the last `window` values at each step (of all so far, at the start).

    >>> running_mean([1.0, 2.0, 3.0, 4.0], 2).tolist()
    [1.0, 1.5, 2.5, 3.5]
    """
    total = np.concatenate([[0.0], np.cumsum(np.asarray(values, dtype=np.float64))])
    last = np.arange(1, len(values) + 1)
    first = np.maximum(0, last - window)
    mean: FloatArray = (total[last] - total[first]) / (last - first)
    return mean


def steps_to(accuracy: Sequence[float], threshold: float, window: int) -> int | None:
    """First step (from 1) at which the running accuracy reaches `threshold`; None if it never does.

    Steps before the first full window do not count: a lucky first batch is not convergence.
    """
    smooth = running_mean(accuracy, window)
    reached = np.flatnonzero(smooth[window - 1 :] >= threshold)
    return int(reached[0]) + window if len(reached) else None


def loss_area(loss: Sequence[float]) -> float:
    """Area under the loss curve by the trapezoid rule, divided by its length: the mean loss over training.

    >>> loss_area([2.0, 1.0, 0.0])
    1.0
    """
    if len(loss) < 2:
        raise ValueError(f"expected a history of at least 2 steps, got {len(loss)}")
    return float(np.trapezoid(loss) / (len(loss) - 1))


def early_accuracy(accuracy: Sequence[float], share: float, window: int) -> float:
    """Running accuracy when this share of the steps, rounded up, is done.

    Args:
        accuracy: of the batch of each step.
        share: in (0,1].
        window: batches that the running mean goes over; fewer where fewer are done.

    >>> early_accuracy([0.0, 0.2, 0.4, 0.8], 0.5, window=2)
    0.1
    """
    done = max(1, math.ceil(share * len(accuracy) - 1e-9))
    return float(running_mean(accuracy, window)[done - 1])


def convergence(
    spec: ConvergenceSpec, loss: Sequence[float], accuracy: Sequence[float], images_per_step: int
) -> list[Measurement]:
    """Steps to each accuracy, the area under the loss curve, and the training accuracy at each early share.

    A threshold that was never reached is measured as the length of training, a lower bound.
    """
    window = max(1, min(len(accuracy), round(spec.window_images / images_per_step)))
    measurements = [Measurement("loss_area", exact(loss_area(loss), "nats"))]
    for threshold in spec.accuracies:
        steps = steps_to(accuracy, threshold, window)
        taken = exact(steps or len(accuracy), "steps", bound="lower" if steps is None else None)
        setting = (("accuracy", f"{threshold:g}"), ("images_per_step", str(images_per_step)))
        measurements.append(Measurement("steps_to_accuracy", taken, setting))
    for share in spec.early:
        reached = exact(early_accuracy(accuracy, share, window), "fraction")
        measurements.append(Measurement("early_accuracy", reached, (("share", f"{share:g}"),)))
    return measurements
