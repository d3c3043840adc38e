"""What code of others does to a process is undone."""

import contextlib
import io
import os
import random
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from nasaudit.containment import contained


def state():
    return {
        "torch": torch.get_rng_state().tolist(),
        "numpy": np.random.get_state()[1].tolist(),
        "python": random.getstate(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.get_deterministic_debug_mode(),
        "folder": Path.cwd(),
        "path": list(sys.path),
        "environment": dict(os.environ),
        "filters": list(warnings.filters),
        "streams": (sys.stdout, sys.stderr),
        "signals": (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)),
        "numpy errors": np.geterr(),
        "recursion": sys.getrecursionlimit(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "subnormal": (torch.tensor(1e-40) * 1).item(),
        "kernels": (torch.backends.mkldnn.enabled, torch.backends.cudnn.benchmark),
    }


def misbehave(folder):
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    torch.set_num_threads(torch.get_num_threads() + 1)
    torch.use_deterministic_algorithms(True)
    os.chdir(folder)
    os.environ["OF_A_MODEL"] = "1"
    sys.path.append("of a model")
    warnings.simplefilter("error")
    sys.stdout.write("hello")
    sys.stderr.write("hello")
    sys.stdout = sys.stderr = io.StringIO()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: None)
    np.seterr(all="raise")
    sys.setrecursionlimit(sys.getrecursionlimit() + 100)
    torch.set_autocast_enabled("cpu", True)
    torch.set_flush_denormal(True)
    torch.backends.mkldnn.enabled = False
    torch.backends.cudnn.benchmark = not torch.backends.cudnn.benchmark


@pytest.mark.parametrize("quiet", [True, False])
@pytest.mark.parametrize("end", [None, RuntimeError, SystemExit])
def test_all_that_a_module_can_change_is_put_back_however_it_ends(end, quiet, tmp_path, capsys):
    before = state()
    with contextlib.suppress(RuntimeError, SystemExit), contained(0, quiet=quiet):
        misbehave(tmp_path)
        if end:
            raise end
    after = state()
    changed = [name for name in before if before[name] != after[name]]
    assert not changed
    assert capsys.readouterr() == (("", "") if quiet else ("hello", "hello"))


def test_what_is_drawn_hangs_on_the_seed_alone():
    def draw(seed):
        with contained(seed):
            return torch.rand(1).item(), np.random.rand(), random.random()

    first = draw(3)
    torch.rand(5)
    assert draw(3) == first
    assert not set(draw(4)) & set(first)


def test_a_task_can_print_where_prints_are_wanted(capsys):
    with contained(0, quiet=False):
        sys.stdout.write("progress\n")
    assert capsys.readouterr().out == "progress\n"


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_a_default_device_of_the_callers_does_not_matter(device):
    with torch.device(device), contained(0):
        assert torch.ones(2).device.type == device
