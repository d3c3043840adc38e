"""StudyResults: everything that a report shows, as plain data. `results.json` is its dump."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.study import StudySpec
from nasaudit.spec.training import TrainingSpec

# The columns of results.csv, in order.
COLUMNS = (
    "architecture", "group", "data", "scale", "seed", "protocol", "family", "attack", "setting",
    "metric", "value", "low", "high", "n", "unit",
)  # fmt: skip


class Plain(BaseModel):
    """Frozen data without behaviour."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(Plain):
    """One estimate. `seed` is a training seed, or "all" for the replicates pooled."""

    architecture: str
    group: str
    data: str
    scale: str
    seed: int | Literal["all"]
    protocol: str
    family: str  # "training", "topology", "convergence", or an attack family
    attack: str  # "" outside of attacks
    setting: dict[
        str, str
    ]  # e.g. {"norm": "linf", "goal": "untargeted", "epsilon": "8/255", "images": "common"}
    metric: str
    value: float
    low: float
    high: float
    n: int
    unit: str


class History(Plain):
    """A training run by step, thinned to at most a few hundred points for the picture."""

    architecture: str
    seed: int
    images_per_step: int
    step: list[int]
    loss: list[float]
    accuracy: list[float]


class Examples(Plain):
    """Where the adversarial examples of a victim are, relative to the study's folder.

    The .npz holds uint8 `clean` [k,C,H,W], float32 `adversarial` [k,C,H,W], int `index` (source index),
    `label`, `prediction` [k], float `epsilon` [k] (the smallest that broke the image), one row an image.
    """

    architecture: str
    seed: int
    attack: str
    file: str


class Curve(Plain):
    """A line that an attack left to be drawn, and that is no row (a ROC curve): y over x, both ascending in x."""

    architecture: str
    seed: int
    family: str
    attack: str
    setting: dict[str, str]
    name: str  # e.g. "roc"
    x: list[float]
    y: list[float]


class Pictures(Plain):
    """Where an attack's pictures are, relative to the study's folder; the family says what the .npz holds."""

    architecture: str
    seed: int
    family: str
    attack: str
    setting: dict[str, str]
    file: str


class Failure(Plain):
    """A task that left no result."""

    label: str
    digest: str
    type: str
    message: str
    traceback: str


class Flag(Plain):
    """Something a reader must know before believing a number."""

    kind: str  # "accuracy_gap", "failed_task", "few_seeds", "undertrained", ...
    architectures: tuple[str, ...]
    message: str


class StudyResults(Plain):
    """Results of one study. Everything outside of `environment` and `seconds` is reproducible."""

    study: StudySpec
    architectures: list[ArchSpec]
    training: TrainingSpec
    class_names: list[str]
    rows: list[Row]
    histories: list[History]
    examples: list[Examples]
    curves: list[Curve] = []
    pictures: list[Pictures] = []
    failures: list[Failure]
    flags: list[Flag]
    environment: dict[str, str]
    seconds: dict[str, float]  # wall time of each task, by label

    def select(self, **wanted: Any) -> list[Row]:
        """Rows whose columns equal `wanted`; keys of `setting` may be given like columns."""
        return [
            row
            for row in self.rows
            if all(getattr(row, key, row.setting.get(key)) == value for key, value in wanted.items())
        ]
