"""Whom to tell how far something is: the one way in which long work reports."""

from typing import Protocol


class Progress(Protocol):
    """Called with the share done, in [0,1], and a few words; often enough to stop a task in a second."""

    def __call__(self, done: float, text: str = "") -> None: ...  # noqa: D102


def silent(done: float, text: str = "") -> None:
    """A Progress for those who do not look."""


def part(progress: Progress, begin: float, end: float, note: str = "") -> Progress:
    """A Progress for a part of a task, whose 0 to 1 is `begin` to `end` of the whole.

    Args:
        progress: of the whole.
        begin: share done when the part begins.
        end: share done when it ends.
        note: said after its own words.

    >>> part(print, 0.5, 1.0, " (final)")(0.5, "half")
    0.75 half (final)
    """

    def report(done: float, text: str = "") -> None:
        progress(begin + (end - begin) * done, text + note)

    return report
