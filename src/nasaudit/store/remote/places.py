"""Which store a text names: the only place that decides it."""

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nasaudit.errors import SpecError, StoreError
from nasaudit.store.remote.bucket import checked
from nasaudit.store.remote.mirrored import URL_FILE, RemoteStore
from nasaudit.store.store import Store

CACHE_VARIABLE = "NASAUDIT_CACHE"
STORE_VARIABLE = "NASAUDIT_STORE"
_URL = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL
)  # a Path has one slash where the URL had two


def store_at(where: str | Path) -> Store:
    """The store in a folder or at a URL; it may not exist yet.

    Args:
        where: a folder, `file:///FOLDER`, or a URL such as `s3://BUCKET/FOLDER`.

    Raises:
        SpecError: a URL that no store may have, or whose package is not installed.
    """
    url = url_of(where)
    return Store(Path(where)) if url is None else _at(url)


def named_store(where: str, by: Path) -> Store:
    """The store that a file names, which may be a stranger's: no server is asked that this user never named.

    Args:
        where: a folder or a URL.
        by: the file.

    Raises:
        StoreError: a URL that was never the store of a command on this machine.
        SpecError: see `store_at`.
    """
    url = url_of(where)
    if url is None or url.startswith("file://"):
        return store_at(where)
    known = (mirror_of(url) / URL_FILE).exists() or url_of(os.environ.get(STORE_VARIABLE, "")) == url
    if not known:
        raise StoreError(
            f"{by} says that its records are at {url}, which this machine has not used yet; if you trust it, set "
            f"{STORE_VARIABLE}={url}"
        )
    return _at(url)


def url_of(where: str | Path) -> str | None:
    """The URL that a text is, as it should be written; None: it is a folder.

    >>> url_of("S3://bucket/records/"), url_of("records")
    ('s3://bucket/records', None)

    Raises:
        SpecError: a URL that no store may have.
    """
    match = _URL.fullmatch(str(where))
    if match is None:
        if "://" in str(where):
            raise SpecError("store", "a folder or a URL", str(where))
        return None
    scheme = match[1].lower()
    if scheme in ("file", "local"):
        if re.fullmatch(r"/(//)?[^/].*", str(where).partition(":")[2], re.DOTALL) is None:
            raise SpecError("store", "file:///FOLDER", str(where))
        return f"file:///{match[2]}"
    return checked(f"{scheme}://{match[2]}")


def mirror_of(url: str) -> Path:
    """The folder of this machine that has the records of a URL which were used here.

    NASAUDIT_CACHE is where all of these are, or else the cache of this user.
    """
    base = os.environ.get(CACHE_VARIABLE)
    cache = (
        Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nasaudit"
    )
    return cache.absolute() / "stores" / hashlib.sha256(url.encode()).hexdigest()[:16]


def _at(url: str) -> Store:
    if url.startswith("file://"):
        return Store(Path(unquote(urlsplit(url).path)))
    return RemoteStore(url, mirror_of(url))
