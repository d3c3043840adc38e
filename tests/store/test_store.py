import errno
import json
import logging
import os
import shutil
from pathlib import Path

import pytest
from tests.store.naps import Nap, put, record_of

from nasaudit.errors import ConflictError, FormatError, MissingRecordError, StoreError
from nasaudit.measure.estimate import exact
from nasaudit.store import artefacts as artefacts_module
from nasaudit.store import store as store_module
from nasaudit.store.files import FORMAT
from nasaudit.store.records import Problem
from nasaudit.store.store import Store
from nasaudit.store.unfinished import MARKER, NAME


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_a_record_reads_back_as_it_was_written(store: Store) -> None:
    written = put(store, Nap())
    found, folder = store.open(Nap())
    assert found == written
    assert found.measured("length", bed="soft") == exact(1.5, "seconds", bound="lower")
    assert sorted(found.artefacts) == ["deep/other.txt", "weights.bin"]
    assert (folder / "weights.bin").read_bytes() == b"weights"


def test_another_task_has_no_record(store: Store) -> None:
    put(store, Nap())
    assert store.find(Nap(seed=1)) is None
    with pytest.raises(MissingRecordError, match="nap"):
        store.open(Nap(seed=1))


def test_a_later_record_replaces_an_earlier_one(store: Store) -> None:
    put(store, Nap(), b"first")
    put(store, Nap(), b"second")
    assert (store.open(Nap())[1] / "weights.bin").read_bytes() == b"second"


def test_a_failure_is_a_record_without_artefacts(store: Store) -> None:
    problem = Problem(type="ValueError", message="no", traceback="")
    with store.writing():
        folder = store.workspace(Nap())
        (folder / "half").write_bytes(b"written")
        store.commit(record_of(Nap(), state="failed", problem=problem, measurements=()), folder)
    found = store.find(Nap())
    assert found is not None
    assert found.problem == problem
    assert found.artefacts == {}
    assert [path.name for path in store.path(Nap().digest()).iterdir()] == ["record.json"]
    with pytest.raises(MissingRecordError, match="failed"):
        store.open(Nap())


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def alter(path: Path) -> None:
    path.write_bytes(b"Weights")


@pytest.mark.parametrize("damage", [remove, truncate])
def test_a_damaged_artefact_makes_the_record_absent(store, damage, caplog) -> None:
    put(store, Nap())
    damage(store.path(Nap().digest()) / "weights.bin")
    with caplog.at_level(logging.WARNING):
        assert store.find(Nap()) is None
    assert "weights.bin" in caplog.text


def test_an_altered_artefact_is_found_by_its_hash(store: Store) -> None:
    put(store, Nap())
    alter(store.path(Nap().digest()) / "weights.bin")
    assert store.find(Nap()) is not None  # the size is right
    assert store.find(Nap(), deep=True) is None
    with pytest.raises(MissingRecordError):
        store.open(Nap())


def test_every_truncation_of_a_record_makes_it_absent(store: Store) -> None:
    put(store, Nap())
    path = store.path(Nap().digest()) / "record.json"
    whole = path.read_bytes()
    for length in range(len(whole.rstrip()) - 1):
        path.write_bytes(whole[:length])
        assert store.find(Nap()) is None, length


def test_every_flipped_bit_of_a_record_makes_it_absent(store: Store) -> None:
    """A digit of a measurement too, which leaves a record that reads well."""
    written = put(store, Nap())
    path = store.path(Nap().digest()) / "record.json"
    whole = path.read_bytes()
    for position in range(len(whole)):
        flipped = bytes([whole[position] ^ (1 << position % 8)])
        path.write_bytes(whole[:position] + flipped + whole[position + 1 :])
        assert store.find(Nap()) is None, position
    path.write_bytes(whole)
    assert store.find(Nap()) == written


def test_records_of_before_that_have_no_seal_are_read(store: Store) -> None:
    written = put(store, Nap()).model_copy(update={"seal": ""})
    path = store.path(Nap().digest()) / "record.json"
    path.write_text(written.model_dump_json(indent=1, exclude={"seal"}))
    assert store.find(Nap(), deep=True) == written


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[]", b"null", b'{"digest": 3}'])
def test_a_record_of_rubbish_is_absent_with_a_warning(store, content, caplog) -> None:
    put(store, Nap())
    (store.path(Nap().digest()) / "record.json").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert store.find(Nap()) is None
    assert "is damaged" in caplog.text


