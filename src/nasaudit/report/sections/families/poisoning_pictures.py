"""Poisons as pictures: the image as it was, as it is learned from, and the difference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasaudit.report import format
from nasaudit.report.evidence import Evidence
from nasaudit.report.images import data_uri, magnified
from nasaudit.results.schema import Pictures


@dataclass(frozen=True)
class Picture:
    """One poisoned image (data URIs): as it was, as it is learned from, and the difference."""

    clean: str
    poisoned: str
    difference: str
    label: str
    aimed: str
    gain: str
    index: int
    reached: bool


@dataclass(frozen=True)
class Strip:
    """The poisons made for one architecture; `missing` says why there are none."""

    title: str
    pictures: tuple[Picture, ...]
    missing: str = ""

    @classmethod
    def of(cls, evidence: Evidence, entry: Pictures) -> "Strip":
        """The poisons of one file."""
        title = (
            f"Poisons for {evidence.titles.get(entry.architecture, entry.architecture)}, seed {entry.seed}"
        )
        missing = evidence.missing(entry.file)
        if missing:
            return cls(title, (), missing)
        names = evidence.results.class_names
        with np.load(evidence.folder / entry.file, allow_pickle=False) as arrays:
            pictures = tuple(_picture(dict(arrays), k, names) for k in range(len(arrays["label"])))
        return cls(title, pictures)


def _picture(arrays: dict[str, np.ndarray], k: int, names: Sequence[str]) -> Picture:
    clean, poisoned = arrays["clean"][k], arrays["poisoned"][k]
    gain, difference = magnified((poisoned.astype(np.float64) - clean) / 255)
    return Picture(
        clean=data_uri(clean),
        poisoned=data_uri(poisoned),
        difference=difference,
        label=format.class_name(names, int(arrays["label"][k])),
        aimed=format.class_name(names, int(arrays["aimed_label"][k])),
        gain=gain,
        index=int(arrays["index"][k]),
        reached=bool(arrays["reached"][k]),
    )
