"""`study status --follow`: looks until the run is over, and says what changed."""

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from nasaudit.running.status import StudyStatus, TaskStatus
from nasaudit.terminal import status as terminal
from nasaudit.terminal.status import FOLLOWING, followed

STATES = [("running", "missing"), ("running", "missing"), ("done", "running"), ("done", "failed")]


def looks():
    """The statuses of a run, one a look; the third look takes ten seconds."""
    first = StudyStatus("mine", Path("mine"), (), going=True)
    return iter(
        replace(
            first,
            tasks=tuple(TaskStatus(f"task {place}", str(place), state) for place, state in enumerate(states)),
            going="running" in states,
        )
        for states in STATES
    )


def test_a_line_is_printed_for_each_change_and_the_last_status_returned():
    stream, waits = io.StringIO(), []
    last = followed(looks().__next__, stream, wait=waits.append)
    assert stream.getvalue().splitlines() == [
        "mine: 1 running, 1 missing of 2 tasks",
        "mine: 1 done, 1 running of 2 tasks",
        "mine: 1 done, 1 failed of 2 tasks",
    ]
    assert last.count("failed") == 1
    assert len(waits) == 3
    assert min(waits) == FOLLOWING


def test_a_store_that_is_slow_to_read_is_read_a_fifth_of_the_time(monkeypatch):
    clock, waits, statuses = [0.0], [], looks()

    def look():
        clock[0] += 10
        return next(statuses)

    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock[0])
    followed(look, io.StringIO(), wait=waits.append)
    assert set(waits) == {40.0}


def test_on_a_terminal_the_line_stays_where_it_is(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(
        terminal, "Console", lambda **options: Console(**options, force_terminal=True, width=80)
    )
    followed(looks().__next__, stream, wait=lambda seconds: None)
    text = stream.getvalue()
    assert "1 done, 1 failed of 2 tasks" in text
    assert "\r" in text, "lines are overwritten"
