"""What a worker prints: read as it comes, and forgotten but for its end, so that no amount of it fills a disk."""

import fcntl
import os
import select
import struct
import termios
import threading
import time

KEPT = 20_000  # bytes
PATIENCE = 1.0  # seconds to wait for the rest when the process is gone; another may still hold the pipe open
SETTLING = (
    0.2  # seconds to wait for the rest when a job has ended; what its process started may print for ever
)
CHUNK = 2**16


class Output:
    """The reading end of a pipe that a process writes to.

    Args:
        descriptor: of the pipe; closed at its end.
    """

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._end = b""
        self.length = 0  # bytes that came
        self._taking = (
            threading.Lock()
        )  # held from the moment that bytes leave the pipe until they are counted
        self._open = True
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def since(self, position: int) -> str:
        """What came after so many bytes, as far as it is kept."""
        end, length = self._end, self.length
        return end[max(0, len(end) - (length - position)) :].decode(errors="replace").strip()

    def between(self, start: int, end: int) -> str:
        """What came after `start` bytes and before `end`, as far as it is kept."""
        kept, length = self._end, self.length
        first, last = (max(0, len(kept) - (length - position)) for position in (start, end))
        return kept[first:last].decode(errors="replace").strip()

    def settle(self) -> None:
        """Wait, for an instant at most, until what is in the pipe has come."""
        until = time.monotonic() + SETTLING
        while self._waiting() and time.monotonic() < until:
            time.sleep(0.001)

    def close(self) -> None:
        """Wait for the end."""
        self._reader.join(PATIENCE)

    def _waiting(self) -> int:
        """Bytes in the pipe."""
        with self._taking:
            if not self._open:
                return 0
            return int(struct.unpack("i", fcntl.ioctl(self._descriptor, termios.FIONREAD, b"\0" * 4))[0])

    def _read(self) -> None:
        poll = select.poll()  # which, unlike select, takes descriptors beyond 1,023
        poll.register(self._descriptor, select.POLLIN)
        while self._open:
            poll.poll()
            with self._taking:
                chunk = os.read(self._descriptor, CHUNK)
                if chunk:
                    self._end = (self._end + chunk)[-KEPT:]
                    self.length += len(chunk)
                else:
                    self._open = False
                    os.close(self._descriptor)
