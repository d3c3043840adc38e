"""What a worker prints: read as it comes, and forgotten but for its end, so that no amount of it fills a disk."""

import os
import threading

KEPT = 20_000  # bytes
PATIENCE = 1.0  # seconds to wait for the rest when the process is gone; another may still hold the pipe open


class Output:
    """The reading end of a pipe that a process writes to.

    Args:
        descriptor: of the pipe; closed at its end.
    """

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._end = b""
        self.length = 0  # bytes that came
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def since(self, position: int) -> str:
        """What came after so many bytes, as far as it is kept."""
        end, length = self._end, self.length
        return end[max(0, len(end) - (length - position)) :].decode(errors="replace").strip()

    def until(self, position: int, most: int) -> str:
        """The last `most` characters of what had come by then."""
        end = self._end
        return end[: max(0, len(end) - (self.length - position))].decode(errors="replace").strip()[-most:]

    def close(self) -> None:
        """Wait for the end."""
        self._reader.join(PATIENCE)

    def _read(self) -> None:
        with os.fdopen(self._descriptor, "rb", buffering=0) as pipe:
            while chunk := pipe.read(2**16):
                self._end = (self._end + chunk)[-KEPT:]
                self.length += len(chunk)
