"""Random damage to JSON: one value of it becomes something that no program of ours writes there."""

import copy
from random import Random
from typing import Any

HOSTILE: tuple[Any, ...] = (
    None, True, "", "x/0", "0/0", "1e999", "-1", "nan", "\x1b[31m", "../../etc/passwd", "/etc/passwd", "x" * 5_000,
    -1, 0, 7, 10**6, 10**30, 1e308, -1e308, 1e-320, float("nan"), float("inf"), -float("inf"), [], {}, [[]], [None],
    "all", "evasion", "darts", "resnet", {"epsilon": "x/0"}, [1e308, -1e308], 0.5,
)  # fmt: skip


def mutated(content: Any, random: Random) -> tuple[Any, str]:
    """A copy with one change, and what was changed in words.

    Which part is changed is drawn level by level, so that what there is little of is changed as often as rows.
    """
    changed = copy.deepcopy(content)
    parent, key, path = changed, None, ""
    while True:
        keys = list(parent) if isinstance(parent, dict) else range(len(parent))
        key = random.choice(list(keys))
        path += f".{key}" if isinstance(parent, dict) else f"[{key}]"
        child = parent[key]
        if not isinstance(child, dict | list) or not child or random.random() < 0.15:
            return changed, _damage(parent, key, path, random)
        parent = child


def _damage(parent: Any, key: Any, path: str, random: Random) -> str:
    match random.randrange(8):
        case 0:
            del parent[key]
            return f"{path} removed"
        case 1 if isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
            return f"{path} twice"
        case 2 if isinstance(parent, list):
            parent.reverse()
            return f"the list of {path} turned round"
        case 3 if isinstance(parent, dict):
            parent[f"{key}x"] = parent.pop(key)
            return f"{path} renamed"
        case 4 if isinstance(parent[key], int | float) and not isinstance(parent[key], bool):
            factor = random.choice((-1, 1e30, 1e-30, 0, 2))
            parent[key] = type(parent[key])(parent[key] * factor)
            return f"{path} times {factor}"
    parent[key] = copy.deepcopy(random.choice(HOSTILE))
    return f"{path} = {str(parent[key])[:40]!r}"
