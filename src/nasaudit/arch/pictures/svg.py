"""The frame that all pictures of architectures share: a self-contained, accessible SVG. No torch."""

from collections.abc import Iterable
from html import escape

FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"


def picture(
    key: str,
    title: str,
    description: str,
    rules: dict[str, str],
    size: tuple[float, float],
    parts: Iterable[str],
) -> str:
    """One SVG document on a white ground.

    Args:
        key: unique among the pictures of a page, since an inlined SVG shares the page's ids and style.
        title: for screen readers; it is escaped.
        description: what the picture shows, in words; it is escaped.
        rules: CSS declarations by selector, which hold inside this picture only.
        size: width and height.
        parts: SVG elements, already escaped.
    """
    width, height = size
    scoped = "".join(f".{key} {selector}{{{rule}}}" for selector, rule in rules.items())
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="{key}" viewBox="0 0 {width:g} {height:g}" '
            f'width="{width:g}" height="{height:g}" style="max-width:100%;height:auto" role="img" '
            f'aria-labelledby="{key}-title {key}-desc">',
            f'<title id="{key}-title">{safe(title)}</title>',
            f'<desc id="{key}-desc">{safe(description)}</desc>',
            f"<style>{scoped}</style>",
            f'<rect width="{width:g}" height="{height:g}" rx="6" fill="#fff"/>',
            *parts,
            "</svg>",
        ]
    )


def safe(text: str) -> str:
    """Escaped, and without the control characters that XML cannot hold even so."""
    return escape("".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text))
