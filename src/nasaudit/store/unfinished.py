"""Unfinished work: a folder of our own name and with our marker, of which only what we made is ever removed.

A store may lie in a folder that a user keeps other things in, whatever they are called. The name of a folder says
of which task it is, and when it began.
"""

import re
import shutil
import time
from pathlib import Path

from nasaudit.errors import StoreError

NAME = ".nasaudit-unfinished"
MARKER = "made-by-nasaudit"
_OURS = re.compile("([0-9a-f]{8})-([0-9a-f]{12})")
BEGUN_DIGITS = 8  # of a digest, in the name of its folder
_TICK = 10_000  # nanoseconds: twelve hexadecimal digits of these last until 2059


class Unfinished:
    """The folders that tasks write to until their records are published.

    Args:
        store: the folder that it is in, on the same disk as the records.
    """

    def __init__(self, store: Path):
        self.path = store / NAME

    def check(self) -> None:
        """Refuse what has our name and is not ours.

        Raises:
            StoreError: it is a link or a file, or holds something and no marker.
        """
        if not self.path.exists() and not self.path.is_symlink():
            return
        # A run that is killed between two lines of `make` leaves an empty folder.
        ours = self._is_folder() and (self._is_marked() or not any(self.path.iterdir()))
        if not ours:
            raise StoreError(
                f"expected unfinished work in {self.path}, found something that nasaudit did not make; "
                "move it, or choose another folder for the records"
            )

    def make(self) -> None:
        """The folder with its marker, if it is not there."""
        self.check()
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / MARKER).touch()

    def new(self, digest: str) -> Path:
        """An empty folder for the task of this digest."""
        if not self._is_marked():  # code of others can remove anything
            self.make()
        ticks = time.time_ns() // _TICK
        while True:
            folder = self.path / f"{digest[:BEGUN_DIGITS]}-{ticks:012x}"
            try:
                folder.mkdir()
            except FileExistsError:
                ticks += 1
            else:
                return folder

    def begun(self) -> dict[str, float]:
        """When the tasks of these folders began, in seconds since 1970, by the first 8 digits of their digests."""
        if not (self._is_folder() and self._is_marked()):
            return {}
        names = (_OURS.fullmatch(entry.name) for entry in self.path.iterdir())
        return {name[1]: int(name[2], 16) * _TICK / 1e9 for name in names if name}

    def clear(self) -> None:
        """Remove what `new` and `make` made; anything else stays, and the folder with it."""
        if not (self._is_folder() and self._is_marked()):
            return
        for entry in self.path.iterdir():
            if _OURS.fullmatch(entry.name):
                shutil.rmtree(entry, ignore_errors=True)  # which follows no links
        if [entry.name for entry in self.path.iterdir()] == [MARKER]:
            (self.path / MARKER).unlink()
            self.path.rmdir()

    def _is_folder(self) -> bool:
        return self.path.is_dir() and not self.path.is_symlink()

    def _is_marked(self) -> bool:
        return (self.path / MARKER).is_file()
