"""The one home of how words of others reach a terminal: architectures, attacks and settings are named by strangers.

A terminal obeys control characters (colours, titles, what is typed next), and a line break in a name would forge a
line of ours. rich reads markup from strings, which is why tables are made of its `Text`.
"""

import logging

MOST = 1_000  # letters of one name or sentence; of more, the beginning and the end
_ENDING = 300


def plain(value: object) -> str:
    r"""A value on one line of printable letters.

    >>> print(plain("a\x1b[31m\nb\u202ec"), plain("50\N{NO-BREAK SPACE}%"))
    a\x1b[31m\nb\u202ec 50 %
    """
    text = str(value)
    if len(text) > MOST:
        text = f"{text[: MOST - _ENDING]} [...] {text[-_ENDING:]}"
    return "".join(map(_shown, text))


def plain_lines(text: str) -> str:
    """The same for what we wrote on several lines, each of any length."""
    return "\n".join("".join(map(_shown, line)) for line in text.split("\n"))


def _shown(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if letter.isspace() and letter > "\x9f" else letter.encode("unicode_escape").decode("ascii")


class PlainFormatter(logging.Formatter):
    """Warnings as a command shows them: with the name of the program, on one line each."""

    def format(self, record: logging.LogRecord) -> str:
        """The whole line."""
        return f"nasaudit: {plain(record.getMessage())}"
