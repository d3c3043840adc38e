"""What an attack family must bring to have a place in the report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.parts import Section, Tile
from nasaudit.results.schema import Headline, Row
from nasaudit.verdicts.headlines import PUBLISHED, Sign


@dataclass(frozen=True)
class Wording:
    """How a family's headline is said, and the plainer figure beside it.

    Attributes:
        measure: its name in a sentence ("area under the security curve (PGD, linf, any wrong class)").
        illustration: a plainer figure of the same, by name; may be empty.
        around: "Of these images" and "do this", before and after the shares of the plainer figure.
    """

    measure: str
    illustration: Mapping[str, Row] = field(default_factory=dict)
    around: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Family:
    """How a family shows its rows. `section` and `verdict` give None where the study has no such rows.

    Attributes:
        name: the value of the column `family`.
        title: as it stands in a heading or a sentence.
        section: tables and curves.
        verdict: what an attacker gets of one architecture, in one or two plain sentences.
        wording: how its headline is said, on which the comparison rests.
        tiles: the figures of one architecture that deserve large print.
        verb: what the attacker does, as in "easier to evade".
    """

    name: str
    title: str
    section: Callable[[Evidence], Section | None]
    verdict: Callable[[Evidence, Subject], str | None]
    tiles: Callable[[Evidence, Subject], tuple[Tile, ...]]
    wording: Callable[[Evidence, Headline], Wording]
    verb: str

    def claim(self, sign: Sign) -> str:
        """The published direction in words."""
        ease = "easier" if sign == "higher" else "harder"
        return f"the published direction: NAS-designed models are {ease} to {self.verb} ({PUBLISHED})"
