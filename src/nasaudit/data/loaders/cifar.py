"""CIFAR-10 and CIFAR-100 from the published Python batches (Krizhevsky 2009).

torchvision is asked for the download alone: it would unpickle the batches in the usual way, which can run
code. Here they are read by `safe_pickle`.
"""

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasaudit.data.loaders.batches import unpack_rows
from nasaudit.data.raw import RawData
from nasaudit.data.safe_pickle import load_batch
from nasaudit.errors import DataError
from nasaudit.spec.data import DataSpec

SHAPE = (3, 32, 32)


@dataclass(frozen=True)
class _Layout:
    """Where one of the two sets keeps what; `train` and `test` map each batch file to its published MD5."""

    name: str
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


_CIFAR10 = _Layout(
    name="cifar10",
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
)

_CIFAR100 = _Layout(
    name="cifar100",
    folder="cifar-100-python",
    archive="cifar-100-python.tar.gz",
    archive_md5="eb9058c3a382ffc7106e4002c42a8d85",
    train={"train": "16019d7e3df5f24257cddd939b257f8d"},
    test={"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    meta="meta",
    labels_key="fine_labels",
    names_key="fine_label_names",
)


def load_cifar10(spec: DataSpec, downloads: Path) -> RawData:
    """CIFAR-10; the images of `test_batch` are the official test set."""
    return _load(_CIFAR10, spec, downloads)


def load_cifar100(spec: DataSpec, downloads: Path) -> RawData:
    """CIFAR-100 with its fine labels; the images of `test` are the official test set."""
    return _load(_CIFAR100, spec, downloads)


def files_cifar10(spec: DataSpec, downloads: Path) -> list[Path]:
    """The seven files of CIFAR-10. Raises DataError that says how to get them."""
    return _files(_CIFAR10, spec, downloads)


def files_cifar100(spec: DataSpec, downloads: Path) -> list[Path]:
    """The three files of CIFAR-100. Raises DataError that says how to get them."""
    return _files(_CIFAR100, spec, downloads)


def fetch_cifar10(spec: DataSpec, downloads: Path) -> None:
    """Download and unpack CIFAR-10 (170 MB), unless it is there."""
    _fetch(_CIFAR10, spec, downloads)


def fetch_cifar100(spec: DataSpec, downloads: Path) -> None:
    """Download and unpack CIFAR-100 (169 MB), unless it is there."""
    _fetch(_CIFAR100, spec, downloads)


def _root(layout: _Layout, spec: DataSpec, downloads: Path) -> Path:
    """The folder with the batches: `path` may be it or contain it."""
    root = Path(spec.path) if spec.path else downloads
    return root if (root / layout.meta).is_file() else root / layout.folder


def _absent(layout: _Layout, folder: Path) -> list[str]:
    wanted = (*layout.train, *layout.test, layout.meta)
    return [name for name in wanted if not (folder / name).is_file()]


def _files(layout: _Layout, spec: DataSpec, downloads: Path) -> list[Path]:
    folder = _root(layout, spec, downloads)
    if absent := _absent(layout, folder):
        raise DataError(
            f"{layout.name}: expected {', '.join(absent)} in {folder}; add --download, "
            f"or unpack {layout.url} so that they are there"
        )
    return [folder / name for name in (*layout.train, *layout.test, layout.meta)]


def _fetch(layout: _Layout, spec: DataSpec, downloads: Path) -> None:
    if not _absent(layout, _root(layout, spec, downloads)):
        return
    from torchvision.datasets.utils import download_and_extract_archive

    root = Path(spec.path) if spec.path else downloads
    try:
        root.mkdir(parents=True, exist_ok=True)
        download_and_extract_archive(layout.url, str(root), filename=layout.archive, md5=layout.archive_md5)
    except (OSError, RuntimeError, EOFError) as error:
        raise DataError(f"{layout.name}: {layout.url} could not be downloaded to {root} ({error})") from error


def _load(layout: _Layout, spec: DataSpec, downloads: Path) -> RawData:
    paths = {path.name: path for path in _files(layout, spec, downloads)}
    published = layout.train | layout.test
    differing = [name for name, md5 in published.items() if _md5(paths[name]) != md5]
    if differing:
        warnings.warn(
            f"{layout.name}: {', '.join(differing)} in {paths[layout.meta].parent} differ from the published "
            "files; results will not compare with those of others",
            stacklevel=2,
        )
    names = _class_names(paths[layout.meta], layout.names_key)
    batches = [
        unpack_rows(paths[name], load_batch(paths[name]), layout.labels_key, SHAPE) for name in published
    ]
    n_train = sum(len(labels) for _, labels in batches[: len(layout.train)])
    return RawData(
        where=str(paths[layout.meta].parent),
        images=np.concatenate([images for images, _ in batches]),
        labels=np.concatenate([labels for _, labels in batches]),
        class_names=names,
        official_train=n_train,
    )


def _class_names(path: Path, key: str) -> tuple[str, ...]:
    names = load_batch(path).get(key)
    if not isinstance(names, list) or not all(isinstance(name, str | bytes) for name in names):
        raise DataError(f"{path}: expected a list of names under {key!r}")
    return tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