def test_a_record_in_the_wrong_place_is_absent(store: Store) -> None:
    put(store, Nap())
    put(store, Nap(seed=1))
    ours, theirs = (store.path(Nap(seed=seed).digest()) / "record.json" for seed in (0, 1))
    ours.write_text(theirs.read_text())
    assert store.find(Nap()) is None


def kill_in_the_middle(store: Store) -> Path:
    """What a killed run leaves."""
    with store.writing():
        abandoned = store.workspace(Nap())
        (abandoned / "half").write_bytes(b"x")
        shutil.copytree(store.folder / NAME, store.folder / "copy")
    return (store.folder / "copy").rename(store.folder / NAME) / abandoned.name


def test_what_a_killed_run_left_is_removed_by_the_next(store: Store) -> None:
    abandoned = kill_in_the_middle(store)
    assert (abandoned / "half").exists()
    with store.writing():
        assert [path.name for path in (store.folder / NAME).iterdir()] == [MARKER]
    assert not (store.folder / NAME).exists()


def test_a_users_own_folders_in_a_store_are_left_alone(store: Store) -> None:
    """Whatever they are called; a folder that is a store already is not refused for them."""
    put(store, Nap())
    mine = {"work/thesis.tex": "years", "records/notes.txt": "mine", "00000000-000000000000/x": "mine"}
    for name, text in mine.items():
        (store.folder / name).parent.mkdir(exist_ok=True)
        (store.folder / name).write_text(text)
    put(store, Nap(seed=1))
    assert {name: (store.folder / name).read_text() for name in mine} == mine


def test_what_a_user_laid_among_unfinished_work_stays(store: Store) -> None:
    abandoned = kill_in_the_middle(store)
    (store.folder / NAME / "thesis.tex").write_text("years")
    (store.folder / "elsewhere").mkdir()
    (store.folder / "elsewhere/precious").write_text("years")
    (store.folder / NAME / "0123abcd-0123456789ab").symlink_to(store.folder / "elsewhere")
    put(store, Nap())
    assert not abandoned.exists()
    assert (store.folder / NAME / "thesis.tex").read_text() == "years"
    assert (store.folder / "elsewhere/precious").read_text() == "years"


@pytest.mark.parametrize("kind", ["folder", "link", "file"])
def test_what_has_the_name_of_unfinished_work_and_is_not_ours_is_refused(store: Store, kind: str) -> None:
    place, elsewhere = store.folder / NAME, store.folder.with_name("elsewhere")
    put(store, Nap())
    if kind == "file":
        place.write_text("years")
    else:
        kept = place if kind == "folder" else elsewhere
        kept.mkdir()
        (kept / "0123abcd-0123456789ab").mkdir()
        (kept / "0123abcd-0123456789ab/thesis.tex").write_text("years")
        if kind == "link":
            (elsewhere / MARKER).touch()
            place.symlink_to(elsewhere)
    before = sorted(store.folder.parent.rglob("*"))
    with pytest.raises(StoreError, match="nasaudit did not make; move it"), store.writing():
        pass
    assert sorted(store.folder.parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["work/thesis.tex", "records/2026/notes.txt", "store.txt"])
def test_a_folder_that_holds_other_things_is_refused_and_left_alone(store: Store, name: str) -> None:
    path = store.folder / name
    path.parent.mkdir(parents=True)
    path.write_text("years")
    before = sorted(store.folder.rglob("*"))
    with pytest.raises(ConflictError, match=r"is not empty .* and holds no records; choose"), store.writing():
        pass
    assert sorted(store.folder.rglob("*")) == before
    assert path.read_text() == "years"


@pytest.mark.parametrize("name", [".git/config", ".lock", "lost+found/#12"])
def test_a_folder_with_nothing_that_shows_becomes_a_store(store: Store, name: str) -> None:
    path = store.folder / name
    path.parent.mkdir(parents=True)
    path.write_text("")
    put(store, Nap())
    assert path.exists()


def test_a_users_own_format_file_is_not_replaced(store: Store) -> None:
    store.folder.mkdir()
    (store.folder / "format.json").write_text("[1, 2]")
    with (
        pytest.raises(StoreError, match=r"format\.json is damaged, or nothing of nasaudit's"),
        store.writing(),
    ):
        pass
    assert (store.folder / "format.json").read_text() == "[1, 2]"


def test_a_file_in_the_place_of_a_store_is_refused(store: Store) -> None:
    store.folder.write_text("mine")
    with pytest.raises(StoreError, match="store is a file; choose another folder"), store.writing():
        pass


