"""One small registry for everything that has a name: architectures, data sets, attacks, searches.

Names are forgiving: case, spaces, hyphens and underscores do not matter (`PC-DARTS`, `pc_darts`).
Plugins register through entry points, which are read only when a name is first looked up.
"""

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar, cast

from nasaudit.errors import NasauditError, UnknownNameError

T = TypeVar("T")


def normalise(name: str) -> str:
    """Fold a name to the form that is compared: `"PC-DARTS"` becomes `"pcdarts"`."""
    return "".join(character for character in name.lower() if character not in " -_")


class Registry(Generic[T]):
    """Named things of one kind, in the order of registration.

    Args:
        kind: the singular used in messages ("attack").
        entry_point_group: the group whose entry points plugins add to, or None.
        plugin_type: what a plugin's entry point must be an instance of.
    """

    def __init__(self, kind: str, entry_point_group: str | None = None, plugin_type: type = object):
        self.kind = kind
        self._plugin_type = plugin_type
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
        for entry_point in entry_points(group=self._group):
            item = entry_point.load()
            if not isinstance(item, self._plugin_type):
                raise NasauditError(
                    f"the plugin {entry_point.value} ({self._group}: {entry_point.name}) is no {self.kind}: "
                    f"expected an instance of {self._plugin_type.__name__}, got {item!r}"
                )
            self.add(entry_point.name, cast(T, item))
