"""The picture of an attacker's own that a trigger may be, known by its content."""

import hashlib
from pathlib import Path

from nasaudit.errors import DataError, SpecError
from nasaudit.strangers import read_bytes

MAX_IMAGE_BYTES = 10_000_000


def image_digest(path: str) -> str:
    """First 20 hex digits of the SHA-256 of a trigger's image file.

    Raises:
        SpecError: it cannot be read, or is larger than a trigger can be.
    """
    try:
        content = read_bytes(Path(path), DataError, most=MAX_IMAGE_BYTES)
    except DataError as error:
        expected = f"an image file that can be read, of at most {MAX_IMAGE_BYTES // 10**6} MB"
        raise SpecError("image", expected, str(error)) from error
    return hashlib.sha256(content).hexdigest()[:20]
