"""The shape of the cells, what they are made of, where the network's size sits, and how far it sees."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from nasaudit.measure.catalogue import metric_of
from nasaudit.report import format
from nasaudit.report.charts import categories
from nasaudit.report.evidence import Evidence, Subject, unique
from nasaudit.report.palette import GROUP_TITLES
from nasaudit.report.parts import ABSENT, Cell, Figure, Section, Table, Text, folded
from nasaudit.report.sections.cells import CELLS
from nasaudit.report.sections.estimates import estimate_figure
from nasaudit.report.sections.tables import column, listed, table
from nasaudit.spec.genotype import OPS
from nasaudit.verdicts.headlines import PUBLISHED

FAMILY = "topology"
SHAPE = ("depth", "width", "skips", "skip_share")
NOTE = (
    f"All of this is known before any training. Published ({PUBLISHED}; Shu et al., ICLR 2020): "
    "search favours cells that are shallow, wide and full of skips, because such cells converge fast."
)
Counts = Sequence[tuple[Subject, Mapping[str, float]]]  # the edges of both cells of an architecture by op
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
    counts = [(subject, edges) for subject in evidence.subjects if (edges := _edges(evidence, subject))]
    ops = [op for op in OPS if any(op in edges for _, edges in counts)]
    seen = evidence.by_name(FAMILY, "receptive_field")
    tables = [
        _shape(evidence),
        table(evidence, "Effective receptive field before training, in pixels", [column("side", seen)]),
        listed(
            "Edges of both cells by op",
            ops,
            (
                (subject, "", [Cell(format.whole(edges.get(op, 0))) for op in ops])
                for subject, edges in counts
            ),
        ),
        *_shares(evidence),
    ]
    weight_free = _weight_free(evidence)
    tables = [table for table in tables if table.rows and len(table.columns) > 1]
    field = estimate_figure(
        evidence,
        "receptive-field",
        "Effective receptive field",
        seen,
        "side (pixels)",
        "Side of a square as large as the part of the image that a central unit of the last feature map really "
        "sees, before training (Luo et al., NeurIPS 2016), over draws of the weights. The image's side is the most "
        "that can be seen.",
    )
    figures = (_ops(evidence, counts, ops) if counts else None, field)
    if not tables and not any(figures) and weight_free is None:
        return None
    return Section.of(
        "topology",
        "Topology",
        Text(NOTE, quiet=True),
        *figures,
        *tables[:1],
        weight_free,
        folded("The receptive field in numbers; edges, FLOPs and parameters by op", *tables[1:]),
    )


def _weight_free(evidence: Evidence) -> Table | None:
    """Whether the network's definition has what an architectural backdoor needs, of each that was measured."""
    measured = evidence.by_name(FAMILY, "parameters")
    followed = evidence.by_name(FAMILY, "weight_free_paths")
    lines = []
    for subject in evidence.subjects:
        joins = evidence.rows(subject.name, FAMILY, "weight_free_join")
        places = [f"{join.setting['op']} in {join.setting['layer']}" for join in joins]
        words = f"found: {format.listing(places)}" if places else "no weight-independent path found"
        if subject.name in measured:
            seen = subject.name in followed
            lines.append((subject, "", [Cell(words if seen else "could not be followed: not checked")]))
    if not lines:
        return None
    return listed(
        "Architectural backdoors (Bober-Irizar et al., CVPR 2023): paths from the pixels that no learned layer lies "
        "on and that are added to, multiplied with or put beside learned features. Checked: every operation of one "
        "forward pass in eval mode. Not seen: detectors with learned layers of their own, or behind the first one",
        ["weight-independent paths"],
        lines,
    )


def _shape(evidence: Evidence) -> Table:
    return listed(
        "Shape of the cells (exact, from the genotype; other networks have none)",
        [metric_of(metric).title for metric in SHAPE],
        (
            (
                subject,
                f"{cell} cell",
                [Cell.of(evidence.pooled(subject.name, FAMILY, metric, cell=cell)) for metric in SHAPE],
            )
            for subject in evidence.subjects
            for cell in CELLS
            if evidence.rows(subject.name, FAMILY, "depth", cell=cell)
        ),
    )


def _ops(evidence: Evidence, counts: Counts, ops: Sequence[str]) -> Figure:
    """How many edges of both cells carry each op; of many architectures the mean of each group."""
    bars: dict[str, Mapping[str, float]] = {subject.title: edges for subject, edges in counts}
    drawn = "The numbers of skips are in the table below."
    if evidence.crowded:
        bars = {}
        for group, title in GROUP_TITLES.items():
            members = [edges for subject, edges in counts if subject.spec.group == group]
            if members:
                means = {op: fmean(edges.get(op, 0) for edges in members) for op in ops}
                bars[f"{title} ({len(members)})"] = means
        drawn = "The bar of a group is the mean of its architectures."
    records = [
        {
            "label": label,
            "part": op,
            "value": edges[op],
            "order": OPS.index(op),
            "estimate": f"{edges[op]:.3g}",
        }
        for label, edges in bars.items()
        for op in ops
        if edges.get(op)
    ]
    colours = {op: OP_COLOURS.get(op, "#949430") for op in ops}
    return Figure(
        "topology-ops",
        "What the cells are made of",
        f"Edges of the normal and the reduction cell by the op that they carry. {drawn}",
        f"Stacked bars of the edges by op for {format.listing(list(bars))}.",
        categories.stacked_bars(list(bars), colours, "edges of both cells"),
        records,
        key=tuple(colours.items()),
    )


def _edges(evidence: Evidence, subject: Subject) -> dict[str, float]:
    """The edges of both cells by op."""
    edges: dict[str, float] = {}
    for row in evidence.rows(subject.name, FAMILY, "ops"):
        edges[row.setting["op"]] = edges.get(row.setting["op"], 0) + row.value
    return edges


def _shares(evidence: Evidence) -> Iterator[Table]:
    """FLOPs by op, with the parameters below; a network without such cells has no ops, but kinds of layers."""
    for cells, caption in (
        (True, "Where the FLOPs are, by op of all cells (small: where the parameters are)"),
        (False, "The same of networks without such cells, by kind of layer"),
    ):
        measured = [
            (subject, unique(row.setting["op"] for row in rows))
            for subject in evidence.subjects
            if (subject.spec.genotype is not None) == cells
            and (rows := evidence.rows(subject.name, FAMILY, "flop_share"))
        ]
        parts = unique(part for _, own in measured for part in own)
        order = ["stem", "preprocess", *OPS, *(part for part in parts if part not in OPS)]
        parts.sort(key=order.index)
        yield listed(
            caption,
            parts,
            ((subject, "", [_share(evidence, subject, part) for part in parts]) for subject, _ in measured),
        )


def _share(evidence: Evidence, subject: Subject, part: str) -> Cell:
    flops = evidence.pooled(subject.name, FAMILY, "flop_share", op=part)
    parameters = evidence.pooled(subject.name, FAMILY, "parameter_share", op=part)
    if flops is None:
        return Cell(ABSENT)
    return Cell(format.value(flops), "" if parameters is None else format.value(parameters))
