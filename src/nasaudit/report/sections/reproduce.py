"""What is needed to do it again, what failed, how to read the numbers, and what they were made with."""

from collections.abc import Mapping

import yaml

from nasaudit.report import format
from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import Cell, Section, Table
from nasaudit.report.sections import claims, groups, origin

# Families whose attackers train a model of their own, also against weights that were given.
TRAINING = frozenset({"poisoning", "backdoor", "extraction"})


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
            **_recipe(evidence),
            "hashes": origin.table(evidence),
            "environment": _pairs("Versions and environment", results.environment),
            "seconds": _pairs(
                "Wall time of each task",
                {label: format.duration(seconds) for label, seconds in results.seconds.items()},
            ),
        },
    )


def _recipe(evidence: Evidence) -> dict[str, str]:
    """The recipe, where anything was trained by it: weights that were given say nothing of theirs."""
    results = evidence.results
    given = set(results.provenance.given) >= {subject.name for subject in evidence.subjects}
    trains = any(attack.family in TRAINING or attack.made_on for attack in results.study.attacks)
    if given and not trains:
        return {"training": "", "recipe": ""}
    title = "The recipe by which attackers trained models" if given else "The training recipe that was used"
    return {"training": as_yaml(results.training.model_dump(mode="json")), "recipe": title}


def failures(evidence: Evidence) -> Section | None:
    """The tasks that left no result, with their tracebacks."""
    if not evidence.results.failures:
        return None
    return Section("failures", "Failures", "failures.html.j2", {"failures": evidence.results.failures})


def methods(evidence: Evidence) -> Section:
    """How to read the numbers."""
    # What a study of few architectures says nothing of, and what that would take.
    silent = [*groups.too_few(evidence), *([] if evidence.results.claims else claims.summary(evidence))]
    content = {"study": evidence.results.study, "silent": silent}
    return Section("methods", "How to read the numbers", "methods.html.j2", content)


def as_yaml(values: Mapping[str, object]) -> str:
    """YAML that reads back to the same values, keys in the order of the spec."""
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=100)


def _pairs(caption: str, values: Mapping[str, str]) -> Table:
    return Table(caption, ("", ""), tuple((Cell(key), Cell(text)) for key, text in values.items()))
