"""Which device each worker gets, found out without importing torch where that is possible."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nasaudit.errors import SpecError

_GPUS = Path("/proc/driver/nvidia/gpus")
# cuBLAS adds up in one order only within a workspace of its own: docs.nvidia.com/cuda/cublas, "Results
# reproducibility". Read when a process first multiplies matrices on a GPU.
_CUBLAS = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"


def worker_devices(device: str, workers: int | None) -> tuple[str, ...]:
    """One device for each worker to start.

    On a CPU that is one worker with one thread for each core: two processes of one thread train a cell
    network about 1.5 times as fast as one process of two. On GPUs it is one worker for each GPU.

    Args:
        device: "auto", "cpu", "cuda" (all GPUs) or "cuda:K".
        workers: how many; None: as many as there are cores or GPUs.

    Raises:
        SpecError: `workers` is below 1, or the device is none of the above or not in this machine.
    """
    if workers is not None and workers < 1:
        raise SpecError("workers", "at least 1", workers)
    if device == "auto":
        device = "cuda" if _gpus_in_use() and _torch_gpus() else "cpu"
    if device == "cpu":
        return ("cpu",) * (workers or cores())
    kind, _, number = device.partition(":")
    if kind != "cuda" or (number and not number.isdecimal()):
        raise SpecError("device", "auto, cpu, cuda or cuda:K", device)
    gpus = _torch_gpus()
    if not gpus or (number and int(number) >= gpus):
        raise SpecError("device", f"a GPU that torch sees (it sees {gpus})", device)
    if number:
        return (device,) * (workers or 1)
    return tuple(f"cuda:{k % gpus}" for k in range(workers or gpus))


@contextmanager
def repeatable(device: str) -> Iterator[None]:
    """Inside the block a GPU uses kernels that add up in the same order each time, so that the same task ends in the
    same bits, resumed or not. An operator that has no such kernel warns, and runs. On a CPU, with one thread, all
    kernels are such.

    Args:
        device: "cpu", "cuda" or "cuda:K".
    """  # noqa: D205
    if not device.startswith("cuda"):
        yield
        return
    import torch

    cudnn: Any = torch.backends.cudnn
    memory: Any = torch.utils.deterministic
    before = torch.get_deterministic_debug_mode(), cudnn.benchmark, memory.fill_uninitialized_memory
    os.environ.setdefault(*_CUBLAS)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Timing kernels to choose the fastest makes a choice that hangs on what else the GPU does. And nothing here reads
    # memory that it has not written, so filling it would be for nothing.
    cudnn.benchmark = memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        mode, cudnn.benchmark, memory.fill_uninitialized_memory = before
        torch.set_deterministic_debug_mode(mode)


def cores() -> int:
    """Cores that this process may use; a container often has fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus_in_use() -> bool:
    """Whether the driver lists a GPU that is not hidden: a look at a folder, not a second of torch."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in {"", "-1"}
    return not hidden and _GPUS.is_dir() and any(_GPUS.iterdir())


def _torch_gpus() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
