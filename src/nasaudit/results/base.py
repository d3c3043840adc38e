"""What all models of results are made of. A results.json may be a stranger's: every value has its range here.

In memory a figure may be NaN or infinite until it is judged; a file has no such numbers.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from nasaudit.measure.estimate import Estimate

LARGEST = 1e100  # of any number: its square, and sums of such, are numbers still


def _in_a_file(value: float, info: ValidationInfo) -> float:
    if info.mode == "json" and not abs(value) <= LARGEST:
        raise ValueError(f"a number between {-LARGEST:g} and {LARGEST:g}")
    return value


def _share_in_a_file(value: float, info: ValidationInfo) -> float:
    if info.mode == "json" and not 0 <= value <= 1:
        raise ValueError("a number from 0 to 1")
    return value


Number = Annotated[float, AfterValidator(_in_a_file)]
Probability = Annotated[float, AfterValidator(_share_in_a_file)]
Count = Annotated[int, Field(ge=0, lt=2**63)]


_ORDINARY = re.compile("[a-z0-9]+/[a-z0-9]+(\\.[a-z]+)?", re.ASCII)  # as our own are


def _inside(name: str) -> str:
    if _ORDINARY.fullmatch(name):
        return name
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or not name.isprintable():
        raise ValueError("the name of a file inside of the study's folder")
    if "\\" in name or PureWindowsPath(name).drive:
        raise ValueError("the name of a file inside of the study's folder, with / between its parts")
    return name


FileInside = Annotated[str, AfterValidator(_inside)]  # relative to the study's folder


class Plain(BaseModel):
    """Frozen data without behaviour."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Measured(Plain):
    """The figure that a verdict is about."""

    family: str  # of an attack; "training" for the clean accuracy
    measure: str  # in words, as in a sentence
    attack: str
    setting: dict[str, str]
    metric: str
    unit: str


class Span(Plain):
    """A value with its 95 % interval."""

    value: Number
    low: Number
    high: Number

    @classmethod
    def of(cls, estimate: Estimate) -> "Span":
        """Without unit and n, which a verdict says once for all its spans."""
        return cls(value=estimate.value, low=estimate.low, high=estimate.high)


def format_setting(setting: Mapping[str, str]) -> str:
    """E.g. `epsilon=8/255;norm=linf`."""
    return ";".join(f"{key}={value}" for key, value in sorted(setting.items()))
