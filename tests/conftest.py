"""Shared by all tests: one thread for torch, since two pytest workers run side by side."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
