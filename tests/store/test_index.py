"""The index is a cache of the records: what it says is what they say, whatever became of it or of them."""

import logging
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.store.naps import Nap, put

from nasaudit.spec.tasks import Task
from nasaudit.store import store as store_module
from nasaudit.store.entries import Entry
from nasaudit.store.index import INDEX_FILE
from nasaudit.store.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The digests of the records that were read as files."""
    read: list[str] = []
    original = store_module.read_entry

    def counting(place: Path, digest: str, *, deep: bool) -> Entry:
        read.append(digest)
        return original(place, digest, deep=deep)

    monkeypatch.setattr(store_module, "read_entry", counting)
    return read


def weights_of(folder: Path, task: Task) -> Path:
    return Store(folder).path(task.digest()) / "weights.bin"


def test_what_the_index_says_is_what_the_record_says(folder: Path, reads: list[str]) -> None:
    record = put(Store(folder), Nap())
    for deep in (False, True):  # the SHA-256 was computed when it was written
        entry = Store(folder).look_up(Nap(), deep=deep)
        assert entry is not None
        for field in ("digest", "kind", "label", "state", "seconds", "finished", "seal", "problem"):
            assert getattr(entry, field) == getattr(record, field)
        assert entry.artefacts == record.artefacts
        assert entry.versions == record.versions
    assert reads == []
    assert Store(folder).look_up(Nap(seed=1)) is None


@pytest.mark.parametrize("kept", [False, True])
def test_without_an_index_all_is_read_and_then_known(folder: Path, reads: list[str], kept: bool) -> None:
    put(Store(folder), Nap())
    (folder / INDEX_FILE).unlink()
    store = Store(folder)
    assert store.look_up(Nap(), deep=True) is not None
    assert reads == [Nap().digest()]
    store.save_index(least=1 if kept else 2)
    assert Store(folder).look_up(Nap(), deep=True) is not None
    assert len(reads) == (1 if kept else 2)


def test_an_altered_artefact_of_the_same_size_and_time_is_found(folder: Path) -> None:
    put(Store(folder), Nap())
    path = weights_of(folder, Nap())
    before = path.stat()
    path.write_bytes(b"Weights")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert Store(folder).look_up(Nap(), deep=True) is None


def test_a_record_that_was_read_without_its_artefacts_is_not_taken_for_verified(
    folder: Path, reads: list[str]
) -> None:
    put(Store(folder), Nap())
    (folder / INDEX_FILE).unlink()
    weights_of(folder, Nap()).write_bytes(b"Weights")
    store = Store(folder)
    assert store.look_up(Nap()) is not None
    assert store.look_up(Nap(), deep=True) is None
    assert len(reads) == 2


@pytest.mark.parametrize("damage", ["gone", "record", "swapped"])
def test_what_became_of_the_files_is_seen(folder: Path, damage: str, caplog) -> None:
    put(Store(folder), Nap())
    put(Store(folder), Nap(seed=1))
    place = Store(folder).path(Nap().digest())
    if damage == "gone":
        shutil.rmtree(place)
    elif damage == "record":
        (place / "record.json").write_text("{}")
    else:
        shutil.rmtree(place)
        shutil.copytree(Store(folder).path(Nap(seed=1).digest()), place)
    with caplog.at_level(logging.WARNING):
        assert Store(folder).look_up(Nap()) is None
    assert Store(folder).look_up(Nap(seed=1)) is not None


@pytest.mark.parametrize(
    "content", [b"", b"rubbish" * 1000, "half", "version", "view", "folder", "pipe", "link"]
)
def test_an_index_that_cannot_be_relied_on_counts_as_absent(folder: Path, content, reads: list[str]) -> None:
    put(Store(folder), Nap())
    path = folder / INDEX_FILE
    whole = path.read_bytes()
    if content == "half":
        path.write_bytes(whole[: len(whole) // 2] + b"\xff" * (len(whole) // 2))
    elif content == "version":
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version = 1")
    elif content == "view":  # that would take for ever
        with sqlite3.connect(path) as database:
            columns = ", ".join(row[1] for row in database.execute("PRAGMA table_info(records)"))
            database.execute("ALTER TABLE records RENAME TO others")
            database.execute(
                "CREATE VIEW records AS WITH RECURSIVE n(k) AS (VALUES(1) UNION ALL SELECT k + 1 FROM n) "
                f"SELECT {columns} FROM others, n"
            )
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.unlink()
        if content == "folder":
            path.mkdir()
        elif content == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to(path)
    store = Store(folder)
    assert store.look_up(Nap()) is not None
    assert reads == [Nap().digest()]
    with store.writing():
        pass
    if content != "folder":
        assert Store(folder).look_up(Nap()) is not None
        assert len(reads) == 1, "a new one was written"


def test_a_folder_that_nothing_can_be_written_to_is_read(folder: Path, monkeypatch) -> None:
    put(Store(folder), Nap())
    (folder / INDEX_FILE).unlink()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "touch", refuse)
    store = Store(folder)
    assert store.look_up(Nap()) is not None
    store.save_index()
    assert not (folder / INDEX_FILE).exists()


def test_runs_that_save_after_each_other_keep_both_lines(folder: Path, reads: list[str]) -> None:
    put(Store(folder), Nap())
    put(Store(folder), Nap(seed=1))
    (folder / INDEX_FILE).unlink()
    first, second = Store(folder), Store(folder)
    first.look_up(Nap())
    second.look_up(Nap(seed=1))
    first.save_index()
    second.save_index()
    third = Store(folder)
    assert all(third.look_up(Nap(seed=seed)) for seed in (0, 1))
    assert len(reads) == 2


def test_a_removed_record_leaves_the_index(folder: Path) -> None:
    put(Store(folder), Nap())
    store = Store(folder)
    with store.writing():
        store.remove(Nap().digest())
    with sqlite3.connect(folder / INDEX_FILE) as database:
        assert database.execute("SELECT count(*) FROM records").fetchone() == (0,)
