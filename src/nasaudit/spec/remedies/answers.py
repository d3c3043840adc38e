"""How a victim's answers say less than it knows: the ordinary remedies against a thief.

- rounding: Tramer, Zhang, Juels, Reiter and Ristenpart, "Stealing Machine Learning Models via Prediction APIs",
  USENIX Security 2016, section 7;
- the largest probabilities alone: Orekondy, Schiele and Fritz, "Knockoff Nets: Stealing Functionality of Black-Box
  Models", CVPR 2019 (truncated posteriors). As in their code, the other ones become 0.

Nothing is rescaled: a row need not add up to 1.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nasaudit.errors import SpecError
from nasaudit.spec.base import Spec


class LimitSpec(Spec):
    """Root of the limits' specs."""

    implementation: ClassVar[str]  # "module:Class", a `victim.oracle.Limit`

    name: str

    def label(self) -> str:
        """What rows and reports say behind the word for the answers: `1 decimal`, `top 3`."""
        return self.name

    def check(self, classes: int) -> None:
        """Refuse what this data cannot give.

        Raises:
            SpecError: the field is relative to this spec.
        """


class RoundedSpec(LimitSpec):
    """Probabilities are rounded."""

    implementation: ClassVar[str] = "nasaudit.victim.limits:Rounded"

    name: Literal["rounded_answers"] = "rounded_answers"
    decimals: Annotated[int, Field(ge=0)] = 1  # that a probability is rounded to

    def label(self) -> str:
        """E.g. `2 decimals`."""
        return f"{self.decimals} decimal{'' if self.decimals == 1 else 's'}"


class TopSpec(LimitSpec):
    """The largest probabilities of an image are told, the others are 0."""

    implementation: ClassVar[str] = "nasaudit.victim.limits:Largest"

    name: Literal["top_answers"] = "top_answers"
    k: Annotated[int, Field(ge=1)] = 1  # probabilities that are told

    def label(self) -> str:
        """E.g. `top 3`."""
        return f"top {self.k}"

    def check(self, classes: int) -> None:
        """The largest probabilities must not be all of them."""
        if self.k >= classes:
            raise SpecError("k", f"fewer than the {classes} classes", self.k)
