"""Parcels: the files of a folder as bytes, which travel where no file system is shared.

Both ends are one user's processes of one version of the code, which trust each other as Ray itself makes them do; a
name that leads out of the folder is refused all the same.
"""

from collections.abc import Mapping
from pathlib import Path

from nasaudit.errors import StoreError

Parcel = Mapping[str, bytes]


def pack(folder: Path) -> dict[str, bytes]:
    """All files of a folder, by their paths relative to it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def unpack(parcel: Parcel, folder: Path) -> None:
    """Write the files of a parcel into a folder, which is made.

    Raises:
        StoreError: a name leads out of the folder; nothing was written.
    """
    for name in parcel:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise StoreError(f"expected files of one folder, got {name!r}")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in parcel.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
