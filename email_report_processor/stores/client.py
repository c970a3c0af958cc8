"""The connections to the nodes of a cluster. The only module that imports opensearch-py, and only when it is used.

Of opensearch-py its connection is used, not its transport: that one hides the status and Retry-After, and retries
without waiting; its bulk helper raises 409 and 429 instead of telling them apart. What answers mean stands in bulk.py;
no connection, a lost one and a time-out are trouble too.
"""

import json
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from . import bulk
from .bulk import Answer, Trouble
from .patience import Patience, nobody_took
from .store import StoreError

if TYPE_CHECKING:
    import ssl

_COMPRESS_ABOVE = 1024  # bytes of a body
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ANY_STATUS = range(1000)  # none is an exception
_SEARCHING = 6  # times the limit of a request: sums over ten million rows on a busy node take half a minute


class OpenSearchOptions(NamedTuple):
    """What is special to OpenSearch. Each becomes a setting of the section [opensearch]."""

    hosts: tuple[str, ...] = ()  # further nodes of the same cluster, as URLs; tried in turn when one does not answer
    username: str = ""  # for basic authentication
    password: str = ""  # of username; better in a file that password_file names
    ca_file: str = ""  # certificates (PEM) to trust instead of the system's
    client_cert: str = ""  # our certificate (PEM), with its key unless client_key names it
    client_key: str = ""  # the key (PEM) of client_cert, where that file has none
    verify: bool = True  # false believes any certificate: for trying only
    aws_region: str = ""  # signs requests (SigV4) with the credentials that botocore finds; needs the extra [aws]
    aws_service: str = "es"  # es, or aoss for OpenSearch Serverless
    pipelines: Mapping[str, str] = {}  # dataset -> ingest pipeline
    replicas: int = -1  # copies of a new index beside the first; -1: none on a single node, one on several
    timeout: float = 20.0  # seconds for one request; a search may take six times as long
    bulk_bytes: int = 4 * 1024**2  # documents sent in one request, at least one
    compress: bool = True  # gzip for requests above 1 KiB that leave this machine


class Client:
    """The connections to the nodes of a cluster: one request, one answer, in our terms."""

    def __init__(
        self,
        name: str,
        places: Sequence[SplitResult],
        options: OpenSearchOptions,
        *,
        budget: float,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
        insists: bool = False,
    ) -> None:
        self.name = name
        self._insists = insists
        self._places = places
        self._options = options
        # Within one machine packing and unpacking costs more than it saves: 2.2 s instead of 1.9 for 23,000 documents.
        self._compress = options.compress and any(place.hostname not in _LOOPBACK for place in places)
        self._budget = budget
        self._sleep = sleep
        self._clock = clock
        self._connections: list[Any] = []
        self._turn = 0

    def patience(self) -> Patience:
        """A new time budget."""
        return Patience(self.name, self._budget, self._sleep, self._clock, 0 if self._insists else len(self._places))

    def request(
        self,
        method: str,
        path: str,
        content: Any = None,
        parameters: Mapping[str, str] | None = None,
        *,
        searches: bool = False,
    ) -> Answer:
        """See OpenSearchStore.request. searches: it may take long, and is not sent again when it took too long."""
        kind = "application/x-ndjson" if isinstance(content, bytes) else "application/json"
        data = content if content is None or isinstance(content, bytes) else compact(content)
        patience = self.patience()
        while True:
            answer = self.send(method, path, parameters or {}, data, patience, kind, searches=searches)
            trouble = answer if isinstance(answer, Trouble) else bulk.overload(answer)
            if trouble is None:
                assert isinstance(answer, Answer)
                return answer
            patience.wait(trouble)

    def ask(self, path: str, content: Any, *, once: bool = False) -> dict[str, Any]:
        """The answer to a search. once: not again, since the question moves a place forward. Raises StoreError."""
        if once:
            answer = self.send("POST", path, {}, compact(content), self.patience())
            if isinstance(answer, Trouble):
                raise StoreError(f"{self.name} {answer.reason}: run it again")
        else:
            answer = self.request("POST", path, content, searches=True)
        value = answer.json
        if answer.status != 200 or not isinstance(value, dict) or "hits" not in value:
            raise bulk.refusal(self.name, answer)
        return value

    def send(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        data: bytes | None,
        patience: Patience,
        content_type: str = "application/json",
        *,
        searches: bool = False,
    ) -> Answer | Trouble:
        """One request to the node whose turn it is. Raises StoreError when sending it again is of no use."""
        import opensearchpy.exceptions as theirs  # 165 ms, and only where something is sent

        headers = {"content-type": content_type}
        if self._compress and data is not None and len(data) > _COMPRESS_ABOVE:
            data = zlib.compress(data, level=3, wbits=31)
            headers["content-encoding"] = "gzip"
        connection = self._connection()
        timeout = self._options.timeout * _SEARCHING if searches else min(self._options.timeout, patience.left())
        try:
            status, received, text = connection.perform_request(
                method, path, parameters, data, timeout=timeout, ignore=_ANY_STATUS, headers=headers
            )
        except theirs.ConnectionTimeout:
            if searches:
                remedy = "ask about less time, or raise [opensearch] timeout"
                raise StoreError(f"{self.name} gave no answer within {timeout:g} s: {remedy}") from None
            trouble = Trouble(f"gave no answer within {timeout:g} s")
        except theirs.SSLError as error:
            trouble = self._tls_trouble(error)
        except (theirs.OpenSearchException, theirs.OpenSearchDslException, theirs.ImproperlyConfigured) as error:
            cause = _root(error)
            trouble = Trouble(f"cannot be reached: {_said(cause)}", unheard=nobody_took(cause))
        else:
            return Answer(status, {name.lower(): value for name, value in received.items()}, text)
        self._turn += 1  # the next node
        return trouble

    def close(self) -> None:
        """Close what is open."""
        while self._connections:
            self._connections.pop().close()

    def _connection(self) -> Any:
        if not self._connections:
            self._connections = _connect(self.name, self._places, self._options)
        return self._connections[self._turn % len(self._connections)]

    def _tls_trouble(self, error: Exception) -> Trouble:
        """A certificate does not get better by waiting; a connection that was cut does."""
        reason = _said(_root(error))
        for words, remedy in _TLS_REMEDIES:
            if words in reason:
                raise StoreError(f"{self.name}: {reason}: {remedy}") from error
        return Trouble(f"cannot be reached: {reason}")


