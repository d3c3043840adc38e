"""Verdicts of a gate as JUnit XML, which CI services show as a list of tests.

The format has no standard; this is the part on which Jenkins, GitLab, GitHub's reporters and pytest agree: a suite
for the policy, a case for each verdict (`classname` is the rule, `name` the figure), a `failure` in the broken ones.
"""

import re
import xml.etree.ElementTree as ET

from nasaudit.gate.judge import Gate

ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML 1.0, section 2.2


def to_junit(gate: Gate) -> str:
    """The document, with its declaration."""
    counts = {
        "tests": str(len(gate.verdicts)),
        "failures": str(len(gate.broken)),
        "errors": "0",
        "skipped": "0",
        "time": "0",
    }
    root = ET.Element("testsuites", {"name": "nasaudit gate", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": _legal(f"policy {gate.policy.path.name}"), **counts})
    properties = ET.SubElement(suite, "properties")
    for key, text in gate.origin.items():
        ET.SubElement(properties, "property", {"name": _legal(key), "value": _legal(text)})
    for verdict in gate.verdicts:
        name = f"{verdict.architecture}: {verdict.figure}" if verdict.architecture else verdict.figure
        words = {"classname": _legal(verdict.rule), "name": _legal(name), "time": "0"}
        case = ET.SubElement(suite, "testcase", words)
        if not verdict.holds:
            words = {"message": _legal(verdict.message), "type": "broken rule"}
            ET.SubElement(case, "failure", words).text = _legal(verdict.sentence)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _legal(text: str) -> str:
    return ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)
