"""Evasion: all attacks at a glance, then for each its security curve, the tables behind it, and its effort."""

from nasaudit.report import format
from nasaudit.report.evidence import Evidence, Subject, unique
from nasaudit.report.parts import ABSENT, Cell, Section, Table, Tile
from nasaudit.report.sections.families.base import Family, Wording
from nasaudit.report.sections.families.evasion_block import Block
from nasaudit.report.sections.families.evasion_threat import DENOMINATORS, Threat
from nasaudit.results.schema import Headline, Row


def verdict(evidence: Evidence, subject: Subject) -> str | None:
    """How often it is fooled at the quoted epsilon, and where half of its images fall."""
    threat = Threat.judged(evidence)
    quoted = None if threat is None else _quoted(evidence, subject, threat)
    if threat is None or quoted is None:
        return None
    epsilon, images, share, half = quoted
    return (
        f"An attacker who {threat.access} and {threat.change(epsilon)} fools it on "
        f"{format.share_of(share, DENOMINATORS[images])}."
    ) + ("" if half is None else f" Half of the images fall at {format.estimate(half)}.")


def tiles(evidence: Evidence, subject: Subject) -> tuple[Tile, ...]:
    """The share that falls at the quoted epsilon, and the epsilon at which half of the images fall."""
    threat = Threat.judged(evidence)
    quoted = None if threat is None else _quoted(evidence, subject, threat)
    if quoted is None:
        return ()
    epsilon, _, share, half = quoted
    tile = Tile.of(f"fall at {epsilon}", share)
    return (tile,) if half is None else (tile, Tile.of("half fall at", half))


def wording(evidence: Evidence, headline: Headline) -> Wording:
    """With the threat; beside an area how many images fall at the quoted epsilon."""
    if headline.metric == "asr":
        return Wording(headline.measure)
    threat = Threat.of(next(iter(headline.rows.values())))
    images = headline.setting.get("images", "")
    epsilon = threat.quoted_epsilon(evidence)
    return Wording(
        f"{headline.measure} ({threat.title})",
        threat.by_name(evidence, "asr", images=images, epsilon=epsilon),
        (format.first_up(DENOMINATORS.get(images, images)), f"fall at {epsilon}"),
    )


def section(evidence: Evidence) -> Section | None:
    """All threats in one table, then a curve with its tables for each."""
    found = Threat.measured(evidence)
    if not found:
        return None
    main = Threat.judged(evidence) or found[0]
    alike = [threat for threat in found if (threat.attack, threat.norm) == (main.attack, main.norm)]
    # The main ones first, so that nobody has to look between folded ones for them.
    ordered = [*alike, *(threat for threat in found if threat not in alike)]
    blocks = [Block.of(evidence, threat, folded=threat not in alike) for threat in ordered]
    # A table with a column for each architecture; of very many nobody reads it.
    overview = _overview(evidence, ordered) if len(found) > 1 and not evidence.crowded else None
    figures = tuple(
        figure for block in blocks for figure in (block.figure, block.effort) if figure is not None
    )
    return Section("evasion", "Evasion", "evasion.html.j2", {"blocks": blocks, "overview": overview}, figures)


def _quoted(evidence: Evidence, subject: Subject, threat: Threat) -> tuple[str, str, Row, Row | None] | None:
    """The quoted epsilon, which images count, how many fall at it, and where half do; None without such a row."""
    headline = evidence.headline(Threat.family)
    judged = {} if headline is None else headline.setting
    epsilon = judged.get("epsilon") or threat.quoted_epsilon(evidence)
    for images in ("correct", "common", "all"):
        share = threat.row(evidence, subject, "asr", images=images, epsilon=epsilon)
        if share is not None:
            half = threat.row(evidence, subject, "median_minimal_epsilon", images=images)
            return epsilon, images, share, half
    return None


def _overview(evidence: Evidence, found: list[Threat]) -> Table:
    """A line for each threat: what it sees, and for each architecture what falls, and at what cost."""
    return Table(
        "All attacks at a glance: images that fall, the epsilon at which half of them do, and queries (median)",
        ("", "sees", *(subject.title for subject in evidence.subjects)),
        tuple(_overview_row(evidence, threat) for threat in found),
    )


def _overview_row(evidence: Evidence, threat: Threat) -> tuple[Cell, ...]:
    epsilon, images = threat.quoted_epsilon(evidence), threat.denominators(evidence)[0]
    cells, sizes = [], []
    for subject in evidence.subjects:
        share = threat.row(evidence, subject, "asr", images=images, epsilon=epsilon)
        if share is None:
            cells.append(Cell(ABSENT))
            continue
        sizes.append(format.sample_size(share))
        half = threat.row(evidence, subject, "median_minimal_epsilon", images=images)
        queries = threat.row(evidence, subject, "median_queries")
        notes = [
            format.interval(share),
            "" if half is None else f"half at {format.value(half)}",
            "" if queries is None else _counted(round(queries.value), "query", "queries"),
        ]
        cells.append(Cell(format.value(share), " · ".join(note for note in notes if note)))
    name = Cell(threat.title, " · ".join([f"at {epsilon}", *unique(size for size in sizes if size)]))
    return (name, Cell(threat.sees), *cells)


def _counted(count: int, one: str, many: str) -> str:
    return f"{format.whole(count)}{format.NBSP}{one if count == 1 else many}"


EVASION = Family(
    name=Threat.family,
    title="evasion",
    section=section,
    verdict=verdict,
    tiles=tiles,
    wording=wording,
    verb="evade",
)
