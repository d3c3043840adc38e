"""StudyResults: everything that a report shows, as plain data. `results.json` is its dump."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from nasaudit.results.base import Count, FileInside, Measured, Number, Plain, Probability
from nasaudit.results.provenance import PLUGIN, Provenance
from nasaudit.results.searched.fronts import PulledLevers, SearchedFronts
from nasaudit.results.verdict_models import (
    Adjustment,
    BesideRandom,
    Claim,
    Front,
    GroupComparison,
    LinkVerdict,
    Remedied,
    Standing,
    Threat,
    Untested,
    Variable,
)
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.attacks import Family
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.searches import SearchSpec
from nasaudit.spec.study import StudySpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.files import FORMAT

# The columns of results.csv, in order.
COLUMNS = (
    "architecture", "group", "data", "scale", "seed", "protocol", "family", "attack", "setting",
    "metric", "value", "low", "high", "n", "unit", "bound",
)  # fmt: skip


def _rising(values: Sequence[float]) -> bool:
    return all(before < after for before, after in pairwise(values))


class Row(Plain):
    """One estimate. `seed` is a training seed, or "all" for the replicates pooled."""

    architecture: str
    group: str
    data: str
    scale: str
    seed: Count | Literal["all"]
    protocol: str
    family: str  # "training", "topology", "convergence", or an attack family
    attack: str  # "" outside of attacks
    setting: dict[
        str, str
    ]  # e.g. {"norm": "linf", "goal": "untargeted", "epsilon": "8/255", "images": "common"}
    metric: str
    value: Number
    low: Number
    high: Number
    n: Count
    unit: str
    bound: Literal["", "lower", "upper"] = ""  # the value is the least, or the most, that it can be


class History(Plain):
    """A training run by step, thinned to at most a few hundred points for the picture."""

    architecture: str
    seed: Count
    images_per_step: Annotated[int, Field(ge=1, lt=2**31)]
    step: list[Count]
    loss: list[Number]
    accuracy: list[Probability]

    @model_validator(mode="after")
    def _step_by_step(self) -> Self:
        if not len(self.step) == len(self.loss) == len(self.accuracy):
            raise ValueError("a loss and an accuracy for each step")
        if not _rising(self.step):
            raise ValueError("ascending steps")
        return self


class Examples(Plain):
    """Where the adversarial examples of a victim are, relative to the study's folder.

    The .npz holds uint8 `clean` [k,C,H,W], float32 `adversarial` [k,C,H,W], int `index` (source index),
    `label`, `prediction` [k], float `epsilon` [k] (the smallest that broke the image), one row an image.
    """

    architecture: str
    seed: Count
    attack: str
    file: FileInside


class Curve(Plain):
    """A line that an attack left to be drawn, and that is no row (a ROC curve): y over x, both ascending in x."""

    architecture: str
    seed: Count
    family: str
    attack: str
    setting: dict[str, str]
    name: str  # e.g. "roc"
    x: Annotated[list[Number], Field(min_length=1)]
    y: list[Number]

    @model_validator(mode="after")
    def _y_over_x(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError("one y for each x")
        return self


class Pictures(Plain):
    """Where an attack's pictures are, relative to the study's folder; the family says what the .npz holds."""

    architecture: str
    seed: Count
    family: str
    attack: str
    setting: dict[str, str]
    file: FileInside


class Failure(Plain):
    """A task that left no result."""

    label: str
    digest: str
    type: str
    message: str
    traceback: str


UNFINISHED = "unfinished"  # the kind of the flag that says how much of a study is missing


class Flag(Plain):
    """Something a reader must know before believing a number."""

    kind: str  # "accuracy_gap", "failed_task", "few_seeds", "undertrained", ...
    architectures: tuple[str, ...]
    message: str


class Landscape(Plain):
    """The loss on a plane through a victim: `z[j][i]` at `x[i]`, `y[j]`; the victim itself is at (0, 0)."""

    architecture: str
    seed: Count
    name: str  # "first_layer", "input", "filters"
    setting: dict[str, str]
    x: Annotated[list[Number], Field(min_length=2)]
    y: Annotated[list[Number], Field(min_length=2)]
    z: list[list[Number]]

    @model_validator(mode="after")
    def _on_a_grid(self) -> Self:
        if len(self.z) != len(self.y) or any(len(row) != len(self.x) for row in self.z):
            raise ValueError("a loss for each point of the grid")
        if not (_rising(self.x) and _rising(self.y)):
            raise ValueError("ascending places on both axes")
        return self


class Searched(Plain):
    """What a search found, and the way that it went.

    Attributes:
        architecture: the name of the found cells.
        search: that of the study's entry that found them, where they are one of several; empty: the same.
        genotype: the cells; of NAS-Bench-201 their text.
        provenance: method, space, seed, data and what else repeats the search.
        primitives: of the space, in the order of the weights of a trace.
        trace: an entry an epoch or round; of several cells of one search beside the first alone.
    """

    architecture: str
    search: str = ""
    genotype: Genotype | str
    provenance: dict[str, str]
    primitives: tuple[str, ...]
    trace: list[dict[str, Any]]


class Headline(Measured):
    """The one figure by which a family's architectures are judged, higher being worse to defend.

    `setting` is what all its rows have in common. `rows` is not written, but follows from `positions`.
    """

    family: Family
    # The sign of NAS-designed minus hand-made that was published; None: of this attack nothing was.
    published: Literal["higher", "lower"] | None
    published_size: str  # in words; may be empty
    # In the results' rows, by architecture: over its seeds.
    positions: Annotated[dict[str, Count], Field(min_length=1)]
    models: dict[str, Count]  # trainings behind each of these
    rows: dict[str, Row] = Field(exclude=True, default={})


def _rows_of_the_reader(value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Who reads a file may bring the rows (see `results.large.later`); the file's own are then left out."""
    return check(value) if info.context is None else info.context["rows"]


