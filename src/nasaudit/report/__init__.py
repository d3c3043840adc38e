"""Records to tables, figures and one self-contained HTML file. Nothing is measured here; no torch."""

from nasaudit.report.page import write_figures, write_report

__all__ = ["write_figures", "write_report"]
