"""Pictures of cells or stages, as SVG inside an <img>: whatever a name holds, an image runs no script."""

import base64
from dataclasses import dataclass

from nasaudit.arch.manual.families import FAMILIES
from nasaudit.arch.pictures.cells import draw_svg
from nasaudit.arch.pictures.stages import describe_family, draw_family_svg
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
    """Both cells in one picture, or the stages of a manual family; nothing of a network defined elsewhere."""
    spec = subject.spec
    if spec.genotype is not None:
        text = draw_svg(spec.genotype, subject.title)
        return (Drawing(f"Cells of {subject.title}", _described(evidence, subject), _uri(text)),)
    if spec.model is not None or spec.name not in FAMILIES:
        return ()
    text = draw_family_svg(spec.name, spec.scale, subject.title)
    title = f"Stages of {subject.title}"
    return (Drawing(title, f"{title}:\n{describe_family(spec.name, spec.scale)}", _uri(text)),)


def _uri(text: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode("ascii")


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
