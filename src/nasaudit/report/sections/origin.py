"""What a report is of and where it comes from: hashes, versions, date and command, so that it can be held to them."""

from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import ABSENT, Cell, Table
from nasaudit.results.provenance import PLUGIN

SHOWN_DIGITS = 12  # of a hash at the head of the page; the section on reproduction has all
FEW = 2  # networks whose hashes stand at the head


def facts(evidence: Evidence) -> list[tuple[str, str, str]]:
    """Term, text, and the text in full where that is longer: for the head of the page."""
    provenance, environment = evidence.results.provenance, evidence.results.environment
    networks = _networks(evidence)
    versions = [f"{name} {environment[name]}" for name in ("nasaudit", "torch") if environment.get(name)]
    versions += [f"{name.removeprefix(PLUGIN)} (plugin)" for name in environment if name.startswith(PLUGIN)]
    weights = f"{len(networks)} networks, each by its SHA-256 below"
    if len(networks) <= FEW:
        weights = ", ".join(f"{name} {digest[:SHOWN_DIGITS]}" for name, digest in networks) or ABSENT
    lines = [
        ("SHA-256 of the data", provenance.data_sha256[:SHOWN_DIGITS], provenance.data_sha256),
        (
            "of the weights",
            weights,
            ", ".join(digest for _, digest in networks) if len(networks) <= FEW else "",
        ),
        ("of the code", _code(evidence)[:SHOWN_DIGITS], _code(evidence)),
        ("made with", ", ".join(versions), ""),
        ("finished", _moment(environment.get("finished", "")), ""),
        ("by", environment.get("command", ""), ""),
    ]
    return [line for line in lines if line[1]]


def table(evidence: Evidence) -> Table:
    """Every hash in full."""
    provenance = evidence.results.provenance
    rows = [
        ("data", provenance.data_sha256),
        *((f"{field} of the data", digest) for field, digest in provenance.indices.items()),
        *_networks(evidence),
        ("nasaudit's code", _code(evidence)),
    ]
    return Table(
        "SHA-256 of what these results are of",
        ("", ""),
        tuple((Cell(name), Cell(text)) for name, text in rows if text),
    )


def _moment(iso: str) -> str:
    """`2026-11-29 12:19 UTC`."""
    return f"{iso[:16].replace('T', ' ')} UTC" if iso else ""


def _networks(evidence: Evidence) -> list[tuple[str, str]]:
    """Name and hash of each network that was attacked."""
    return [
        (f"{evidence.titles.get(name, name)} (seed {seed})", digest)
        for name, seed, digest in evidence.results.provenance.networks
    ]


def _code(evidence: Evidence) -> str:
    return evidence.results.environment.get("code", "").removeprefix("sha256 ")
