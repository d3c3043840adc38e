"""What is needed to do it again, what failed, how to read the numbers, and what they were made with."""

from collections.abc import Mapping

import yaml

from nasaudit.report import format
from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import Cell, Section, Table


def reproduce(evidence: Evidence) -> Section:
    """The exact spec and the command that runs it."""
    results = evidence.results
    return Section(
        "reproduce",
        "Reproduce it",
        "reproduce.html.j2",
        {
            "spec": as_yaml(results.study.model_dump(mode="json")),
            "file": "spec.yaml",
            "training": as_yaml(results.training.model_dump(mode="json")),
            "environment": _pairs("Versions and environment", results.environment),
            "seconds": _pairs(
                "Wall time of each task",
                {label: format.duration(seconds) for label, seconds in results.seconds.items()},
            ),
        },
    )


def failures(evidence: Evidence) -> Section | None:
    """The tasks that left no result, with their tracebacks."""
    if not evidence.results.failures:
        return None
    return Section("failures", "Failures", "failures.html.j2", {"failures": evidence.results.failures})


def methods(evidence: Evidence) -> Section:
    """How to read the numbers."""
    return Section("methods", "How to read the numbers", "methods.html.j2", {"study": evidence.results.study})


def as_yaml(values: Mapping[str, object]) -> str:
    """YAML that reads back to the same values, keys in the order of the spec."""
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=100)


def _pairs(caption: str, values: Mapping[str, str]) -> Table:
    return Table(caption, ("", ""), tuple((Cell(key), Cell(text)) for key, text in values.items()))
