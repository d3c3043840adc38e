"""What a backdoor's trigger does, as pictures: the clean image, the triggered one, their difference, the trigger."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nasaudit.report import format
from nasaudit.report.evidence import Evidence
from nasaudit.report.images import data_uri, magnified, to_bytes
from nasaudit.results.schema import Pictures

SHOWN_IMAGES = 4
SHOWN_ARCHITECTURES = 3


@dataclass(frozen=True)
class Shown:
    """One image in three pictures (data URIs), and what the models say of it."""

    index: int
    label: str
    victim: str
    clean_prediction: str
    prediction: str
    gain: str
    clean: str
    triggered: str
    difference: str


@dataclass(frozen=True)
class Strip:
    """The pictures of one backdoored model; `trigger` is a data URI or empty, `missing` says why there are none."""

    title: str
    target: str = ""
    trigger: str = ""
    opacity: str = ""
    images: tuple[Shown, ...] = ()
    missing: str = ""


def strips(evidence: Evidence, entries: Sequence[Pictures], backdoor: str) -> Iterator[Strip]:
    """Pictures of one backdoor on the first few architectures.

    Args:
        evidence: where the files are.
        entries: the backdoor's files, one for each architecture.
        backdoor: its title.
    """
    for entry in entries[:SHOWN_ARCHITECTURES]:
        victim = evidence.titles.get(entry.architecture, entry.architecture)
        title = f"{victim}, seed {entry.seed}: {backdoor}"
        missing = evidence.missing(entry.file)
        if missing:
            yield Strip(title, missing=missing)
        else:
            yield _read(evidence.folder / entry.file, title, evidence.results.class_names)


def _read(path: Path, title: str, names: list[str]) -> Strip:
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    images = []
    for k in range(min(SHOWN_IMAGES, len(arrays["clean"]))):
        change = (arrays["triggered"][k].astype(np.float64) - arrays["clean"][k]) / 255
        gain, difference = magnified(change, least_gain=1)
        images.append(
            Shown(
                index=int(arrays["index"][k]),
                label=format.class_name(names, int(arrays["label"][k])),
                victim=format.class_name(names, int(arrays["victim"][k])),
                clean_prediction=format.class_name(names, int(arrays["clean_prediction"][k])),
                prediction=format.class_name(names, int(arrays["prediction"][k])),
                gain=gain,
                clean=data_uri(arrays["clean"][k]),
                triggered=data_uri(arrays["triggered"][k]),
                difference=difference,
            )
        )
    target = format.class_name(names, int(arrays["target"]))
    if "mask" not in arrays:
        return Strip(title, target, images=tuple(images))
    opacity = format.percent(float(arrays["opacity"]))
    return Strip(title, target, data_uri(_on_grey(arrays)), opacity, tuple(images))


def _on_grey(arrays: Mapping[str, npt.NDArray[np.floating]]) -> npt.NDArray[np.uint8]:
    """The trigger alone, fully visible; what is outside of the mask is grey."""
    mask = arrays["mask"]
    return to_bytes(0.5 * (1 - mask) + arrays["pattern"] * mask)
