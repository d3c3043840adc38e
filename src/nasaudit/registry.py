"""One small registry for everything that has a name: architectures, data sets, attacks, searches.

Names are forgiving: case, spaces, hyphens and underscores do not matter (`PC-DARTS`, `pc_darts`).
Plugins register through entry points, which are read only when a name is first looked up. One that cannot be used is
left out with a warning that names its package: what is nasaudit's own must work whatever else is installed.
"""

import logging
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from nasaudit.errors import NasauditError, UnknownNameError

T = TypeVar("T")
_log = logging.getLogger(__name__)
MOST_SAID = 300  # letters of what a plugin says of its own failure


def normalise(name: str) -> str:
    """Fold a name to the form that is compared: `"PC-DARTS"` becomes `"pcdarts"`."""
    return "".join(character for character in name.lower() if character not in " -_")


class Registry(Generic[T]):
    """Named things of one kind, in the order of registration.

    Args:
        kind: the singular used in messages ("attack").
        entry_point_group: the group whose entry points plugins add to, or None.
        plugin_type: what a plugin's entry point must be an instance of.
        plugin_base: for a registry of classes, what they must be subclasses of; what it declares for the class itself
            (`ClassVar`), they must have.
    """

    def __init__(
        self,
        kind: str,
        entry_point_group: str | None = None,
        plugin_type: type = object,
        plugin_base: type | None = None,
    ):
        self.kind = kind
        self._plugin_type = type if plugin_base else plugin_type
        self._plugin_base = plugin_base
        self._group = entry_point_group
        self._items: dict[str, T] = {}
        self._canonical: dict[str, str] = {}
        self._plugins_read = entry_point_group is None

    def add(self, name: str, item: T, *aliases: str) -> T:
        """Register `item`; a name that is taken, also as an alias, is an error."""
        for spelling in (name, *aliases):
            key = normalise(spelling)
            if key in self._canonical:
                raise NasauditError(
                    f"the {self.kind} {spelling!r} is registered twice (taken by {self._canonical[key]})"
                )
            self._canonical[key] = name
        self._items[name] = item
        return item

    def canonical(self, name: str) -> str:
        """The one spelling of a name. Raises UnknownNameError with the nearest names."""
        self._read_plugins()
        try:
            return self._canonical[normalise(name)]
        except KeyError:
            raise UnknownNameError(self.kind, name, self._items) from None

    def aliases(self, name: str) -> list[str]:
        """Other names of an entry, normalised."""
        canonical = self.canonical(name)
        return [
            key
            for key, other in self._canonical.items()
            if other == canonical and key != normalise(canonical)
        ]

    def __getitem__(self, name: str) -> T:
        return self._items[self.canonical(name)]

    def __contains__(self, name: str) -> bool:
        self._read_plugins()
        return normalise(name) in self._canonical

    def __iter__(self) -> Iterator[str]:
        self._read_plugins()
        return iter(self._items)

    def __len__(self) -> int:
        self._read_plugins()
        return len(self._items)

    def _read_plugins(self) -> None:
        if self._plugins_read or self._group is None:
            return
        self._plugins_read = True
        try:
            found = list(entry_points(group=self._group))
        except Exception as error:  # damaged metadata of any package that is installed
            _log.warning("no plugin of the group %s is read: %s", self._group, _short(error))
            return
        for entry_point in found:
            try:
                self._add_plugin(entry_point)
            # A module may do anything when it is imported, `sys.exit` too.
            except (Exception, SystemExit) as error:
                _log.warning(
                    "the %s %s of the package %s is left out: %s",
                    self.kind,
                    ascii(entry_point.name)[1:-1],
                    _package(entry_point),
                    _short(error),
                )

    def _add_plugin(self, entry_point: EntryPoint) -> None:
        if normalise(entry_point.name) in self._canonical:
            taken = self._canonical[normalise(entry_point.name)]
            raise NasauditError(f"its name is taken by {taken!r}; rename it in the package's entry points")
        item = entry_point.load()
        expected = f"an instance of {self._plugin_type.__name__}"
        fits = isinstance(item, self._plugin_type)
        if self._plugin_base is not None:
            expected = f"a subclass of {self._plugin_base.__name__}"
            fits = fits and issubclass(item, self._plugin_base)
        if not fits:
            raise NasauditError(f"{entry_point.value}: expected {expected}, got {item!r}")
        declared = getattr(self._plugin_base, "__class_vars__", ())
        missing = sorted(name for name in declared if not hasattr(item, name))
        if missing:
            raise NasauditError(
                f"{entry_point.value}: expected a class with {', '.join(missing)}, got {item!r}"
            )
        self.add(entry_point.name, cast(T, item))


def _package(entry_point: EntryPoint) -> str:
    dist = entry_point.dist
    return f"that has {entry_point.value}" if dist is None else ascii(f"{dist.name} {dist.version}")[1:-1]


def _short(error: BaseException) -> str:
    """What went wrong, on one line of printable letters."""
    kind = "" if isinstance(error, NasauditError) else f"{type(error).__name__}: "
    text = " ".join(f"{kind}{error}".split())
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    return shown if len(shown) <= MOST_SAID else f"{shown[:MOST_SAID]}..."
