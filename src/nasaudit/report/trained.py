"""What a study trained, by the names that its report uses: weights and genotypes as files that `audit` takes."""

from dataclasses import dataclass
from pathlib import Path

from nasaudit.data.catalogue import read_raw
from nasaudit.data.splits import assign_roles
from nasaudit.documents import parse_json
from nasaudit.errors import InputError, SpecError, StoreError, UnknownNameError
from nasaudit.registry import normalise
from nasaudit.report.evidence import Evidence
from nasaudit.results.opened import OpenedStudy
from nasaudit.results.schema import StudyResults
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.tasks import TrainTask
from nasaudit.store.artefacts import WEIGHTS
from nasaudit.store.files import write_atomically
from nasaudit.strangers import read_bytes


@dataclass(frozen=True)
class Model:
    """A victim of a study: which training, and what `audit` would call its architecture without a file of cells."""

    task: TrainTask
    study: OpenedStudy

    @property
    def spec(self) -> ArchSpec:
        """What was built."""
        return self.task.architecture

    def write_genotype(self, path: Path) -> str:
        """Write its cells as JSON; says what it is of.

        Raises:
            InputError: it has no cells.
        """
        if self.spec.genotype is None:
            raise InputError(
                f"export: expected an architecture of cells, and {self.spec.name} has none: "
                f"--weights alone says all of it, for: nasaudit audit {self.called} --weights FILE"
            )
        write_atomically(path, self.spec.genotype.model_dump_json(indent=1) + "\n")
        return f"cells of {self.spec.name}: {path}"

    def write_weights(self, path: Path) -> str:
        """Write its trained weights as safetensors that carry the architecture; the file's content is verified first.

        Beside it goes which images it was trained and tested on, without which no figure but one of evasion says
        anything. Of a part of the classes nothing is written: positions among them are none in the source.

        Returns:
            The command that audits exactly this model; cells come from the file that `write_genotype` writes.

        Raises:
            MissingRecordError: the study has not trained it, or the store was emptied.
            StoreError: the checkpoint is damaged.
        """
        _, folder = self.study.store.open(self.task)
        content = read_bytes(folder / WEIGHTS, StoreError, most=2**33)
        write_atomically(path, content if self.spec.family is None else _renamed(content, self.spec, folder))
        data = self.study.planned.data
        architecture = self.called if self.spec.genotype is None else str(path.with_suffix(".json"))
        return (
            f"to audit it: nasaudit audit {architecture} --weights {path} "
            f"--data {data.path or data.name} --scale {self.spec.scale}{self._write_division(path)}"
        )

    def _write_division(self, path: Path) -> str:
        """Write the positions of the images beside the weights; the options that name the files."""
        data, options = self.study.planned.data, ""
        if data.classes is not None:
            return options
        roles = assign_roles(read_raw(data, self.study.downloads), data)
        for role, option in (("train", "--train-index"), ("test", "--test-index")):
            file = path.with_suffix(f".{role}.txt")
            write_atomically(file, "".join(f"{position}\n" for position in getattr(roles, role)))
            options += f" {option} {file}"
        return options

    @property
    def called(self) -> str:
        """The architecture on the command line, where no file of cells says it."""
        return self.spec.family or self.spec.name


def find_model(results: StudyResults, study: OpenedStudy, name: str, seed: int | None = None) -> Model:
    """A victim by its name in results.csv or in the report.

    Args:
        results: of the study, whose report has the titles.
        study: the same with its records.
        name: in any spelling.
        seed: of the training; None: the first.

    Raises:
        UnknownNameError: no such architecture; the message has the nearest names.
        SpecError: no training with this seed.
    """
    titles = Evidence(results, Path()).titles
    trainings = [
        victim
        for victim in study.planned.victims
        for own in (victim.architecture.name,)
        if normalise(name) in (normalise(own), normalise(titles.get(own, own)))
    ]
    if not trainings:
        known = [victim.architecture.name for victim in study.planned.victims]
        raise UnknownNameError("architecture", name, dict.fromkeys(known))
    seeds = [victim.seed for victim in trainings]
    if seed is not None and seed not in seeds:
        raise SpecError("--seed", f"one of {', '.join(map(str, seeds))}", seed)
    return Model(trainings[0 if seed is None else seeds.index(seed)], study)


def _renamed(content: bytes, spec: ArchSpec, folder: Path) -> bytes:
    """A hand-made network under another name (a remedy's), renamed to what it is."""
    from safetensors.numpy import load, save

    size = int.from_bytes(content[:8], "little")
    header = parse_json(content[8 : 8 + size].decode("utf-8"), str(folder / WEIGHTS))
    plain = spec.model_copy(update={"name": spec.family, "family": None, "group": "manual"})
    metadata = {**header["__metadata__"], "architecture": plain.canonical_json()}
    return save(load(content), metadata=metadata)
