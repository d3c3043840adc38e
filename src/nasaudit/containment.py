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
from pathlib import Path
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
        if quiet:
            nowhere = _Nowhere()
            stack.enter_context(contextlib.redirect_stdout(nowhere))
            stack.enter_context(contextlib.redirect_stderr(nowhere))
        stack.enter_context(warnings.catch_warnings(action="ignore" if quiet else None))
        for get, put in _states():
            stack.callback(put, get())
        torch = sys.modules.get("torch")
        if torch is not None:
            stack.enter_context(torch.random.fork_rng())
            torch.random.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        yield


def _states() -> Iterator[tuple[Callable[[], Any], Callable[[Any], object]]]:
    """How to get, and how to put back, each piece of global state."""
    yield random.getstate, random.setstate
    yield lambda: np.random.get_state(legacy=True), np.random.set_state
    yield np.geterr, lambda handling: np.seterr(**handling)
    yield lambda: list(sys.path), lambda path: sys.path.__setitem__(slice(None), path)
    yield lambda: (sys.stdout, sys.stderr), _restore_streams
    yield sys.getrecursionlimit, sys.setrecursionlimit
    yield _signal_handlers, _restore_signal_handlers
    yield Path.cwd, os.chdir
    yield lambda: dict(os.environ), _restore_environment
    torch = sys.modules.get("torch")
    if torch is None:
        return
    yield torch.get_default_dtype, torch.set_default_dtype
    yield torch.is_grad_enabled, torch._C._set_grad_enabled
    yield torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly
    yield torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    yield torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode
    yield lambda: torch.is_autocast_enabled("cpu"), lambda on: torch.set_autocast_enabled("cpu", on)
    yield (
        lambda: float(torch.tensor(SUBNORMAL, device="cpu") * 1.0) == 0.0,
        torch.set_flush_denormal,
    )
    for backend, switches in SWITCHES.items():
        for name in switches:
            yield _attribute(getattr(torch.backends, backend), name)
    yield (
        torch.get_num_threads,
        lambda count: _unless_equal(torch.get_num_threads, torch.set_num_threads, count),
    )
    yield (
        torch.get_default_device,
        lambda was: _unless_equal(torch.get_default_device, lambda _: torch.set_default_device(None), was),
    )


def _attribute(owner: Any, name: str) -> tuple[Callable[[], Any], Callable[[Any], object]]:
    return lambda: getattr(owner, name), lambda value: setattr(owner, name, value)


def _unless_equal(get: Callable[[], Any], put: Callable[[Any], object], value: Any) -> None:
    """Put back what changed; both calls cost something even where nothing did."""
    if get() != value:
        put(value)


def _restore_streams(before: tuple[Any, Any]) -> None:
    sys.stdout, sys.stderr = before


def _signal_handlers() -> dict[int, Any]:
    """Those that Python knows of; others cannot be put back."""
    handlers = {int(number): signal.getsignal(number) for number in signal.valid_signals()}
    return {number: handler for number, handler in handlers.items() if handler is not None}


def _restore_signal_handlers(before: dict[int, Any]) -> None:
    for number, handler in before.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def _restore_environment(before: dict[str, str]) -> None:
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)


class _Nowhere(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)
