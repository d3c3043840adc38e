"""Seeds as arguments: every random choice hangs on a number derived from what it is for. No torch."""

import hashlib


def derive_seed(*parts: object) -> int:
    """A 63-bit seed from any printable parts: the same parts give the same seed on every machine.

    >>> derive_seed("split", 0) == derive_seed("split", 0) != derive_seed("split", 1)
    True
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
