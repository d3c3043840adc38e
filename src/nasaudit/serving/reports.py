"""The report as it stands, drawn anew when there is more to show: one at a time, and not all the time."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nasaudit.errors import presentable
from nasaudit.running.executors.threads import worker_environment

DRAW_EVERY = 10.0  # seconds from the end of one drawing to the next, at least
SHARE = 5  # and so many times what one took
LONGEST = 900.0  # seconds that a drawing may take
MOST_BYTES = 2**28

Draw = Callable[[Path], tuple[bytes, int, int]]  # the page, tasks that have ended, tasks that are known


class DrawingError(Exception):
    """Why there is no report; the message is one sentence."""


@dataclass(frozen=True)
class Report:
    """A page, and what it is of.

    Attributes:
        page: HTML, in UTF-8.
        number: 1 for the first.
        done: tasks that had ended.
        total: tasks that were known; 0: of a study whose tasks cannot be told.
    """

    page: bytes
    number: int
    done: int
    total: int


class Reports:
    """Draws reports in the background.

    Args:
        folder: of the study.
        draw: makes the page; a test brings its own.
        clock: seconds; a test brings its own.
    """

    def __init__(self, folder: Path, draw: Draw | None = None, clock: Callable[[], float] = time.monotonic):
        self._folder, self._draw, self._clock = folder, draw or self._in_a_process, clock
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._drawn = ""  # the records that the last drawing began with
        self._next = 0.0
        self._number = 0
        self._closed = False
        self.latest: Report | None = None
        self.problem = ""
        self.drawing = False

    def ask(self, records: str) -> None:
        """Somebody looks at the report; draw it if these records are others than those it was drawn from.

        Args:
            records: identifies the records that there are; "": there are none, and no report.
        """
        with self._lock:
            due = records != self._drawn and self._clock() >= self._next
            if not records or self.drawing or self._closed or not due:
                return
            self.drawing, self._drawn = True, records
        thread = threading.Thread(target=self._work, name="nasaudit-report", daemon=True)
        thread.start()

    def close(self) -> None:
        """Draw no more; what is being drawn is given up."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()

    def _work(self) -> None:
        began = self._clock()
        try:
            page, done, total = self._draw(self._folder)
            self._number += 1
            self.latest, self.problem = Report(page, self._number, done, total), ""
        except (DrawingError, OSError) as error:
            self.problem = presentable(str(error))
        finally:
            now = self._clock()
            self._next = now + max(DRAW_EVERY, SHARE * (now - began))
            self.drawing = False

    def _in_a_process(self, folder: Path) -> tuple[bytes, int, int]:
        with self._lock:
            if self._closed:
                raise DrawingError("the server ends")
            self._process = subprocess.Popen(
                [sys.executable, "-m", "nasaudit.serving.drawing", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=worker_environment(),
                start_new_session=True,  # Ctrl-C in the terminal is for whoever started this
            )
        process = self._process
        try:
            page, said = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise DrawingError(f"the report took longer than {LONGEST:.0f} seconds to draw") from None
        if process.returncode != 0:
            words = said.decode(errors="replace").strip().rpartition("\n")[2]
            raise DrawingError(words or f"drawing the report ended with {process.returncode}")
        if len(page) > MOST_BYTES:
            raise DrawingError(f"the report has {len(page)} bytes, more than a browser should get")
        counts, _, page = page.partition(b"\n")
        done, total = map(int, counts.split())
        return page, done, total
