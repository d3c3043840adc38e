"""StudySpec: what a YAML file or `nasaudit audit` says. Everything that nasaudit does is a study."""

from pathlib import PurePath
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.analyses import DEFAULT_ANALYSES, AnyAnalysis
from nasaudit.spec.arch import Group, Protocol, Scale
from nasaudit.spec.attacks import AnyAttack, ExtractionSpec
from nasaudit.spec.base import Spec
from nasaudit.spec.data import DataSpec, Seed
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.model import ModelSpec, Normalisation
from nasaudit.spec.named import ByName
from nasaudit.spec.remedies.mitigation import MitigationSpec
from nasaudit.spec.searches import SEARCHES, AnySearch
from nasaudit.spec.training import TrainingSpec
from nasaudit.spec.units import Fractional

MAX_SEEDS = 100  # trainings of each architecture: planning stays a matter of seconds


class ArchChoice(Spec):
    """An architecture as a user names it: from the catalogue, or a name of their own with a genotype or a model."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    genotype: Annotated[Genotype, BeforeValidator(Genotype.read)] | None = None
    group: Group | None = None  # of a genotype of the user's own (None: custom); the catalogue knows its own
    weights: str | None = None  # path of trained weights: the model is taken as it is, nothing is trained
    auxiliary: bool = False
    # None: what was published, at the scale `paper` alone: drop-path, or with the protocol `paper` dropout.
    drop_path: Fractional | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None, exclude_if=lambda value: value is None
    )
    # A network that is defined elsewhere, as `ModelSpec.read` takes it. A name that is such a text says it too.
    model: Annotated[ModelSpec | None, BeforeValidator(ModelSpec.read)] = Field(
        default=None, exclude_if=lambda value: value is None
    )
    # None: `own` where a model has its own and weights are given, `dataset` elsewhere.
    normalise: Normalisation | None = Field(default=None, exclude_if=lambda value: value is None)
    # Name of the architecture of the study that this one is a hardened form of. Without a genotype or a model it is
    # that one's network: another training of it.
    hardens: str | None = Field(default=None, exclude_if=lambda value: value is None)
    # Fields of the recipe in which its training differs from that of the study.
    training: dict[str, Any] | None = Field(default=None, exclude_if=lambda value: value is None)
    # The cells are searched for; without a name it is called after the method and the seed of the search.
    search: AnySearch | None = Field(default=None, exclude_if=lambda value: value is None)
    seed: Seed = Field(default=0, exclude_if=lambda value: value == 0)

    @model_validator(mode="before")
    @classmethod
    def _a_search_needs_no_name(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("search") is None or "name" in values:
            return values
        search = ByName(SEARCHES)(values["search"])
        kind = "-secure" if search.secure else ""
        return {**values, "search": search, "name": f"{search.name}{kind}-s{values.get('seed', 0)}"}

    @model_validator(mode="after")
    def _cells_are_given_or_searched_for(self) -> "ArchChoice":
        for field in ("genotype", "model", "weights", "hardens"):
            if self.search is not None and getattr(self, field) is not None:
                raise SpecError(field, "nothing beside a search, which finds the cells", getattr(self, field))
        if self.search is None and self.seed:
            raise SpecError("seed", "nothing without a search, whose seed it is", self.seed)
        return self

    @property
    def trained(self) -> str | None:
        """The file of its trained weights: those given beside it, or those that its model comes with."""
        return self.weights or (None if self.model is None else self.model.weights)

    @model_validator(mode="after")
    def _a_program_has_its_weights(self) -> "ArchChoice":
        if self.model is not None and self.model.is_program and self.weights is not None:
            raise SpecError("weights", f"nothing, as {self.name} has its own", self.weights)
        return self

    @model_validator(mode="before")
    @classmethod
    def _a_name_may_be_more(cls, values: Any) -> Any:
        """A name may also say a genotype of a Python file, or a model."""
        if not isinstance(values, dict) or not isinstance(values.get("name"), str):
            return values
        if values.get("model") is not None or values.get("genotype") is not None:
            return values
        genotype = Genotype.assigned(values["name"])
        if genotype is not None:
            return {**values, "name": PurePath(values["name"]).name, "genotype": genotype}
        model = ModelSpec.named(values["name"])
        return values if model is None else {**values, "name": model.name, "model": model}


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


# Two entries of one name would share their rows.
BY_NAME = ("architectures", "analyses")
AnyArch = Annotated[ArchChoice, BeforeValidator(_named)]
AnyData = Annotated[DataSpec, BeforeValidator(_named)]


def _fields_of_a_recipe(value: Any) -> Any:
    """What was said of a training and no more, each field as a recipe has it."""
    if value is None:
        return None
    if isinstance(value, TrainingSpec):
        return value.model_dump(mode="json")
    if not isinstance(value, dict):
        raise SpecError("", "fields of a training, such as {epochs: 20}", value)
    return TrainingSpec.parse(value).model_dump(mode="json", include=set(value))


class PopulationSpec(Spec):
    """Cells of the DARTS space, so that correlations over architectures can be seen."""

    cells: Annotated[int, Field(ge=0, le=10_000)] = 60  # drawn uniformly
    seed: Seed = 0  # of the draw
    published: bool = True  # and the cells that NAS found, of the catalogue
    hardened: bool = True  # and those rewired: deepened, without skips, both


class StudySpec(Spec):
    """Architectures x seeds x experiments on one data set."""

    name: Annotated[str, Field(min_length=1, max_length=80)] = "audit"
    architectures: tuple[AnyArch, ...] = ()
    population: PopulationSpec | None = None  # further architectures
    # And further ones: those named above, hardened by these remedies.
    mitigation: MitigationSpec | None = Field(default=None, exclude_if=lambda value: value is None)
    data: AnyData = DataSpec()
    scale: Scale = "mini"
    protocol: Protocol = "sound"
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=MAX_SEEDS)] = (0, 1, 2)
    attacks: tuple[AnyAttack, ...] = Field(default=(), validate_default=True)
    analyses: tuple[AnyAnalysis, ...] = DEFAULT_ANALYSES
    # Fields in which the training differs from the recipe of the scale, protocol and data.
    training: Annotated[dict[str, Any] | None, BeforeValidator(_fields_of_a_recipe)] = None

    @property
    def known(self) -> tuple[ArchChoice, ...]:
        """The architectures that are known before anything runs; what searches find is not among them."""
        return tuple(choice for choice in self.architectures if choice.search is None)

    @model_validator(mode="before")
    @classmethod
    def _paper_trains_on_everything(cls, values: Any) -> Any:
        """The talk's artifact held nothing back from training: no validation images, no pool."""
        if not isinstance(values, dict) or values.get("protocol") != "paper":
            return values
        data = _named(values.get("data", {}))
        if isinstance(data, DataSpec):
            data = data.model_dump(exclude_unset=True)
        if isinstance(data, dict):
            return {**values, "data": {"validation_fraction": 0.0, "pool_fraction": 0.0, **data}}
        return values

    @field_validator("attacks", mode="after")
    @classmethod
    def _answers_are_limited(
        cls, attacks: tuple[AnyAttack, ...], info: ValidationInfo
    ) -> tuple[AnyAttack, ...]:
        """A remedy of what a model answers is judged by one more theft, the first one with limited answers."""
        spec = info.data.get("mitigation")
        limits = () if spec is None else spec.of_kind("answers")
        thefts = [
            attack for attack in attacks if isinstance(attack, ExtractionSpec) and attack.answers_in_full
        ]
        if limits and not thefts:
            raise SpecError(
                "attacks", f"one of extraction with soft labels, to try {limits[0]} on", len(attacks)
            )
        limited = (
            type(thefts[0]).parse({**thefts[0].model_dump(), "answers": [remedy]}) for remedy in limits
        )
        return tuple(dict.fromkeys((*attacks, *limited)))

    @model_validator(mode="after")
    def _searches_are_of_the_scale(self) -> "StudySpec":
        """What nobody set is set here, so that a study that was written down and read says the same."""
        settled = [
            choice
            if choice.search is None
            else choice.model_copy(update={"search": choice.search.at(self.scale)})
            for choice in self.architectures
        ]
        self.__dict__["architectures"] = tuple(settled)
        return self

    @model_validator(mode="after")
    def _each_once(self) -> "StudySpec":
        if not self.architectures and self.population is None:
            raise SpecError("architectures", "at least one, or a `population`", list(self.architectures))
        for field in ("architectures", "seeds", "attacks", "analyses"):
            values = getattr(self, field)
            keys = [getattr(value, "name", value) if field in BY_NAME else value for value in values]
            if len({str(key) for key in keys}) != len(keys):
                raise SpecError(field, "each entry once", [str(key) for key in keys])
        return self
