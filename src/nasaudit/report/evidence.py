"""Evidence: a study's results, indexed so that a section can ask for one row and cope with its absence."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.report import format
from nasaudit.report.palette import CROWD, Style, styles
from nasaudit.report.remedy_names import hardened_title
from nasaudit.results.schema import Row, StudyResults
from nasaudit.spec.arch import ArchSpec

T = TypeVar("T")
MOST_NAMED = 4  # architectures in a sentence


@dataclass(frozen=True)
class Subject:
    """An architecture as the report speaks of it."""

    spec: ArchSpec
    title: str  # as its authors write it: "PC-DARTS"; unique in a report
    style: Style

    @property
    def name(self) -> str:
        """The key that rows carry."""
        return self.spec.name


@dataclass(frozen=True)
class Evidence:
    """Results and the folder that their example files are in. Look-ups give None or [] for what is absent."""

    results: StudyResults
    folder: Path

    @cached_property
    def subjects(self) -> tuple[Subject, ...]:
        """The architectures in the order of the study."""
        specs = self.results.architectures
        looks = styles(specs)
        titles = Counter(_title(spec) for spec in specs)
        # A user's own "DARTS" beside the catalogue's: the names, which are unique, then tell them apart.
        return tuple(
            Subject(spec, _title(spec) if titles[_title(spec)] == 1 else spec.name, looks[spec.name])
            for spec in specs
        )

    @property
    def crowded(self) -> bool:
        """Whether there are too many architectures to tell them apart, or to show each of them."""
        return len(self.results.architectures) > CROWD

    @cached_property
    def titles(self) -> dict[str, str]:
        """How each architecture is written, by the name that rows carry."""
        return {subject.name: subject.title for subject in self.subjects}

    @cached_property
    def doubtful(self) -> frozenset[str]:
        """Architectures whose test images may have been trained on."""
        return frozenset(self.results.provenance.doubtful)

    @property
    def undertrained(self) -> str:
        """What no level can be read without: that models are far from what such data allow; "" where none is."""
        named = {
            name for flag in self.results.flags if flag.kind == "undertrained" for name in flag.architectures
        }
        whose = [subject.title for subject in self.subjects if subject.name in named]
        if not whose:
            return ""
        verb = "is" if len(whose) == 1 else "are"
        who = format.listing(whose) if len(whose) <= MOST_NAMED else f"{len(whose)} of the architectures"
        return (
            f"{who} {verb} far less accurate than models of this data should be. The levels below are of models that "
            "nobody would use: they say little of the architecture until it is trained longer."
        )

    @cached_property
    def names(self) -> str:
        """The architectures in a sentence."""
        return format.listing(list(self.titles.values()))

    @cached_property
    def _index(self) -> dict[tuple[str, str, str], list[Row]]:
        index: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        for row in self.results.rows:
            index[row.architecture, row.family, row.metric].append(row)
        return index

    @cached_property
    def _known(self) -> dict[Hashable, Any]:
        return {}

    def once(self, key: Hashable, work: Callable[[], T]) -> T:
        """What `work` gives; it is done for the first who asks. The cards of 100 architectures ask for the same."""
        if key not in self._known:
            self._known[key] = work()
        return cast(T, self._known[key])

    def rows(
        self, architecture: str, family: str, metric: str, attack: str = "", /, **setting: str
    ) -> list[Row]:
        """Rows of all seeds whose setting says at least what `setting` says."""
        return [
            row
            for row in self._index.get((architecture, family, metric), [])
            if row.attack == attack and setting.items() <= row.setting.items()
        ]

    def pooled(
        self, architecture: str, family: str, metric: str, attack: str = "", /, **setting: str
    ) -> Row | None:
        """The row over all replicates; with a single replicate its own row serves."""
        rows = self.rows(architecture, family, metric, attack, **setting)
        over_all = [row for row in rows if row.seed == "all"]
        if over_all:
            return over_all[0]
        return rows[0] if len(rows) == 1 else None

    def by_name(self, family: str, metric: str, attack: str = "", /, **setting: str) -> dict[str, Row]:
        """The row over all replicates of each architecture that has one, by name, in the order of the study."""
        return {
            subject.name: row
            for subject in self.subjects
            if (row := self.pooled(subject.name, family, metric, attack, **setting)) is not None
        }

    def of_family(self, family: str) -> list[Row]:
        """All rows of a family, of any architecture."""
        return [row for row in self.results.rows if row.family == family]

    def accuracy(self, architecture: str) -> Row | None:
        """Clean accuracy on the test split, over all replicates."""
        return self.pooled(architecture, "training", "clean_accuracy", split="test")


def _title(spec: ArchSpec) -> str:
    if spec.group != "custom" and spec.name in CATALOGUE:
        return CATALOGUE[spec.name].title
    return hardened_title(spec.name) if spec.group == "hardened" else spec.name


def unique(items: Iterable[str]) -> list[str]:
    """Each once, in the order of first appearance."""
    return list(dict.fromkeys(items))
