"""Every error that nasaudit raises on purpose, in one tree.

The exit code of a command is a property of the error, so that a script can rely on it:
2 for input that must be changed, 3 for a machine or a folder that cannot be used as asked.
"""

import difflib
import reprlib
from collections.abc import Iterable

LONGEST = 1_900  # characters of a message: whoever wrote a name of 100,000 does not get it echoed
_ENDING = 600  # of them kept of the end, where messages say what to do
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 400
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = _REPR.maxset = _REPR.maxfrozenset = 30


def presentable(text: str) -> str:
    r"""A message as a terminal and a file of UTF-8 can take it: shortened in the middle, control characters escaped.

    >>> print(presentable("caf\udce9: \x1b[31m"))
    caf\udce9: \x1b[31m
    """
    escaped = "".join(
        character
        if character.isprintable() or character == "\n"
        else character.encode("unicode_escape").decode("ascii")
        for character in _shortened(text)
    )
    return _shortened(escaped)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - _ENDING]} [...] {text[-_ENDING:]}"


def shown(value: object) -> str:
    """A value of somebody else's as a message shows it: `repr`, cut where it is long or deep."""
    try:
        return _REPR.repr(value)
    except (ValueError, RecursionError):  # an integer of more digits than Python writes
        return f"a {type(value).__name__} that is too large to show"


def first_line(error: BaseException) -> str:
    """The first line of an error of somebody else's, or what kind of error it is."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class NasauditError(Exception):
    """Root of the tree. `exit_code` is what the command line ends with; its message is `presentable`."""

    exit_code = 1

    def __init__(self, message: str = ""):
        super().__init__(presentable(message))


class InputError(NasauditError):
    """The user's input is wrong; the message says what was expected, what came and what to do."""

    exit_code = 2


class UnknownNameError(InputError, ValueError):
    """A name that no registry knows.

    Args:
        kind: what was looked up, in the singular ("architecture").
        name: what the user wrote.
        known: every name that would have been accepted.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]):
        self.kind, self.name, self.known = kind, name, tuple(known)
        self.suggestions = tuple(difflib.get_close_matches(name[:100].lower(), self.known, n=3, cutoff=0.5))
        hint = f"did you mean {' or '.join(self.suggestions)}?" if self.suggestions else ""
        # A short list is shown whole: it answers more questions than a guess.
        listing = "" if hint and len(self.known) > 12 else f"known: {', '.join(self.known)}"
        super().__init__(
            f"unknown {kind} {shown(name)}; " + " ".join(part for part in (hint, listing) if part)
        )


class SpecError(InputError, ValueError):
    """A spec's field is wrong. The message starts with the path of the field.

    It is a ValueError too, so that pydantic adds the path of the enclosing fields.
    """

    def __init__(self, field: str, expected: str, got: object):
        self.field, self.expected, self.got = field, expected, got
        super().__init__(f"{field}: expected {expected}, got {shown(got)}")


class GenotypeError(SpecError):
    """A genotype that does not describe a network: the position, what was expected, what came."""


class ModelError(InputError):
    """A network that is defined elsewhere cannot be built, or does not do what a classifier does."""


class DataError(InputError):
    """Images or labels that cannot be used: the file or the values are named."""


class CheckpointError(InputError):
    """Weights that are not loaded: another architecture, truncated, unsafe, or not as accurate as stated."""


class UnsafeFileError(InputError):
    """A file that would execute code if it were read the usual way."""


class StoreError(NasauditError):
    """The folder of records cannot be used as asked."""

    exit_code = 3


class ConflictError(StoreError):
    """The folder belongs to another study, or another run is writing to it now."""


class FormatError(StoreError):
    """A folder or a file was written by a version of nasaudit that had another format."""


class MissingRecordError(StoreError):
    """Read-only mode met a task that has no record yet."""


class MeasurementError(NasauditError):
    """A measurement that would not mean anything. It is stored as a failure of its task."""


class NonFiniteError(MeasurementError):
    """A loss or logit became NaN or infinite; the message says where and what to change."""


class SecondDerivativeError(MeasurementError):
    """A layer that cannot be differentiated twice; the message names it."""


class QueryBudgetError(MeasurementError):
    """An attack asked an Oracle for more images than its query budget allows."""
