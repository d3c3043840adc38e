"""Whether the published explanation holds: its chain as a picture, and a row for each claim, with its verdict first.

The tests are those of `verdicts.claims`, what a link comes to is that of `verdicts.links`; here they become words.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nasaudit.report import format
from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import Section
from nasaudit.report.sections.claim_rows import COLUMNS, Line, line_of
from nasaudit.results.verdict_models import ClaimFinding, Outcome
from nasaudit.stats.holm import ALPHA, FEWEST_TESTED
from nasaudit.verdicts.headlines import PUBLISHED

DECIDED: tuple[ClaimFinding, ...] = ("supported", "contradicted")
FINDINGS: tuple[ClaimFinding, ...] = (*DECIDED, "undecided")
# What the summary says of the links with an outcome, in its first and in its second sentence.
FOUND: Mapping[Outcome, str] = {"supported": "supports", "contradicted": "contradicts"}
OPEN: Mapping[Outcome, str] = {
    "divided": "is divided on",
    "mostly undecided": "leaves mostly open",
    "undecided": "leaves open",
}


@dataclass(frozen=True)
class Link:
    """An arrow of the chain.

    Attributes:
        name: as in the results; part of its address on the page.
        title: from where to where.
        statement: what the talk says, as in "that ...".
    """

    name: str
    title: str
    statement: str


NODES = (
    "Architecture search",
    "Shallow, wide cells with many skips",
    "Fast convergence",
    "Smooth loss, low gradient variance",
    "More vulnerable",
)
EXPLAINING = ("convergence", "gradients", "smoothness")  # what no study measures for its own sake
UNTESTED = (
    "This study has too few architectures to test the explanation.",
    "What it measured of each of them stands below. A link is tested with at least 2 NAS-designed and 2 hand-made "
    f"architectures, or {FEWEST_TESTED} cells; nasaudit study run population takes 100.",
)
# fmt: off
LINKS: tuple[Link, ...] = (
    Link("shape", "From search to the shape of the cell",
         "search ranks cells early in training, and so favours shallow, wide ones with many skips"),
    Link("speed", "From the shape to fast convergence",
         "shallow, wide cells with many skips converge fast"),
    Link("smooth", "From fast convergence to a smooth loss",
         "cells that converge fast have a smooth loss and a low gradient variance"),
    Link("harm", "From a smooth loss to vulnerability",
         "a smooth loss and a low gradient variance make a model more vulnerable"),
    Link("ends", "From end to end",
         "models designed by NAS, and cells of the shape it favours, are more vulnerable"),
)
# fmt: on


@dataclass(frozen=True)
class Block:
    """One link with its rows, and what they come to."""

    link: Link
    outcome: Outcome
    in_words: str
    count: Mapping[ClaimFinding, int]
    decided: tuple[Line, ...]
    undecided: tuple[Line, ...]

    @property
    def total(self) -> int:
        """How many claims were made."""
        return sum(self.count.values())


def section(evidence: Evidence) -> Section | None:
    """The chain, what became of it, and the rows of each link; None where no link of it was tested."""
    blocks = _blocks(evidence)
    sentences = summary(evidence)
    if not any(block.total for block in blocks):
        return None
    content = {
        "summary": sentences,
        "nodes": NODES,
        "chain": blocks[:-1],
        "ends": blocks[-1],
        "blocks": [block for block in blocks if block.total],
        "columns": COLUMNS,
        "findings": FINDINGS,
        "published": PUBLISHED,
        "alpha": f"{ALPHA:g}",
    }
    return Section("claims", "Does the explanation hold?", "claims.html.j2", content)


def summary(evidence: Evidence) -> tuple[str, ...]:
    """Two plain sentences: what the study supports and contradicts, and what it leaves open.

    Without claims, why there are none; empty where no link was measured.
    """
    blocks = [block for block in _blocks(evidence) if block.total]
    if not blocks:
        return UNTESTED if any(each.part in EXPLAINING for each in evidence.results.variables) else ()
    by_outcome: dict[Outcome, list[Block]] = {}
    for block in blocks:
        by_outcome.setdefault(block.outcome, []).append(block)
    decided = [
        f"{verb} {_listed('that', by_outcome[name])}" for name, verb in FOUND.items() if name in by_outcome
    ]
    if "supported" not in by_outcome:
        decided.insert(0, "supports no link of the explanation")
    if "contradicted" not in by_outcome:
        decided.append("contradicts none")
    left = [
        f"{verb} {_listed('whether', by_outcome[name])}" for name, verb in OPEN.items() if name in by_outcome
    ]
    over = Counter[ClaimFinding]()
    for block in blocks:
        over.update(block.count)
    counts = f"in all, {_counts(over, FINDINGS)}"
    second = f"It {', and '.join(left)}; {counts}" if left else format.first_up(counts)
    return f"This study {', and '.join(decided)}.", f"{second}."


def _listed(that: str, blocks: Sequence[Block]) -> str:
    """What the talk says of these links, with how many of their claims were decided, and how."""
    statements = []
    for block in blocks:
        decided = [finding for finding in DECIDED if block.count[finding]]
        numbers = f" ({_counts(block.count, decided)})" if decided else ""
        statements.append(f"{that} {block.link.statement}{numbers}")
    return format.listing(statements)


def _counts(count: Mapping[ClaimFinding, int], findings: Sequence[ClaimFinding]) -> str:
    """E.g. `2 supported and 1 contradicted of 7 claims`."""
    total = sum(count.values())
    parts = format.listing([f"{count.get(finding, 0)} {finding}" for finding in findings])
    return f"{parts} of {total} claim{'s' * (total != 1)}"


def _blocks(evidence: Evidence) -> list[Block]:
    variables = {variable.key: variable for variable in evidence.results.variables}
    verdicts = {verdict.name: verdict for verdict in evidence.results.links}
    blocks = []
    for link in LINKS:
        if link.name in verdicts:
            verdict = verdicts[link.name]
            lines = [line_of(evidence.results.claims[place], variables) for place in verdict.claims]
            block = Block(
                link,
                verdict.outcome,
                f"{verdict.outcome} in part" if verdict.in_part else verdict.outcome,
                {finding: getattr(verdict, finding) for finding in FINDINGS},
                tuple(line for line in lines if line.finding != "undecided"),
                tuple(line for line in lines if line.finding == "undecided"),
            )
            blocks.append(block)
    return blocks