_TLS_REMEDIES = (
    ("ostname mismatch", "name the host as its certificate does"),
    ("IP address mismatch", "name the host as its certificate does"),
    ("certificate has expired", "renew the certificate of OpenSearch"),
    ("CERTIFICATE_VERIFY_FAILED", "name the authority that signed it with [opensearch] ca_file"),
    ("WRONG_VERSION_NUMBER", "it does not speak TLS there: use http:// or another port"),
    ("CERTIFICATE_REQUIRED", "it wants a certificate of ours: set [opensearch] client_cert and client_key"),
)


def load_client() -> None:
    """Import opensearch-py now: before a process parts into several that all need it."""
    import opensearchpy  # noqa: F401  # 165 ms


def place_of(url: str) -> SplitResult:
    """The parts of a node's URL. Raises ValueError, without repeating a password."""
    if "@" in url:
        raise ValueError(
            "credentials do not belong into the URL, where logs show them: set [opensearch] username and password_file"
        )
    try:
        place = urlsplit(url.strip())
        port = place.port
    except ValueError as error:
        raise ValueError(f"not a URL of OpenSearch: {error}") from error
    if place.scheme not in {"http", "https"} or not place.hostname or place.query or place.fragment or port == 0:
        raise ValueError(f"not a URL of OpenSearch: {url!r}; write https://HOST:9200")
    return place


def _connect(name: str, places: Sequence[SplitResult], options: OpenSearchOptions) -> list[Any]:
    import logging

    from opensearchpy import Urllib3HttpConnection  # 165 ms, and only where something is sent

    for logger in ("opensearch", "urllib3"):  # we say what went wrong; theirs would reach stderr, and so a bounce
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    _silence_warnings()
    signer = _signer(name, options) if options.aws_region else None
    tls = _tls_context(name, options) if any(place.scheme == "https" for place in places) else None
    return [
        Urllib3HttpConnection(
            host=place.hostname or "",
            port=place.port or (443 if place.scheme == "https" else 9200),
            use_ssl=place.scheme == "https",
            ssl_context=tls,
            url_prefix=place.path.strip("/"),
            http_auth=signer,
            headers=_headers(options),
        )
        for place in places
    ]


def _silence_warnings() -> None:
    """Those of OpenSearch and of `verify = false`: they would be printed to stderr, and so into a bounce."""
    import warnings

    import urllib3.exceptions
    from opensearchpy import OpenSearchWarning

    warnings.filterwarnings("ignore", category=OpenSearchWarning)
    warnings.filterwarnings("ignore", category=urllib3.exceptions.InsecureRequestWarning)


def _headers(options: OpenSearchOptions) -> dict[str, str]:
    headers = {"accept-encoding": "gzip"} if options.compress else {}
    if options.username:
        # RFC 7617 §2.1: UTF-8; urllib3's own helper knows Latin-1 only.
        credentials = f"{options.username}:{options.password}".encode()
        headers["authorization"] = "Basic " + b64encode(credentials).decode("ascii")
    return headers


def _tls_context(name: str, options: OpenSearchOptions) -> "ssl.SSLContext":
    """The system's trust store (or SSL_CERT_FILE, SSL_CERT_DIR), or `ca_file` alone; 20 ms and 1 ms."""
    import ssl  # 6 ms, and opensearch-py has it loaded

    file = options.ca_file
    try:
        context = ssl.create_default_context(cafile=file or None)
        file = options.client_cert
        if file:
            context.load_cert_chain(file, options.client_key or None)
    except OSError as error:  # ssl.SSLError is one
        raise StoreError(f"{name}: {file}: {error}: it must be a readable PEM file") from error
    if not options.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _signer(name: str, options: OpenSearchOptions) -> Any:
    """What signs requests for AWS (SigV4)."""
    try:
        from botocore.session import get_session  # 60 ms, only with aws_region
    except ImportError as error:
        raise StoreError(f"{name}: aws_region needs botocore: pip install 'email-report-processor[aws]'") from error
    from opensearchpy import Urllib3AWSV4SignerAuth

    credentials = get_session().get_credentials()
    if credentials is None:
        raise StoreError(f"{name}: no AWS credentials: see `aws configure`, or the role of this machine")
    return Urllib3AWSV4SignerAuth(credentials, options.aws_region, options.aws_service)


def _root(error: BaseException) -> BaseException:
    """The error at the bottom: `Connection refused`, not what each layer wrapped around it."""
    below = getattr(error, "info", None)
    last = below if isinstance(below, BaseException) else error
    while (cause := last.__cause__ or last.__context__) is not None:
        last = cause
    return last


def _said(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


def compact(value: Any) -> bytes:
    """A value as JSON, as small as it can be written."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
