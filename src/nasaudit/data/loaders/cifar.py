"""CIFAR-10 and CIFAR-100 from the published Python batches (Krizhevsky 2009).

torchvision is asked for the download alone: it would unpickle the batches in the usual way, which can run
code. Here they are read by `safe_pickle`.
"""

import hashlib
import tarfile
import warnings
from dataclasses import dataclass
from pathlib import Path

from nasaudit.data.loaders.batches import join, unpack_rows
from nasaudit.data.raw import RawData
from nasaudit.data.safe_pickle import load_batch
from nasaudit.errors import DataError
from nasaudit.spec.data import DataSpec
from nasaudit.strangers import is_file, opened

SHAPE = (3, 32, 32)


@dataclass(frozen=True)
class _Layout:
    """Where one of the two sets keeps what; `train` and `test` map each batch file to its published MD5."""

    folder: str
    archive: str
    archive_md5: str
    train: dict[str, str]
    test: dict[str, str]
    meta: str
    labels_key: str
    names_key: str

    @property
    def url(self) -> str:
        return f"https://www.cs.toronto.edu/~kriz/{self.archive}"


_LAYOUTS = {
    "cifar10": _Layout(
        folder="cifar-10-batches-py",
        archive="cifar-10-python.tar.gz",
        archive_md5="c58f30108f718f92721af3b95e74349a",
        train={
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        },
        test={"test_batch": "40351d587109b95175f43aff81a1287e"},
        meta="batches.meta",
        labels_key="labels",
        names_key="label_names",
    ),
    "cifar100": _Layout(
        folder="cifar-100-python",
        archive="cifar-100-python.tar.gz",
        archive_md5="eb9058c3a382ffc7106e4002c42a8d85",
        train={"train": "16019d7e3df5f24257cddd939b257f8d"},
        test={"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
        meta="meta",
        labels_key="fine_labels",
        names_key="fine_label_names",
    ),
}


def load(spec: DataSpec, downloads: Path) -> RawData:
    """All images; those of the published test batch are the official test set."""
    layout = _LAYOUTS[spec.name]
    *paths, _ = files(spec, downloads)
    folder = paths[0].parent
    differing = []
    for path, published in zip(paths, (layout.train | layout.test).values(), strict=True):
        with opened(path, DataError) as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        if digest.hexdigest() != published:
            differing.append(path.name)
    if differing:
        warnings.warn(
            f"{spec.name}: {', '.join(differing)} in {folder} differ from the published files; "
            "results will not compare with those of others",
            stacklevel=2,
        )
    batches = [unpack_rows(path, load_batch(path), layout.labels_key, SHAPE) for path in paths]
    return join(folder, batches, class_names(spec, downloads))


def files(spec: DataSpec, downloads: Path) -> list[Path]:
    """The batches and the file of names. Raises DataError that says how to get them."""
    paths = _paths(spec, downloads)
    absent = [path.name for path in paths if not is_file(path)]
    if absent:
        raise DataError(
            f"{spec.name}: expected {', '.join(absent)} in {paths[0].parent}; add --download, "
            f"or unpack {_LAYOUTS[spec.name].url} so that they are there"
        )
    return paths


def class_names(spec: DataSpec, downloads: Path) -> tuple[str, ...]:
    """The names in the order of the labels."""
    key = _LAYOUTS[spec.name].names_key
    *_, path = files(spec, downloads)
    names = load_batch(path).get(key)
    if not isinstance(names, list) or not all(isinstance(name, str | bytes) for name in names):
        raise DataError(f"{path}: expected a list of names under {key!r}")
    return tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names)


def fetch(spec: DataSpec, downloads: Path) -> None:
    """Download and unpack the published archive (170 MB), unless its files are there."""
    layout = _LAYOUTS[spec.name]
    if all(is_file(path) for path in _paths(spec, downloads)):
        return
    from torchvision.datasets.utils import download_and_extract_archive

    root = Path(spec.path) if spec.path else downloads
    try:
        root.mkdir(parents=True, exist_ok=True)
        download_and_extract_archive(layout.url, str(root), filename=layout.archive, md5=layout.archive_md5)
    except (OSError, RuntimeError, EOFError, tarfile.TarError) as error:
        raise DataError(f"{spec.name}: {layout.url} could not be downloaded to {root} ({error})") from error


def _paths(spec: DataSpec, downloads: Path) -> list[Path]:
    """Where the batches and then the file of names are expected: `path` may be their folder or contain it."""
    layout = _LAYOUTS[spec.name]
    root = Path(spec.path) if spec.path else downloads
    folder = root if is_file(root / layout.meta) else root / layout.folder
    return [folder / name for name in (*layout.train, *layout.test, layout.meta)]
