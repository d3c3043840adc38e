"""What a case may not do: take more than 10 s or 2 GiB, start programs, use the network, open files elsewhere."""

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS = 10
GIBIBYTES = 2
_FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.forkpty",
    "subprocess.Popen",
    "socket.connect",
)
_HOMES = tuple(
    os.path.realpath(place)
    for place in (
        sys.prefix,
        sys.base_prefix,
        Path(__file__).parents[1],
        "/usr/share",
        "/usr/lib",
        "/proc",
        "/sys",
    )
)
_HARMLESS = ("/dev/null", "/dev/urandom", "/etc/mime.types", "/etc/localtime", "/etc/fonts")


class Late(BaseException):
    """A case took too long; no handler of ours may take it for an error of the file."""


class Watch:
    """Says what a case did beyond what it may; installed once a process, since audit hooks stay."""

    def __init__(self, *folders: Path):
        self._folders = tuple(os.path.realpath(folder) for folder in folders)
        self.done: list[str] = []
        self._on = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event in _FORBIDDEN:
            self.done.append(f"{event} {arguments!r}"[:200])
        elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            place = os.path.realpath(os.fsdecode(arguments[0]))
            if not self._allowed(place, writes=_writes(arguments[1], arguments[2])):
                self.done.append(f"open {place} {arguments[1]}"[:200])

    def _allowed(self, place: str, writes: bool) -> bool:
        inside = any(place == home or place.startswith(home + os.sep) for home in self._folders)
        if writes:
            return inside or place in _HARMLESS
        return inside or place.startswith(_HOMES) or place.startswith(_HARMLESS)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """One case."""
        self.done = []
        self._on = True
        signal.signal(signal.SIGALRM, _late)
        signal.alarm(SECONDS)
        try:
            yield
        finally:
            signal.alarm(0)
            self._on = False


def limit_memory() -> None:
    """What this process has now, and 2 GiB."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 (a number of the kernel's)
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + GIBIBYTES * 2**30, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _writes(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _late(number: int, frame: object) -> None:
    raise Late
