"""The loss around the victims: contours on three planes side by side, and the line between two trainings."""

from collections.abc import Mapping
from dataclasses import dataclass

from nasaudit.report import format
from nasaudit.report.charts import frame
from nasaudit.report.charts.contours import band_edges, band_labels, filled_contours
from nasaudit.report.charts.curves import slice_curve
from nasaudit.report.charts.maps import contour_map, contour_sheet
from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import Block, Figure, Map, Maps, Section, Table, Text
from nasaudit.report.sections.tables import column, table
from nasaudit.verdicts.headlines import PUBLISHED

FAMILY = "landscape"
SLICE = "slice"
MOST = 12  # architectures whose contours are drawn
# Brewer's YlGnBu (colorbrewer2.org): lightness falls from band to band, which readers with any colour vision see.
COLOURS = (
    "#ffffd9", "#edf8b1", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#253494", "#081d58",
)  # fmt: skip


INTRODUCTION = (
    "How the loss changes when a trained model, or what it sees, is moved a little. Each map is a plane through one "
    "victim, which is the cross in its middle; the colour is the loss on test images. All maps of a plane share one "
    "scale of colours and of distances. A map in few colours is flat: the loss is smooth around the victim. Many "
    "bands close together are a steep slope."
)
NOTE = (
    f"Published ({PUBLISHED}): the loss of NAS-designed models is smoother, which helps "
    "training and the attacker alike."
)


@dataclass(frozen=True)
class About:
    """What is said of a plane."""

    title: str
    column: str
    text: str


ABOUT: Mapping[str, About] = {
    "first_layer": About(
        "Weights of the first convolution",
        "first convolution",
        "The weights of the first convolution move along two orthogonal directions with entries of plus and minus "
        "one; all other weights stay.",
    ),
    "input": About(
        "Pixels",
        "pixels",
        "All images are shifted alike, along two orthogonal directions with entries of plus and minus one: 0.1 "
        "changes each pixel by 10 % of its range. Pixels may leave their range.",
    ),
    "filters": About(
        "All filters",
        "all filters",
        "All filters move along two random directions in which each filter is as long as in the network, so that a "
        "step means the same for every architecture (Li et al., NeurIPS 2018): 1 is as far as the filters are long.",
    ),
}


def section(evidence: Evidence) -> Section | None:
    """Contours, the line between two trainings, and the table of what was measured on them."""
    planes = [plane for name in ABOUT if (plane := _plane(evidence, name))]
    line, measured = _slice(evidence), _table(evidence)
    if not planes and line is None and measured is None:
        return None
    return Section.of(
        "landscape", "Loss landscape", INTRODUCTION, Text(NOTE, quiet=True), *planes, line, measured
    )


def shades(count: int) -> list[str]:
    """So many of COLOURS, from the lightest to the darkest, as far apart as they can be.

    >>> shades(3) == [COLOURS[0], COLOURS[4], COLOURS[8]]
    True
    """
    return [COLOURS[round(k * (len(COLOURS) - 1) / max(count - 1, 1))] for k in range(count)]


def _plane(evidence: Evidence, name: str) -> Block | None:
    """One plane of all architectures on one scale."""
    # Of the seeds of an architecture, the first.
    landscapes = {
        each.architecture: each for each in reversed(evidence.results.landscapes) if each.name == name
    }
    measured = [subject for subject in evidence.subjects if subject.name in landscapes]
    if not measured:
        return None
    subjects = measured[:MOST]
    heights = [z for subject in subjects for row in landscapes[subject.name].z for z in row]
    edges = band_edges(min(heights), max(heights))
    labels = band_labels(edges)
    colours = dict(zip(labels, shades(len(labels)), strict=True))
    reach = max(abs(x) for subject in subjects for x in landscapes[subject.name].x)
    about = ABOUT[name]
    # All maps of a plane are one chart with other records, and making a chart takes longer than all the rest.
    spec = frame.vega_lite(contour_map(colours, reach), [])
    maps, records = [], list[dict[str, object]]()
    for position, subject in enumerate(subjects):
        landscape = landscapes[subject.name]
        own: list[dict[str, object]] = [
            {
                "label": subject.title,
                "kind": "loop",
                "loop": k,
                "band": labels[loop.band],
                "x": loop.x,
                "y": loop.y,
            }
            for k, loop in enumerate(filled_contours(landscape.x, landscape.y, landscape.z, edges))
        ]
        own.append({"label": subject.title, "kind": "centre", "x": [0], "y": [0]})
        records += own
        # The numbers behind a map: the loss nearest to the victim, and the highest one.
        i, j = (min(range(len(axis)), key=lambda k: abs(axis[k])) for axis in (landscape.x, landscape.y))
        highest = max(z for row in landscape.z for z in row)
        words = f"{format.significant(landscape.z[j][i])} at the cross, up to {format.significant(highest)}"
        alt = f"Filled contours of the loss of {subject.title}, {about.title.lower()}: {words}."
        own_spec = {**spec, "datasets": {frame.DATA.name: own}}
        maps.append(Map(f"landscape-{name}-{position}", subject.title, words, alt, own_spec))
    names = format.listing([subject.title for subject in subjects])
    sheet = Figure(
        f"landscape-{name}", "Loss landscape", about.text,
        f"Filled contours of the loss on one plane, one map for each of {names}.",
        contour_sheet(subjects, colours, reach), records, about.title.lower(),
    )  # fmt: skip
    left_out = (
        Text(f"The first {MOST} of {len(measured)} architectures; the table has all.", quiet=True)
        if len(measured) > len(subjects)
        else None
    )
    drawn = Maps("loss (nats)", tuple(colours.items()), tuple(maps), sheet)
    return Block.of(about.title, f"landscape-{name}", about.text, left_out, drawn)


def _slice(evidence: Evidence) -> Figure | None:
    curves = [curve for curve in evidence.results.curves if (curve.family, curve.name) == (FAMILY, SLICE)]
    records = [
        {"label": evidence.titles[curve.architecture], "alpha": alpha, "loss": loss}
        for curve in curves
        if curve.architecture in evidence.titles
        for alpha, loss in zip(curve.x, curve.y, strict=True)
    ]
    if not records:
        return None
    drawn = {record["label"] for record in records}
    names = format.listing([subject.title for subject in evidence.subjects if subject.title in drawn])
    return Figure(
        "landscape-slice",
        "From one training to another",
        "The loss while all weights go on a straight line from one training (0) to another one of the same "
        "architecture, with another seed (1), and beyond. Batch normalisation gets new statistics at each point. A "
        "hill in between is a barrier: the two trainings lie in different valleys.",
        f"Line chart of the loss between two trainings of {names}.",
        slice_curve(evidence.subjects),
        records,
    )


def _table(evidence: Evidence) -> Table | None:
    if not evidence.of_family(FAMILY):
        return None
    planes = [
        column(about.column, evidence.by_name(FAMILY, "loss_rise", plane=name))
        for name, about in ABOUT.items()
    ]
    barrier = column("barrier", evidence.by_name(FAMILY, "barrier"))
    return table(
        evidence,
        "Mean rise of the loss on each plane, and the barrier between two trainings (nats)",
        [*planes, barrier],
    )
