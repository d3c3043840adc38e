"""What a model does on each single image, where records say so: what pairs of models are compared by. No torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasaudit.attacks.evasion.measures import area, figure_grid
from nasaudit.attacks.poisoning.measures import setting_of
from nasaudit.measure.estimate import FloatArray
from nasaudit.planning.plan import Plan
from nasaudit.results.artefacts import attacked, outcomes
from nasaudit.results.pooled import Indices
from nasaudit.results.replicates import distinguishing
from nasaudit.results.schema import Row
from nasaudit.results.selection import COMMON
from nasaudit.spec.attacks import EvasionSpec, PoisoningSpec
from nasaudit.spec.tasks import EvasionTask, PoisoningTask, Task, TrainTask
from nasaudit.store.artefacts import EVASION, OUTCOMES
from nasaudit.store.records import Record

ByImage = Mapping[int, float]  # by the image's source index


@dataclass(frozen=True)
class ImageValues:
    """Looks single images up in the records of a study.

    Attributes:
        planned: the study.
        opened: its successful records and their folders, by digest.
        common: source indices of the test images that every model of the study gets right.
    """

    planned: Plan
    opened: Mapping[str, tuple[Record, Path]]
    common: Indices

    def accuracy(self, architecture: str) -> dict[int, ByImage]:
        """By seed and test image, whether it is classified correctly."""
        return {
            victim.seed: right
            for victim in self.planned.victims
            if victim.architecture.name == architecture and (right := self._outcomes(victim)) is not None
        }

    def of(self, row: Row) -> dict[int, ByImage]:
        """By seed and image, the values whose mean a headline's row is; empty where records do not say them.

        Args:
            row: of any seed; its architecture, attack, metric and setting are looked at.
        """
        match row.family, row.metric:
            case "evasion", "curve_area" if row.setting.get("images") == COMMON:
                by_seed = [self._areas(task) for task in self._tasks(row) if isinstance(task, EvasionTask)]
            case "poisoning", "cad":
                by_seed = [
                    self._lost(task, row) for task in self._tasks(row) if isinstance(task, PoisoningTask)
                ]
            case _:
                return {}
        return dict(values for values in by_seed if values is not None)

    def _tasks(self, row: Row) -> Iterator[EvasionTask | PoisoningTask]:
        told_apart = distinguishing(self.planned.study.attacks)
        for task in self.planned.tasks:
            if isinstance(task, EvasionTask | PoisoningTask) and task.attack.name == row.attack:
                setting: dict[str, str] = {
                    key: str(getattr(task.attack, key)) for key in ("norm", "goal") if key in row.setting
                }
                setting |= told_apart.get(task.attack.digest(), {})
                ours = task.victim.architecture.name == row.architecture
                if ours and setting.items() <= row.setting.items():
                    yield task

    def _areas(self, task: EvasionTask) -> tuple[int, ByImage] | None:
        """The area under the security curve of each image alone; their mean is that of the curve."""
        if task.digest() not in self.opened or not isinstance(task.attack, EvasionSpec):
            return None
        arrays = attacked(self.opened[task.digest()][1] / EVASION)
        index, minimal = arrays["index"], arrays["minimal_epsilon"]
        grid = figure_grid(task.attack)
        steps = (minimal[:, None] <= np.array([0.0, *grid])).astype(np.float64)
        kept = np.isin(index, self.common)
        return task.victim.seed, dict(
            zip(index[kept].tolist(), area(steps[kept], grid).tolist(), strict=True)
        )

    def _lost(self, task: PoisoningTask, row: Row) -> tuple[int, ByImage] | None:
        """1 for an image that the clean model gets right and the poisoned one does not, -1 the other way round."""
        if not isinstance(task.attack, PoisoningSpec):
            return None
        fractions = [dict(setting_of(fraction))["fraction"] for fraction in task.attack.fractions]
        wanted = row.setting.get("fraction")
        if wanted not in fractions:
            return None
        clean = self._outcomes(task.clean)
        poisoned = self._outcomes(task.trainings[fractions.index(wanted)])
        if clean is None or poisoned is None:
            return None
        lost = {image: clean[image] - poisoned[image] for image in clean if image in poisoned}
        return task.victim.seed, lost

    def _outcomes(self, training: Task) -> ByImage | None:
        """By test image, whether a training gets it right."""
        if not isinstance(training, TrainTask) or training.digest() not in self.opened:
            return None
        known = outcomes(self.opened[training.digest()][1] / OUTCOMES)
        return dict(zip(known["index"].tolist(), known["correct"].astype(np.float64).tolist(), strict=True))


def paired_differences(before: Mapping[int, ByImage], after: Mapping[int, ByImage]) -> FloatArray | None:
    """After minus before on the seeds and images that both have throughout: float [seeds, images]; None without any.

    >>> paired_differences({0: {7: 1.0, 9: 0.0}, 1: {7: 1.0, 9: 1.0}}, {0: {9: 1.0, 7: 1.0}, 2: {7: 0.0}})
    array([[0., 1.]])
    """
    seeds = sorted(before.keys() & after.keys())
    shared = [before[seed].keys() & after[seed].keys() for seed in seeds]
    images = sorted(set.intersection(*shared)) if shared else []
    if not images:
        return None
    return np.array([[after[seed][image] - before[seed][image] for image in images] for seed in seeds])
