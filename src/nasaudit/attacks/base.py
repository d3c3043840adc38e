"""How a spec finds its implementation. What the attacks of one family share, is in the `base.py` of that family."""

from pkgutil import resolve_name
from typing import cast

from nasaudit.spec.attacks import AttackSpec


def load_attack(spec: AttackSpec, *tools: object) -> object:
    """Import and construct the implementation that a spec's class names as `module:Class`.

    Args:
        spec: of the attack.
        tools: what else its constructor takes (the surrogate of a transfer attack).
    """
    return cast(object, resolve_name(type(spec).implementation)(spec, *tools))
