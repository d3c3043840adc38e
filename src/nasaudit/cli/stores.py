"""The commands that look after records."""

import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasaudit.cli.options import Json, print_json, say

if TYPE_CHECKING:
    from nasaudit.store.archives.moving import Moved

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


def export(
    place: Place,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="FILE.tar: all records; FILE.parquet: their figures.")
    ],
    images: Annotated[
        bool, typer.Option("--images", help="With FILE.parquet: a row an image, not a row a figure.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the records to an archive that `store import` takes, or their figures to a table."""
    from nasaudit.errors import InputError
    from nasaudit.results.large.whole import write_table
    from nasaudit.results.opened import store_of
    from nasaudit.store.archives.moving import write_archive

    store = store_of(place)
    if out.suffix == ".parquet":
        rows = write_table(store, out, images=images, tell=_shown)
        print_json({"file": str(out), "rows": rows}) if as_json else say(f"{out}: {rows} rows")
        return
    if out.suffix != ".tar" or images:
        expected = "--out FILE.parquet beside --images" if images else "--out FILE.tar or FILE.parquet"
        raise InputError(f"store export: expected {expected}, got {out}")
    _tell_of(write_archive(store, out, _shown), str(out), as_json)


def take_in(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A store, or an archive of `store export`.")
    ],
    into: Annotated[str, typer.Option("--into", metavar="DIR|URL", help="The store that they go to.")],
    as_json: Json = False,
) -> None:
    """Bring the records of another store or of an archive into a store; those that are there stay."""
    from nasaudit.results.folder import STUDY_FILE
    from nasaudit.results.opened import store_of
    from nasaudit.store.archives.moving import import_records
    from nasaudit.store.remote.places import store_at, url_of

    is_study = url_of(into) is None and Path(into, STUDY_FILE).exists()
    target = store_of(into) if is_study else store_at(into)
    is_file = url_of(source) is None and not Path(source).is_dir()
    _tell_of(
        import_records(Path(source) if is_file else store_of(source), target, _shown), target.where, as_json
    )


def _tell_of(moved: "Moved", place: str, as_json: bool) -> None:
    """What became of records; exit code 1 where some were refused."""
    refused = len(moved.refused) + moved.more
    if as_json:
        names = [{"name": name, "why": why} for name, why in moved.refused]
        print_json(
            {"to": place, "came": moved.came, "there": moved.there, "refused": refused, "names": names}
        )
    else:
        for name, why in moved.refused:
            say(f"{name}: {why}")
        there = f", {moved.there} were there" if moved.there else ""
        say(f"{place}: {moved.came} records came{there}, {refused} refused")
    if refused:
        raise typer.Exit(1)


def _shown(digests: Collection[str]) -> Iterable[str]:
    """The same, with a bar and the time left on a terminal's stderr."""
    from rich.console import Console
    from rich.progress import track

    console = Console(file=sys.stderr)
    return track(digests, "records", console=console, transient=True, disable=not console.is_terminal)
