"""Broken rules of a gate as SARIF, which code hosts show beside the lines of a file.

OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", 2020 (Errata 01, 2023). A rule of the
policy is a `reportingDescriptor`, a broken one a `result` of level `error` at the line of the policy where it stands.
Rules that hold leave no result: several viewers take every result for a finding, whatever its `kind`.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nasaudit import __version__
from nasaudit.gate.judge import Gate, Verdict
from nasaudit.spec.attacks import FAMILIES

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"  # what code hosts take for the root of the repository


def to_sarif(gate: Gate, root: Path) -> str:
    """The document as JSON text.

    Args:
        gate: what came of the policy.
        root: of the repository; the policy's path is relative to it where it is inside, and else its name alone.
    """
    demands: dict[str, str] = {}
    for verdict in gate.verdicts:
        demands.setdefault(verdict.rule, verdict.demand)
    ids = _ids(list(demands))
    path, base = gate.policy.path.absolute(), root.absolute()
    location = {"uri": quote(path.name)}
    if path.is_relative_to(base):
        location = {"uri": quote(path.relative_to(base).as_posix()), "uriBaseId": ROOT}
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "nasaudit",
                        "version": __version__,
                        "rules": [
                            {
                                "id": ids[title],
                                "shortDescription": {"text": title},
                                "fullDescription": {"text": f"{title}: {demand}"},
                                "defaultConfiguration": {"level": "error"},
                            }
                            for title, demand in demands.items()
                        ],
                    }
                },
                "properties": dict(gate.origin),
                "automationDetails": {"id": f"nasaudit-gate/{gate.policy.path.stem}"},
                "results": [
                    _result(verdict, ids[verdict.rule], list(ids).index(verdict.rule), location)
                    for verdict in gate.broken
                ],
            }
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _result(verdict: Verdict, identity: str, index: int, location: dict[str, str]) -> dict[str, Any]:
    where: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": location, "region": {"startLine": verdict.line}}
    }
    if verdict.architecture:
        where["logicalLocations"] = [{"name": verdict.architecture, "kind": "resource"}]
    about = f"{identity}|{verdict.architecture}|{verdict.figure}"
    return {
        "ruleId": identity,
        "ruleIndex": index,
        "kind": "fail",
        "level": "error",
        "message": {"text": verdict.sentence},
        "locations": [where],
        "properties": {"tags": list(_listed(verdict.family))},
        # The same rule broken by the same figure is the same finding, wherever the rule moves in the file.
        "partialFingerprints": {"figure/v1": hashlib.sha256(about.encode()).hexdigest()[:32]},
    }


def _listed(family: str) -> Iterator[str]:
    """Where public lists of threats have a family of attacks: ids of MITRE ATLAS, and of the OWASP top ten."""
    for name, words in FAMILIES.items():
        if name == family:
            yield from (technique.id for technique in words.atlas)
            yield words.owasp.id


def _ids(titles: list[str]) -> dict[str, str]:
    """A short name of letters, digits and hyphens for each title, with a digit where two would share one."""
    ids: dict[str, str] = {}
    for title in titles:
        words = "".join(c if c.isascii() and c.isalnum() else " " for c in title.lower()).split()
        plain = "-".join(words)[:80].strip("-") or "rule"
        taken = set(ids.values())
        count = 2
        name = plain
        while name in taken:
            name, count = f"{plain}-{count}", count + 1
        ids[title] = name
    return ids
