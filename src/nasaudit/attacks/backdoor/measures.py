"""From predictions to the figures of a backdoor. No torch.

Metrics: `clean_accuracy` of the backdoored model on clean test images; `cad`, the victim's minus that, on the
same images; `asr`, the share of triggered test images that it takes for the target, among those of other classes;
`floor`, the same share for the victim without a backdoor: what the trigger does by itself.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nasaudit.errors import MeasurementError
from nasaudit.measure.estimate import Measurement
from nasaudit.measure.proportion import paired_difference, proportion

Classes = npt.NDArray[np.int64]
TRIGGERED = (("images", "other classes"),)
# The artifact's rule: a backdoor fails that costs a victim of more than PAPER_FLOOR more than PAPER_DROP.
PAPER_DROP, PAPER_FLOOR = 0.03, 0.4


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model takes the test images for, int64 [N] each: as they are, and with the trigger."""

    clean: Classes
    triggered: Classes


def backdoor_measurements(
    labels: Classes,
    target_class: int,
    victim: Predictions,
    model: Predictions,
    *,
    paper_rule: bool = False,
) -> list[Measurement]:
    """All figures of one backdoor.

    Args:
        labels: int64 [N], the true classes.
        target_class: what the trigger calls up.
        victim: predictions of the model without the backdoor.
        model: predictions of the one with it.
        paper_rule: whether to add `asr_paper`, as the artifact of the talk counts: images of the target class are
            among the triggered ones, and the rate is 0 if the accuracy of a victim that had more than 40 % fell by
            more than 3 points (github.com/ain-soph/autovul, autovul/vision/attacks/backdoor/badnet.py:174).

    Raises:
        MeasurementError: there is no test image of another class than the target.
    """
    others = labels != target_class
    n, right = int(others.sum()), int((model.clean == labels).sum())
    if n == 0:
        raise MeasurementError(
            f"no test image is of another class than the target {target_class}: there is no ASR"
        )
    drop = paired_difference(victim.clean == labels, model.clean == labels)
    measurements = [
        Measurement("clean_accuracy", proportion(right, len(labels))),
        Measurement("cad", drop),
        Measurement("asr", proportion(_hits(model.triggered[others], target_class), n), TRIGGERED),
        Measurement("floor", proportion(_hits(victim.triggered[others], target_class), n), TRIGGERED),
    ]
    if paper_rule:
        broken = drop.value > PAPER_DROP and (victim.clean == labels).mean() > PAPER_FLOOR
        hits = 0 if broken else _hits(model.triggered, target_class)
        measurements.append(Measurement("asr_paper", proportion(hits, len(labels)), (("images", "all"),)))
    return measurements


def _hits(predicted: Classes, target_class: int) -> int:
    return int((predicted == target_class).sum())
