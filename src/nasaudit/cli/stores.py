"""The commands that look after records."""

import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated

import typer

from nasaudit.cli.options import Json, print_json, say

Place = Annotated[
    str, typer.Argument(metavar="DIR|URL", help="A folder or a URL of records, or a study's folder.")
]


def verify(place: Place, as_json: Json = False) -> None:
    """Read every record and compare the SHA-256 of its files; name what belongs to none. Nothing is changed."""
    from nasaudit.results.opened import store_of
    from nasaudit.store.remote.mirrored import RemoteStore
    from nasaudit.store.upkeep import find_faults

    store = store_of(place)
    faults = list(store.faults(_shown) if isinstance(store, RemoteStore) else find_faults(store, _shown))
    if as_json:
        found = [{"path": str(fault.path), "what": fault.what} for fault in faults]
        print_json({"store": store.where, "records": len(store.digests()), "faults": found})
    else:
        for fault in faults:
            say(f"{fault.path}: {fault.what}")
        say(f"{store.where}: {len(store.digests())} records, {len(faults)} faults")
    if faults:
        raise typer.Exit(1)


def collect_garbage(
    place: Place,
    keep: Annotated[
        list[Path] | None, typer.Option(metavar="STUDY", help="Folder of a study whose records are kept.")
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove them. [default: say what would be removed]")
    ] = False,
    as_json: Json = False,
) -> None:
    """Remove the records that none of these studies needs."""
    from nasaudit.errors import InputError
    from nasaudit.results.folder import STUDY_FILE
    from nasaudit.results.opened import StudyOnDisk, store_of
    from nasaudit.store.upkeep import find_unused

    store = store_of(place)
    studies = [*(keep or ()), *([Path(place)] if Path(place, STUDY_FILE).exists() else ())]
    if not studies:
        raise InputError("store gc: expected --keep STUDY, the folder of each study whose records are kept")
    needed = {task.digest() for study in studies for task in StudyOnDisk.of(study).unfolding().plan.tasks}
    with store.writing(alone=remove):
        unused = list(find_unused(store, needed, _shown))
        for record in unused if remove else ():
            store.remove(record.digest)
    size = sum(record.bytes for record in unused)
    if as_json:
        print_json(
            {
                "store": store.where,
                "removed": remove,
                "bytes": size,
                "records": [
                    {"digest": record.digest, "label": record.label, "bytes": record.bytes}
                    for record in unused
                ],
            }
        )
        return
    for record in unused:
        say(f"{record.digest[:12]} {record.label or 'that cannot be read'} ({record.bytes / 1e6:.1f} MB)")
    done = "removed" if remove else "would be removed; --remove does it"
    say(f"{store.where}: {len(unused)} records, {size / 1e6:.1f} MB, {done}")


def _shown(digests: Collection[str]) -> Iterable[str]:
    """The same, with a bar and the time left on a terminal's stderr."""
    from rich.console import Console
    from rich.progress import track

    console = Console(file=sys.stderr)
    return track(digests, "records", console=console, transient=True, disable=not console.is_terminal)
