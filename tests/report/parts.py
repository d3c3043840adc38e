"""What tests ask of a section's parts."""

from nasaudit.report.parts import Block, Section, Table


def blocks(section: Section) -> list[Block]:
    """Its parts with a heading of their own."""
    return [part for part in section.parts if isinstance(part, Block)]


def tables(whole: Section | Block) -> list[Table]:
    """The tables that stand in it, also folded ones."""
    found: list[Table] = []
    for part in whole.parts:
        found += [part] if isinstance(part, Table) else tables(part) if isinstance(part, Block) else []
    return found


def words(whole: Section | Block) -> list[str]:
    """Its paragraphs."""
    return [part.words for part in whole.parts if part.kind == "text"]
