"""What a flag is raised from, and what a check says."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

from nasaudit.measure.estimate import Setting
from nasaudit.planning.plan import Plan
from nasaudit.results.schema import Failure, Flag, Row
from nasaudit.results.selection import setting_of
from nasaudit.store.entries import Known

K = TypeVar("K")


@dataclass(frozen=True)
class Facts:
    """What flags are raised from."""

    planned: Plan
    records: Mapping[str, Known]
    rows: Sequence[Row]
    failures: Sequence[Failure]
    common: int  # test images that every model gets right

    @cached_property
    def _families(self) -> Mapping[str, list[Row]]:
        return _grouped(self.rows, lambda row: row.family)

    @cached_property
    def _metrics(self) -> Mapping[tuple[str, str], list[Row]]:
        return _grouped(self.rows, lambda row: (row.family, row.metric))

    def accuracies(self) -> dict[str, float]:
        """Clean test accuracy of each architecture, all seeds pooled."""
        return {row.architecture: row.value for row in self.pooled("training", "clean_accuracy")}

    def of_family(self, family: str) -> list[Row]:
        """The rows of one family of attacks."""
        return self._families.get(family, [])

    def pooled(self, family: str, metric: str) -> list[Row]:
        """The rows of one metric over all seeds."""
        return [row for row in self._metrics.get((family, metric), []) if row.seed == "all"]

    def by_seed(self, family: str, metric: str) -> list[Row]:
        """The rows of one metric of single seeds."""
        return [row for row in self._metrics.get((family, metric), []) if row.seed != "all"]

    def measured(self, family: str) -> list[str]:
        """The architectures with rows of one family, each once."""
        return list(dict.fromkeys(row.architecture for row in self.of_family(family)))


def _grouped(rows: Sequence[Row], key: Callable[[Row], K]) -> dict[K, list[Row]]:
    groups: dict[K, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


class Remark(NamedTuple):
    """What a reader must know, and of which architectures; none: of the study."""

    message: str
    architectures: tuple[str, ...] = ()


def source_of(row: Row, *without: str) -> tuple[str, str, Setting]:
    """Architecture, attack and setting of a row, without some keys of the setting."""
    return row.architecture, row.attack, tuple(pair for pair in setting_of(row) if pair[0] not in without)


# The name of the function is the kind of the flags.
Check = Callable[[Facts], Iterator[Remark]]


def flags_of(facts: Facts, checks: Sequence[Check]) -> list[Flag]:
    """The flags of some checks, each once, in their order."""
    flags = (
        Flag(kind=check.__name__, architectures=remark.architectures, message=remark.message)
        for check in checks
        for remark in check(facts)
    )
    return list(dict.fromkeys(flags))
