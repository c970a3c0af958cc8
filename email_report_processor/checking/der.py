"""As much of DER (X.690) as keys and certificates take."""


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
