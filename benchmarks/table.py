"""What a benchmark returns, and how it is shown."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A caption, column names and rows of text."""

    caption: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def markdown(self) -> str:
        """The table as Markdown, padded so that it reads well in a terminal too."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self.columns))]
        padded = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
        rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
        return "\n".join([self.caption, "", padded[0], rule, *padded[1:]])
