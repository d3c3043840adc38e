"""StudyResults: everything that a report shows, as plain data. `results.json` is its dump."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.remedies import RemedyKind
from nasaudit.spec.study import StudySpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.files import FORMAT

# The columns of results.csv, in order.
COLUMNS = (
    "architecture", "group", "data", "scale", "seed", "protocol", "family", "attack", "setting",
    "metric", "value", "low", "high", "n", "unit", "bound",
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
    bound: Literal["", "lower"] = ""  # "lower": the value is the least that it can be


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


class Span(Plain):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class ArchitectureValue(Plain):
    """A family's headline measure of one architecture, the mean over its trainings."""

    architecture: str
    group: str
    value: float
    models: int  # trainings behind it


class GroupTest(Plain):
    """What the statistics say of two groups of architectures; see `stats.two_groups` for each of them."""

    difference: Span  # NAS minus hand-made, with Welch's interval
    p: float  # of the permutation test, two-sided
    p_holm: float  # the same, corrected for the families tested
    smallest_p: float  # that the test could have given
    exact: bool  # every split was looked at
    cliffs_delta: Span
    # Found with power .8 at the level that the correction asks of the smallest p; None: no difference could be.
    detectable_difference: float | None
    families: int  # tested in this study
    finding: Literal["supports", "contradicts", "neither"]  # on the published sign, by p_holm


class GroupComparison(Plain):
    """NAS-designed against hand-made architectures by one family's headline measure; higher is worse to defend.

    The unit is the architecture. Random and custom cells are among `values` and in neither group. Where no test
    could be made, `test` is None and `why` says why not.
    """

    family: str
    measure: str  # in words
    attack: str
    setting: dict[str, str]
    metric: str
    unit: str
    values: list[ArchitectureValue]
    n_nas: int  # architectures
    n_manual: int
    n_models: int  # trainings behind both groups
    mean_nas: float | None
    mean_manual: float | None
    accuracy_gap: float | None  # mean clean test accuracy, NAS minus hand-made
    published: Literal["higher", "lower"]  # the sign of the difference that was published
    published_size: str  # in words; may be empty
    test: GroupTest | None
    why: str = ""

    @property
    def p(self) -> float | None:
        """Two-sided and not corrected; None where no test was made."""
        return None if self.test is None else self.test.p

    def of_group(self, group: str) -> list[ArchitectureValue]:
        """The values of one group: `nas`, `manual`, `random` or `custom`."""
        return [value for value in self.values if value.group == group]


class Landscape(Plain):
    """The loss on a plane through a victim: `z[j][i]` at `x[i]`, `y[j]`; the victim itself is at (0, 0)."""

    architecture: str
    seed: int
    name: str  # "first_layer", "input", "filters"
    setting: dict[str, str]
    x: list[float]
    y: list[float]
    z: list[list[float]]


Part = Literal["topology", "convergence", "gradients", "smoothness", "vulnerability", "control"]


class Measure(Plain):
    """One figure for each architecture, the mean over its trainings: what claims and scatter plots are made of."""

    key: str
    title: str  # in words, as in a sentence
    part: Part
    unit: str
    metric: str
    values: dict[str, float]  # by architecture


ClaimKind = Literal["group", "correlation", "intervention"]


class Claim(Plain):
    """One link of the published chain, tested. The unit is the architecture.

    - `group`: how much higher `effect` is for NAS-designed architectures (`cause`) than for `other` ones;
    - `correlation`: Spearman's rank correlation between `cause` and `effect` over cells;
    - `intervention`: how much a rewiring of the cell (`cause`: "deepen", "drop_skips", "both") changes `effect`.

    `estimate` is None where nothing could be estimated; `why` then says why not.
    """

    kind: ClaimKind
    cause: str  # key of a Measure; "nas"; or a rewiring
    effect: str  # key of a Measure
    other: str  # the group that NAS is compared with ("manual", "random"); "" elsewhere
    sample: str  # which architectures, in words: "random cells"
    predicted: Literal[
        "higher", "lower"
    ]  # the talk's direction: of the difference, or the sign of the correlation
    estimate: Span | None
    partial: Span | None = None  # the correlation with accuracy and FLOPs held fixed
    partial_p: float | None = None  # of the partial correlation, two-sided and not corrected
    everywhere: float | None = None  # the correlation over all cells of the study, of whatever origin
    n_everywhere: int = 0  # how many these are
    n: int
    p: float | None
    p_corrected: float | None  # Holm's, over the claims of the same kind and link
    tested: int = 0  # claims that Holm's correction counts, this one among them
    detectable: float | None  # the smallest true effect found with power .8; None: none could be
    finding: Literal["supported", "contradicted", "undecided"]
    why: str = ""


# How a difference was paired, which decides what its interval is for: other images and trainings, other images alone,
# other trainings alone; or not at all, as the two differ in nothing or in the same for all pairs.
Pairing = Literal["images and seeds", "images", "seeds", "independent"]
Drop = Literal["within", "unclear", "exceeds", "not measured"]


# What a difference says by its interval; `higher` and `lower` where nobody knows which of them is worse.
Finding = Literal["worse", "better", "higher", "lower", "undecided", "same"]


class Effect(Plain):
    """What a remedy changed: one figure of the hardened model, minus the same figure of its original."""

    family: str  # of an attack; "training" for the clean accuracy
    measure: str  # in words
    attack: str
    setting: dict[str, str]
    metric: str
    unit: str
    before: Span
    after: Span
    difference: Span
    n: int  # pairs: images x seeds, images or seeds; the smaller n where nothing could be paired
    how: Pairing
    p: float  # two-sided, not corrected
    p_holm: float | None = (
        None  # corrected for all headlines of the same original; None: no headline of an attack
    )
    finding: Finding  # by the interval of the difference
    headline: bool = True  # whether the family is judged by it; other figures are shown and decide nothing


class Remedied(Plain):
    """An architecture before and after one remedy. `verdicts.remedies` says how it is judged."""

    original: str
    variant: str  # name of the hardened architecture; the original's own for a remedy of its answers
    remedy: str  # "deepen", "trades", "rounded_answers", ...
    kind: RemedyKind
    scope: str = ""  # of a rewiring: "normal", "reduction", "all"
    dose: int | None = None  # of a rewiring: how many nodes or skips of each cell
    most: int | None = None  # the full dose
    parameters: tuple[int, int] | None = None  # before and after
    flops: tuple[int, int] | None = None  # of an image
    accuracy: Effect | None = None
    effects: list[Effect] = []  # of each family that was measured, its headline first
    max_drop: float  # of the accuracy, a fraction: what a recommended remedy may cost
    drop: Drop  # whether it costs no more: for certain; as far as was seen; no; not measured
    recommended: list[str] = []  # families against which it helps for certain, at no more than `max_drop`
    promising: list[str] = []  # families against which it seems to help, or at a price that is not clear

    @property
    def full(self) -> bool:
        """Whether this is the whole remedy."""
        return self.dose == self.most


class StudyResults(Plain):
    """Results of one study. Everything outside of `environment` and `seconds` is reproducible."""

    format: int = FORMAT
    study: StudySpec
    architectures: list[ArchSpec]
    training: TrainingSpec
    class_names: list[str]
    rows: list[Row]
    histories: list[History]
    examples: list[Examples]
    curves: list[Curve] = []
    landscapes: list[Landscape] = []
    pictures: list[Pictures] = []
    comparisons: list[GroupComparison] = []
    measures: list[Measure] = []
    claims: list[Claim] = []
    remedies: list[Remedied] = []
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
