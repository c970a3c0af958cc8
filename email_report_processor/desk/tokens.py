"""The names of our reports, which answers bring back: nobody can make one but who knows the key of this site."""

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from ..documents.document import canonical
from ..stores import kept, owner

KEY_FILE = "key"
_HALF = 10  # characters of base32: 50 bits say what it is about, 50 bits that it is ours
_TOKEN = re.compile(rf"(?<![a-z0-9])[a-z2-7]{{{2 * _HALF}}}(?![a-z0-9])", re.IGNORECASE)


def read_key(directory: Path) -> bytes:
    """The key of this site; made when there is none yet. Raises OSError."""
    path = directory / KEY_FILE
    try:
        return path.read_bytes()
    except FileNotFoundError:
        kept.make_directory(directory)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:  # another process was quicker
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        owner.give(descriptor, path)
        key = secrets.token_bytes(32)
        file.write(key)
    return key


def make_token(key: bytes, contact: str, documents: Iterable[str], earlier: int = 0) -> str:
    """The token of a report about these documents to this contact: the same again for the same.

    earlier: how many reports about them there were before, which bounced.
    """
    digest = hashlib.sha256(canonical([contact, sorted(documents), earlier]).encode("utf-8", "surrogatepass")).digest()
    about = _letters(digest)
    return about + _sign(about, key)


def is_ours(token: str, key: bytes) -> bool:
    """Whether we made a token, in upper or lower case."""
    token = token.lower()
    return len(token) == 2 * _HALF and hmac.compare_digest(token[_HALF:].encode(), _sign(token[:_HALF], key).encode())


def find(text: str, key: bytes) -> str:
    """The first token of ours in a text, '' when there is none."""
    found = (one.lower() for one in _TOKEN.findall(text))
    return next((one for one in found if is_ours(one, key)), "")


def derived(key: bytes, purpose: str) -> bytes:
    """A key for another purpose."""
    return hmac.new(key, f"derived {purpose}".encode(), hashlib.sha256).digest()


def _sign(about: str, key: bytes) -> str:
    return _letters(hmac.new(key, f"abuse {about}".encode(), hashlib.sha256).digest())


def _letters(digest: bytes) -> str:
    return base64.b32encode(digest)[:_HALF].decode("ascii").lower()
