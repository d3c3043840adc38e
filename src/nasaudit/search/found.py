"""The cells that a search found, as a file: what `audit` takes, with where they come from. No torch."""

import json
from pathlib import Path
from typing import Any, Self

from pydantic import Field

from nasaudit.documents import parse_json
from nasaudit.errors import StoreError
from nasaudit.spec.base import Spec
from nasaudit.spec.genotype import Genotype
from nasaudit.strangers import read_text

MAX_BYTES = 2**26


class FoundCells(Spec):
    """Cells with their provenance, and what the search went through.

    Attributes:
        genotype: the cells; of NAS-Bench-201 its text.
        provenance: method, space, seed, data, ...
        trace: an entry an epoch or round.
        search: the entry of the study that found them, where they are one of several; else empty.
    """

    genotype: Genotype | str
    provenance: dict[str, str]
    trace: tuple[dict[str, Any], ...] = Field(default=())
    search: str = Field(default="", exclude_if=lambda value: not value)

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(self.model_dump(mode="json")), encoding="utf-8")

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """What `write` wrote.

        Raises:
            StoreError: it cannot be read, or is damaged.
        """
        return cls.parse(parse_json(read_text(path, StoreError, most=MAX_BYTES), str(path)), str(path))
