"""Let the C allocator keep the memory that a training step frees.

By default glibc hands every large block back to the system, and the next step pays for mapping it again, page by
page: on a CPU that was over a third of a training step of a cell network (docs/performance.md).
"""

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # malloc.h


def keep_freed_memory() -> bool:
    """Tell glibc to serve large blocks from a heap that it keeps; True where that was possible.

    It holds for the whole process, so only worker processes and the command line call it.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library: nothing to tune, nothing lost
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 64 * 2**20))
    accepted = [mallopt(option, value) == 1 for option, value in settings]
    return all(accepted)
