"""Search algorithms by name. None ships in this version; a plugin registers one under `nasaudit.searches`."""

from nasaudit.registry import Registry
from nasaudit.search.base import Search

SEARCHES: Registry[type[Search]] = Registry("search", "nasaudit.searches", plugin_base=Search)
