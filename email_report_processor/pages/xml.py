"""Text within markup."""

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def escape(text: str) -> str:
    """Text as it may stand between tags and in quoted attributes."""
    return text.translate(_ESCAPES)


def attributes(**values: object) -> str:
    """`x="1" y="2"`."""
    return " ".join(f'{name}="{escape(str(value))}"' for name, value in values.items())
