"""What searches found, for a terminal: the cells, and whether random ones of the space do as well."""

import textwrap

from nasaudit.results.schema import StudyResults
from nasaudit.spec.genotype import Genotype
from nasaudit.terminal.plain import plain
from nasaudit.terminal.tables import Entry, table

WIDTH = 100  # letters in a line


def found(results: StudyResults) -> str:
    """The found cells, one row a node of each cell; then these against random cells, where the study has some."""
    rows: list[Entry] = []
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
    return "\n\n".join([table("searches", rows), *_beside_random(results)])


def _beside_random(results: StudyResults) -> list[str]:
    from nasaudit.report.sections.searches import words

    compared = words.table(results)
    if compared is None:
        return []
    lines: list[Entry] = [
        {
            title or "measure": f"{cell.text} {cell.note.partition(' ')[0]}"
            if position in (1, 2)
            else cell.text
            for position, (title, cell) in enumerate(zip(compared.columns, row, strict=True))
        }
        | {"95 % interval": row[3].note}
        for row in compared.rows
    ]
    said = [textwrap.fill(plain(sentence), WIDTH) for sentence in words.sentences(results)]
    return [*said, table("comparisons", lines, WIDTH)]
