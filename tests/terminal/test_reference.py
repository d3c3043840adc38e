"""The page of all names and fields is what the package says of itself."""

from pathlib import Path

from nasaudit.spec.attacks import ATTACKS
from nasaudit.terminal.reference import reference

PAGE = Path(__file__).parents[2] / "docs/reference.md"


def test_the_page_is_in_step() -> None:
    text = reference()
    assert text == PAGE.read_text(), "python -m nasaudit.terminal.reference > docs/reference.md"
    assert all(f"\n### {name}\n" in text for name in ATTACKS)
    assert "| epsilons |" in text.partition("### fgsm")[0]  # what all evasions share is said once
