"""What flags are raised from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nasaudit.planning.plan import Plan
from nasaudit.results.schema import Failure, Flag, Row
from nasaudit.store.records import Record


@dataclass(frozen=True)
class Findings:
    """What flags are raised from."""

    planned: Plan
    records: Mapping[str, Record]
    rows: Sequence[Row]
    failures: Sequence[Failure]
    common: int  # test images that every model gets right

    def accuracies(self) -> dict[str, float]:
        """Clean test accuracy of each architecture, all seeds pooled."""
        return {row.architecture: row.value for row in self.pooled("training", "clean_accuracy")}

    def of_family(self, family: str) -> list[Row]:
        """The rows of one family of attacks."""
        return [row for row in self.rows if row.family == family]

    def pooled(self, family: str, metric: str) -> list[Row]:
        """The rows of one metric over all seeds."""
        return [row for row in self.of_family(family) if row.metric == metric and row.seed == "all"]


Check = Callable[[Findings], Iterator[Flag]]
