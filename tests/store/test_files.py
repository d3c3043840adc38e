import errno
import os
from pathlib import Path

import pytest

from nasaudit.errors import StoreError
from nasaudit.store import files
from nasaudit.store.files import explain_full_disk, is_full_disk, read_text, write_atomically


def test_writing_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "a much longer text\n")
    write_atomically(path, "kürzer\n")
    assert path.read_bytes() == "kürzer\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StoreError, match="is full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_laid_in_the_way_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("years")
    (tmp_path / f".a.txt.{os.getpid()}.tmp").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "a.txt").symlink_to(tmp_path / "elsewhere")
    write_atomically(tmp_path / "a.txt", "new")
    assert (tmp_path / "elsewhere").read_text() == "years"
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.timeout(20)
def test_only_regular_files_of_a_bounded_size_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, link, pipe = (tmp_path / name for name in ("plain", "link", "pipe"))
    plain.write_text("für\r\n", newline="")
    link.symlink_to(plain)
    os.mkfifo(pipe)
    assert read_text(plain) == "für\r\n"
    for path in (link, pipe, tmp_path):
        with pytest.raises(OSError, match=r"symbolic links|not a regular file|Is a directory"):
            read_text(path)
    monkeypatch.setattr(files, "MOST_TEXT", 4)
    with pytest.raises(OSError, match="longer than 4 bytes"):
        read_text(plain)


def wrapped(inner: BaseException) -> BaseException:
    try:
        raise RuntimeError("saving failed") from inner
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EDQUOT, "x"), True),
        (OSError(errno.EFBIG, "x"), True),
        (RuntimeError("cannot write: File too large (os error 27)"), True),
        (OSError(errno.EACCES, "x"), False),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        (wrapped(OSError(errno.ENOSPC, "x")), True),
        (wrapped(ValueError("x")), False),
    ],
)
def test_a_full_disk_is_recognised_also_when_it_is_wrapped(error: BaseException, full: bool) -> None:
    assert is_full_disk(error) is full


def test_other_errors_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), explain_full_disk(tmp_path):
        raise PermissionError(errno.EACCES, "no")
