"""Pictures of the cells, as SVG inside an <img>: whatever a file or a name holds, an image runs no script."""

import base64
from dataclasses import dataclass

from nasaudit.arch.drawing import draw_svg
from nasaudit.report import format
from nasaudit.report.evidence import Evidence, Subject

CELLS = ("normal", "reduction")


@dataclass(frozen=True)
class Drawing:
    """A picture as a data URI, with its description in words."""

    title: str
    alt: str
    uri: str


def drawings(evidence: Evidence, subject: Subject) -> tuple[Drawing, ...]:
    """Both cells in one picture; nothing for a network that is not built of searched cells."""
    if subject.spec.genotype is None:
        return ()
    picture = draw_svg(subject.spec.genotype, subject.title)
    uri = "data:image/svg+xml;base64," + base64.b64encode(picture.encode()).decode("ascii")
    return (Drawing(f"Cells of {subject.title}", _described(evidence, subject), uri),)


def _described(evidence: Evidence, subject: Subject) -> str:
    parts = []
    for cell in CELLS:
        measures = []
        for metric in ("depth", "width", "skips"):
            row = evidence.pooled(subject.name, "topology", metric, {"cell": cell})
            if row is not None:
                measures.append(f"{metric} {format.value(row)}")
        if measures:
            parts.append(f"{cell} cell: {', '.join(measures)}")
    return f"Drawing of the cells of {subject.title}" + (f" ({'; '.join(parts)})" if parts else "")