class StudyResults(Plain):
    """Results of one study. Everything outside of `environment` and `seconds` is reproducible."""

    format: int = FORMAT
    study: StudySpec
    provenance: Provenance
    architectures: list[ArchSpec]
    training: TrainingSpec
    class_names: list[str]
    rows: Annotated[list[Row], WrapValidator(_rows_of_the_reader)]
    histories: list[History]
    examples: list[Examples]
    curves: list[Curve] = Field(default=[])
    landscapes: list[Landscape] = Field(default=[])
    pictures: list[Pictures] = Field(default=[])
    searches: list[Searched] = Field(default=[])
    headlines: list[Headline] = Field(default=[])  # one for each family that was measured
    # The same without images that are others in another study: by what two studies are compared.
    headlines_between: list[Headline] = Field(default=[])
    threats: list[Threat] = Field(default=[])  # every family, the most serious first
    untested: list[Untested] = Field(default=[])
    standings: list[Standing] = Field(default=[])  # of the families with two architectures or more
    adjustments: list[Adjustment] = Field(default=[])  # of the families with a known confounder
    comparisons: list[GroupComparison] = Field(default=[])
    beside_random: list[BesideRandom] = Field(default=[])  # of the searches, for each measure
    searched_fronts: list[SearchedFronts] = Field(default=[])  # of the searches with several objectives
    pulled_levers: list[PulledLevers] = Field(default=[])  # of the one-shot searches with levers
    variables: list[Variable] = Field(default=[])
    claims: list[Claim] = Field(default=[])
    links: list[LinkVerdict] = Field(default=[])  # of the published chain
    remedies: list[Remedied] = Field(default=[])
    fronts: list[Front] = Field(default=[])  # of the remedies, for each original and family
    failures: list[Failure]
    flags: list[Flag]
    environment: dict[str, str]
    seconds: dict[str, Number]  # wall time of each task, by label

    @property
    def searched(self) -> dict[str, SearchSpec]:
        """The search of each architecture that one found, by its name."""
        specs = {choice.name: choice.search for choice in self.study.architectures}
        found = {one.architecture: specs.get(one.search or one.architecture) for one in self.searches}
        return {name: spec for name, spec in found.items() if spec is not None}

    @model_validator(mode="after")
    def _headlines_have_their_rows(self) -> Self:
        for headline in (*self.headlines, *self.headlines_between):
            if max(headline.positions.values()) >= len(self.rows):
                raise ValueError(f"the headline of {headline.family} rests on rows that are not there")
            headline.rows.update({name: self.rows[place] for name, place in headline.positions.items()})
        return self

    @property
    def origin(self) -> dict[str, str]:
        """What the results are of and where they come from, line by line: hashes, versions, date, command."""
        networks = {
            f"weights sha256, {name}, seed {seed}": digest for name, seed, digest in self.provenance.networks
        }
        indices = {f"{field} sha256": digest for field, digest in self.provenance.indices.items()}
        kept = ("nasaudit", "code", "torch", "finished", "command")
        made = {
            key: text
            for key, text in self.environment.items()
            if text and (key in kept or key.startswith(PLUGIN))
        }
        return {"data sha256": self.provenance.data_sha256, **indices, **networks, **made}

    def headline(self, family: str) -> Headline | None:
        """The figure by which a family is judged; None where it was not measured."""
        return next((headline for headline in self.headlines if headline.family == family), None)

    def select(self, **wanted: Any) -> list[Row]:
        """Rows whose columns equal `wanted`; keys of `setting` may be given like columns."""
        return [
            row
            for row in self.rows
            if all(getattr(row, key, row.setting.get(key)) == value for key, value in wanted.items())
        ]
