"""A finished study, as a script or a notebook holds it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nasaudit.api.plots import Plots
from nasaudit.report.evidence import Evidence
from nasaudit.results.schema import StudyResults

if TYPE_CHECKING:
    import pandas as pd

REPORT_FILE = "report.html"
SCREEN = 30  # lines of what an audit says of itself


@dataclass(frozen=True, repr=False)
class Audit:
    """A finished study.

    Printed, it is the table of the threats; as the last line of a notebook's cell, the first screen of the report.

    Attributes:
        folder: holds report.html, results.csv, results.json and the store of records.
        results: everything that was measured, as plain data.
    """

    folder: Path
    results: StudyResults

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.folder / REPORT_FILE

    @property
    def frame(self) -> "pd.DataFrame":
        """The tidy table: one row an estimate, the columns of results.csv."""
        from nasaudit.results.assemble import to_frame

        return to_frame(self.results)

    @property
    def failed(self) -> bool:
        """Whether any task left no result."""
        return bool(self.results.failures)

    @cached_property
    def plot(self) -> Plots:
        """The charts of the report, as Altair charts: `audit.plot.security_curve()`; `dir(audit.plot)` lists them."""
        return Plots(self._evidence)

    @cached_property
    def _evidence(self) -> Evidence:
        return Evidence(self.results, self.folder)

    def __repr__(self) -> str:
        from nasaudit.terminal.plain import plain
        from nasaudit.terminal.verdicts import threatened

        failures = len(self.results.failures)
        end = [f"{failures} tasks failed: results.failures"] if failures else []
        end += [plain(f"report: {self.report}")]
        lines = [plain(f"Audit of {self.results.study.name}"), *threatened(self.results).splitlines()]
        if len(lines) > SCREEN - len(end):
            end = [f"[... {len(lines) - (SCREEN - len(end) - 1)} more lines in the report]", *end]
        return "\n".join([*lines[: SCREEN - len(end)], *end])

    def _repr_html_(self) -> str:
        from nasaudit.report.page import first_screen

        return first_screen(self._evidence)
