"""One row an image: what became of it under each model and each attack of which records say so. No torch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nasaudit.attacks.poisoning.measures import setting_of
from nasaudit.data.catalogue import read_raw
from nasaudit.results.artefacts import Arrays, attacked, outcomes, read_arrays
from nasaudit.results.base import format_setting
from nasaudit.results.opened import OpenedStudy
from nasaudit.results.replicates import distinguishing, measured_tasks
from nasaudit.spec.attacks import EvasionSpec, PoisoningSpec
from nasaudit.spec.tasks import EvasionTask, MembershipTask, PoisoningTask, TrainTask
from nasaudit.store.artefacts import EVASION, OUTCOMES, SCORES

if TYPE_CHECKING:
    import pandas as pd

# What each column holds; a cell is empty where an experiment says nothing of it.
COLUMNS = (
    "index",  # position of the image in the data set
    "label",
    "architecture",
    "seed",  # of the training
    "family",  # "training" for the clean model
    "attack",
    "setting",  # as in results.csv
    "correct",  # whether the model gets the image right: before an evasion, after a poisoning
    "success",  # of the attack on this image
    "minimal_epsilon",  # the smallest change that was found to fool the model; infinite: none
    "steps",  # that the attack took
    "member",  # whether the model was trained on it
    "score",  # what a membership attack said; higher: rather a member
)


@dataclass(frozen=True)
class _Part:
    """What one record says, image by image."""

    task: EvasionTask | PoisoningTask | MembershipTask | TrainTask
    arrays: Arrays
    setting: dict[str, str]


def image_table(study: OpenedStudy) -> "pd.DataFrame":
    """The table, columns as in `COLUMNS`: clean models, then evasion, poisoning and membership as planned.

    An evasion succeeds on an image that is misclassified at the largest epsilon that was tried, also where it was
    before (`correct`); a poisoning on one that the clean model gets right and the poisoned one does not. The other
    families leave nothing by image.

    Raises:
        StoreError: an artefact is damaged.
        DataError: the images are not there any more.
    """
    import pandas as pd

    raw = read_raw(study.planned.data, study.downloads)
    indices = np.arange(len(raw.labels)) if raw.indices is None else raw.indices
    labels = pd.Series(raw.labels, index=indices)
    frames = [_frame(part) for part in (*_clean(study), *_attacked(study))]
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    if len(frame):
        frame["label"] = labels.reindex(frame["index"]).astype("Int64").to_numpy()
    frame = frame.reindex(columns=list(COLUMNS))
    for column in ("correct", "success", "member"):
        frame[column] = frame[column].astype("boolean")
    return frame


def _frame(part: _Part) -> "pd.DataFrame":
    import pandas as pd

    task = part.task
    victim = task if isinstance(task, TrainTask) else task.victim
    family, attack = (
        ("training", "") if isinstance(task, TrainTask) else (task.attack.family, task.attack.name)
    )
    return pd.DataFrame(
        {
            **part.arrays,
            "architecture": victim.architecture.name,
            "seed": victim.seed,
            "family": family,
            "attack": attack,
            "setting": format_setting(part.setting),
        }
    )


def _clean(study: OpenedStudy) -> Iterator[_Part]:
    for victim in study.planned.victims:
        if (known := _outcomes(study, victim)) is not None:
            yield _Part(victim, known, {})


def _attacked(study: OpenedStudy) -> Iterator[_Part]:
    told_apart = distinguishing(study.planned.study.attacks)
    for task, _ in measured_tasks(study.planned):
        if (
            not isinstance(task, EvasionTask | PoisoningTask | MembershipTask)
            or task.digest() not in study.opened
        ):
            continue
        folder = study.opened[task.digest()][1]
        setting = dict(told_apart.get(task.attack.digest(), {}))
        if isinstance(task, EvasionTask) and isinstance(task.attack, EvasionSpec):
            setting |= {key: str(getattr(task.attack, key)) for key in ("norm", "goal")}
            arrays = attacked(folder / EVASION)
            fell: npt.NDArray[np.bool_] = arrays["minimal_epsilon"] <= task.attack.epsilons[-1]
            yield _Part(task, {**arrays, "success": fell}, setting)
        elif isinstance(task, PoisoningTask) and isinstance(task.attack, PoisoningSpec):
            yield from _poisoned(study, task, task.attack, setting)
        elif isinstance(task, MembershipTask):
            yield _Part(
                task, read_arrays(folder / SCORES, {"index": "iu", "member": "b", "score": "iuf"}), setting
            )


def _poisoned(
    study: OpenedStudy, task: PoisoningTask, attack: PoisoningSpec, setting: dict[str, str]
) -> Iterator[_Part]:
    clean = _outcomes(study, task.clean)
    for fraction, training in zip(attack.fractions, task.trainings, strict=True):
        known = None if fraction == 0 else _outcomes(study, training)
        if known is None:
            continue
        arrays = dict(known)
        if clean is not None and np.array_equal(clean["index"], known["index"]):
            arrays["success"] = clean["correct"] & ~known["correct"]
        yield _Part(task, arrays, {**setting, **dict(setting_of(fraction))})


def _outcomes(study: OpenedStudy, training: TrainTask) -> Arrays | None:
    if training.digest() not in study.opened:
        return None
    return outcomes(study.opened[training.digest()][1] / OUTCOMES)
