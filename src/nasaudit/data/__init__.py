"""Images in memory: the catalogue of data sets, their loaders, the splits and the augmentation.

The catalogue is light; names that need torch are imported when they are first used.
"""

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from nasaudit.data.catalogue import (
    DATA,
    DataSource,
    class_names,
    describe,
    fetch,
    fingerprint,
    parse_data,
    settle,
)

if TYPE_CHECKING:
    from nasaudit.data.load import load_data, test_images
    from nasaudit.data.split import DataBundle, Split

__all__ = [
    "DATA",
    "DataBundle",
    "DataSource",
    "Split",
    "class_names",
    "describe",
    "fetch",
    "fingerprint",
    "load_data",
    "parse_data",
    "settle",
    "test_images",
]

_HEAVY = {
    "DataBundle": "nasaudit.data.split",
    "Split": "nasaudit.data.split",
    "load_data": "nasaudit.data.load",
    "test_images": "nasaudit.data.load",
}


def __getattr__(name: str) -> Any:
    if name not in _HEAVY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return resolve_name(f"{_HEAVY[name]}:{name}")
