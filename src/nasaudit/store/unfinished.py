"""Unfinished work: a folder of our own name and with our marker, of which only what we made is ever removed.

A store may lie in a folder that a user keeps other things in, whatever they are called. The name of a folder says
of which task it is, and when it began.
"""

import contextlib
import re
import shutil
import time
from pathlib import Path

from nasaudit.errors import StoreError
from nasaudit.store.lock import claim, is_locked, release

NAME = ".nasaudit-unfinished"
MARKER = "made-by-nasaudit"
CLAIMS = "claims"  # a file for each task that a run is at, locked by it
_DIGEST = re.compile("[0-9a-f]{20}")
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
        self.claims = self.path / CLAIMS
        self._claims: dict[str, int] = {}  # descriptors of the locks, by digest

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

    def claim(self, digest: str) -> bool:
        """Take a task for this run, until `release`: no other run does it meanwhile; False: another one has it.

        What this run has already is taken.
        """
        if digest in self._claims:
            return True
        while True:
            if not self._is_marked():
                self.make()
            try:
                self.claims.mkdir(exist_ok=True)
                descriptor = claim(self.claims / digest)
            except FileNotFoundError:  # another run ended, and removed the folder as it was empty
                continue
            if descriptor is not None:
                self._claims[digest] = descriptor
            return descriptor is not None

    def release(self, digest: str) -> None:
        """Give a task back, whether it was done or not."""
        descriptor = self._claims.pop(digest, None)
        if descriptor is not None:
            release(descriptor, self.claims / digest)

    def release_all(self) -> None:
        """Give all back that this run has."""
        for digest in list(self._claims):
            self.release(digest)

    def is_claimed(self, digest: str) -> bool:
        """Whether a run has the task, this one or another."""
        return is_locked(self.claims / digest)

    def begun(self) -> dict[str, float]:
        """When the tasks that run began, in seconds since 1970, by the first 8 digits of their digests."""
        if not (self._is_folder() and self._is_marked()):
            return {}
        claimed = self._claimed()
        names = (_OURS.fullmatch(entry.name) for entry in self.path.iterdir())
        return {name[1]: int(name[2], 16) * _TICK / 1e9 for name in names if name and name[1] in claimed}

    def clear(self) -> None:
        """Remove what runs that ended have left of what `new` made; anything else stays.

        What a living run is at is left alone: its tasks are claimed.
        """
        if not (self._is_folder() and self._is_marked()):
            return
        # Before the claims are looked at: who makes a folder has claimed its task already.
        entries = [entry for entry in self.path.iterdir() if _OURS.fullmatch(entry.name)]
        claimed = self._claimed()
        for entry in entries:
            if entry.name[:BEGUN_DIGITS] not in claimed:
                shutil.rmtree(entry, ignore_errors=True)  # which follows no links
        for path in self._claim_files():
            if (descriptor := claim(path)) is not None:
                release(descriptor, path)
        with contextlib.suppress(OSError):  # some are held
            self.claims.rmdir()

    def remove(self) -> None:
        """Remove the folder too, if there is nothing else in it; inside of a lock that no other run shares."""
        if not (self._is_folder() and self._is_marked()):
            return
        if [entry.name for entry in self.path.iterdir()] == [MARKER]:
            (self.path / MARKER).unlink()
            self.path.rmdir()

    def _claimed(self) -> set[str]:
        """The first digits of the digests of all tasks that runs have."""
        return {path.name[:BEGUN_DIGITS] for path in self._claim_files() if is_locked(path)}

    def _claim_files(self) -> list[Path]:
        if self.claims.is_symlink() or not self.claims.is_dir():
            return []
        return [path for path in self.claims.iterdir() if _DIGEST.fullmatch(path.name)]

    def _is_folder(self) -> bool:
        return self.path.is_dir() and not self.path.is_symlink()

    def _is_marked(self) -> bool:
        return (self.path / MARKER).is_file()
