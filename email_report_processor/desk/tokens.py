"""The names of our reports, which answers bring back: nobody can make one but who knows the key of this site."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from pathlib import Path

from ..documents.document import canonical
from ..keys import own_key
from ..stores import kept

KEY_FILE = "key"
_HALF = 10  # characters of base32: 50 bits say what it is about, 50 bits that it is ours
_TOKEN = re.compile(rf"(?<![a-z0-9])[a-z2-7]{{{2 * _HALF}}}(?![a-z0-9])", re.IGNORECASE)


def read_key(directory: Path) -> bytes:
    """The key of this site; made when there is none yet. Raises SettingsError for a damaged one, OSError."""
    kept.make_directory(directory)
    return own_key(directory / KEY_FILE, "what comes back to earlier reports is known no more")


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
