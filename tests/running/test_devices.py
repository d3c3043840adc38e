"""What a GPU is told so that it repeats itself. That it does is a test of tests/gpu."""

import os

import torch

from nasaudit.running.devices import repeatable


def settings():
    memory = torch.utils.deterministic.fill_uninitialized_memory
    return torch.get_deterministic_debug_mode(), torch.backends.cudnn.benchmark, memory


def test_a_gpu_adds_up_in_one_order_while_a_task_runs(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    before = settings()
    with repeatable("cuda:1"):
        # 1: an operator without such a kernel warns, as torch.set_deterministic_debug_mode has it.
        assert settings() == (1, False, False)
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert settings() == before


def test_a_cpu_is_left_alone():
    before = settings()
    with repeatable("cpu"):
        assert settings() == before
