"""Records move between stores and archives whole or not at all, and an archive may be a stranger's."""

import io
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nasaudit.errors import FormatError, StoreError
from nasaudit.results.artefacts import attacked
from nasaudit.results.large import whole
from nasaudit.spec.study import StudySpec
from nasaudit.store.archives import moving
from nasaudit.store.archives.moving import Moved, import_records, is_of_its_digest, write_archive
from nasaudit.store.files import FORMAT
from nasaudit.store.reading import read_record
from nasaudit.store.records import Artefact, Record
from nasaudit.store.store import Store

STUDY = {
    "architectures": ["vgg"],
    "data": {"name": "digits", "train_images": 100},
    "seeds": [0],
    "attacks": [{"name": "fgsm", "images": 20}, {"name": "gap"}],
    "analyses": ["topology"],
    "training": {"epochs": 1},
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of a real study: a training, two attacks, an analysis."""
    from nasaudit.running.options import RunOptions
    from nasaudit.running.run import run

    folder = tmp_path_factory.mktemp("study")
    run(StudySpec.parse(STUDY), folder, RunOptions(executor="serial"))
    return Store(folder / "store")


@pytest.fixture(scope="module")
def archive(source: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "records.tar"
    assert write_archive(source, path) == Moved(came=len(source.digests()))
    return path


def content(store: Store) -> dict[str, bytes]:
    records = store.folder / "records"
    return {
        path.relative_to(records).as_posix(): path.read_bytes()
        for path in records.rglob("*")
        if path.is_file()
    }


@pytest.fixture(params=["store", "archive"])
def origin(request, source: Store, archive: Path) -> Path | Store:
    return source if request.param == "store" else archive


def test_records_come_as_they_were_and_only_once(source: Store, origin: Path | Store, tmp_path: Path) -> None:
    target = Store(tmp_path / "target")
    count = len(source.digests())
    assert count == 4
    assert import_records(origin, target) == Moved(came=count)
    assert content(target) == content(source)
    assert import_records(origin, target) == Moved(there=count)
    assert not list(target.folder.glob(".nasaudit-*"))


def test_a_damaged_record_is_replaced_and_a_damaged_one_does_not_come(
    source: Store, origin: Path | Store, tmp_path: Path
) -> None:
    target, copied = Store(tmp_path / "target"), Store(tmp_path / "copied")
    import_records(origin, target)
    first = next(path for path in sorted(target.folder.rglob("*.npz")))
    first.write_bytes(first.read_bytes()[:-1] + b"?")
    shutil.copytree(target.folder, copied.folder)
    moved = import_records(origin, target)
    assert (moved.came, moved.there) == (1, 3)
    assert content(target) == content(source)
    moved = import_records(copied, Store(tmp_path / "other"))
    assert (moved.came, len(moved.refused)) == (3, 1)
    assert "has another content in" in moved.refused[0][1]
    moved = write_archive(copied, tmp_path / "some.tar")
    assert (moved.came, len(moved.refused)) == (3, 1)


def test_equal_records_make_equal_archives(source: Store, archive: Path, tmp_path: Path) -> None:
    write_archive(source, tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == archive.read_bytes()
    with tarfile.open(archive) as other:
        assert len(other.getnames()) == len(content(source)) + 1, "any program reads it"


def test_a_resumed_study_takes_what_came(source: Store, archive: Path, tmp_path: Path) -> None:
    from nasaudit.running.options import RunOptions
    from nasaudit.running.run import run

    import_records(archive, Store(tmp_path / "store"))
    results = run(
        StudySpec.parse(STUDY), tmp_path / "out", RunOptions(mode="read-only", store=tmp_path / "store")
    )
    assert results.rows


def altered(archive: Path, target: Path, change: Callable[[tarfile.TarInfo, bytes], object]) -> Path:
    """A copy in which each entry is what `change` makes of it: (entry, content), several of these, or nothing."""
    with tarfile.open(archive) as old, tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as new:
        for member in old:
            file = old.extractfile(member)
            made = change(member, b"" if file is None else file.read())
            for entry, text in made if isinstance(made, list) else [made] if made else []:
                if entry.isreg():
                    entry.size = len(text)
                new.addfile(entry, io.BytesIO(text))
    return target


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


DIGEST = "0123456789abcdef0123"
HOSTILE = {
    "above": entry("../escaped"),
    "within": entry(f"records/01/{DIGEST}/../../../../escaped"),
    "absolute": entry("/escaped"),
    "elsewhere": entry(f"records/02/{DIGEST}/record.json"),
    "unfinished": entry(".nasaudit-unfinished/claims/x"),
    "index": entry("index.sqlite"),
    "link": entry(f"records/01/{DIGEST}/record.json", tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": entry(f"records/01/{DIGEST}/record.json", tarfile.LNKTYPE, "format.json"),
    "pipe": entry(f"records/01/{DIGEST}/record.json", tarfile.FIFOTYPE),
    "device": entry(f"records/01/{DIGEST}/record.json", tarfile.CHRTYPE),
    "backslash": entry(f"records/01/{DIGEST}/..\\..\\escaped"),
    "no record": entry(f"records/01/{DIGEST}/weights.safetensors"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_file_of_a_record_stays_outside(archive: Path, tmp_path: Path, name: str) -> None:
    hostile = altered(
        archive,
        tmp_path / "hostile.tar",
        lambda member, text: (
            [(member, text), (HOSTILE[name], b"")] if member.name == "format.json" else (member, text)
        ),
    )
    target = Store(tmp_path / "deep" / "er" / "target")
    moved = import_records(hostile, target)
    assert (moved.came, len(moved.refused)) == (4, 1)
    assert {path.name for path in target.folder.iterdir()} == {
        "format.json",
        ".lock",
        "index.sqlite",
        "records",
    }
    assert not target.path(DIGEST).exists()
    assert not list(tmp_path.rglob("escaped"))
    assert all(not path.is_symlink() for path in target.folder.rglob("*"))


def forged(text: bytes, **changes: object) -> bytes:
    """A record that says something else, with a seal that is right."""
    record = Record.model_validate_json(text)
    return record.model_copy(update=changes).sealed()[1].encode()


FORGERIES = {
    "unsealed": lambda text: text.replace(b'"state": "ok"', b'"state":  "ok"'),
    "another task": lambda text: forged(text, task={**json.loads(text)["task"], "version": 77}),
    "another kind": lambda text: forged(text, kind="nap"),
    "another digest": lambda text: forged(text, digest=DIGEST),
    "another artefact": lambda text: forged(
        text, artefacts={"x": Artefact(file="../" * 8 + "etc/passwd", sha256="0" * 64, bytes=1)}
    ),
    "rubbish": lambda text: b"[" * 100_000,
    "nothing": lambda text: b"",
}


@pytest.mark.parametrize("how", FORGERIES)
def test_a_forged_record_does_not_come(archive: Path, tmp_path: Path, how: str) -> None:
    seen: list[str] = []

    def forge(member: tarfile.TarInfo, text: bytes) -> object:
        if member.name.endswith("record.json") and b'\n "kind": "train"' in text:
            seen.append(member.name.split("/")[2])
            return member, FORGERIES[how](text)
        return member, text

    target = Store(tmp_path / "target")
    moved = import_records(altered(archive, tmp_path / "forged.tar", forge), target)
    assert (moved.came, [name for name, _ in moved.refused]) == (3, seen)
    assert not target.path(seen[0]).exists()


def test_files_that_a_record_does_not_name_and_names_that_come_twice_are_refused(
    archive: Path, tmp_path: Path
) -> None:
    def more(member: tarfile.TarInfo, text: bytes) -> object:
        if not member.name.endswith("record.json"):
            return member, text
        beside = entry(member.name.replace("record.json", "extra"))
        return [(member, text), (beside, b"x")]

    def twice(member: tarfile.TarInfo, text: bytes) -> object:
        return [(member, text)] * (2 if member.name.endswith("record.json") else 1)

    for change, why in ((more, "has files that it does not name"), (twice, "twice")):
        moved = import_records(
            altered(archive, tmp_path / f"{why[-5:]}.tar", change), Store(tmp_path / f"target-{why[-5:]}")
        )
        assert moved.came == 0
        assert all(why in told for _, told in moved.refused)


@pytest.mark.parametrize("length", [0, 100, 512, 1024, 3000, -700])
def test_an_archive_that_is_cut_off_gives_what_is_whole(archive: Path, tmp_path: Path, length: int) -> None:
    path, target = tmp_path / "cut.tar", Store(tmp_path / "target")
    whole_text = archive.read_bytes()
    end = len(whole_text.rstrip(b"\0")) + length if length < 0 else length
    path.write_bytes(whole_text[:end])
    if length in (0, 100, 512):
        with pytest.raises(StoreError, match="no archive of `store export`"):
            import_records(path, target)
        assert not target.folder.exists()
    else:
        moved = import_records(path, target)
        assert moved.came < 4
        assert all(read_record(target.path(digest), digest, deep=True) for digest in target.digests())


def test_every_flipped_byte_of_a_header_is_one_entry_or_the_rest(archive: Path, tmp_path: Path) -> None:
    path, content = tmp_path / "flipped.tar", bytearray(archive.read_bytes())
    for place in range(1024, 1024 + 512, 37):
        flipped = content.copy()
        flipped[place] ^= 0xFF
        path.write_bytes(flipped)
        target = Store(tmp_path / f"target-{place}")
        moved = import_records(path, target)
        assert moved.came + len(moved.refused) >= 1
        assert all(read_record(target.path(digest), digest, deep=True) for digest in target.digests())


def test_sizes_and_numbers_are_bounded(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "MAX_RECORD_BYTES", 10)
    monkeypatch.setattr(moving, "MOST_NAMED", 3)
    moved = import_records(archive, Store(tmp_path / "one"))
    assert (moved.came, len(moved.refused)) == (0, 3)
    assert moved.more > 0
    monkeypatch.undo()
    monkeypatch.setattr(moving, "MAX_FILES", 1)
    moved = import_records(archive, Store(tmp_path / "two"))
    assert moved.came < 4
    assert any("has more than 1 files" in why for _, why in moved.refused)


def test_another_format_is_refused(archive: Path, tmp_path: Path) -> None:
    def newer(member: tarfile.TarInfo, text: bytes) -> object:
        return (
            (member, json.dumps({"format": FORMAT + 1}).encode())
            if member.name == "format.json"
            else (member, text)
        )

    with pytest.raises(FormatError, match="a newer version"):
        import_records(altered(archive, tmp_path / "newer.tar", newer), Store(tmp_path / "target"))


@pytest.mark.timeout(20)
def test_what_is_neither_a_store_nor_an_archive_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello" * 1000)
    os.mkfifo(tmp_path / "pipe")
    for name in ("nowhere", "text", "pipe"):
        with pytest.raises(StoreError):
            import_records(tmp_path / name, Store(tmp_path / "target"))
    assert not (tmp_path / "target").exists()


def test_the_digest_of_every_record_of_a_study_is_that_of_its_task(source: Store) -> None:
    for digest in source.digests():
        record = read_record(source.path(digest), digest, deep=False)
        assert is_of_its_digest(record)
        assert not is_of_its_digest(record.model_copy(update={"digest": DIGEST}))


def test_the_figures_of_a_store_are_those_of_its_records(source: Store) -> None:
    rows = list(whole.figure_rows(source))
    assert all(row.keys() <= whole.FIGURES.keys() for row in rows)
    (rate,) = [
        row
        for row in rows
        if row["metric"] == "asr" and row["setting"].startswith("epsilon=8/255;goal=untargeted;images=all")
    ]
    assert (rate["kind"], rate["architecture"], rate["data"], rate["seed"], rate["attack"]) == (
        "evasion",
        "vgg",
        "digits",
        0,
        "fgsm",
    )
    assert {row["analysis"] for row in rows} == {None, "topology"}


def test_the_images_of_a_store_are_those_of_every_family_that_has_some(source: Store) -> None:
    rows = list(whole.image_rows(source))
    assert all(row.keys() <= whole.IMAGES.keys() for row in rows)
    assert {row["kind"] for row in rows} == {"train", "evasion", "membership"}
    evaded = [row for row in rows if row["kind"] == "evasion"]
    folder = source.path(evaded[0]["digest"])
    assert [row["minimal_epsilon"] for row in evaded] == attacked(folder / "evasion.npz")[
        "minimal_epsilon"
    ].tolist()


def test_the_commands(command, source: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = command("store", "export", source.folder, "--out", "all.tar")
    assert (code, out.splitlines()) == (0, ["all.tar: 4 records came, 0 refused"]), err
    code, out, _ = command("store", "import", "all.tar", "--into", "merged", "--json")
    assert (code, json.loads(out)["came"]) == (0, 4)
    assert command("store", "import", source.folder.parent, "--into", "merged")[1].endswith(
        "merged: 0 records came, 4 were there, 0 refused\n"
    )
    assert command("store", "verify", "merged")[0] == 0
    assert (
        "expected --out FILE.tar or FILE.parquet" in command("store", "export", "merged", "--out", "x.zip")[2]
    )
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, _, err = command("store", "export", "merged", "--out", "x.parquet")
    assert (code, "nasaudit[parquet]" in err) == (2, True)


def test_parquet_files_have_every_row(command, source: Store) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    command("store", "export", source.folder, "--out", "figures.parquet")
    assert pq.read_table("figures.parquet").to_pylist() == [
        {**dict.fromkeys(whole.FIGURES), **row} for row in whole.figure_rows(source)
    ]
    command("store", "export", source.folder, "--out", "images.parquet", "--images")
    assert pq.read_table("images.parquet").num_rows == len(list(whole.image_rows(source)))
