"""Plain tar archives as strangers may hand them over: an entry after the other, nothing followed, nothing expanded.

Python's `tarfile` reads far more than this (links, devices, sparse files, extended headers), all of which a stranger
can set to something; what is read here is the ustar format of 1988, and entries of other kinds are named as such.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

BLOCK = 512
_CHECKSUM = slice(148, 156)
_FILES = (b"0", b"\0")
FOLDER = b"5"


class DamagedError(Exception):
    """An archive that ends too early, or is none."""


@dataclass(frozen=True)
class TarEntry:
    """An entry of an archive.

    Attributes:
        name: with slashes; of whatever its author wrote.
        kind: a letter; see `is_file`.
        size: bytes of its content.
        start: where that begins.
    """

    name: str
    kind: bytes
    size: int
    start: int

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.kind in _FILES

    def copy(self, source: IO[bytes], target: IO[bytes]) -> None:
        """Write its content."""
        source.seek(self.start)
        left = self.size
        while left:
            part = source.read(min(left, 2**20))
            if not part:
                raise DamagedError("it is cut off")
            target.write(part)
            left -= len(part)


def entries(file: IO[bytes]) -> Iterator[TarEntry]:
    """All entries, to the end mark or the end of the file.

    Raises:
        DamagedError: what is there is no entry, or its content is not all there.
    """
    length = file.seek(0, 2)
    place = 0
    while place < length:
        file.seek(place)
        header = file.read(BLOCK)
        if header == bytes(BLOCK):
            return
        entry = _entry(header, place + BLOCK)
        place = entry.start + -(-entry.size // BLOCK) * BLOCK
        if entry.start + entry.size > length:
            raise DamagedError("it is cut off")
        yield entry


def _entry(header: bytes, start: int) -> TarEntry:
    blank = header[:148] + b" " * 8 + header[156:]
    if len(header) < BLOCK or _octal(header[_CHECKSUM]) != sum(blank):
        raise DamagedError(f"what stands at byte {start - BLOCK} is no entry")
    prefix, name = _text(header[345:500]), _text(header[:100])
    ustar = header[257:262] == b"ustar"
    return TarEntry(
        f"{prefix}/{name}" if ustar and prefix else name, header[156:157], _octal(header[124:136]), start
    )


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not digits or not set(digits) <= set(b"01234567"):
        raise DamagedError("a number of it cannot be read")
    return int(digits, 8)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", errors="replace")
