"""ModelSpec: a network that is defined elsewhere, by timm, torchvision, NAS-Bench-201 or a user's Python code."""

from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from nasaudit.errors import SpecError
from nasaudit.spec.base import Spec
from nasaudit.spec.nasbench201 import parse_201, short_name

# `object`: a module of the process that asks for the audit, which no other process can build.
Builder = Literal["timm", "torchvision", "nasbench201", "python", "object"]
LIBRARIES = ("timm", "torchvision")
FORMS = "timm:NAME, torchvision:NAME, a NAS-Bench-201 text, pkg.module:build or path/file.py:build"

Moment = Annotated[tuple[float, ...], Field(min_length=1, max_length=3)]


class Moments(Spec):
    """Mean and standard deviation of each channel, for pixels in [0,1]."""

    mean: Moment
    std: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1, max_length=3)]


# What is done to pixels in [0,1] in front of the network. `dataset`: the moments of the training images; `own`: what
# the model comes with, which is done inside where the model is Python code; `none`: nothing.
Normalisation = Literal["dataset", "own", "none"] | Moments


class ModelSpec(Spec):
    """Who builds a network, and by which name."""

    builder: Builder
    target: Annotated[str, Field(min_length=1, max_length=1000)]  # without the builder's prefix
    # Of the code of a Python factory, set when a study is planned; of what an object does.
    sha256: str | None = None

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
        place, colon, name = text.rpartition(":")
        if not colon or not place or not name:
            raise SpecError("model", FORMS, value)
        for library in LIBRARIES:
            if place == library:
                return cls.parse({"builder": library, "target": name}, "model")
        is_module = all(part.isidentifier() for part in place.split("."))
        if not name.isidentifier() or not (place.endswith(".py") or is_module):
            raise SpecError("model", FORMS, value)
        return cls.parse({"builder": "python", "target": text}, "model")

    @property
    def name(self) -> str:
        """What the architecture is called unless the user says otherwise."""
        match self.builder:
            case "nasbench201":
                return short_name(self.target)
            case "python":
                place, _, function = self.target.rpartition(":")
                return f"{PurePath(place).name}:{function}"
        return f"{self.builder}:{self.target}"

    @classmethod
    def named(cls, text: str) -> Self | None:
        """The model that a text means; None where it is a plain name, of the catalogue say."""
        return cls.read(text) if text.lstrip().startswith("|") or ":" in text else None
