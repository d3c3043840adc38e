"""What remedies are called in plain words, and architectures that one was applied to. A user's own names stay."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.planning.population import JOINT
from nasaudit.results.schema import StudyResults
from nasaudit.results.verdict_models import Remedied
from nasaudit.spec.remedies.catalogue import REMEDIES, Rewiring, remedies_of

SCOPES: Mapping[str, str] = {"reduction": " in the reduction cells", "all": " in all cells"}
# As `planning.hardening` names a rewired cell: the remedy, which cells, and the dose where it is not all.
REWIRED = re.compile(r"(.+?)(?:@(\w+))?(?:-(\d+))?")


@dataclass(frozen=True)
class Names:
    """Who is who in a study's remedies.

    Attributes:
        titles: how each architecture is written, by the name that rows carry.
        own: remedies that a user defined; their names are shown as they are, even if a known remedy has the same.
    """

    titles: Mapping[str, str]
    own: Collection[str] = field(default=frozenset())

    @classmethod
    def of(cls, results: StudyResults, titles: Mapping[str, str]) -> "Names":
        """The names of a study."""
        spec = results.study.mitigation
        return cls(titles, frozenset(spec.training) if spec is not None else frozenset())

    def title(self, architecture: str) -> str:
        """How an architecture is written."""
        return self.titles.get(architecture, architecture)

    def remedy(self, remedied: Remedied) -> str:
        """The remedy with its dose and scope: `deepen 2 of 3 nodes in all cells`."""
        if remedied.full:
            return self.line(remedied)
        rewiring = remedies_of(Rewiring).get(remedied.remedy)
        partly = (rewiring and rewiring.partly) or f"{_title(remedied.remedy)}, dose {{dose}} of {{most}}"
        return partly.format(dose=remedied.dose, most=remedied.most) + SCOPES.get(remedied.scope, "")

    def line(self, remedied: Remedied) -> str:
        """The remedy whatever its dose: `deepen in all cells`; of answers, which: a study may try several."""
        name = remedied.remedy if remedied.remedy in self.own else _title(remedied.remedy)
        setting = remedied.effects[0].setting if remedied.kind == "answers" and remedied.effects else {}
        answers = f" ({setting['answers']})" if "answers" in setting else ""
        return name + SCOPES.get(remedied.scope, "") + answers

    def full(self, remedied: Remedied) -> str:
        """The remedy, and the name of what it made where that says something new: `deepen (DARTS-i)`."""
        variant = self.other_name(remedied)
        return f"{self.remedy(remedied)} ({variant})" if variant else self.remedy(remedied)

    def other_name(self, remedied: Remedied) -> str:
        """What a hardened architecture is called; "" where that is its remedy over again."""
        repeated = remedied.variant.startswith(remedied.original + JOINT) or remedied.variant in (
            remedied.original,
            remedied.remedy,
        )
        return "" if repeated else self.title(remedied.variant)


def _title(remedy: str) -> str:
    return REMEDIES[remedy].title if remedy in REMEDIES else remedy


def hardened_title(name: str) -> str:
    """How an architecture is written that a study made of another one.

    >>> hardened_title("darts+deepen"), hardened_title("darts+drop_skips@all-1"), hardened_title("mine+trades")
    ('DARTS + deepen', 'DARTS + drop skips in all cells, dose 1', 'mine + TRADES')
    """
    original, _, how = name.rpartition(JOINT)
    if not original:
        return name
    title = CATALOGUE[original].title if original in CATALOGUE else original
    rewired = REWIRED.fullmatch(how)
    if rewired is None or rewired[1] not in remedies_of(Rewiring):
        return f"{title} {JOINT} {_title(how)}"
    remedy, scope, dose = rewired.groups()
    part = f", dose {dose}" if dose else ""
    return f"{title} {JOINT} {_title(remedy)}{SCOPES.get(scope or '', '')}{part}"