def test_unfinished_work_that_code_of_others_removed_is_made_again(store: Store) -> None:
    with store.writing():
        shutil.rmtree(store.folder / NAME)
        assert list(store.workspace(Nap()).iterdir()) == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["record.json", "weights.bin"])
def test_a_pipe_in_a_record_is_not_waited_for(store: Store, name: str) -> None:
    put(store, Nap())
    path = store.path(Nap().digest()) / name
    path.unlink()
    os.mkfifo(path)
    assert store.find(Nap(), deep=True) is None


def test_an_artefact_outside_of_its_record_is_not_read(store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"weights")
    for name in ("../../../../secret", str(tmp_path / "secret"), "link", "loop", "a\0b", "a" * 5000):
        record = put(store, Nap())
        folder = store.path(Nap().digest())
        (folder / "link").symlink_to(tmp_path / "secret")
        (folder / "loop").symlink_to(folder / "loop")
        artefact = record.artefacts["weights.bin"].model_copy(update={"file": name})
        altered, text = record.model_copy(update={"artefacts": {"weights.bin": artefact}}).sealed()
        assert altered.is_whole(text)
        (folder / "record.json").write_text(text)
        assert store.find(Nap()) is None


@pytest.mark.parametrize("moment", range(8))
def test_a_crash_at_any_moment_of_a_commit_leaves_a_whole_record_or_none(
    store: Store, moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sync and rename is a point at which a machine may stop; what is on the disk then is all there is."""
    put(store, Nap(), b"old")

    class Crash(BaseException):
        pass

    calls = 0

    def crash_at_moment(original):
        def wrapped(*arguments):
            nonlocal calls
            calls += 1
            if calls == moment + 1:
                raise Crash
            return original(*arguments)

        return wrapped

    for module in (store_module, artefacts_module):
        monkeypatch.setattr(module, "sync", crash_at_moment(module.sync))
    monkeypatch.setattr(store_module, "write_atomically", crash_at_moment(store_module.write_atomically))
    monkeypatch.setattr(Path, "rename", crash_at_moment(Path.rename))
    monkeypatch.setattr(Store, "discard", lambda self, folder: None)  # a dead process cleans nothing up

    def run_until_it_crashes() -> None:
        with store.writing():
            folder = store.workspace(Nap())
            (folder / "weights.bin").write_bytes(b"new")
            store.commit(record_of(Nap()), folder)
            raise Crash  # the last moments lie behind the end of the commit

    with pytest.raises(Crash):
        run_until_it_crashes()
    monkeypatch.undo()
    found = store.find(Nap(), deep=True)
    if found is not None:
        content = (store.path(Nap().digest()) / "weights.bin").read_bytes()
        assert content in (b"old", b"new")
        assert len(content) == found.artefacts["weights.bin"].bytes
    put(store, Nap(), b"newest")
    assert (store.open(Nap())[1] / "weights.bin").read_bytes() == b"newest"


def test_a_full_disk_leaves_nothing_and_says_what_to_do(store, monkeypatch) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with store.writing():
        folder = store.workspace(Nap())
        (folder / "weights.bin").write_bytes(b"x")
        monkeypatch.setattr(artefacts_module, "sync", full)
        with pytest.raises(StoreError, match="free some space"):
            store.commit(record_of(Nap()), folder)
        assert not folder.exists()
    assert store.find(Nap()) is None
    assert not store.path(Nap().digest()).exists()


def test_records_are_plain_json(store: Store) -> None:
    put(store, Nap())
    content = json.loads((store.path(Nap().digest()) / "record.json").read_text())
    assert content["task"] == {"kind": "nap", "seed": 0}
    assert content["artefacts"]["weights.bin"]["bytes"] == 7


@pytest.mark.parametrize(
    ("marker", "age"), [(None, "an earlier"), ('{"format": 1}', "an earlier"), ('{"format": 99}', "a newer")]
)
def test_a_store_of_another_version_is_refused_and_left_alone(
    store: Store, marker: str | None, age: str
) -> None:
    record = put(store, Nap())
    path = store.folder / "format.json"
    path.unlink()
    if marker is not None:
        path.write_text(marker)
    before = sorted(store.folder.rglob("*"))
    again = Store(store.folder)
    sentence = f"store was written by {age} version of nasaudit.*choose another folder for the records"
    with pytest.raises(FormatError, match=sentence):
        again.find(Nap())
    with pytest.raises(FormatError, match=sentence), again.writing():
        pass
    assert sorted(store.folder.rglob("*")) == before
    path.write_text(json.dumps({"format": FORMAT}))
    assert again.find(Nap()) == record
