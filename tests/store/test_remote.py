"""A store at a URL: two mirrors of it, requests that are dropped, contents of strangers."""

import json
import logging
import sys
from functools import partial
from pathlib import Path

import pytest
from fake_objects import Objects, drop
from fake_tasks import fake_plan
from tests.store import naps
from tests.store.naps import Nap, record_of

from nasaudit.errors import ConflictError, FormatError, SpecError, StoreError
from nasaudit.running.executors.base import RunContext
from nasaudit.running.executors.serial import Serial
from nasaudit.running.run import run_plan
from nasaudit.store.archives import moving
from nasaudit.store.files import FORMAT
from nasaudit.store.records import Artefact, Problem
from nasaudit.store.remote import bucket
from nasaudit.store.remote.mirrored import RemoteStore
from nasaudit.store.remote.places import mirror_of, named_store, store_at, url_of
from nasaudit.store.store import Store

URL = "memory://bucket/records-of-us"
ROOT = "/bucket/records-of-us"
PROBLEM = Problem(type="ValueError", message="bad luck", traceback="")
put = partial(naps.put, beside=("empty.txt", b""))


@pytest.fixture
def server(monkeypatch):
    made = Objects(skip_instance_cache=True)
    monkeypatch.setattr(bucket, "_connect", lambda url: (made, ROOT))
    monkeypatch.setattr(bucket, "WAITS", (0.0, 0.0))
    return made


@pytest.fixture
def here(server, tmp_path):
    return RemoteStore(URL, tmp_path / "here")


@pytest.fixture
def there(server, tmp_path):
    """Another machine's."""
    return RemoteStore(URL, tmp_path / "there")


def test_what_one_machine_made_another_one_finds(here, there, server):
    assert there.find(Nap()) is None
    made = put(here, Nap())
    there = RemoteStore(URL, there.folder)
    record, folder = there.open(Nap())
    assert record == made
    assert folder.is_relative_to(there.folder)
    assert (folder / "weights.bin").read_bytes() == b"weights"
    assert (folder / "deep" / "empty.txt").read_bytes() == b""
    asked = len(server.asked)
    assert there.find(Nap(), deep=True) == made
    assert there.find(Nap(seed=1)) is None
    assert len(server.asked) == asked, "what is here, and what a list says is not there, is not asked for"
    assert not list((there.folder / ".nasaudit-fetched").iterdir())


def test_record_json_is_written_last_and_names_its_artefacts(here, server):
    made = put(here, Nap())
    place = f"{ROOT}/records/{made.digest[:2]}/{made.digest}"
    assert set(server.objects) == {
        f"{ROOT}/format.json",
        f"{place}/record.json",
        f"{place}/{made.seal}/weights.bin",
        f"{place}/{made.seal}/deep/empty.txt",
    }
    assert list(server.objects)[-1] == f"{place}/record.json"


def test_a_record_that_is_made_again_replaces_all_of_the_old_one(here, there, server):
    put(here, Nap())
    made = put(here, Nap(), b"better")
    assert {path.split("/")[-2] for path in server.objects if path.endswith(".bin")} == {made.seal}
    assert (there.open(Nap())[1] / "weights.bin").read_bytes() == b"better"


def test_two_machines_that_do_the_same_at_once_do_not_mix_what_they_leave(here, there, tmp_path, monkeypatch):
    put(here, Nap(), b"of here")
    with monkeypatch.context() as patch:  # it looked before
        patch.setattr(there._shelf, "read", lambda digest: (_ for _ in ()).throw(FileNotFoundError))
        made = put(there, Nap(), b"of there")
    third = RemoteStore(URL, tmp_path / "third")
    assert third.open(Nap())[0] == made
    assert "belongs to no record" in fault_of(third), "what the other one left is named"
    assert here.open(Nap())[0].seal != made.seal, "each keeps its own"


def test_a_failure_is_replaced_by_what_another_machine_got_done(here, there):
    put(here, Nap(), state="failed", problem=PROBLEM)
    assert there.find(Nap()).state == "failed"
    assert put(here, Nap(), b"done").state == "ok"
    with there.writing():
        assert there.find(Nap()).state == "ok"
    assert there.open(Nap())[1].joinpath("weights.bin").read_bytes() == b"done"


def test_a_damaged_mirror_is_mended(here, server):
    put(here, Nap())
    (here.path(Nap().digest()) / "weights.bin").write_bytes(b"weighty")
    assert RemoteStore(URL, here.folder).open(Nap())[1].joinpath("weights.bin").read_bytes() == b"weights"


