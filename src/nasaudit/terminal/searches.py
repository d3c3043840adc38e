"""What searches found, for a terminal."""

from nasaudit.results.schema import StudyResults
from nasaudit.spec.genotype import Genotype
from nasaudit.terminal.tables import table


def found(results: StudyResults) -> str:
    """The found cells, one row a node of each cell."""
    rows = []
    for searched in results.searches:
        cells = searched.genotype
        if not isinstance(cells, Genotype):
            rows.append({"architecture": searched.architecture, "cell": "", "node": "", "edges": cells})
            continue
        for kind, cell in (("normal", cells.normal), ("reduction", cells.reduction)):
            for number, node in enumerate(cell.nodes, start=2):
                edges = ", ".join(f"{edge.op}({edge.source})" for edge in node)
                rows.append(
                    {"architecture": searched.architecture, "cell": kind, "node": str(number), "edges": edges}
                )
    return table("searches", rows)
