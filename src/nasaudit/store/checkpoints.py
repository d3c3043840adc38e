"""How far long tasks are: a file beside the records, from which another attempt goes on.

.nasaudit-checkpoints/<digest>-<code>
"""

import contextlib
from pathlib import Path

from nasaudit.errors import StoreError
from nasaudit.plugins import OURS, source_sha256

CHECKPOINTS = ".nasaudit-checkpoints"


def checkpoint_of(store: Path, digest: str) -> Path:
    """Where a task may write how far it is (its folder may not exist yet); what is there is of the same code.

    Args:
        store: the folder of the store.
        digest: of the task.

    Raises:
        StoreError: something else has the folder's name.
    """
    folder = store / CHECKPOINTS
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise StoreError(f"expected checkpoints of nasaudit's in {folder}, found something else; move it")
    return folder / f"{digest}-{source_sha256(OURS)[:12]}"


def forget_checkpoints(store: Path, digest: str) -> None:
    """Remove those of a task that is done, those of older code too."""
    for path in (store / CHECKPOINTS).glob(f"{digest}-*"):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others are there
        (store / CHECKPOINTS).rmdir()
