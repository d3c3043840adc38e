"""Bucket: the few requests that a store makes of an object store or a file server, through fsspec.

A request that is dropped, refused for the moment or not answered is made again, after waits that grow. s3fs and gcsfs
do that for a second or two by themselves; this is for a minute. What cannot pass is told at once.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from nasaudit.errors import SpecError, StoreError

WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds between two tries of a request
PATIENCE = 90.0  # seconds after which no other try is made: some clients take long to give up
PART = 2**26  # bytes that are asked for at once
# Not those that read other URLs or descriptions of files (`reference`, `simplecache`, `zip`): study.json may be a
# stranger's.
SCHEMES = (
    *("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "oss", "tos", "hdfs", "webhdfs", "sftp", "ssh"),
    *("smb", "webdav", "memory"),
)
PACKAGES = {
    **{"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"},
    **{
        "abfss": "adlfs",
        "oci": "ocifs",
        "oss": "ossfs",
        "tos": "tosfs",
        "sftp": "paramiko",
        "ssh": "paramiko",
    },
    **{"smb": "smbprotocol", "webdav": "webdav4", "hdfs": "pyarrow", "webhdfs": "requests"},
}
_LASTING = (
    *(PermissionError, IsADirectoryError, NotADirectoryError, NotImplementedError, ImportError, ValueError),
    TypeError,
)
_LASTING_NAMES = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound")  # of botocore

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Bucket:
    """The objects below a URL, by names with slashes.

    Args:
        url: as `checked` gives it.

    Raises:
        SpecError: the package that the URL needs is not installed, or does not take it.
    """

    def __init__(self, url: str):
        self.url = url
        self._system, self._root = _connect(url)

    def read(self, name: str, most: int) -> bytes:
        """The content of an object, of which no more than `most` bytes are read.

        Raises:
            FileNotFoundError: there is none.
            StoreError: the server does not answer.
        """
        content: bytes = self._ask(self._system.cat_file, self._path(name), start=0, end=most)
        return content

    def fetch(self, name: str, size: int, target: Path) -> None:
        """Write the first bytes of an object to a new file, so many at most.

        Raises:
            FileNotFoundError: there is none.
            StoreError: the server does not answer.
        """
        with target.open("xb") as file:
            for start in range(0, size, PART):
                end = min(start + PART, size)
                file.write(self._ask(self._system.cat_file, self._path(name), start=start, end=end))

    def write(self, source: Path, name: str) -> None:
        """Put a file in the place of an object.

        Raises:
            StoreError: the server does not answer, or does not take it.
        """
        try:
            self._ask(self._system.put_file, str(source), self._path(name))
        except FileNotFoundError as error:
            raise StoreError(
                f"{self.url} cannot be written to: {error}; make the bucket first, or choose another store"
            ) from error

    def names(self, folder: str) -> list[str]:
        """What lies directly in a folder, objects and folders.

        Raises:
            StoreError: the server does not answer.
        """
        return self._listed(self._system.ls, folder)

    def files(self, folder: str) -> list[str]:
        """All objects below a folder, by their names within it; see `names`."""
        return self._listed(self._system.find, folder)

    def remove(self, name: str) -> None:
        """Remove an object, if there is one.

        Raises:
            StoreError: the server does not answer, or refuses.
        """
        try:
            self._ask(self._system.rm_file, self._path(name))
        except FileNotFoundError:
            return

    def remove_folder(self, name: str) -> None:
        """Remove all that is below a folder, if there is any; see `remove`."""
        try:
            self._ask(self._system.rm, self._path(name), recursive=True)
        except FileNotFoundError:
            return

    def _listed(self, function: Callable[..., Any], folder: str) -> list[str]:
        path = self._path(folder)
        self._system.invalidate_cache()
        try:
            found: list[str] = self._ask(function, path, detail=False)
        except FileNotFoundError:
            return []
        start = f"{path.strip('/')}/"
        names = (name.strip("/") for name in found)
        return sorted(name.removeprefix(start) for name in names if name.startswith(start))

    def _path(self, name: str) -> str:
        return "/".join(part for part in (self._root, name) if part)

    def _ask(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Make a request, several times if need be."""
        begun = time.monotonic()
        for wait in (*WAITS, None):
            try:
                return function(*args, **kwargs)
            except FileNotFoundError:
                raise
            except Exception as error:
                if isinstance(error, _LASTING) or type(error).__name__ in _LASTING_NAMES:
                    raise StoreError(
                        f"{self.url} cannot be used: {_said(error)}; see to what the server asks for, or choose "
                        "another store"
                    ) from error
                if wait is None or time.monotonic() - begun > PATIENCE:
                    raise StoreError(
                        f"{self.url} does not answer: {_said(error)}; run the same command again once it does: what "
                        "is finished is kept on this machine"
                    ) from error
                _log.warning("%s does not answer (%s); asked again in %g s", self.url, _said(error), wait)
                time.sleep(wait)
        raise AssertionError  # the last wait is None


def checked(url: str) -> str:
    """A URL that a store may have, without slashes at its end.

    Raises:
        SpecError: it is none.
    """
    scheme = url.partition("://")[0]
    if scheme not in SCHEMES or "::" in url:
        raise SpecError("store", f"a folder, or a URL of {', '.join(SCHEMES)}", url)
    parts = urlsplit(url)
    if parts.password is not None:
        raise SpecError(
            "store",
            "a URL without a password (study.json and the report name it); give that to the client, as its "
            "documentation says",
            f"{scheme}://{parts.username}:...",
        )
    if parts.query or parts.fragment or not parts.netloc or not url.isprintable():
        raise SpecError("store", f"{scheme}://NAME/FOLDER", url)
    if {".", ".."} & set(parts.path.split("/")) or set("*[]{}") & set(url):  # patterns, to fsspec
        raise SpecError("store", "a URL without ., .., *, brackets and braces", url)
    return url.rstrip("/")


def _connect(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    scheme = url.partition("://")[0]
    try:
        # A client of its own: one that another part of the process has may have other settings.
        system, root = url_to_fs(url, skip_instance_cache=True)  # type: ignore[no-untyped-call]
    except ImportError as error:
        package = PACKAGES.get(scheme, "a package")
        raise SpecError(
            "store", f"{package} to be installed for {scheme}:// (pip install {package})", url
        ) from error
    except Exception as error:  # whatever a client thinks of its settings
        raise SpecError("store", f"a URL that its client takes ({_said(error)})", url) from error
    return system, str(root).rstrip("/")


def _said(error: Exception) -> str:
    """What an error says, in one line."""
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
