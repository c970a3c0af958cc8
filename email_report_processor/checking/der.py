"""As much of DER (X.690) as keys and certificates take."""

import base64
import re
from datetime import UTC, datetime


def element(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content and what follows of one element. Raises ValueError."""
    if len(data) < 2:
        raise ValueError("too short")
    length, begin = data[1], 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(data[2:begin], "big")
    if len(data) < begin + length:
        raise ValueError("too short")
    return data[0], data[begin : begin + length], data[begin + length :]


def subject_public_key(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, as it stands there (RFC 5280 §4.1). Raises ValueError."""
    _, body, _ = element(certificate)
    _, rest, _ = element(body)
    tag, _, after = element(rest)
    if tag == 0xA0:  # the version
        rest = after
    for _ in range(5):  # serial number, algorithm, issuer, validity, subject
        _, _, rest = element(rest)
    _, _, after = element(rest)
    return rest[: len(rest) - len(after)]


def validity(certificate: bytes) -> tuple[datetime, datetime]:
    """From when until when a certificate holds (RFC 5280 §4.1.2.5). Raises ValueError."""
    _, body, _ = element(certificate)
    _, rest, _ = element(body)
    tag, _, after = element(rest)
    if tag == 0xA0:  # the version
        rest = after
    for _ in range(3):  # serial number, algorithm, issuer
        _, _, rest = element(rest)
    _, dates, _ = element(rest)
    first, begin, dates = element(dates)
    second, end, _ = element(dates)
    return _moment(first, begin), _moment(second, end)


def _moment(tag: int, text: bytes) -> datetime:
    """UTCTime has two digits of the year: 50 is 1950 (RFC 5280 §4.1.2.5.1)."""
    digits = text.decode("ascii")
    if tag == 0x17:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def pem(text: str) -> list[bytes]:
    """The certificates of a PEM file (RFC 7468). Raises ValueError."""
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----", text)
    return [base64.b64decode(block) for block in blocks]
