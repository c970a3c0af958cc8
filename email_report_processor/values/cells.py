"""Texts of strangers in the cells of a spreadsheet."""

from .fields import clean

_FORMULA = ("=", "+", "-", "@")  # of a spreadsheet


def safe(text: str) -> str:
    """A text that a spreadsheet would take for a formula gets a ' in front; control characters go."""
    text = clean(text)
    return "'" + text if text.startswith(_FORMULA) and text != "-" else text
