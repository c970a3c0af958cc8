"""Whether gzip holds a message: a bare report in gzip is opened where reports are read, a message before that."""

import zlib

from .inflate import GZIP_OR_ZLIB
from .mail import looks_like_mail

GZIP = b"\x1f\x8b\x08"
HEAD = 64 * 1024  # bytes that tell what it is


def holds_mail(head: bytes) -> bool:
    """Whether these first bytes are gzip, and a message or an mbox within."""
    if not head.startswith(GZIP):
        return False
    try:
        return looks_like_mail(zlib.decompressobj(GZIP_OR_ZLIB).decompress(head, HEAD))
    except zlib.error:
        return False