def test_a_mirror_is_read_without_the_server(here, server):
    made = put(here, Nap())
    server.trouble = drop(lambda number: True)
    assert RemoteStore(URL, here.folder).open(Nap())[0] == made
    with pytest.raises(StoreError, match="does not answer"):
        RemoteStore(URL, here.folder).find(Nap(seed=1))


def test_what_was_not_uploaded_is_by_the_next_run(here, there, server):
    server.trouble = drop(
        lambda number: server.asked[number] == "put_file" and server.asked.count("put_file") > 1
    )
    with pytest.raises(StoreError, match=r"does not answer.*run the same command again.*is kept"):
        put(here, Nap())
    assert here.find(Nap()).state == "ok"
    assert here.waiting() == [Nap().digest()]
    server.trouble = drop(lambda number: False)
    assert there.find(Nap()) is None
    with here.writing():
        assert here.waiting() == []
    assert RemoteStore(URL, there.folder).open(Nap())[0] == here.find(Nap())


@pytest.mark.parametrize(
    ("error", "match"),
    [
        (PermissionError, "cannot be used: PermissionError"),
        (type("NoCredentialsError", (Exception,), {}), "cannot be used: NoCredentialsError"),
        (FileNotFoundError, "make the bucket first"),
    ],
)
def test_what_does_not_pass_is_told_at_once(here, server, error, match):
    server.trouble = drop(lambda number: server.asked[number] == "put_file", error)
    with pytest.raises(StoreError, match=match):
        put(here, Nap())
    assert server.asked.count("put_file") == 1


@pytest.mark.parametrize("late", [False, True], ids=["lost requests", "lost answers"])
@pytest.mark.parametrize(
    ("lasts", "error"),
    [(1, TimeoutError), (1000, ConnectionError), (1, KeyboardInterrupt)],
    ids=["once", "for good", "stopped"],
)
def test_a_request_may_be_dropped_at_any_moment(server, tmp_path, late, lasts, error, caplog):
    """What runs writes goes through, or ends with a StoreError and goes on when the server is back."""
    caplog.set_level(logging.ERROR)
    for first in range(1000):
        server.reset()
        dropped = range(first, first + lasts)
        server.late, server.trouble = late, drop(dropped.__contains__, error)
        mirror, made = tmp_path / str(first), []
        ended = go_through(do_all, RemoteStore(URL, mirror), made)
        reached = len(server.asked) > first
        assert ended == (reached and error is not TimeoutError)
        server.trouble = drop(lambda number: False)
        if ended:
            do_all(RemoteStore(URL, mirror), made)
        assert sorted(made) == [0, 1], "each is done once"
        assert RemoteStore(URL, mirror).waiting() == []
        do_all(RemoteStore(URL, tmp_path / f"{first} elsewhere"), made)
        assert sorted(made) == [0, 1], "another machine has all of it"
        if not reached:
            assert first > 12
            return


