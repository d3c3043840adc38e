"""ImageNet at 32x32 from the standard downsampled batches (Chrabaszcz, Loshchilov, Hutter 2017).

Ten training batches and one of the validation images, each either a pickle (`train_data_batch_1`) or an
archive (`train_data_batch_1.npz`) with `data` uint8 [n, 3072] and `labels` in 1..1000. The validation images
are the official test set, as everyone uses them. With `classes=k`, k of the 1,000 classes are drawn by the
data seed, and only their images are kept in memory.
"""

from pathlib import Path

import numpy as np

from nasaudit.data.loaders.batches import join, unpack_rows
from nasaudit.data.raw import Labels, Pixels, RawData
from nasaudit.data.safe_npz import load_arrays
from nasaudit.data.safe_pickle import load_batch
from nasaudit.data.subset import draw_classes
from nasaudit.errors import DataError
from nasaudit.spec.data import DataSpec
from nasaudit.strangers import is_file, read_text

SHAPE = (3, 32, 32)
CLASSES = 1000
TRAIN_BATCHES = tuple(f"train_data_batch_{number}" for number in range(1, 11))
TEST_BATCH = "val_data"
NAMES_FILE = "map_clsloc.txt"  # of the development kit: "n02119789 1 kit_fox" on each line


def load(spec: DataSpec, downloads: Path) -> RawData:
    """The images of all classes, or of those that the data seed draws, relabelled 0..k-1."""
    folder = _root(spec, downloads)
    drawn = _drawn(spec)
    new_label = np.full(CLASSES, -1, dtype=np.int64)
    new_label[drawn] = np.arange(len(drawn))
    batches = [_read(_batch_file(folder, name), new_label) for name in (*TRAIN_BATCHES, TEST_BATCH)]
    return join(folder, batches, class_names(spec, downloads))


def files(spec: DataSpec, downloads: Path) -> list[Path]:
    """The eleven batches, and the file of names if it is there. Raises DataError: where to get them."""
    folder = _root(spec, downloads)
    batches = [_batch_file(folder, name) for name in (*TRAIN_BATCHES, TEST_BATCH)]
    names = folder / NAMES_FILE
    return [*batches, names] if is_file(names) else batches


def class_names(spec: DataSpec, downloads: Path) -> tuple[str, ...]:
    """The names of the drawn classes, in the order of their new labels."""
    names = _all_names(_root(spec, downloads))
    return tuple(names[old] for old in _drawn(spec))


def _drawn(spec: DataSpec) -> Labels:
    return draw_classes(CLASSES, spec.classes or CLASSES, spec.seed)


def _root(spec: DataSpec, downloads: Path) -> Path:
    return Path(spec.path) if spec.path else downloads / "imagenet32"


def _batch_file(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.npz"):
        if is_file(path):
            return path
    raise DataError(
        f"imagenet32: expected {name} or {name}.npz in {folder}; ImageNet needs an account, so get the 32x32 "
        "train and val archives from https://image-net.org/download-images.php and unpack both there"
    )


def _read(path: Path, new_label: Labels) -> tuple[Pixels, Labels]:
    """The images of one batch whose class was drawn, with their new labels."""
    batch = load_arrays(path, ("data", "labels")) if path.suffix == ".npz" else load_batch(path)
    images, published = unpack_rows(path, batch, "labels", SHAPE)
    wrong = np.flatnonzero((published < 1) | (published > CLASSES))
    if len(wrong):
        raise DataError(
            f"{path}: expected labels in 1..{CLASSES}, got {published[wrong[0]]} at position {wrong[0]}"
        )
    labels = new_label[published - 1]
    kept = labels >= 0
    return images[kept], labels[kept]


def _all_names(folder: Path) -> list[str]:
    """The names of the 1,000 classes; the batches carry none, so without the names' file they are numbers."""
    names = [f"class {number}" for number in range(1, CLASSES + 1)]
    path = folder / NAMES_FILE
    if not is_file(path):
        return names
    for count, line in enumerate(read_text(path, DataError).splitlines(), start=1):
        match line.split():
            case []:
                continue
            case [_synset, number, name] if number.isdigit() and 1 <= int(number) <= CLASSES:
                names[int(number) - 1] = name.replace("_", " ")
            case _:
                raise DataError(f"{path}: expected `n02119789 1 kit_fox` on line {count}, got {line!r}")
    return names
