"""What searches found, whether random cells do as well, and the way that each search went."""

from collections.abc import Iterator, Mapping, Sequence

from nasaudit.analysis.topology.shape import cell_topology
from nasaudit.arch.pictures.cells import draw_svg, draw_text
from nasaudit.report import format
from nasaudit.report.charts import searches as charts
from nasaudit.report.evidence import Evidence
from nasaudit.report.palette import COLOURS
from nasaudit.report.parts import ABSENT, Block, Cell, Figure, Section, Slide, Slides, Table, Text, folded
from nasaudit.report.sections.analyses.topology import OP_COLOURS
from nasaudit.report.sections.cells import as_uri
from nasaudit.report.sections.searches import fronts, secure, words
from nasaudit.report.sections.searches.trail import Trail, trails
from nasaudit.results.flags.searches import STOPPING_SKIPS, edges_of, share_with_skips
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.searches.task import search_label

MOST_DRAWINGS = 40  # of one search, about 12 kB each
MOST_SEARCHES = 6  # that are shown one by one
RULE = "DARTS+ (Liang et al., 2019) stops a search at two skips in the normal cell"
SHAPE: Mapping[str, str] = dict(zip(("skips", "depth", "width"), COLOURS, strict=False))
PLAIN = "#949430"  # of an op without a colour of its own


def section(evidence: Evidence) -> Section | None:
    """None without a search."""
    ways = trails(evidence.results)
    if not ways:
        return None
    shown = ways[:MOST_SEARCHES]
    lead = next((figure for way in shown for figure in _shares(way, "normal")), None)
    left = len(ways) - len(shown)
    beside = () if evidence.crowded else tuple(fronts.audited(evidence))
    return Section.of(
        "searches",
        "Searches",
        *words.sentences(evidence.results),
        *fronts.sentences(evidence.results),
        *secure.sentences(evidence.results),
        *(_collapsed(way) for way in ways if way.collapse is not None),
        *beside,
        lead,
        folded(
            "Fronts of several objectives, in numbers",
            *fronts.tables(evidence.results),
            Text(fronts.METHOD, quiet=True) if evidence.results.searched_fronts else None,
        ),
        folded("Levers against none, in numbers", *secure.tables(evidence.results)),
        folded(
            "Searched against random cells, in numbers",
            words.table(evidence.results),
            Text(words.method(evidence.results), quiet=True) if evidence.results.beside_random else None,
        ),
        *(_way(evidence, way, lead) for way in shown),
        f"{left} further searches are in results.json alone." if left else None,
        folded("What the supernets and the rounds came to, by epoch", *_numbers(evidence, ways)),
        folded("What the searches cost", _cost(evidence, ways)),
    )


def _collapsed(way: Trail) -> str:
    skips, space = way.skips[-1][1], way.space
    since = f" from {way.counted} {way.collapse:g} on" if len(way.cells) > 1 else ""
    return (
        f"The search of {way.name} collapsed{since}: {skips} of the {edges_of(space)} edges of its normal cell are "
        f"skips, as of {format.percent(share_with_skips(space, skips))} of random cells. {_stopped(way)}"
    )


def _stopped(way: Trail) -> str:
    if way.stop is None:
        return ""
    share = format.percent(share_with_skips(way.space, STOPPING_SKIPS))
    return f"{RULE}, which was {way.counted} {way.stop:g} here ({share} of random cells have as many)."


def _way(evidence: Evidence, way: Trail, lead: Figure | None) -> Block | None:
    figures = [
        *fronts.children(way),
        *_maps(way),
        *(figure for kind in way.space.kinds for figure in _shares(way, kind)),
        *_shapes(way),
    ]
    return folded(
        f"{evidence.titles.get(way.name, way.name)}: its cells by {way.counted}, and the weights behind them",
        _slides(evidence, way),
        _stopped(way) if way.collapse is None else None,
        *(figure for figure in figures if lead is None or figure.name != lead.name),
    )


