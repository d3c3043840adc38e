"""What a job prints on a node: native code and other processes too, through the descriptors of the worker.

It comes into a pipe that the worker itself reads, so no amount of it fills the node's disk, and goes to the runner by
and by, who has what was said last when the worker is gone.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator

from nasaudit.running.executors.attempt import LogPace
from nasaudit.running.executors.output import Output

LOOK_EVERY = 0.2  # seconds


@contextlib.contextmanager
def captured(tell: Callable[[str], object]) -> Iterator[Callable[[], str]]:
    """Have what this process prints inside the block, and not where it is printed otherwise.

    Args:
        tell: takes the end of it while the job runs, from another thread.

    Yields:
        What returns the end of all that was printed so far.
    """
    descriptors = sorted({1, 2, *_of_streams()})
    reading, writing = os.pipe()
    output, ended = Output(reading), threading.Event()

    def words() -> str:
        _flush()
        output.settle()
        return output.since(0)

    def look() -> None:
        pace = LogPace()
        while not ended.wait(LOOK_EVERY):
            if pace.is_due(output.length) and (said := output.since(0)):
                tell(said)

    _flush()
    before = [os.dup(descriptor) for descriptor in descriptors]
    for descriptor in descriptors:
        os.dup2(writing, descriptor)
    os.close(writing)
    teller = threading.Thread(target=look, daemon=True)
    teller.start()
    try:
        yield words
    finally:
        ended.set()
        teller.join()
        _flush()
        for descriptor, copy in zip(descriptors, before, strict=True):
            os.dup2(copy, descriptor)
            os.close(copy)


def _of_streams() -> Iterator[int]:
    """The descriptors of Python's streams, which Ray may have put elsewhere."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            yield stream.fileno()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
