"""The file from which interrupted work goes on: a pickle of tensors, numbers, text and containers, never of code."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

SPACING = 20.0  # seconds between two writings: an epoch that ends earlier is not worth one

_log = logging.getLogger(__name__)


class Bookmark:
    """How far a task is.

    Args:
        path: of the file, in a folder that is made; None: nothing is written, and the work begins anew.
        spacing: seconds between two writings.

    Attributes:
        earlier: seconds that attempts before this one took, once it was read.
    """

    def __init__(self, path: Path | None, spacing: float | None = None):
        self.path = path
        self.earlier = 0.0
        self._spacing = SPACING if spacing is None else spacing
        self._started = self._written = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to write."""
        return self.path is not None and time.monotonic() - self._written >= self._spacing

    def write(self, state: Mapping[str, Any]) -> None:
        """Replace the file; a crash leaves the old one or the new."""
        assert self.path is not None
        self.path.parent.mkdir(exist_ok=True)
        beside = self.path.with_name(f"{self.path.name}.part")
        torch.save({**state, "seconds": self.earlier + time.monotonic() - self._started}, beside)
        beside.replace(self.path)
        self._written = time.monotonic()

    def read(self) -> dict[str, Any] | None:
        """What was written, on the CPU; None: nothing, or nothing whole, which is said."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, weights_only=True, map_location="cpu")
            self.earlier = state["seconds"]
        except Exception as error:  # whatever a damaged archive raises
            _log.warning("%s cannot be read, so the task begins anew: %s", self.path, error)
            return None
        return state
