"""What form a file has, told by its first bytes: what can be undone, and what can be named but not opened.

Only the tests are here: what undoes a form is loaded when a file has it.
"""

import zlib

from .inflate import GZIP_OR_ZLIB

STREAMS = frozenset({"gzip", "zlib", "bzip2", "xz", "zstd"})  # a file in each; the other forms hold several
SNIFFED = 512  # bytes that tell a form; a header of a tar file has as many
BLANKS = b" \t\r\n"

# What a file of a form begins with.
_FORMS: tuple[tuple[str, tuple[bytes, ...]], ...] = (
    ("gzip", (b"\x1f\x8b\x08",)),
    ("zip", (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08PK\x03\x04", b"PK00PK\x03\x04")),
    ("bzip2", tuple(b"BZh%d" % level + mark for level in range(1, 10) for mark in (b"1AY&SY", b"\x17rE8P\x90"))),
    ("xz", (b"\xfd7zXZ\0",)),
    ("zstd", (b"\x28\xb5\x2f\xfd", *(bytes((mark,)) + b"\x2a\x4d\x18" for mark in range(0x50, 0x60)))),
    ("tnef", (b"\x78\x9f\x3e\x22",)),
    ("compound", (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)),
    ("pem", (b"-----BEGIN PKCS7-----", b"-----BEGIN PKCS #7 SIGNED DATA-----", b"-----BEGIN CMS-----")),
)
_SEALED: tuple[tuple[str, tuple[bytes, ...]], ...] = (
    ("a 7z archive", (b"7z\xbc\xaf\x27\x1c",)),
    ("a RAR archive", (b"Rar!\x1a\x07",)),
    ("a cabinet (CAB)", (b"MSCF\0\0\0\0",)),
    ("an ALZip archive", (b"ALZ\x01", b"EGGA")),
    ("a StuffIt archive", (b"SIT!", b"StuffIt (c)", b"StuffIt!")),
    ("an image of Windows (WIM)", (b"MSWIM\0\0\0",)),
    ("a XAR archive", (b"xar!\0",)),
    ("a file in AppleSingle", (b"\0\x05\x16\0\0",)),
    ("compress (.Z) data", (b"\x1f\x9d", b"\x1f\xa0")),
    ("lz4 data", (b"\x04\x22\x4d\x18",)),
    ("lzip data", (b"LZIP\x00", b"LZIP\x01")),
    ("lzop data", (b"\x89LZO\0\r\n\x1a\n",)),
    ("snappy data", (b"\xff\x06\0\0sNaPpY",)),
    ("encrypted by OpenPGP", (b"-----BEGIN PGP MESSAGE",)),
    ("encrypted by age", (b"age-encryption.org/v1", b"-----BEGIN AGE ENCRYPTED FILE")),
    ("encrypted by openssl enc", (b"Salted__",)),
)
# The same, told by bytes further behind.
_SEALED_LATER: tuple[tuple[str, bytes, int, bytes], ...] = (
    ("an ACE archive", b"", 7, b"**ACE**"),
    ("an LHA archive", b"", 2, b"-lh"),
    ("an ARJ archive", b"\x60\xea", 10, b"\x02"),
    ("encrypted by OpenPGP", b"\x84", 2, b"\x03"),
    ("encrypted by OpenPGP", b"\x85", 3, b"\x03"),
)
_FIRST_OF_FORMS, _FIRST_OF_SEALED = (
    frozenset(mark[:1] for _, marks in table for mark in marks) for table in (_FORMS, _SEALED)
)
_TAR_DIGITS = b"01234567"
# The beginning of an object identifier of CMS (1.2.840.113549.1), in base64: 0, 1 and 2 bytes behind a whole group
CMS_IN_BASE64 = (b"KoZIhvcNAQ", b"qGSIb3DQE", b"qhkiG9w0B")
# One of these stands in a text with a file in it; `inline` looks closer.
TEXT_MARKS: tuple[bytes, ...] = (
    *(b"begin %d" % digit for digit in range(8)),
    b"begin-base64",
    b"H4sI",
    b"UEsDB",
    b"QlpoO",
    b"/Td6WFo",
    b"KLUv/",
    b"N3q8ryc",
    b"UmFyIRoH",
    b"0M8R4KGxGu",
    b"eJ8+I",
    b"PD94bWw",
    b"PGZlZWRi",
    b"77u/",
    b"eyA",
    b"eyI",
    b"eyJ",
    b"ewo",
    b"ewk",
    b"ew0K",
    b"W3s",
    b"Wwo",
    b"Ww0K",
    b"//48AD8A",
    b"UmVjZWl2ZWQ6",
    *CMS_IN_BASE64,
    b"-----BEGIN PGP MESSAGE",
    b"=ybegin ",
    b"with BinHex",
)


def form_of(first: bytes) -> str:
    """The form of a file that begins with these bytes and can be undone, '' for what is none of them."""
    start = first.lstrip(BLANKS)
    for name, marks in _FORMS if start[:1] in _FIRST_OF_FORMS else ():
        if start.startswith(marks):
            return name
    if start.startswith(b"\x30") and (kind := _cms(start)):
        return "signed" if kind in _IN_CLEAR else ""
    if start.startswith((b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")) and _inflates(start):
        return "zlib"
    if start.startswith(b"\x5d\0\0") and _is_lzma(start):
        return "xz"
    return "tar" if tar_checksum(first) is not None else ""


def is_cms(first: bytes) -> bool:
    """Whether data begin as CMS does, S/MIME above all, whatever is in it."""
    return first.startswith(b"\x30") and _cms(first) != b""


def sealed(first: bytes) -> str:
    """Why a file that begins with these bytes cannot be opened; '' when nothing says so."""
    start = first.lstrip(BLANKS)
    for name, marks in _SEALED if start[:1] in _FIRST_OF_SEALED else ():
        if start.startswith(marks):
            return name
    for name, mark, at, later in _SEALED_LATER:
        if start.startswith(mark) and start.startswith(later, at):
            return name
    return "encrypted by S/MIME" if is_cms(start) else ""


_PKCS7, _SMIME = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07", b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01"
_IN_CLEAR = {
    _PKCS7 + b"\x01",
    _PKCS7 + b"\x02",
    _PKCS7 + b"\x05",
    _SMIME + b"\x09",
}  # data, signed, digested; compressed


def _cms(first: bytes) -> bytes:
    """The type of content of CMS data (RFC 5652 §3), '' when they are none: a SEQUENCE begins with it."""
    length = first[1:2]
    behind = 2 + (length[0] & 0x7F if length and length[0] & 0x80 else 0)
    for prefix, last in ((_PKCS7, b"\x01\x02\x03\x04\x05\x06"), (_SMIME, b"\x09\x17")):
        kind = first[behind : behind + len(prefix) + 1]
        if kind.startswith(prefix) and kind[-1:] in last and len(kind) > len(prefix):
            return kind
    return b""


def _is_lzma(first: bytes) -> bool:
    """With 64 KiB to 4 GiB of memory, of unknown size or below 1 TiB, and a first byte of data that is always 0."""
    return first[13:14] == b"\0" and (first[5:13] == b"\xff" * 8 or first[10:13] == b"\0\0\0")


def tar_checksum(header: bytes) -> int | None:
    """The checksum of the header of a tar file, when there is one that is right."""
    stated = header[148:156].strip(b" \0")
    if not stated or stated.strip(_TAR_DIGITS) or len(header) < SNIFFED:
        return None
    computed = sum(header[:148]) + sum(header[156:SNIFFED]) + 8 * ord(" ")
    return computed if int(stated, 8) == computed else None


def _inflates(first: bytes) -> bool:
    try:
        return bool(zlib.decompressobj(GZIP_OR_ZLIB).decompress(first, 1))
    except zlib.error:
        return False
