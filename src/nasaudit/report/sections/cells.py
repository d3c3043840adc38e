"""Pictures of cells or stages, as SVG inside an <img>: whatever a name holds, an image runs no script."""

import base64
from dataclasses import dataclass

from nasaudit.arch.catalogue import CATALOGUE, same_cells
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
        same = None if spec.name in CATALOGUE else same_cells(spec.genotype)
        known = "" if same is None else f", the same cells as {same}"
        title, svg = f"Cells of {subject.title}{known}", draw_svg(spec.genotype, subject.title)
        parts = []
        for cell in CELLS:
            rows = {
                metric: evidence.pooled(subject.name, "topology", metric, cell=cell)
                for metric in ("depth", "width", "skips")
            }
            measures = [f"{metric} {format.value(row)}" for metric, row in rows.items() if row is not None]
            if measures:
                parts.append(f"{cell} cell: {', '.join(measures)}")
        alt = f"Drawing of the cells of {subject.title}{known}" + (f" ({'; '.join(parts)})" if parts else "")
    elif spec.model is None and spec.name in FAMILIES:
        title, svg = f"Stages of {subject.title}", draw_family_svg(spec.name, spec.scale, subject.title)
        alt = f"{title}:\n{describe_family(spec.name, spec.scale)}"
    else:
        return ()
    return (Drawing(title, alt, as_uri(svg)),)


def as_uri(svg: str) -> str:
    """An SVG as the source of an image."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")