def _slides(evidence: Evidence, way: Trail) -> Slides:
    """The cells as they were, without those that came again; of very many a part, always the last."""
    title = evidence.titles.get(way.name, way.name)
    changed = [
        place for place, (_, cells) in enumerate(way.cells) if not place or cells != way.cells[place - 1][1]
    ]
    step = -(-len(changed) // MOST_DRAWINGS)
    kept = set(changed[::-1][::step])
    slides: list[Slide] = []
    for place, (x, cells) in enumerate(way.cells):
        if place in kept or not slides:
            drawn = isinstance(cells, Genotype)
            uri = as_uri(draw_svg(cells, title)) if isinstance(cells, Genotype) else ""
            alt = draw_text(cells) if isinstance(cells, Genotype) else cells
            slides.append(Slide(f"{x:g}", uri, alt if drawn else "", "" if drawn else str(cells)))
        else:
            slides.append(Slide(f"{x:g}", slides[-1].uri, slides[-1].alt, slides[-1].text))
    left = len(changed) - len(kept)
    note = f" {left} cells in between are left out." if left > 0 else ""
    return Slides(
        f"The cells by {way.counted}",
        way.counted,
        tuple(slides),
        f"The cells that the search stood for after each {way.counted}; the last ones are what it found, and what "
        f"was audited.{note}",
    )


def _maps(way: Trail) -> Iterator[Figure]:
    """The weights at the end, edge by op."""
    ops = way.searched.primitives
    for kind in way.space.kinds:
        tables = way.weights(kind)
        if not tables:
            continue
        x, last = tables[-1]
        strengths = way.edges(kind)
        edges = [
            f"{_node(source, way.space.inputs)} → {_node(node, way.space.inputs)}"
            + ("" if strengths is None else f" ({strengths[place]:.2f})")
            for place, (node, source) in enumerate(way.space.sources)
        ]
        records = [
            {
                "edge": edge,
                "op": op,
                "value": weight / (sum(row) or 1),
                "estimate": f"{weight / (sum(row) or 1):.2f}",
            }
            for edge, row in zip(edges, last, strict=True)
            for op, weight in zip(ops, row, strict=True)
        ]
        beside = "" if strengths is None else "; in brackets the weight of the edge at its node"
        yield Figure(
            f"search-map-{way.name}-{kind}",
            f"Weights of the {kind} cell after {way.counted} {x:g}",
            f"Each edge of the supernet's {kind} cell by the op on it, as a share of the edge{beside}.",
            f"Map of {len(edges)} edges by {len(ops)} ops of the {kind} cell of {way.name}.",
            charts.edge_weights(edges, ops),
            records,
            about=way.name,
            legend=False,
        )


def _node(number: int, inputs: int) -> str:
    """As in the drawings."""
    if number >= inputs:
        return f"node {number - inputs}"
    return ("c(k−2)", "c(k−1)")[number] if inputs > 1 else "input"


def _shares(way: Trail, kind: str) -> Iterator[Figure]:
    """How much of all weights of a kind of cell each op has, by epoch."""
    tables = way.weights(kind)
    if not tables:
        return
    ops = way.searched.primitives
    records = []
    for x, table in tables:
        sums = [sum(column) for column in zip(*table, strict=True)]
        records += [
            {
                "x": x,
                "part": op,
                "order": place,
                "value": total / sum(sums),
                "estimate": format.percent(total / sum(sums)),
            }
            for place, (op, total) in enumerate(zip(ops, sums, strict=True))
        ]
    colours = {op: OP_COLOURS.get(op, PLAIN) for op in ops}
    stop = way.stop if kind == "normal" else None
    marked = f" The dashed line: {RULE}, here." if stop is not None else ""
    yield Figure(
        f"search-ops-{way.name}-{kind}",
        f"Which ops the search turned to: {kind} cell",
        f"Weights of all edges of the {kind} cell of {way.name}, by op and {way.counted}.{marked}",
        f"Stacked bars of the share of each op in the weights of the {kind} cell, by {way.counted}.",
        charts.op_shares(colours, way.counted, () if stop is None else (stop,)),
        records,
        about=way.name,
        legend=False,
        key=tuple(colours.items()),
    )


def _shapes(way: Trail) -> Iterator[Figure]:
    """Skips, depth and width of the cells on the way."""
    known = [(x, cells) for x, cells in way.cells if isinstance(cells, Genotype)]
    for kind in way.space.kinds if len(known) > 1 else ():
        records = []
        for x, cells in known:
            shape = cell_topology(getattr(cells, kind))
            records += [
                {"line": name, "label": name, "x": x, "value": value, "estimate": f"{value:g}"}
                for name in SHAPE
                for value in (getattr(shape, name),)
            ]
        level = STOPPING_SKIPS if kind == "normal" else None
        yield Figure(
            f"search-shape-{way.name}-{kind}",
            f"Shape of the {kind} cell",
            f"Skips, depth and width of the {kind} cell of {way.name} by {way.counted}."
            + ("" if level is None else f" The dashed line: {RULE}."),
            f"Lines of skips, depth and width of the {kind} cell by {way.counted}.",
            charts.progress(SHAPE, way.counted, "edges", whole=True, level=level),
            records,
            about=way.name,
            legend=False,
            key=tuple(SHAPE.items()),
        )


def _numbers(evidence: Evidence, ways: Sequence[Trail]) -> Iterator[Figure]:
    """Whatever the traces count: one chart for each number, a line for each search."""
    counted = {way.name: way.numbers() for way in ways}
    looks = {subject.name: subject for subject in evidence.subjects}
    names = dict.fromkeys(name for numbers in counted.values() for name in numbers)
    for place, name in enumerate(names):
        title = name.replace("_", " ")
        share = "accuracy" in name
        mine = [way for way in ways if name in counted[way.name] and way.name in looks]
        records = [
            {
                "line": looks[way.name].title,
                "label": looks[way.name].title,
                "x": x,
                "value": value,
                "estimate": format.percent(value) if share else format.significant(value),
            }
            for way in mine
            for x, value in counted[way.name][name]
        ]
        if not records:
            continue
        colours = {looks[way.name].title: looks[way.name].style.colour for way in mine}
        yield Figure(
            f"search-number-{place}",
            format.first_up(title),
            f"The {title} by {mine[0].counted}, as the searches noted it.",
            f"Lines of the {title} of {format.listing(list(colours))}.",
            charts.progress(colours, mine[0].counted, title, shares=share),
            records,
            legend=False,
            key=tuple(colours.items()),
        )


def _cost(evidence: Evidence, ways: Sequence[Trail]) -> Table:
    """Time and images of each search."""
    rows = []
    for way in ways:
        told = way.searched.provenance
        label = search_label(told.get("method", ""), told.get("levers", ""), told.get("seed", ""))
        seconds = evidence.results.seconds.get(label)
        images = told.get("images", "")
        seen = int(images) * len(way.entries) if images.isascii() and images.isdigit() else None
        rows.append(
            (
                Cell(evidence.titles.get(way.name, way.name)),
                Cell(words.titled(told.get("method", ABSENT))),
                Cell(told.get("space", ABSENT)),
                Cell(told.get("seed", ABSENT)),
                Cell(f"{len(way.entries)} {way.counted}s"),
                Cell(ABSENT if seen is None else format.whole(seen)),
                Cell(ABSENT if seconds is None else format.duration(seconds)),
            )
        )
    return Table(
        "One search a line; images: of both halves, over all epochs; time: wall time of the task",
        ("", "method", "space", "seed", "length", "images seen", "time"),
        tuple(rows),
    )
