"""The last words of tasks: what was printed during each, beside the records and no part of them.

    .nasaudit-logs/<digest>.txt

Results do not hang on them: two runs whose code prints something else have equal records.
"""

import os
import stat
from pathlib import Path

from nasaudit.errors import StoreError
from nasaudit.store.files import write_atomically

NAME = ".nasaudit-logs"
KEPT = 20_000  # bytes of each


class Words:
    """The folder that they are in.

    Args:
        store: the folder that it is in.
    """

    def __init__(self, store: Path):
        self.path = store / NAME

    def keep(self, digest: str, words: str, *, durable: bool = True) -> None:
        """The end of what was printed during a task, in place of what was kept before; nothing of a silent one.

        Args:
            digest: of the task.
            words: what was printed.
            durable: wait until they are on the disk; those of a task that runs are written again.

        Raises:
            StoreError: something else has the folder's name, or the disk is full.
        """
        path = self.path / f"{digest}.txt"
        if not words:
            self.forget(digest)
            return
        if not self._is_folder():
            if os.path.lexists(self.path):
                raise StoreError(f"expected logs of nasaudit's in {self.path}, found something else; move it")
            self.path.mkdir(exist_ok=True)
        write_atomically(path, words.encode(errors="replace")[-KEPT:], durable=durable)

    def forget(self, digest: str) -> None:
        """Remove them."""
        if self._is_folder():
            (self.path / f"{digest}.txt").unlink(missing_ok=True)

    def read(self, digest: str) -> str:
        """Those of a task; "" where there are none, or something that is no file of ours."""
        if not self._is_folder():
            return ""
        try:
            descriptor = os.open(self.path / f"{digest}.txt", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return ""
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return ""
            return file.read(KEPT).decode(errors="replace")

    def _is_folder(self) -> bool:
        return self.path.is_dir() and not self.path.is_symlink()
