"""Secrets from files: their first line, never in a URL, a log or an error."""

from .store import StoreError


def read(path: str, setting: str) -> str:
    """The first line of the file that a setting names; '' for no file. Raises StoreError, without what it read."""
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            first = file.readline().strip()
    except (OSError, UnicodeDecodeError) as error:
        fault = getattr(error, "strerror", None) or "it is not UTF-8"
        raise StoreError(f"{setting} = {path!r} cannot be read: {fault}") from None
    if not first:
        raise StoreError(f"{setting} = {path!r}: its first line is empty")
    return first
