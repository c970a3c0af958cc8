"""The files in a file that holds others: zip, tar, and messages in forms of their own (Outlook, TNEF, S/MIME).

Each needs its bytes in any order; a form that is one stream of bytes is `inflate` or `compressed`.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from ..values.patterns import pattern
from .blob import Blob, Damaged, chunks
from .transfer import decoded
from .zipped import BZIP2, LZMA, XZ, read_directory, read_member, readable

Open = Callable[[], Iterator[bytes]]
Found = TypeVar("Found")
COSTS = {"bzip2": 8, "xz": 2}  # times as slow to undo as gzip, measured on XML
_COSTS_OF_METHODS = {BZIP2: COSTS["bzip2"], XZ: COSTS["xz"], LZMA: COSTS["xz"]}

# A file in S/MIME data is a message without most of its header (RFC 8551 §3.1), or anything else.
_ENTITY = pattern(rb"\s{0,20}(?:content-[a-z-]{1,40}|mime-version|received|from|date|subject)[ \t]*:", re.IGNORECASE)
_ARMOUR = pattern(rb"\s{0,20}-----BEGIN [^-\r\n]{1,64}-----")


class Inside(NamedTuple):
    """One file in a container."""

    name: str  # '' when it has none of its own
    open: Open  # raises Damaged
    refused: str = ""  # why it cannot be read
    message: bool = False  # it is a message, whatever its header looks like
    cost: int = 1  # see COSTS


class Contents(NamedTuple):
    """The files of a container."""

    files: tuple[Inside, ...]
    more: bool = False  # there are more than were asked for
    note: str = ""  # what is wrong with the container itself


def open_container(form: str, get: Callable[[], Blob], limit: int) -> Contents:
    """The first `limit` files. `get` gives the container's bytes, and is asked again when a file is opened."""
    return _OPENERS[form](get, limit)


def _zip(get: Callable[[], Blob], limit: int) -> Contents:
    directory = read_directory(get(), limit)
    files = []
    for member in directory.members:
        if member.name.endswith("/") and not member.size:
            continue  # a folder
        refused = f"the zip member {member.name!r} is encrypted" if member.encrypted else ""
        if not member.encrypted and not readable(member):
            refused = f"the zip member {member.name!r} is compressed by method {member.method}"
        cost = _COSTS_OF_METHODS.get(member.method, 1)
        files.append(Inside(member.name, _opener(read_member, get, member), refused, cost=cost))
    return Contents(tuple(files), directory.more, directory.note)


def _opener(read: Callable[[Blob, Found], Iterator[bytes]], get: Callable[[], Blob], member: Found) -> Open:
    return lambda: read(get(), member)


def _tar(get: Callable[[], Blob], limit: int) -> Contents:
    from .tarred import read_tar, read_tarred  # 0.6 ms

    files: list[Inside] = []
    note = ""
    try:
        for member in read_tar(get()):
            if len(files) == limit:
                return Contents(tuple(files), more=True)
            files.append(Inside(member.name, _opener(read_tarred, get, member)))
    except Damaged as fault:
        note = str(fault)
    return Contents(tuple(files), note=note)


def _compound(get: Callable[[], Blob], _limit: int) -> Contents:
    from .outlook import is_message, msg_as_mime  # 2 ms

    try:
        if not is_message(get()):
            return Contents(())  # an old Office document
    except Damaged as fault:
        return Contents((), note=str(fault))
    return Contents((Inside("", lambda: msg_as_mime(get()), message=True),))


def _tnef(get: Callable[[], Blob], _limit: int) -> Contents:
    from .tnef import tnef_as_mime  # 2 ms

    return Contents((Inside("", lambda: tnef_as_mime(get()), message=True),))


def _signed(get: Callable[[], Blob], _limit: int) -> Contents:
    from .signed import content_of  # 0.4 ms

    first = b""
    try:
        for piece in content_of(get()):
            first += piece
            if len(first) > 64:
                break
    except Damaged as fault:
        if not first:
            return Contents((), note=str(fault))
    if not first:
        return Contents(())  # a signature of what stands elsewhere, or certificates
    return Contents((Inside("", lambda: content_of(get()), message=_ENTITY.match(first) is not None),))


def _pem(get: Callable[[], Blob], _limit: int) -> Contents:
    """Base64 between two lines of dashes (RFC 7468)."""

    def text() -> Iterator[bytes]:
        blob = get()
        first = _ARMOUR.match(blob.read(0, 128))
        return decoded(_up_to_dashes(chunks(blob, first.end() if first else 0)), "base64")

    return Contents((Inside("", text),))


def _up_to_dashes(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        before, dashes, _ = piece.partition(b"-")
        yield before
        if dashes:
            return


_OPENERS: dict[str, Callable[[Callable[[], Blob], int], Contents]] = {
    "zip": _zip,
    "tar": _tar,
    "compound": _compound,
    "tnef": _tnef,
    "signed": _signed,
    "pem": _pem,
}
