"""Processes that code of others starts in a worker, and what a worker does about them: it ends with all of them.

A copy of the worker (`os.fork`) that goes on like the worker itself would do the same task a second time, into the
same folder.
"""

import ctypes
import os
import signal
import sys
import time
from types import FrameType

PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


class Copies:
    """Notices that this process was forked by code that may go on in the copy."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self.made = False
        os.register_at_fork(after_in_parent=self._note)

    def _note(self) -> None:
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            if frame.f_globals.get("__name__") == "multiprocessing.popen_fork":
                return  # which ends the copy itself
            frame = frame.f_back
        self.made = True

    @property
    def is_one(self) -> bool:
        """Whether this process is a copy."""
        return os.getpid() != self._process


def wait_for_the_end() -> None:
    """What a copy does instead of going on."""
    while True:
        time.sleep(3600)


def any_left() -> bool:
    """Whether children of this process are alive; those that are not are taken note of."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def end_all() -> None:
    """End this process and all of its group at once."""
    if os.getpgrp() == os.getpid():  # or else others are in it that are none of ours
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def end_with(parent: int) -> None:
    """Have the kernel end this process when its parent dies, even if it hangs in code that no thread interrupts.

    Only Linux knows how; elsewhere the end of the socket has to do.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before
            end_all()
