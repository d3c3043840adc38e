"""Search algorithms by name. None ships in this version; a plugin registers one under `nasaudit.searches`."""

from nasaudit.registry import Registry

SEARCHES: Registry[type] = Registry("search", "nasaudit.searches", type)
