"""Certificates of a test's own authorities, made while it runs."""

import base64
import gzip
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

MARK = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.31")  # id-kp-BrandIndicatorforMessageIdentification
LOGOTYPE = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.12")


class Made(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def public_key(self) -> bytes:
        """SubjectPublicKeyInfo."""
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def context(self, directory: Path, *above: "Made") -> ssl.SSLContext:
        """Of a server that shows it and those above."""
        path = directory / f"{self.certificate.serial_number:x}.pem"
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        path.write_text("".join([key, self.pem, *(one.pem for one in above)]))
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(path)
        return made


def certificate(
    name: str,
    issuer: Made | None = None,
    *,
    names: Sequence[str] = (),
    days: tuple[int, int] = (-1, 100),
    purposes: Sequence[x509.ObjectIdentifier] = (),
    picture: bytes = b"",
) -> Made:
    """One of a host (names) or of an authority (without). days: from and until, from today. picture: of a mark."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    above = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, names))), critical=False)
    else:
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
        )
        usage |= {"digital_signature": True, "key_cert_sign": True, "crl_sign": True, "decipher_only": False}
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if picture:
        uri = b"data:image/svg+xml;base64," + base64.b64encode(gzip.compress(picture))
        builder = builder.add_extension(x509.UnrecognizedExtension(LOGOTYPE, _logotype(uri)), critical=False)
    return Made(builder.sign(above, hashes.SHA256()), key)


def _logotype(uri: bytes) -> bytes:
    """As much of LogotypeExtn (RFC 9399 §4.1) as a mark's certificate has: subjectLogo, direct, one image."""
    details = _der(0x16, b"image/svg+xml") + _der(0x30, b"") + _der(0x30, _der(0x16, uri))
    image = _der(0x30, _der(0x30, _der(0x30, details)))
    return _der(0x30, _der(0xA2, _der(0xA0, image)))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
