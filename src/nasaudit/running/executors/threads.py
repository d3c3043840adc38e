"""One thread for each worker. It is faster side by side, and the order of floating-point sums, and with
it every figure, is then the same with every executor and every number of workers.
"""  # noqa: D205

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Read by OpenMP (torch), MKL and OpenBLAS (numpy) when they are loaded.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

# Read by glibc when a process starts: keep the memory that a training step frees. By default every large block
# goes back to the system, and the next step pays to have it mapped again, page by page (docs/performance.md has
# what that costs). Other C libraries ignore it.
KEEP_FREED_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(2**26),
}


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold this process to one thread of torch inside the block, also if torch is only imported there."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    threads = _set_torch_threads(1)
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _set_torch_threads(threads or _default_threads())


def _set_torch_threads(count: int) -> int | None:
    """Set torch's threads if it is imported already; the number before, or None."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    before: int = torch.get_num_threads()
    torch.set_num_threads(count)
    return before


def _default_threads() -> int:
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else os.cpu_count() or 1


def worker_environment() -> dict[str, str]:
    """The environment of a worker process: one thread, freed memory kept, this process's module path.

    The working folder is on no path, neither of the worker nor of any Python that it starts: a `queue.py`, or the
    metadata of a plugin, that lies beside somebody's data would be run.
    """
    safe = {"PYTHONSAFEPATH": "1", "PYTHONPATH": module_path()}
    return {**os.environ, **ONE_THREAD, **KEEP_FREED_MEMORY, **safe}


def module_path() -> str:
    """The module path of this process, without the working folder, for which "" stands."""
    return os.pathsep.join(filter(None, sys.path))