def test_a_run_whose_server_goes_away_is_gone_on_with_to_the_same_table(server, tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    expected = run_study(tmp_path / "undisturbed", tmp_path / "mirror")
    requests = len(server.asked)
    for first in range(5, requests, requests // 4):
        server.reset()
        server.trouble = drop(lambda number, first=first: number >= first)
        out, mirror = tmp_path / f"{first} here", tmp_path / f"{first} mirror"
        with pytest.raises(StoreError, match="does not answer"):
            run_study(out, mirror)
        server.trouble = drop(lambda number: False)
        assert run_study(out, mirror) == expected
        assert (
            run_study(tmp_path / f"{first} there", tmp_path / f"{first} other", do_nothing=True) == expected
        )


HOSTILE = [
    ({"artefacts": {"w": {"file": "../../../up.bin", "sha256": "0" * 64, "bytes": 7}}}, "no file of its own"),
    ({"artefacts": {"w": {"file": "/tmp/up.bin", "sha256": "0" * 64, "bytes": 7}}}, "no file of its own"),
    ({"artefacts": {"w": {"file": "a/../../b", "sha256": "0" * 64, "bytes": 7}}}, "no file of its own"),
    ({"artefacts": {"w": {"file": "record.json", "sha256": "0" * 64, "bytes": 7}}}, "no file of its own"),
    ({"artefacts": {"w": {"file": "a\\b", "sha256": "0" * 64, "bytes": 7}}}, "no file of its own"),
    ({"artefacts": {"w": {"file": "w" * 300, "sha256": "0" * 64, "bytes": 7}}}, "no file of its own"),
    ({"artefacts": {"w": {"file": "weights.bin", "sha256": "0" * 64, "bytes": -1}}}, "no file of its own"),
    ({"artefacts": {"w": {"file": "weights.bin", "sha256": "0" * 64, "bytes": 2**50}}}, "more than"),
    ({"artefacts": {"w": {"file": "weights.bin", "sha256": "0" * 64, "bytes": 7}}}, "another content"),
    ({"artefacts": {"w": {"file": "absent.bin", "sha256": "0" * 64, "bytes": 7}}}, "lacks an artefact"),
    ({"digest": "0" * 20}, "of another task"),
]


@pytest.mark.parametrize(("changes", "why"), HOSTILE)
def test_a_record_that_cannot_be_relied_on_counts_as_absent(
    here, there, server, tmp_path, changes, why, caplog
):
    made = put(here, Nap())
    place = f"{ROOT}/records/{made.digest[:2]}/{made.digest}"
    forged, text = made.model_copy(update={**changes, "artefacts": {}}).sealed()
    if "artefacts" in changes:
        artefacts = {name: Artefact(**fields) for name, fields in changes["artefacts"].items()}
        forged, text = made.model_copy(update={"artefacts": artefacts}).sealed()
    server.pipe_file(f"{place}/{forged.seal}/weights.bin", b"weighty")
    server.pipe_file(f"{place}/record.json", text.encode())
    before = {path for path in tmp_path.rglob("*") if "there" not in path.parts}
    assert there.find(Nap()) is None
    assert why in caplog.text
    assert why in fault_of(there)
    assert {path for path in tmp_path.rglob("*") if "there" not in path.parts} == before
    assert not list(there.folder.rglob("*.bin"))
    assert put(there, Nap()).state == "ok", "it is done again, and replaces the damaged one"
    assert (
        RemoteStore(URL, tmp_path / "third").open(Nap())[1].joinpath("weights.bin").read_bytes() == b"weights"
    )


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[]", b'{"seal": ""}'])
def test_a_record_that_is_none_counts_as_absent(here, there, server, text):
    made = put(here, Nap())
    server.pipe_file(f"{ROOT}/records/{made.digest[:2]}/{made.digest}/record.json", text)
    assert there.find(Nap()) is None
    assert fault_of(there) == "the record is damaged; its task will be done again"


@pytest.mark.parametrize(
    ("name", "text", "error", "match"),
    [
        ("format.json", json.dumps({"format": FORMAT + 1}), FormatError, "a newer version.*another URL"),
        ("format.json", "{}", StoreError, "is damaged, or nothing of nasaudit's"),
        ("format.json", "[" * 100_000, StoreError, "is damaged, or nothing of nasaudit's"),
        ("photos/cat.jpg", "", ConflictError, "not empty .it holds photos.*a URL below it"),
    ],
)
def test_what_is_no_store_of_this_version_is_refused_and_left_alone(here, server, name, text, error, match):
    server.pipe_file(f"{ROOT}/{name}", text.encode())
    before = server.objects
    for act in (here.check, lambda: put(here, Nap()), lambda: here.find(Nap())):
        with pytest.raises(error, match=match):
            act()
    assert server.objects == before


def test_records_are_listed_weighed_and_removed_at_the_url(here, there, server):
    made = [put(here, Nap(seed=seed)).digest for seed in range(3)]
    assert there.digests() == sorted(made)
    label, size = there.outline(made[0])
    assert (label, size) == here.outline(made[0])
    assert "nap" in label
    with there.writing():
        there.remove(made[0])
    assert not any(made[0] in path for path in server.objects)
    assert RemoteStore(URL, there.folder).digests() == sorted(made[1:])


@pytest.mark.parametrize(
    ("where", "url"),
    [
        ("records", None),
        ("/mnt/records", None),
        ("C:/records", None),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        (Path("s3://bucket/a"), "s3://bucket/a"),
        ("GS://bucket", "gs://bucket"),
        (
            "abfs://container@account.dfs.core.windows.net/x",
            "abfs://container@account.dfs.core.windows.net/x",
        ),
        ("file:///mnt/records", "file:///mnt/records"),
    ],
)
def test_which_texts_are_urls(where, url):
    assert url_of(where) == url


@pytest.mark.parametrize(
    "where",
    [
        *(
            "http://host/x",
            "reference:///x.json",
            "simplecache::s3://bucket/x",
            "s3://",
            "s3://bucket/x?version=1",
        ),
        *(
            "file://host/x",
            "sftp://me:secret@host/x",
            "s3://bucket/a/../../b",
            "zip://x::s3://b/c",
            "s3://b/x\ny",
        ),
    ],
)
def test_urls_that_no_store_may_have_are_refused(where):
    with pytest.raises(SpecError, match=r"^store: expected") as error:
        store_at(where)
    assert "secret" not in str(error.value)


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "adlfs", None)
    with pytest.raises(SpecError, match=r"adlfs to be installed for abfs:// \(pip install adlfs\)"):
        store_at("abfs://container/x")


def test_a_local_url_is_a_folder(tmp_path):
    assert type(store_at(f"file://{tmp_path}/a%20b")) is Store
    assert store_at(f"file://{tmp_path}/a%20b").folder == tmp_path / "a b"


def test_a_server_that_only_a_file_names_is_not_asked(server, tmp_path, monkeypatch):
    """study.json may be a stranger's: no credentials of this user go where it points."""
    monkeypatch.setenv("NASAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NASAUDIT_STORE", raising=False)
    with pytest.raises(StoreError, match=f"not used yet; if you trust it, set NASAUDIT_STORE={URL}"):
        named_store(URL, Path("study.json"))
    assert server.asked == []
    monkeypatch.setenv("NASAUDIT_STORE", URL)
    assert named_store(URL, Path("study.json")).where == URL
    monkeypatch.delenv("NASAUDIT_STORE")
    put(store_at(URL), Nap())
    assert named_store(URL, Path("study.json")).folder == mirror_of(URL)
    assert mirror_of(URL).is_relative_to(tmp_path / "cache")


@pytest.mark.parametrize("cut", range(9))
def test_an_answer_that_ends_early_is_asked_for_again_or_refused(here, there, server, cut):
    put(here, Nap())
    server.asked.clear()
    server.cut = cut
    if cut == 0:
        with pytest.raises(StoreError, match="damaged"):
            there.open(Nap())
        return
    assert there.open(Nap())[1].joinpath("weights.bin").read_bytes() == b"weights"


def fault_of(store: RemoteStore) -> str:
    faults = list(store.faults())
    assert len(faults) == 1
    assert str(faults[0].path).startswith(f"{URL}/records/")
    return faults[0].what


def do_all(store: Store, made: list[int]) -> None:
    """What a run does of two tasks."""
    store.check()
    with store.writing():
        for seed in range(2):
            if store.find(Nap(seed=seed), deep=True) is None:
                made.append(seed)
                folder = store.workspace(Nap(seed=seed))
                (folder / "weights.bin").write_bytes(b"weights")
                store.commit(record_of(Nap(seed=seed)), folder)


def go_through(function, *args) -> bool:
    """Whether a server that does not answer, or a person, ended it."""
    try:
        function(*args)
    except KeyboardInterrupt:
        return True
    except StoreError as error:
        return "does not answer" in str(error) or pytest.fail(str(error))
    return False


def run_study(folder: Path, mirror: Path, *, do_nothing: bool = False) -> bytes:
    """The table of a study of three tasks."""
    store, inputs = RemoteStore(URL, mirror), folder.parent / "inputs"
    context = RunContext(store.folder, inputs)

    def executor():
        assert not do_nothing, "there is nothing left to do"
        return Serial(context)

    planned = fake_plan(inputs, ("darts",), (0,), naps=0)
    run_plan(planned, folder, context, executor, store=store)
    return (folder / "results.csv").read_bytes()


def test_records_that_are_brought_in_come_to_the_url_and_those_there_go_out(
    here, there, tmp_path, monkeypatch
):
    monkeypatch.setattr(moving, "is_of_its_digest", lambda record: True)  # a nap is no task of ours
    source = Store(tmp_path / "source")
    made = put(source, Nap())
    assert moving.import_records(source, here) == moving.Moved(came=1)
    assert RemoteStore(URL, there.folder).find(Nap()) == made
    moved = moving.write_archive(RemoteStore(URL, tmp_path / "third"), tmp_path / "all.tar")
    assert moved == moving.Moved(came=1)
    assert moving.import_records(tmp_path / "all.tar", RemoteStore(URL, tmp_path / "fourth")) == moving.Moved(
        there=1
    )
