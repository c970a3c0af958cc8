"""Servers of others, as senders meet them: a policy over HTTPS, and the certificate behind STARTTLS on port 25."""

import http.client
import smtplib
import socket
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple

from .resolver import Look

_LONGEST = 64 * 1024  # bytes of a policy (RFC 8461 §3.3)
Place = Callable[[str, int], tuple[str, int]]  # name and port -> where to connect


class Page(NamedTuple):
    """What a GET brought."""

    status: int = 0
    type: str = ""  # media type
    text: str = ""
    fault: str = ""  # why there is none


class Peer(NamedTuple):
    """What a mail server shows."""

    certificate: bytes = b""  # DER, of the server itself
    above: tuple[bytes, ...] = ()  # DER, what else it shows, in its order
    valid: str = ""  # '' when public authorities vouch for the name; else why not
    fault: str = ""  # why there is no certificate


class Reach:
    """Connects. place: where a name's port is; authorities: a file of certificates in the place of the system's."""

    def __init__(self, look: Look, timeout: float = 10.0, place: Place | None = None, authorities: str = "") -> None:
        self._look = look
        self._timeout = timeout
        self._place = place or self._public
        self._authorities = authorities or None

    def _public(self, name: str, port: int) -> tuple[str, int]:
        addresses = self._look(name, "ADDRESS").texts
        if not addresses:
            raise OSError(f"{name} has no address")
        return addresses[0], port

    def _connected(self, name: str, port: int) -> socket.socket:
        return socket.create_connection(self._place(name, port), self._timeout)

    def get(self, name: str, path: str) -> Page:
        """GET over HTTPS, with a certificate that holds; redirects are not followed (RFC 8461 §3.3)."""
        context = ssl.create_default_context(cafile=self._authorities)
        connection = http.client.HTTPSConnection(name, timeout=self._timeout, context=context)
        try:
            with self._connected(name, 443) as plain:
                connection.sock = context.wrap_socket(plain, server_hostname=name)
                connection.request("GET", path, headers={"User-Agent": "email-report-admin", "Connection": "close"})
                answer = connection.getresponse()
                data = answer.read(_LONGEST + 1)
        except (OSError, http.client.HTTPException) as error:
            return Page(fault=_why(error))
        finally:
            connection.close()
        if len(data) > _LONGEST:
            return Page(answer.status, fault=f"longer than {_LONGEST} bytes")
        return Page(answer.status, answer.headers.get_content_type(), data.decode("utf-8", "replace"))

    def starttls(self, name: str) -> Peer:
        """The certificate of a mail server, and whether it holds for the name."""
        found = self._hello(name, ssl.create_default_context(cafile=self._authorities))
        if not found.valid:
            return found
        anyway = ssl.create_default_context()
        anyway.check_hostname = False
        anyway.verify_mode = ssl.CERT_NONE  # DANE asks no authority
        return self._hello(name, anyway)._replace(valid=found.valid)

    def vouches(self, name: str, authority: bytes) -> str:
        """Why the certificate of a mail server does not hold for its name by this authority (DER) alone, '' if it does.

        It is OpenSSL that builds and checks the chain, as it does for Postfix; the authority need be no root.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(cadata=authority)
        except ssl.SSLError as error:
            return f"the authority is no certificate: {_why(error)}"
        found = self._hello(name, context)
        return found.valid or found.fault

    def _hello(self, name: str, context: ssl.SSLContext) -> Peer:
        try:
            client = _Client(name, lambda: self._connected(name, 25))
        except (OSError, smtplib.SMTPException) as error:
            return Peer(fault=_why(error))
        try:
            client.ehlo()
            if not client.has_extn("starttls"):
                return Peer(fault="it offers no STARTTLS")
            client.starttls(context=context)
            shown = _chain(client.sock)
            return Peer(shown[0], tuple(shown[1:])) if shown else Peer(fault="it shows no certificate")
        except ssl.SSLCertVerificationError as error:
            return Peer(valid=error.verify_message or str(error))
        except (OSError, smtplib.SMTPException) as error:
            return Peer(fault=_why(error))
        finally:
            client.close()


class _Client(smtplib.SMTP):
    """Connects where it is told, and greets as nobody in particular."""

    def __init__(self, name: str, connected: Callable[[], socket.socket]) -> None:
        self._connected = connected
        super().__init__(name, 25, local_hostname="[127.0.0.1]")

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # the library's own
        return self._connected()


def _chain(connection: Any) -> list[bytes]:
    """What a server showed, in DER."""
    if hasattr(connection, "get_unverified_chain"):  # from Python 3.13 on
        return list(connection.get_unverified_chain())
    import _ssl

    shown = connection._sslobj.get_unverified_chain() or ()  # what 3.13 gave a name; the same since 3.10
    return [one.public_bytes(_ssl.ENCODING_DER) for one in shown]


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate does not hold: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
