"""What sections are made of."""

from nasaudit.report.charts.frame import Chart
from nasaudit.report.parts import Block, Cell, Figure, Maps, Section, Table, Text, folded, present


def figure(name: str) -> Figure:
    return Figure(name, "A title", "A caption.", "A curve.", Chart(), ())


TABLE = Table("Numbers", ("", "one"), ((Cell("DARTS"), Cell("1")),))


def test_a_section_keeps_the_parts_that_there_are_in_their_order() -> None:
    section = Section.of("speed", "Speed", "Fast.", None, "", TABLE, Text("Small print.", quiet=True))
    assert section.parts == (Text("Fast."), TABLE, Text("Small print.", quiet=True))
    assert section.figures == ()
    assert present([None, ""]) == ()


def test_all_figures_of_a_section_become_files_wherever_they_stand() -> None:
    inner = Block.of("One attack", "attack", figure("b"), folded("More", figure("c"), None))
    maps = Block.of("A plane", "plane", Maps("loss (nats)", (), (), figure("d")))
    section = Section.of("all", "All", figure("a"), inner, maps)
    assert [drawn.name for drawn in section.figures] == ["a", "b", "c", "d"]


def test_nothing_is_folded_where_there_is_nothing() -> None:
    assert folded("More", None, "") is None
    more = folded("More", TABLE)
    assert more is not None
    assert (more.folded, more.anchor) == (True, "")
