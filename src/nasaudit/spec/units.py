"""Units that people write and units that the code uses: epsilon is a share of [0,1], written as 8/255."""

import re
from fractions import Fraction
from math import prod
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

MAX_DIGITS = 40
# `1e999999999` is an integer of a billion digits for Fraction.
_HUGE_EXPONENT = re.compile(r"[eE][-+]?[0-9_]{4}")


def _fraction(value: Any) -> Any:
    """`"8/255"` becomes 8/255; anything else is left to pydantic's own checks."""
    if isinstance(value, str):
        number = as_number(value)
        if number is None:
            raise ValueError("a number or a fraction such as 8/255")
        return number
    return value


def as_number(text: str) -> float | None:
    """A number or a fraction as people write it; None if it is neither.

    >>> as_number("0.5"), as_number("1 / 4"), as_number("0.5/255") == 0.5 / 255, as_number("soft")
    (0.5, 0.25, True, None)
    """
    if len(text) > MAX_DIGITS or _HUGE_EXPONENT.search(text):
        return None
    try:
        above, *below = map(Fraction, text.replace(" ", "").split("/"))
        return float(above / prod(below)) if len(below) < 2 else None
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


# A size in pixel units: pixels are in [0,1] everywhere, and a bare 8 is a mistake, not 8/255.
PixelSize = Annotated[float, BeforeValidator(_fraction), Field(ge=0, le=1)]
Epsilon = Annotated[float, BeforeValidator(_fraction), Field(ge=0)]
Fractional = Annotated[float, Field(ge=0, le=1)]


def format_epsilon(epsilon: float) -> str:
    """The way the field writes an epsilon: `"8/255"` where it is a whole number of grey levels, or halves of one.

    >>> format_epsilon(8 / 255), format_epsilon(0.25 / 255), format_epsilon(0.5), format_epsilon(1 / 64)
    ('8/255', '0.25/255', '0.5', '0.015625')
    """
    levels = epsilon * 255
    parts = 16 if levels < 1 else 1  # of a level: 1/2, 1/4, 1/8, 1/16
    if abs(parts * levels - round(parts * levels)) < 1e-6 and levels < 255:
        return f"{round(parts * levels) / parts:g}/255"
    return f"{epsilon:.6g}"
