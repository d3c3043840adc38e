"""A store looked over: what is damaged, what nobody made, and what no study needs any longer."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nasaudit.store.reading import RECORD_FILE, DistrustError, read_record
from nasaudit.store.store import Store

# Goes over digests and may tell somebody how far it is.
Tell = Callable[[Collection[str]], Iterable[str]]


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where."""

    path: Path | str
    what: str


@dataclass(frozen=True)
class Unused:
    """A record that no study needs.

    Attributes:
        digest: of its task.
        label: of its task; "" where the record cannot be read.
        bytes: with its artefacts.
    """

    digest: str
    label: str
    bytes: int


def find_faults(store: Store, tell: Tell = iter) -> Iterator[Fault]:
    """Every record is read with its artefacts, and their SHA-256 compared; what belongs to no record is named.

    A damaged record harms nothing: its task counts as not done. What nobody made is left alone by all commands.
    """
    for digest in tell(store.digests()):
        folder = store.path(digest)
        try:
            record = read_record(folder, digest, deep=True)
        except FileNotFoundError:  # removed in this moment
            continue
        except DistrustError as why:
            yield Fault(folder, f"the record {why}; its task will be done again")
            continue
        known = {RECORD_FILE, *(artefact.file for artefact in record.artefacts.values())}
        for path in sorted(folder.rglob("*")):
            if not path.is_dir() and path.relative_to(folder).as_posix() not in known:
                yield Fault(path, f"belongs to no record: {record.label} does not name it")
    records = store.folder / "records"
    for path in sorted(records.glob("*")) if records.is_dir() else ():
        if not path.is_dir():
            yield Fault(path, "belongs to no record")
            continue
        for folder in sorted(path.iterdir()):
            if not (folder / RECORD_FILE).exists():
                yield Fault(folder, f"belongs to no record: it has no {RECORD_FILE}")


def find_unused(store: Store, needed: Collection[str], tell: Tell = iter) -> Iterator[Unused]:
    """The records of other tasks than these.

    Args:
        store: whose records.
        needed: digests of the tasks that are kept.
        tell: see `Tell`.
    """
    for digest in tell(store.digests()):
        if digest in needed:
            continue
        yield Unused(digest, *store.outline(digest))
