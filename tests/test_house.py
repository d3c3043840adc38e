"""The house is what docs/design.md draws: a line for each room, small files, and rooms that can be looked over."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "nasaudit"
MOST_LINES, MOST_FILES = 350, 15


def rooms() -> list[Path]:
    """Every folder of the package with code in it."""
    return sorted({file.parent for file in SRC.rglob("*.py")} - {SRC})


def drawn() -> set[str]:
    """The rooms that the design's table has a line for."""
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([a-z_/]+)/` \|", text, flags=re.M))


def test_the_design_has_a_line_for_each_room_and_no_other() -> None:
    assert drawn() == {str(room.relative_to(SRC)) for room in rooms()}


@pytest.mark.parametrize("room", [SRC, *rooms()], ids=lambda room: str(room.relative_to(SRC.parent)))
def test_a_room_can_be_looked_over(room: Path) -> None:
    files = list(room.glob("*.py"))
    assert len(files) <= MOST_FILES
    assert all(len(file.read_text(encoding="utf-8").splitlines()) <= MOST_LINES for file in files)


@pytest.mark.parametrize("file", sorted(SRC.rglob("*.py")), ids=lambda file: str(file.relative_to(SRC)))
def test_a_file_says_what_it_is_for(file: Path) -> None:
    assert file.read_text(encoding="utf-8").startswith('"""')
