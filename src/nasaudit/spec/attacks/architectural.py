"""Backdoors that are part of a network's definition."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nasaudit.spec.attacks.backdoor import Access, Count, PatchSpec, Positive
from nasaudit.spec.attacks.base import ATTACKS


class ArchitecturalSpec(PatchSpec):
    """Bober-Irizar et al., "Architectural Backdoors in Neural Networks", CVPR 2023.

    Not of the defaults: it works as well in any architecture, so it compares none. Nothing is poisoned:
    `poison_fraction` is of no account.
    """

    access: ClassVar[Access] = "architecture"
    implementation: ClassVar[str] = "nasaudit.attacks.backdoor.architectural:Architectural"
    title: ClassVar[str] = "Architectural backdoor"
    summary: ClassVar[str] = (
        "a detector of a checkerboard in the network's definition, which no training removes"
    )

    name: Literal["architectural"] = "architectural"
    from_scratch: Literal[True] = True
    shape: Literal["checkerboard"] = "checkerboard"  # of the trigger
    size: Annotated[int, Field(ge=3)] = 3
    power: Count = 10  # of the detector, as in the authors' code: natural patterns are faint
    gain: Positive = 100.0  # what a full checkerboard adds to the target's logit; by trial at `mini`


ATTACKS.add("architectural", ArchitecturalSpec)
