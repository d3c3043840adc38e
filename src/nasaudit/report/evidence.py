"""Evidence: a study's results, indexed so that a section can ask for one row and cope with its absence."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.report.palette import CROWD, Style, styles
from nasaudit.report.remedy_names import hardened_title
from nasaudit.results.schema import Headline, Row, StudyResults
from nasaudit.spec.arch import ArchSpec

T = TypeVar("T")

SettingPart = Mapping[str, str]  # what a row's setting says, among other things
NO_SETTING: SettingPart = MappingProxyType({})


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
    def _families(self) -> dict[str, list[Row]]:
        families: dict[str, list[Row]] = defaultdict(list)
        for row in self.results.rows:
            families[row.family].append(row)
        return families

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

    def headline(self, family: str) -> Headline | None:
        """The figure that a family is judged by, of each architecture; None where it was not measured."""
        return self.results.headline(family)

    def rows(
        self, architecture: str, family: str, metric: str, setting: SettingPart = NO_SETTING, attack: str = ""
    ) -> list[Row]:
        """Rows of all seeds whose setting says at least what `setting` says."""
        return [
            row
            for row in self._index.get((architecture, family, metric), [])
            if row.attack == attack and setting.items() <= row.setting.items()
        ]

    def pooled(
        self, architecture: str, family: str, metric: str, setting: SettingPart = NO_SETTING, attack: str = ""
    ) -> Row | None:
        """The row over all replicates; with a single replicate its own row serves."""
        rows = self.rows(architecture, family, metric, setting, attack)
        over_all = [row for row in rows if row.seed == "all"]
        if over_all:
            return over_all[0]
        return rows[0] if len(rows) == 1 else None

    def by_name(
        self, family: str, metric: str, setting: SettingPart = NO_SETTING, attack: str = ""
    ) -> dict[str, Row]:
        """The row over all replicates of each architecture that has one, by name, in the order of the study."""
        rows = {
            subject.name: self.pooled(subject.name, family, metric, setting, attack)
            for subject in self.subjects
        }
        return {name: row for name, row in rows.items() if row is not None}

    def by_seed(
        self, architecture: str, family: str, metric: str, setting: SettingPart = NO_SETTING, attack: str = ""
    ) -> list[Row]:
        """One row for each training seed, in their order."""
        return [row for row in self.rows(architecture, family, metric, setting, attack) if row.seed != "all"]

    def missing(self, file: str) -> str:
        """Why a file of the study cannot be shown; empty where it is in its place."""
        return "" if (self.folder / file).is_file() else f"The file {file} is not in the study's folder."

    def of_family(self, family: str) -> list[Row]:
        """All rows of a family, of any architecture."""
        return self._families.get(family, [])

    def accuracy(self, architecture: str) -> Row | None:
        """Clean accuracy on the test split, over all replicates."""
        return self.pooled(architecture, "training", "clean_accuracy", {"split": "test"})


def _title(spec: ArchSpec) -> str:
    if spec.group != "custom" and spec.name in CATALOGUE:
        return CATALOGUE[spec.name].title
    return hardened_title(spec.name) if spec.group == "hardened" else spec.name


def unique(items: Iterable[str]) -> list[str]:
    """Each once, in the order of first appearance."""
    return list(dict.fromkeys(items))
