import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nasaudit.errors import ConflictError
from nasaudit.store.lock import hold

HOLD_FOREVER = """
import sys, time
from pathlib import Path
from nasaudit.store.lock import hold
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
