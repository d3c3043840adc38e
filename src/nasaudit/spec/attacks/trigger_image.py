"""The picture of an attacker's own that a trigger may be, known by its content."""

import hashlib
from pathlib import Path

from nasaudit.errors import SpecError

MAX_IMAGE_BYTES = 10_000_000


def image_digest(path: str) -> str:
    """First 20 hex digits of the SHA-256 of a trigger's image file.

    Raises:
        SpecError: it cannot be read, or is larger than a trigger can be.
    """
    try:
        size = Path(path).stat().st_size
        content = Path(path).read_bytes() if size <= MAX_IMAGE_BYTES else b""
    except OSError as error:
        raise SpecError("image", f"an image file that can be read ({error.strerror})", path) from error
    if size > MAX_IMAGE_BYTES:
        raise SpecError("image", f"an image file of at most {MAX_IMAGE_BYTES // 10**6} MB", path)
    return hashlib.sha256(content).hexdigest()[:20]
