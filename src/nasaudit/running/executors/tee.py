"""What a job prints through Python's streams, in the process that asked for it: still printed, and kept too.

The descriptors are left alone: a debugger and the display of the run need the terminal. So what native code or other
processes write themselves is printed and not kept.
"""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from nasaudit.running.executors.attempt import LogPace
from nasaudit.store.words import KEPT


class Tee:
    """Keeps the end of what is written to stdout and stderr inside of `listening`.

    Args:
        tell: takes the end of it, while the job runs.
    """

    def __init__(self, tell: Callable[[str], object]):
        self._tell = tell
        self._end, self._length = "", 0
        self._pace = LogPace()
        self._thread = threading.get_ident()
        self._is_deaf = False

    @property
    def words(self) -> str:
        """The end of what was written so far."""
        return self._end.strip()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Hear what is written inside the block."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(self._beside(sys.stdout)))
            stack.enter_context(contextlib.redirect_stderr(self._beside(sys.stderr)))
            yield

    @contextlib.contextmanager
    def deaf(self) -> Iterator[None]:
        """Do not hear what this thread writes inside the block, which is not the job's."""
        before, self._is_deaf = self._is_deaf, True
        try:
            yield
        finally:
            self._is_deaf = before

    def tell(self) -> None:
        """Tell what was written, if there is more and it is time; only the job's own thread does."""
        if threading.get_ident() == self._thread and not self._is_deaf and self._pace.is_due(self._length):
            with self.deaf():
                self._tell(self.words)

    def hear(self, text: str) -> None:
        """Something was written."""
        if self._is_deaf and threading.get_ident() == self._thread:
            return
        self._end = (self._end + text)[-KEPT:]
        self._length += len(text)
        self.tell()

    def _beside(self, stream: TextIO | None) -> Any:
        return _Stream(stream, self)


class _Stream:
    """A stream that somebody hears; all else of it is the stream's own."""

    def __init__(self, stream: TextIO | None, tee: Tee):
        self._stream, self._tee = stream, tee

    def write(self, text: str) -> int:
        written = len(text) if self._stream is None else self._stream.write(text)
        self._tee.hear(text)
        return written

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream or ())
