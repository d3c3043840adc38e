"""What an attack family must bring to have a place in the report."""

from collections.abc import Callable
from dataclasses import dataclass

from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.parts import Section, Tile
from nasaudit.results.schema import Row
from nasaudit.verdicts.headlines import DIRECTIONS, PUBLISHED, Sign


@dataclass(frozen=True)
class Yardstick:
    """The one measure by which a family's architectures are compared: higher is worse for the defender.

    Attributes:
        rows: the measure of each architecture that has one, by name.
        measure: its name in a sentence ("area under the security curve").
        illustration: a plainer measure of the same, shown beside it, by name; may be empty.
        illustration_text: "Of these images" and "do this", around the percentages of the plainer measure.
        published: the sign that was published for NAS-designed minus hand-made; None: the family's headline has it.
    """

    rows: dict[str, Row]
    measure: str
    illustration: dict[str, Row]
    illustration_text: tuple[str, str]
    published: Sign | None = None


@dataclass(frozen=True)
class Family:
    """How a family shows its rows. Each function gives None where the study has no such rows.

    Attributes:
        name: the value of the column `family`.
        title: as it stands in a heading or a sentence.
        section: tables and curves.
        verdict: what an attacker gets of one architecture, in one or two plain sentences.
        yardstick: the measure that the comparison rests on.
        tiles: the figures of one architecture that deserve large print.
        verb: what the attacker does, as in "easier to evade".
    """

    name: str
    title: str
    section: Callable[[Evidence], Section | None]
    verdict: Callable[[Evidence, Subject], str | None]
    tiles: Callable[[Evidence, Subject], tuple[Tile, ...]]
    yardstick: Callable[[Evidence], Yardstick | None]
    verb: str

    def published(self, yardstick: Yardstick | None = None) -> Sign:
        """The published sign of NAS-designed minus hand-made, by the yardstick or else by the family's headline."""
        if yardstick is not None and yardstick.published is not None:
            return yardstick.published
        return next((known.sign for name, known in DIRECTIONS.items() if name == self.name), "higher")

    def claim(self, sign: Sign) -> str:
        """The published direction in words."""
        ease = "easier" if sign == "higher" else "harder"
        return f"the published direction: NAS-designed models are {ease} to {self.verb} ({PUBLISHED})"
