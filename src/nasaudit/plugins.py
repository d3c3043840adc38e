"""Which code a plugin is: package, version, and a hash of the source. Ours is known by the versions of its tasks."""

import hashlib
from functools import cache
from importlib.metadata import distributions, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

OURS = "nasaudit"


@cache
def code_of(module: str) -> tuple[str, str] | None:
    """The distribution that a module belongs to, and `VERSION, sha256 HASH` of its top package; None: it is ours.

    Args:
        module: dotted name; it is found, not imported.
    """
    top = module.partition(".")[0]
    if top == OURS:
        return None
    name, number = _distribution(top)
    return name, f"{number}, sha256 {source_sha256(top)}"


def _distribution(top: str) -> tuple[str, str]:
    """Name and version of the distribution of a top-level package, by its list of files or by its entry points."""
    for name in packages_distributions().get(top, []):
        return name, version(name)
    for distribution in distributions():
        for entry_point in distribution.entry_points:
            group = entry_point.group.partition(".")[0]
            if group == OURS and entry_point.module.partition(".")[0] == top:
                return distribution.name, distribution.version
    return top, "unknown version"


def source_sha256(top: str) -> str:
    """SHA-256 over names and content of the Python files of a top-level package or module; "" if it has none."""
    found = find_spec(top)
    folders = [] if found is None else [Path(folder) for folder in found.submodule_search_locations or ()]
    files = [(path.relative_to(folder), path) for folder in folders for path in folder.rglob("*.py")]
    if not files and found is not None and found.origin is not None and Path(found.origin).is_file():
        files = [(Path(found.origin).relative_to(Path(found.origin).parent), Path(found.origin))]
    if not files:
        return ""
    whole = hashlib.sha256()
    for name, path in sorted(files):
        whole.update(f"{name.as_posix()}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()
