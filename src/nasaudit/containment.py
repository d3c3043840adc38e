"""What code of others does to a process stays inside a block: seeds, the global dtype, paths, prints, signals.

A user's model is free to call `torch.manual_seed`, `torch.set_default_dtype` or `print`, when it is built and in each
forward pass. The tasks that come after it in the same process must not notice. Nothing here imports torch.
"""

import contextlib
import io
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

SUBNORMAL = 1e-40  # in float32; 0 where the processor is told to flush such numbers
# Of torch.backends: which kernels compute, and how precisely.
SWITCHES = {
    "cudnn": ("enabled", "benchmark", "deterministic", "allow_tf32"),
    "mkldnn": ("enabled",),
}


@contextlib.contextmanager
def contained(seed: int, *, quiet: bool = True) -> Iterator[None]:
    """Global generators begin at `seed`; they and the other global state are put back at the end.

    Args:
        seed: what torch, numpy and Python draw globally inside the block, hangs on it alone.
        quiet: what is printed inside, and warnings, go nowhere.
    """
    with contextlib.ExitStack() as stack:
        nowhere = _Nowhere()
        stack.enter_context(contextlib.redirect_stdout(nowhere if quiet else sys.stdout))
        stack.enter_context(contextlib.redirect_stderr(nowhere if quiet else sys.stderr))
        stack.enter_context(contextlib.chdir("."))
        stack.enter_context(warnings.catch_warnings(action="ignore" if quiet else None))
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state(legacy=True))
        for get, put in _states():
            stack.callback(_put_back, get, put, get())
        torch = sys.modules.get("torch")
        if torch is not None:
            stack.enter_context(torch.random.fork_rng())
            torch.random.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        yield


def _put_back(get: Callable[[], Any], put: Callable[[Any], object], before: Any) -> None:
    """Put back what changed; some of it costs something even where nothing did."""
    if get() != before:
        put(before)


def _states() -> Iterator[tuple[Callable[[], Any], Callable[[Any], object]]]:
    """How to get, and how to put back, each piece of global state."""
    yield np.geterr, lambda handling: np.seterr(**handling)
    yield lambda: list(sys.path), lambda path: sys.path.__setitem__(slice(None), path)
    yield sys.getrecursionlimit, sys.setrecursionlimit
    for number in signal.valid_signals():
        if signal.getsignal(number) is not None:  # a handler that Python does not know of cannot be put back
            yield partial(signal.getsignal, number), partial(signal.signal, number)
    yield lambda: dict(os.environ), _set_environment
    torch = sys.modules.get("torch")
    if torch is None:
        return
    yield torch.get_default_dtype, torch.set_default_dtype
    yield torch.get_default_device, lambda _: torch.set_default_device(None)
    yield torch.get_num_threads, torch.set_num_threads
    yield torch.is_grad_enabled, torch._C._set_grad_enabled
    yield torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly
    yield torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    yield torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode
    yield lambda: torch.is_autocast_enabled("cpu"), lambda on: torch.set_autocast_enabled("cpu", on)
    yield (
        lambda: float(torch.tensor(SUBNORMAL, dtype=torch.float32, device="cpu") * 1.0) == 0.0,
        torch.set_flush_denormal,
    )
    for backend, switches in SWITCHES.items():
        for name in switches:
            owner = getattr(torch.backends, backend)
            yield partial(getattr, owner, name), partial(setattr, owner, name)


def _set_environment(variables: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)


class _Nowhere(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)
