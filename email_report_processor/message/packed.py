"""Whether a packed file holds mail: a bare report is unpacked where reports are read, a message before that."""

from .blob import Damaged
from .forms import SNIFFED, STREAMS, form_of
from .mail import looks_like_mail
from .streams import undone

HEAD = 64 * 1024  # bytes that tell what it is


def packed_mail(head: bytes) -> str:
    """The form (gzip, bzip2, xz, zstd) of a file that begins so and holds a message or an mbox; '' for any other."""
    form = form_of(head[:SNIFFED])
    return form if form in STREAMS and looks_like_mail(_beginning(form, head)) else ""


def _beginning(form: str, head: bytes) -> bytes:
    unpacked = b""
    try:
        for piece in undone(form, iter((head,)), []):
            unpacked += piece
            if len(unpacked) >= HEAD:
                break
    except Damaged:
        pass  # the head is not the whole
    return unpacked
