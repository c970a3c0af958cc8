"""The certificate of a mark (VMC, CMC): for which domain and picture it is, and which authority vouches for it.

draft-fetch-validation-vmc-wchuang. The only module that imports cryptography (60 ms) and mvarcs, which has the roots
of the authorities that large receivers take. Extra [marks].
"""

import base64
import binascii
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

_PURPOSE = "1.3.6.1.5.5.7.3.31"  # id-kp-BrandIndicatorforMessageIdentification
_LOGOTYPE = "1.3.6.1.5.5.7.1.12"  # RFC 9399
_PICTURE = re.compile(rb"data:image/svg\+xml(?:-compressed)?;base64,([A-Za-z0-9+/=]+)")
_LONGEST = 1024**2  # bytes of an opened picture
MISSING = "its authority is not looked at: pip install 'email-report-processor[marks]'"


class Mark(NamedTuple):
    """What was found."""

    authority: str = ""  # that vouches for it, '' for none
    faults: tuple[str, ...] = ()  # why receivers do not take it
    missing: str = ""  # what could not be looked at


def check_mark(
    certificates: Sequence[bytes], names: Collection[str], picture: str, now: datetime, roots: Sequence[bytes] = ()
) -> Mark:
    """Look at certificates (DER), the mark's first. names: any of which it may be for. picture: '' when there is none.

    roots: of authorities (DER), in the place of those that receivers take. Raises ValueError: it is no certificate.
    """
    try:
        from cryptography import x509
        from cryptography.x509.verification import ExtensionPolicy  # noqa: F401  # since 45
    except ImportError:
        return Mark(missing=MISSING)
    own, *others = [x509.load_der_x509_certificate(one) for one in certificates]
    try:
        faults = tuple(_faults(own, names, picture))
        trusted = [x509.load_der_x509_certificate(one) for one in roots] or _roots()
    except ImportError:
        return Mark(missing=MISSING)
    authority, fault = _authority(own, others, trusted, now)
    return Mark(authority, (*faults, *([fault] if fault else [])))


def _roots() -> list[Any]:
    from cryptography import x509
    from mvarcs import contents

    return list(x509.load_pem_x509_certificates(contents().encode()))


def _faults(own: Any, names: Collection[str], picture: str) -> Iterator[str]:
    from cryptography import x509

    if _PURPOSE not in {one.dotted_string for one in _extension(own, x509.ExtendedKeyUsage) or ()}:
        yield "it is not made for marks (its purpose is another one)"
    alternatives = _extension(own, x509.SubjectAlternativeName)
    said = [name.lower() for name in alternatives.get_values_for_type(x509.DNSName)] if alternatives else []
    if not set(said) & set(names):
        yield f"it is for {', '.join(said[:5]) or 'no domain'}"
    inside = _picture(own)
    if inside is None:
        yield "it has no picture"
    elif picture and inside.split() != picture.encode().split():
        yield "its picture is another one than that of l="


def _extension(own: Any, kind: Any) -> Any:
    from cryptography import x509

    try:
        return own.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _picture(own: Any) -> bytes | None:
    """The picture within: compressed (gzip), as a data: URL in the extension."""
    from cryptography import x509

    try:
        value = own.extensions.get_extension_for_oid(x509.ObjectIdentifier(_LOGOTYPE)).value.value
    except x509.ExtensionNotFound:
        return None
    found = _PICTURE.search(value)
    try:
        data = base64.b64decode(found[1], validate=True) if found else b""
        return zlib.decompressobj(31).decompress(data, _LONGEST) if data[:2] == b"\x1f\x8b" else data or None
    except (binascii.Error, zlib.error):
        return None


def _authority(own: Any, others: Sequence[Any], roots: Sequence[Any], now: datetime) -> tuple[str, str]:
    """The name of the root of a chain that holds, else why there is none."""
    from cryptography.x509.oid import NameOID
    from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

    builder = PolicyBuilder().store(Store(list(roots))).time(now)
    builder = builder.extension_policies(
        ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all()
    )
    try:
        chain = builder.build_client_verifier().verify(own, list(others)).chain
    except VerificationError:
        names = own.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
        issuer = names[0].value if names else own.issuer.rfc4514_string()
        return "", f"no authority that receivers take vouches for it, its issuer says it is {issuer!s:.100}"
    names = chain[-1].subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value if names else chain[-1].subject.rfc4514_string())[:100], ""
