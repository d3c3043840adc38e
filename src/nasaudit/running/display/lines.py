"""One line a task, whatever the width of the terminal: the label gives way, share and time do not."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from nasaudit.running.display.eta import format_seconds

LEAST_BAR, MOST_BAR = 10, 40  # letters
LEAST_LABEL = 20  # letters below which a label is not cut for the sake of a bar
LEAST_WORDS = 8


@dataclass(frozen=True)
class Line:
    """What is said of one task, or of the study.

    Attributes:
        label: what it is.
        share: done, in [0,1].
        left: seconds; None: not known.
        words: what it does at the moment.
    """

    label: str
    share: float
    left: float | None
    words: str = ""


def fitted(lines: Sequence[Line], width: int, *, ascii_only: bool = False) -> list[Text]:
    """Each as one line of a terminal of this width: label, bar, share, time left, and words where there is room.

    The last column stays empty, as some terminals begin a new line once it is written.
    """
    times = ["" if line.left is None else f"{format_seconds(line.left)} left" for line in lines]
    longest = max(map(cell_len, times))
    room = max(0, width - 1 - len("100%") - longest - 2)  # of label and bar
    names = [_printable(line.label) for line in lines]
    beside_bar = room - LEAST_BAR - 1
    label = min(max(map(cell_len, names)), beside_bar if beside_bar >= LEAST_LABEL else room)
    bar = min(MOST_BAR, room - label - 1)
    bar = bar if bar >= LEAST_BAR else 0
    words = room - label - (bar + 1 if bar else 0) - 1
    done, todo = ("#", "-") if ascii_only else ("\N{BOX DRAWINGS HEAVY HORIZONTAL}",) * 2
    shown = []
    for line, name, left in zip(lines, names, times, strict=True):
        text = Text(no_wrap=True, end="")
        text.append(set_cell_size(shortened(name, label, ascii_only=ascii_only), label) + " ")
        if bar:
            full = round(bar * min(1.0, max(0.0, line.share)))
            text.append(done * full, "bar.complete")
            text.append(todo * (bar - full) + " ", "bar.back")
        text.append(f"{line.share:4.0%} ", "progress.percentage")
        text.append(f"{left:>{longest}}")
        if words >= LEAST_WORDS and line.words:
            text.append(f" {shortened(_printable(line.words), words, ascii_only=ascii_only)}", "dim")
        text.truncate(max(1, width - 1), overflow="crop")
        shown.append(text)
    return shown


def shortened(text: str, width: int, *, ascii_only: bool = False) -> str:
    """A text that is too long without its middle: kinds stand at its beginning, architecture and seed at its end.

    >>> shortened("pgd (linf, untargeted) on darts (seed 0)", 24, ascii_only=True)
    'pgd (linf,..ts (seed 0)'
    """
    if cell_len(text) <= width:
        return text
    gap = ".." if ascii_only else "\N{HORIZONTAL ELLIPSIS}"
    kept = max(0, width - len(gap))
    head = kept // 2
    ending = text
    while cell_len(ending) > kept - head:
        ending = ending[1:]
    return set_cell_size(text, head).rstrip() + gap + ending.lstrip() if kept else gap[:width]


def _printable(text: str) -> str:
    """Labels hold what users named: a line break would be a line, and a terminal obeys control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
