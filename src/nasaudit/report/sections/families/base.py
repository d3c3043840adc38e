"""What an attack family must bring to have a place in the report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.parts import Section, Text
from nasaudit.results.schema import Headline, Row
from nasaudit.spec.attacks import FAMILIES
from nasaudit.spec.attacks import Family as FamilyName
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
    """How a family shows its rows.

    Attributes:
        name: the value of the column `family`.
        section: tables and curves; None where the study has no such rows.
        quoted: what an attacker gets of one architecture, in a sentence or two; "" where it was not measured.
        wording: how its headline is said, on which the comparison rests.
    """

    name: FamilyName
    section: Callable[[Evidence], Section | None]
    quoted: Callable[[Evidence, Headline, Subject], str]
    wording: Callable[[Evidence, Headline], Wording]

    @property
    def title(self) -> str:
        """As it stands in a heading or a sentence."""
        return FAMILIES[self.name].title

    @property
    def verb(self) -> str:
        """What the attacker does, as in "easier to evade"."""
        return FAMILIES[self.name].verb

    def quote(self, evidence: Evidence, subject: Subject) -> str:
        """What it says of one architecture; "" where it was not measured."""
        headline = evidence.results.headline(self.name)
        return "" if headline is None else self.quoted(evidence, headline, subject)

    def claim(self, sign: Sign | None) -> str:
        """The published direction in words; "" where none was published."""
        return f"the published direction: {direction(self.name, sign)} ({PUBLISHED})" if sign else ""


def direction(family: FamilyName, sign: Sign) -> str:
    """Who is easier to attack, e.g. `NAS-designed models are harder to poison`."""
    return f"NAS-designed models are {'easier' if sign == 'higher' else 'harder'} to {FAMILIES[family].verb}"


def published(evidence: Evidence, family: FamilyName, note: str = "") -> Text | None:
    """What was published of a family, and a note on it; None where the study has no figure to compare it with.

    Where architectures are compared, the comparison has said the direction.
    """
    headline = evidence.results.headline(family)
    if headline is None or headline.published is None:
        return None
    size = headline.published_size
    if any(standing.family == family for standing in evidence.results.standings):
        words = f"Published: {size}. {note}" if size else note
    else:
        words = f"Published ({PUBLISHED}): {direction(family, headline.published)}{f': {size}' * bool(size)}. {note}"
    return Text(words.strip(), quiet=True) if words else None
