import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nasaudit.errors import ConflictError
from nasaudit.store.lock import LOCK_FILE, hold

HOLD_FOREVER = """
import sys, time
from pathlib import Path
from nasaudit.store.lock import LOCK_FILE, hold
with hold(Path(sys.argv[1])):
    sys.stdout.write("held\\n"); sys.stdout.flush()
    time.sleep(600)
"""


def test_the_second_holder_is_told_who_is_the_first(tmp_path: Path) -> None:
    with hold(tmp_path), pytest.raises(ConflictError, match=f"process {os.getpid()} on"), hold(tmp_path):
        pass


def test_the_lock_is_free_after_the_block_and_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold(tmp_path):
        raise ZeroDivisionError
    with hold(tmp_path):
        pass


def test_the_lock_dies_with_a_killed_process(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_FOREVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ConflictError, match=f"process {holder.pid} on"), hold(tmp_path):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with hold(tmp_path):
        pass


@pytest.mark.parametrize("content", ["mine", '{"process": "mine"}', "[]"])
def test_a_users_own_file_of_the_name_is_not_emptied(tmp_path: Path, content: str) -> None:
    (tmp_path / LOCK_FILE).write_text(content)
    with pytest.raises(ConflictError, match="nasaudit did not write; move it"), hold(tmp_path):
        pass
    assert (tmp_path / LOCK_FILE).read_text() == content


def test_a_link_or_a_pipe_in_the_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    for name in ("link", "pipe", "folder"):
        (tmp_path / name).mkdir()
    (tmp_path / "target").touch()
    (tmp_path / "link" / LOCK_FILE).symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "pipe" / LOCK_FILE)
    (tmp_path / "folder" / LOCK_FILE).mkdir()
    for name in ("link", "pipe", "folder"):
        with pytest.raises(ConflictError, match="nasaudit did not write"), hold(tmp_path / name):
            pass
    assert (tmp_path / "target").read_text() == ""


@pytest.mark.parametrize("content", [b"", b"\0" * 70, b'{"process": 12, "ho'])
def test_a_lock_that_a_power_failure_or_a_full_disk_left_is_taken(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LOCK_FILE).write_bytes(content)
    with hold(tmp_path):
        pass
