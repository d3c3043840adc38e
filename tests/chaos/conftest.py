"""How often what was done to runs, told at the end."""

from collections import Counter

import pytest

COUNTS: Counter[str] = Counter()


@pytest.fixture
def note():
    """Count an event by its kind."""
    return lambda kind: COUNTS.update([kind])


def pytest_terminal_summary(terminalreporter):
    for kind, count in sorted(COUNTS.items()):
        terminalreporter.write_line(f"chaos: {count:4} x {kind}")
