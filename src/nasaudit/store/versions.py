"""Versions of what a result depends on."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def versions() -> dict[str, str]:
    """Versions of what a result depends on; none of it is imported to find out."""
    installed = {"python": platform.python_version()}
    for package in ("nasaudit", "torch", "torchvision", "timm", "numpy", "scipy"):
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            installed[package] = "not installed"
    return installed
