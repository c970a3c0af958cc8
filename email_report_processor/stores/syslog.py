"""`syslog://`, `syslog+tls://` (RFC 5424 over TCP, octet counting of RFC 6587 §3.4.1, TLS of RFC 5425), and `gelf://`.

Neither protocol has an answer. The most that can be known is that the receiver has read everything to the end of the
connection and closed it in order; so each batch has a connection of its own, and that is waited for. What the receiver
makes of it nobody learns: a weaker promise than any other store's (docs/stores.md).
"""

import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import SplitResult

from ..documents.encode import decode
from ..values.patterns import pattern
from . import place
from .bulk import Trouble
from .ndjson import line
from .others import Chosen
from .patience import Patience, nobody_took
from .store import Row, Store, StoreError, Written
from .unreadable import Unreadable
from .web import send, tls

_PORTS = {"syslog": 601, "syslog+tls": 6514, "gelf": 12201, "gelf+tls": 12201}  # RFC 6587 §3.1, RFC 5425 §4.1, Graylog
_PRIORITY = 2 * 8 + 6  # facility mail, severity informational (RFC 5424 §6.2.1)
_NOT_GELF = pattern(r"[^\w.\-]")  # in the name of an additional field
_APP = "email-report"


class SyslogOptions(NamedTuple):
    """How documents go by syslog and GELF."""

    ca_file: str = ""  # certificates (PEM) to trust instead of the system's
    timeout: float = 20.0  # seconds for one batch
    hostname: str = ""  # whose name the messages have; '' is this machine's


def open_url(url: str, chosen: Chosen) -> Store:
    """See others.open_other."""
    parts = place.read(url, "syslog+tls://HOST[:PORT], syslog:// or gelf://", "syslog")
    if parts.path.strip("/") or parts.query:
        raise ValueError("not a URL of the form syslog+tls://HOST[:PORT], syslog:// or gelf://")
    options = chosen.options("syslog", SyslogOptions)
    return SyslogStore(parts, options, budget=chosen.budget, insists=chosen.insists)


class SyslogStore(Unreadable):
    """A receiver of syslog or GELF."""

    def __init__(
        self,
        parts: SplitResult,
        options: SyslogOptions,
        *,
        budget: float = 30.0,
        insists: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = f"{parts.scheme}://{parts.netloc}"
        self._address = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
        self._encrypted = parts.scheme.endswith("+tls")
        self._options = options
        self._waiting = (budget, sleep, clock, 0 if insists else 1)
        host = options.hostname or os.uname().nodename
        self._form = gelf if parts.scheme.startswith("gelf") else rfc5424
        self._host = host

    def write(self, rows: Iterable[Row]) -> Written:
        """See Store, and the module: it is known that all was read, not that it is kept."""
        return send(rows, self._deliver)

    def close(self) -> None:
        """Nothing is open between two calls."""

    def _deliver(self, rows: Sequence[Row]) -> Written:
        data = b"".join(self._form(row, self._host) for row in rows)
        patience = Patience(self.name, *self._waiting)
        while True:
            try:
                self._send(data, min(self._options.timeout, patience.left()))
            except TimeoutError:
                trouble = Trouble(f"did not read all within {self._options.timeout:g} s")
            except ssl.SSLCertVerificationError as error:
                remedy = "name the authority that signed it with [syslog] ca_file"
                raise StoreError(f"{self.name}: {error.verify_message}: {remedy}") from error
            except OSError as error:
                trouble = Trouble(f"cannot be reached: {error.strerror or error}", unheard=nobody_took(error))
            else:
                return Written(len(rows), 0)
            patience.wait(trouble)

    def _send(self, data: bytes, timeout: float) -> None:
        with self._connected(timeout) as connection:
            connection.sendall(data)
            _finish(connection)

    def _connected(self, timeout: float) -> socket.socket:
        context = tls(self.name, self._options.ca_file) if self._encrypted else None
        connection = socket.create_connection(self._address, timeout)
        if context is None:
            return connection
        try:
            return context.wrap_socket(connection, server_hostname=self._address[0])
        except (OSError, ValueError):
            connection.close()
            raise


def _finish(connection: socket.socket) -> None:
    """Say that this is all, and wait until the receiver has read it and closes. Raises OSError when it breaks off."""
    if isinstance(connection, ssl.SSLSocket):
        try:
            connection = connection.unwrap()
        except ssl.SSLEOFError:  # closed without a close_notify, as many do; a connection that breaks is another error
            return
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4096):
        pass


def rfc5424(row: Row, host: str) -> bytes:
    """A document as a message with its length in front; its time is when it was stored, which receivers believe."""
    source: dict[str, Any] = json.loads(row.source)
    event = source.get("event", {})
    words = [
        event.get("ingested") or "-",
        _printable(host, 255),
        _APP,
        "-",
        _printable(event.get("dataset", ""), 32),
        "-",
    ]
    head = f"<{_PRIORITY}>1 {' '.join(words)} "
    message = head.encode() + b"\xef\xbb\xbf" + line(row).rstrip(b"\n")  # BOM: what follows is UTF-8 (§6.4)
    return b"%d %b" % (len(message), message)


def _printable(text: str, longest: int) -> str:
    """A header field: visible ASCII (RFC 5424 §6), `-` for none."""
    return "".join(one for one in text if "!" <= one <= "~")[:longest] or "-"


def gelf(row: Row, host: str) -> bytes:
    """A document as GELF 1.1, ended by a zero byte. Additional fields are texts and numbers; `_id` is not allowed."""
    fields = decode(row.source)
    moment = fields.pop("@timestamp", "")
    made: dict[str, Any] = {
        "version": "1.1",
        "host": host,
        "short_message": f"{fields.get('event.dataset', '')} {row.id}",
        "level": 6,
        "_document": row.id,
        "_index": row.index,
    }
    if seconds := _seconds(moment):
        made["timestamp"] = seconds
    for name, value in fields.items():
        plain = isinstance(value, str | int | float) and not isinstance(value, bool)
        text = value if plain else json.dumps(value, ensure_ascii=False)
        made["_" + _NOT_GELF.sub("_", name)] = text
    return json.dumps(made, ensure_ascii=False).encode() + b"\0"


def _seconds(moment: str) -> float:
    """Since 1970, 0 when it is none."""
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0
