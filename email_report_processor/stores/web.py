"""Requests to a web server that takes documents: one connection, and an answer or trouble in the terms of bulk.py.

http.client is enough (44 ms, against 187 of opensearch-py): there is one server, nothing is followed or redirected.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult

from . import bulk
from .bulk import Answer, Trouble
from .patience import Patience, nobody_took
from .store import Row, StoreError, Written, in_batches

if TYPE_CHECKING:
    import http.client
    import ssl

BATCH_ROWS, BATCH_BYTES = 1000, 1024**2


class Waiting(NamedTuple):
    """How long a call may take."""

    budget: float  # seconds without progress
    timeout: float  # seconds for one request
    sleep: Callable[[float], None]
    clock: Callable[[], float]
    insists: bool = False


class Web:
    """The connection. place: of the server; its scheme ends with http or https. Connects when it is used."""

    def __init__(self, name: str, place: SplitResult, ca_file: str, waiting: Waiting) -> None:
        self.name = name
        self._place = place
        self._ca_file = ca_file
        self._waiting = waiting
        self._connection: http.client.HTTPConnection | None = None

    def patience(self) -> Patience:
        """A new time budget."""
        waiting = self._waiting
        return Patience(self.name, waiting.budget, waiting.sleep, waiting.clock, 0 if waiting.insists else 1)

    def post(self, path: str, data: bytes, headers: Mapping[str, str], patience: Patience) -> Answer:
        """Send it until there is an answer that is no overload. Raises StoreError when the time is up."""
        while True:
            answer = self._send(path, data, headers, min(self._waiting.timeout, patience.left()))
            trouble = answer if isinstance(answer, Trouble) else bulk.overload(answer)
            if trouble is None:
                assert isinstance(answer, Answer)
                return answer
            patience.wait(trouble)

    def close(self) -> None:
        """Close what is open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _send(self, path: str, data: bytes, headers: Mapping[str, str], timeout: float) -> Answer | Trouble:
        import http.client  # 30 ms

        try:
            if self._connection is None:
                self._connection = self._open(timeout)
            if self._connection.sock is not None:
                self._connection.sock.settimeout(timeout)
            self._connection.request("POST", path, data, dict(headers))
            answer = self._connection.getresponse()
            text = answer.read(_LONGEST).decode("utf-8", "replace")
            if not answer.isclosed():  # more than anybody reads
                self.close()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return self._trouble(error, timeout)

    def _open(self, timeout: float) -> "http.client.HTTPConnection":
        import http.client  # loaded by then

        host, port = self._place.hostname or "", self._place.port
        if self._place.scheme.endswith("https"):
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=tls(self.name, self._ca_file))
        return http.client.HTTPConnection(host, port, timeout=timeout)

    def _trouble(self, error: Exception, timeout: float) -> Trouble:
        said = str(getattr(error, "strerror", None) or error) or type(error).__name__
        if isinstance(error, TimeoutError):
            return Trouble(f"gave no answer within {timeout:g} s")
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise StoreError(f"{self.name}: {error}: name the authority that signed it with ca_file") from error
        return Trouble(f"cannot be reached: {said}", unheard=nobody_took(error))


_LONGEST = 1024**2  # bytes of an answer


def tls(name: str, ca_file: str) -> "ssl.SSLContext":
    """The system's trust store (or SSL_CERT_FILE, SSL_CERT_DIR), or one file alone. Raises StoreError."""
    import ssl  # 6 ms

    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise StoreError(f"{name}: {ca_file}: {error}: it must be a readable PEM file") from error


def send(rows: Iterable[Row], post: Callable[[Sequence[Row]], Written]) -> Written:
    """Post the rows in batches. What comes again in a batch is not sent, and counts as there already."""
    written = Written(0, 0)
    for batch in in_batches(rows, BATCH_ROWS, BATCH_BYTES):
        once = list({row.id: row for row in batch}.values())
        written += post(once) + Written(0, len(batch) - len(once))
    return written
