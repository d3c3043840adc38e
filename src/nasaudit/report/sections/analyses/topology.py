"""The shape of the cells, what they are made of, where the network's size sits, and how far it sees."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from nasaudit.report import format
from nasaudit.report.charts import analyses as analysis_charts
from nasaudit.report.evidence import Evidence, Subject, unique
from nasaudit.report.palette import GROUP_TITLES
from nasaudit.report.parts import ABSENT, Cell, Figure, Section, Table
from nasaudit.report.sections.analyses.estimates import estimate_figure
from nasaudit.report.sections.families.attack import column, table
from nasaudit.results.schema import Row
from nasaudit.spec.genotype import OPS

FAMILY = "topology"
CELLS = ("normal", "reduction")
SHAPE = (("depth", "depth"), ("width", "width"), ("skips", "skips"), ("skip_share", "skip share"))
# Ops of one kind have one hue: skips warm, poolings grey, separable convolutions blue, dilated ones green.
OP_COLOURS: Mapping[str, str] = {
    "skip_connect": "#d55e00",
    "max_pool_3x3": "#6a7180",
    "avg_pool_3x3": "#b3bac2",
    "sep_conv_3x3": "#56a3d9",
    "sep_conv_5x5": "#0072b2",
    "sep_conv_7x7": "#08306b",
    "dil_conv_3x3": "#57b27a",
    "dil_conv_5x5": "#117733",
    "conv_7x1_1x7": "#cc79a7",
    "none": "#e3e6ea",
}


def section(evidence: Evidence) -> Section | None:
    """Ops as bars, the receptive field, and the tables of shape and shares."""
    tables = [
        found
        for found in (_shape(evidence), _seen(evidence), _edge_table(evidence), *_shares(evidence))
        if found.rows and len(found.columns) > 1
    ]
    figures = tuple(figure for figure in (_ops(evidence), _field(evidence)) if figure is not None)
    if not tables and not figures:
        return None
    return Section(
        "topology", "Topology", "topology.html.j2", {"figures": figures, "tables": tables}, figures
    )


def _shape(evidence: Evidence) -> Table:
    rows = [
        (subject, cell)
        for subject in evidence.subjects
        for cell in CELLS
        if evidence.rows(subject.name, FAMILY, "depth", {"cell": cell})
    ]
    return Table(
        "Shape of the cells (exact, from the genotype; other networks have none)",
        ("", *(title for _, title in SHAPE)),
        tuple(
            (
                Cell(subject.title, f"{cell} cell"),
                *(
                    Cell.of(evidence.pooled(subject.name, FAMILY, metric, {"cell": cell}))
                    for metric, _ in SHAPE
                ),
            )
            for subject, cell in rows
        ),
        tuple(subject.name for subject, _ in rows),
    )


def _ops(evidence: Evidence) -> Figure | None:
    """How many edges of both cells carry each op; of many architectures the mean of each group."""
    counts = [(subject, found) for subject in evidence.subjects if (found := _edges(evidence, subject))]
    if not counts:
        return None
    ops = [op for op in OPS if any(op in found for _, found in counts)]
    bars: Sequence[tuple[str, Mapping[str, float]]]
    if evidence.crowded:
        bars = list(_group_means(counts))
        drawn = "The bar of a group is the mean of its architectures."
    else:
        bars = [(subject.title, found) for subject, found in counts]
        drawn = "The numbers of skips are in the table below."
    records = [
        {
            "label": label,
            "part": op,
            "value": found[op],
            "order": OPS.index(op),
            "estimate": f"{found[op]:.3g}",
        }
        for label, found in bars
        for op in ops
        if found.get(op)
    ]
    colours = {op: OP_COLOURS.get(op, "#949430") for op in ops}
    return Figure(
        "topology-ops",
        "What the cells are made of",
        f"Edges of the normal and the reduction cell by the op that they carry. {drawn}",
        f"Stacked bars of the edges by op for {format.listing([label for label, _ in bars])}.",
        analysis_charts.stacked_bars([label for label, _ in bars], colours, "edges of both cells"),
        records,
        key=tuple(colours.items()),
    )


def _edges(evidence: Evidence, subject: Subject) -> dict[str, float]:
    """The edges of both cells by op."""
    edges: dict[str, float] = {}
    for row in evidence.rows(subject.name, FAMILY, "ops"):
        edges[row.setting["op"]] = edges.get(row.setting["op"], 0) + row.value
    return edges


def _group_means(
    counts: Sequence[tuple[Subject, Mapping[str, float]]],
) -> Iterator[tuple[str, dict[str, float]]]:
    for group, title in GROUP_TITLES.items():
        members = [found for subject, found in counts if subject.spec.group == group]
        if members:
            ops = unique(op for found in members for op in found)
            yield f"{title} ({len(members)})", {op: fmean(f.get(op, 0) for f in members) for op in ops}


def _edge_table(evidence: Evidence) -> Table:
    """The numbers behind the bars."""
    counts = [(subject, found) for subject in evidence.subjects if (found := _edges(evidence, subject))]
    ops = [op for op in OPS if any(op in found for _, found in counts)]
    return Table(
        "Edges of both cells by op",
        ("", *ops),
        tuple(
            (Cell(subject.title), *(Cell(format.whole(found.get(op, 0))) for op in ops))
            for subject, found in counts
        ),
        tuple(subject.name for subject, _ in counts),
    )


def _seen(evidence: Evidence) -> Table:
    return table(
        evidence,
        "Effective receptive field before training, in pixels",
        [column("side", _by_name(evidence, "receptive_field"))],
    )


def _field(evidence: Evidence) -> Figure | None:
    return estimate_figure(
        evidence,
        "receptive-field",
        "Effective receptive field",
        _by_name(evidence, "receptive_field"),
        "side (pixels)",
        "Side of a square as large as the part of the image that a central unit of the last feature map really "
        "sees, before training (Luo et al., NeurIPS 2016), over draws of the weights. The image's side is the most "
        "that can be seen.",
    )


def _shares(evidence: Evidence) -> Iterator[Table]:
    """FLOPs by op, with the parameters below; a network without such cells has no ops, but kinds of layers."""
    for cells, caption in (
        (True, "Where the FLOPs are, by op of all cells (small: where the parameters are)"),
        (False, "The same of networks without such cells, by kind of layer"),
    ):
        subjects = [
            subject
            for subject in evidence.subjects
            if (subject.spec.genotype is not None) == cells
            and evidence.rows(subject.name, FAMILY, "flop_share")
        ]
        parts = unique(
            row.setting["op"]
            for subject in subjects
            for row in evidence.rows(subject.name, FAMILY, "flop_share")
        )
        order = ["stem", "preprocess", *OPS, *(part for part in parts if part not in OPS)]
        parts.sort(key=order.index)
        yield Table(
            caption,
            ("", *parts),
            tuple(
                (Cell(subject.title), *(_share(evidence, subject, part) for part in parts))
                for subject in subjects
            ),
            tuple(subject.name for subject in subjects),
        )


def _share(evidence: Evidence, subject: Subject, part: str) -> Cell:
    flops, parameters = (
        evidence.pooled(subject.name, FAMILY, metric, {"op": part})
        for metric in ("flop_share", "parameter_share")
    )
    if flops is None:
        return Cell(ABSENT)
    return Cell(format.value(flops), "" if parameters is None else format.value(parameters))


def _by_name(evidence: Evidence, metric: str) -> dict[str, Row]:
    rows = {subject.name: evidence.pooled(subject.name, FAMILY, metric) for subject in evidence.subjects}
    return {name: row for name, row in rows.items() if row is not None}
