"""Files of others: what is no regular file, too large or elsewhere ends in one sentence, at once."""

import os
import tracemalloc
from pathlib import Path

import pytest

from nasaudit.errors import DataError, StoreError
from nasaudit.strangers import opened, read_bytes, read_text

MOST = 100
pytestmark = pytest.mark.timeout(10)


def refused(path: Path, inside: Path | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read_text(path, DataError, most=MOST, inside=inside)
    return str(caught.value)


def test_text_is_read_with_any_line_ends(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("é\r\nb\rc\n".encode())
    assert read_text(tmp_path / "a.txt", DataError) == "é\nb\nc\n"


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "got a pipe" in refused(tmp_path / "pipe")
    assert "got a pipe" in refused(tmp_path / "link")
    assert "got a device" in refused(Path("/dev/zero"))
    assert "got a folder" in refused(tmp_path)
    assert "symbolic links" in refused(tmp_path / "loop")
    assert "No such file" in refused(tmp_path / "absent")
    assert "NUL" in refused(tmp_path / "a\0b")
    assert "name too long" in refused(tmp_path / ("a" * 5000))


def test_size_is_bounded_also_where_it_is_not_known_beforehand(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"a" * (MOST + 1))
    assert "at most 100 bytes" in refused(tmp_path / "large")
    (tmp_path / "enough").write_bytes(b"a" * MOST)
    assert len(read_bytes(tmp_path / "enough", DataError, most=MOST)) == MOST
    with pytest.raises(DataError, match="at most 100 bytes"):
        read_bytes(Path("/proc/self/status"), DataError, most=MOST)


def test_text_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    assert "not UTF-8" in refused(tmp_path / "latin")


def test_a_name_that_is_no_utf_8_can_be_printed(tmp_path: Path) -> None:
    refused(tmp_path / os.fsdecode(b"caf\xe9")).encode("utf-8")


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "secret").write_text("secret")
    (home / "link").symlink_to(tmp_path / "secret")
    (home / "file").write_text("ours")
    (home / "other").symlink_to(home / "file")
    assert "leads out of it" in refused(home / "link", home)
    assert "leads out of it" in refused(home / ".." / "secret", home)
    assert "leads out of it" in refused(tmp_path / "secret", home)
    assert read_text(home / "other", DataError, inside=home) == "ours"


def test_the_caller_says_which_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError), opened(tmp_path, StoreError):
        pass


def test_a_bound_asks_for_no_memory(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"abc")
    tracemalloc.start()
    assert read_bytes(tmp_path / "small", DataError, most=2**40) == b"abc"
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()
