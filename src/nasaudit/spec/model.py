"""ModelSpec: a network that is defined elsewhere: by timm, torchvision, NAS-Bench-201, Python code or a file."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from nasaudit.documents import parse_json, parse_yaml
from nasaudit.errors import InputError, SpecError
from nasaudit.spec.base import Spec
from nasaudit.spec.nasbench201 import parse_201, short_name
from nasaudit.strangers import read_text

# `object`: a module of the process that asks for the audit, which no other process can build.
Builder = Literal["timm", "torchvision", "nasbench201", "python", "torchscript", "onnx", "hf", "object"]
LIBRARIES = ("timm", "torchvision", "hf")
# Files that hold a network with its weights, by the ends of their names.
PROGRAMS: dict[str, Builder] = {
    ".onnx": "onnx",
    ".pt": "torchscript",
    ".pth": "torchscript",
    ".ts": "torchscript",
    ".torchscript": "torchscript",
}
FORMS = (
    "timm:NAME, torchvision:NAME, a NAS-Bench-201 text, pkg.module:build, path/file.py:build, either with @TRIAL, "
    "hf:FOLDER, or a file of ONNX or TorchScript"
)

HF_WEIGHTS, HF_CONFIG = "model.safetensors", "config.json"  # of a folder as Hugging Face's libraries save it

Moment = Annotated[tuple[float, ...], Field(min_length=1, max_length=3)]


class Moments(Spec):
    """Mean and standard deviation of each channel, for pixels in [0,1]."""

    mean: Moment
    std: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1, max_length=3)]


# What is done to pixels in [0,1] in front of the network. `dataset`: the moments of the training images; `own`: what
# the model comes with, which is done inside where the model is Python code; `none`: nothing.
Normalisation = Literal["dataset", "own", "none"] | Moments


Parameter = bool | int | float | str | None
MAX_PARAMETERS = 1000


def read_trial(path: Path) -> dict[str, Any]:
    """The parameters of a trial: Optuna's `params` as JSON or YAML, alone or in a trial, or NePS' `config.yaml`.

    Raises:
        InputError: it cannot be read.
        SpecError: a parameter that is no plain value; the field is named.
    """
    text = read_text(path, InputError)
    values = parse_json(text, str(path)) if path.suffix == ".json" else parse_yaml(text, str(path))[0]
    if isinstance(values, Mapping) and isinstance(values.get("params"), Mapping):
        values = values["params"]
    if not isinstance(values, Mapping) or not 1 <= len(values) <= MAX_PARAMETERS:
        raise SpecError(str(path), f"a mapping of 1 to {MAX_PARAMETERS} parameters", values)
    for key, value in values.items():
        if not isinstance(key, str) or not key.isidentifier():
            raise SpecError(
                f"{path}: {key}", "the name of an argument; rename it, here and in the function", key
            )
        if value is not None and not isinstance(value, bool | int | float | str):
            raise SpecError(f"{path}: {key}", "a number, a word, true or false", value)
    return dict(values)


class ModelSpec(Spec):
    """Who builds a network, and by which name."""

    builder: Builder
    target: Annotated[str, Field(min_length=1, max_length=1000)]  # without the builder's prefix
    # Of the code of a Python factory, of a file, of the configuration in a folder: set when a study is planned. Of
    # what an object does.
    sha256: str | None = None
    # What a search over hyper-parameters chose, as arguments of a Python factory.
    parameters: dict[str, Parameter] | None = Field(default=None, exclude_if=lambda value: value is None)

    @classmethod
    def read(cls, value: Any) -> Any:
        """The text form that a user writes; anything else is left to the fields' own checks.

        Raises:
            GenotypeError: a NAS-Bench-201 text of another shape; the position is named.
            SpecError: none of the forms.
        """
        if not isinstance(value, str):
            return value
        text = value.strip()
        if text.startswith("|"):
            parse_201(text)
            return cls.parse({"builder": "nasbench201", "target": "".join(text.split())})
        if PurePath(text).suffix in PROGRAMS:
            return cls.parse({"builder": PROGRAMS[PurePath(text).suffix], "target": text}, "model")
        place, colon, name = text.rpartition(":")
        if not colon or not place or not name:
            raise SpecError("model", FORMS, value)
        for library in LIBRARIES:
            if place == library:
                return cls.parse({"builder": library, "target": name}, "model")
        name, at, trial = name.partition("@")
        is_module = all(part.isidentifier() for part in place.split("."))
        if not name.isidentifier() or not (place.endswith(".py") or is_module):
            raise SpecError("model", FORMS, value)
        values: dict[str, Any] = {"builder": "python", "target": f"{place}:{name}"}
        if at:
            values["parameters"] = read_trial(Path(trial))
        return cls.parse(values, "model")

    @property
    def name(self) -> str:
        """What the architecture is called unless the user says otherwise."""
        match self.builder:
            case "nasbench201":
                return short_name(self.target)
            case "python":
                place, _, function = self.target.rpartition(":")
                text = "" if self.parameters is None else json.dumps(self.parameters, sort_keys=True)
                trial = f"@{hashlib.sha256(text.encode()).hexdigest()[:6]}" if text else ""
                return f"{PurePath(place).name}:{function}{trial}"
            case "torchscript" | "onnx":
                return PurePath(self.target).name
            case "hf":
                return f"hf:{PurePath(self.target).name}"
        return f"{self.builder}:{self.target}"

    @classmethod
    def named(cls, text: str) -> Self | None:
        """The model that a text means; None where it is a plain name, of the catalogue say."""
        is_model = text.lstrip().startswith("|") or ":" in text or PurePath(text).suffix in PROGRAMS
        return cls.read(text) if is_model else None

    @property
    def is_program(self) -> bool:
        """Whether it is one trained network as a file: it cannot be built anew with other weights."""
        return self.builder in ("torchscript", "onnx")

    @property
    def is_torchscript(self) -> bool:
        """Whether its layers can be neither hooked nor, where it was traced, set to training."""
        return self.builder == "torchscript"

    @property
    def is_local(self) -> bool:
        """Whether it is made of files of a user's own, which a checkpoint alone must not get opened."""
        return self.is_program or self.builder in ("python", "hf")

    @property
    def weights(self) -> str | None:
        """The file with the weights that it comes with."""
        if self.builder == "hf":
            return f"{self.target}/{HF_WEIGHTS}"
        return self.target if self.is_program else None
