"""OpenSearch as a store. The only module that imports opensearch-py, and only when something is sent.

Of opensearch-py its connection is used, not its transport: that one hides the status and Retry-After, and retries
without waiting; its bulk helper raises 409 and 429 instead of telling them apart. What answers mean stands in bulk.py;
no connection, a lost one and a time-out are trouble too: sent again, with back-off and jitter, until nothing has moved
for the time budget.
"""

import hashlib
import json
import os
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from ..documents.datasets import BY_NAME
from ..documents.layout import dataset_of
from ..values.fields import write_date
from . import bulk, templates
from .bulk import Answer, Outcome, Trouble
from .store import Question, Row, StoreError, Total, Written

if TYPE_CHECKING:
    import ssl

    from .totals import Checked

_BULK_PARAMETERS = {"filter_path": bulk.FILTER}
_COMPRESS_ABOVE = 1024  # bytes of a body
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0  # seconds; doubled each time, then anything from 0 to it
_ANY_STATUS = range(1000)  # none is an exception
_PAGE_ROWS = 250  # documents read at once by `scan`
_PAGE_GROUPS = 1000  # groups read at once by `totals`
_SCROLL = "5m"  # how long OpenSearch keeps our place between two pages
_SEEN_FOR = 3600.0  # seconds that the templates are taken to be there: a cluster may be made anew at the same place


class OpenSearchOptions(NamedTuple):
    """What is special to OpenSearch. Each becomes a setting of the section [opensearch]."""

    hosts: tuple[str, ...] = ()  # further nodes of the same cluster, as URLs; tried in turn when one does not answer
    username: str = ""
    password: str = ""
    ca_file: str = ""  # certificates (PEM) to trust instead of the system's
    client_cert: str = ""  # our certificate (PEM), with its key unless client_key names it
    client_key: str = ""
    verify: bool = True  # False believes any certificate: for trying only
    aws_region: str = ""  # signs requests (SigV4) with the credentials that botocore finds; needs the extra [aws]
    aws_service: str = "es"  # es, or aoss for OpenSearch Serverless
    pipelines: Mapping[str, str] = {}  # dataset -> ingest pipeline
    timeout: float = 20.0  # seconds for one request
    bulk_bytes: int = 4 * 1024**2  # documents sent in one request, at least one
    compress: bool = True  # gzip for requests above 1 KiB that leave this machine


class OpenSearchStore:
    """Documents in the indices of a cluster. Connects when it is used.

    prefix: of the index names. budget: seconds without progress after which a call gives up. state: directory that
    remembers that the templates are there, '' for none. Raises ValueError for a URL that cannot be used.
    """

    def __init__(
        self,
        urls: Sequence[str],
        options: OpenSearchOptions,
        *,
        prefix: str = "email-report-",
        budget: float = 30.0,
        state: str = "",
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        places = [_place(url) for url in (*urls, *options.hosts)]
        self.name = ",".join(place.geturl().rstrip("/") for place in places)
        self._client = Client(self.name, places, options, budget=budget, sleep=sleep, clock=clock)
        self._templates = Templates(self._client, prefix, state)
        self._prefix = prefix
        self._pipelines = options.pipelines
        self._bulk_bytes = options.bulk_bytes

    def write(self, rows: Iterable[Row]) -> Written:
        """See Store."""
        written = Written(0, 0)
        for chunk in _chunks(rows, lambda: self._bulk_bytes):
            dataset_of_index = {index: self._dataset(index) for index in {row.index for row in chunk}}
            self._templates.ensure(set(dataset_of_index.values()))
            pipelines = {index: self._pipelines.get(dataset, "") for index, dataset in dataset_of_index.items()}
            written += self._store(chunk, pipelines)
        return written

    def scan(self, after: tuple[str, str] | None = None) -> Iterator[Row]:
        """Every document, index by index in the order of their names; within an index in no order.

        So `after` begins again with the whole of its index. (Sorting by id would load all ids into the memory of
        OpenSearch.) What was written in the last 30 seconds may be missing. Raises StoreError also when a page is
        lost: the place is lost with it.
        """
        for index in self._indices():
            if after is None or index >= after[0]:
                yield from self._scan_index(index)

    def totals(self, question: Question) -> list[Total]:
        """See Store; what was written in the last 30 seconds may be missing. Raises ValueError as `check` does."""
        from .totals import check, largest  # 1 ms, for people only

        checked = check(question)
        path = f"/{quote(self._prefix + question.dataset)}-*/_search"
        return largest(_groups(self._client, path, checked), question.size)

    def close(self) -> None:
        """See Store."""
        self._client.close()

    def request(
        self, method: str, path: str, content: Any = None, parameters: Mapping[str, str] | None = None
    ) -> Answer:
        """Any request, for setup and doctor: the answer, whatever its status. content: JSON, or a bulk in bytes.

        Sent again while OpenSearch is away or overloaded; raises StoreError after the time budget.
        """
        return self._client.request(method, path, content, parameters)

    def _dataset(self, index: str) -> str:
        dataset = dataset_of(index, self._prefix)
        if dataset not in BY_NAME:
            raise StoreError(f"{index} is no index of ours: its name begins with {self._prefix} and a dataset")
        return dataset

    def _store(self, rows: Sequence[Row], pipelines: Mapping[str, str]) -> Written:
        """All of the rows, however often it takes."""
        written = Written(0, 0)
        patience = self._client.patience()
        while rows:
            result = self._attempt(rows, pipelines, patience)
            if isinstance(result, Written):  # sent in halves
                return written + result
            written += Written(result.stored, result.already, result.rejected)
            if len(result.unfinished) < len(rows):
                patience.progress()
            rows = result.unfinished
            if result.trouble is not None:
                patience.wait(result.trouble)
        return written

    def _attempt(self, rows: Sequence[Row], pipelines: Mapping[str, str], patience: "Patience") -> Outcome | Written:
        data = bulk.body(rows, pipelines)
        answer = self._client.send("POST", "/_bulk", _BULK_PARAMETERS, data, patience, "application/x-ndjson")
        trouble = answer if isinstance(answer, Trouble) else bulk.overload(answer)
        if trouble is not None:
            return Outcome(unfinished=tuple(rows), trouble=trouble)
        assert isinstance(answer, Answer)
        if answer.status == 413 and len(rows) > 1:
            self._bulk_bytes = max(1, len(data) // 2)  # the next ones too
            half = len(rows) // 2
            return self._store(rows[:half], pipelines) + self._store(rows[half:], pipelines)
        if answer.status != 200:
            raise bulk.refusal(self.name, answer)
        return bulk.outcome(self.name, rows, answer)

    def _indices(self) -> list[str]:
        """Names of all indices with documents, by nothing but the right to search."""
        pattern = ",".join(f"{quote(self._prefix)}{dataset}-*" for dataset in BY_NAME)
        by_index = {"terms": {"field": "_index", "size": 10000, "order": {"_key": "asc"}}}
        # Without a query the Security plugin answers this with nothing, instead of 403, to who may not search.
        ask = {"size": 0, "query": {"match_all": {}}, "aggs": {"indices": by_index}}
        found = self._client.ask(f"/{pattern}/_search", ask).get("aggregations", {})
        return sorted(bucket["key"] for bucket in found.get("indices", {}).get("buckets", []))

    def _scan_index(self, index: str) -> Iterator[Row]:
        first = {"size": _PAGE_ROWS, "sort": ["_doc"], "query": {"match_all": {}}}
        page = self._client.ask(f"/{quote(index)}/_search?scroll={_SCROLL}", first)
        scroll = page.get("_scroll_id", "")
        try:
            while hits := page["hits"]["hits"]:
                for hit in hits:
                    yield Row(hit["_index"], hit["_id"], _compact(hit["_source"]))
                page = self._client.ask("/_search/scroll", {"scroll": _SCROLL, "scroll_id": scroll}, once=True)
                scroll = page.get("_scroll_id", scroll)
        finally:
            self._client.send("DELETE", "/_search/scroll", {}, _compact({"scroll_id": scroll}), self._client.patience())


class Patience:
    """How long is waited for a store from which nothing comes."""

    def __init__(self, name: str, budget: float, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._name = name
        self._budget = budget
        self._sleep = sleep
        self._clock = clock
        self.progress()

    def progress(self) -> None:
        """Something moved: the budget begins anew."""
        self._until = self._clock() + self._budget
        self._turn = 0

    def left(self) -> float:
        """Seconds, never below 1: what is sent at all gets a chance."""
        return max(1.0, self._until - self._clock())

    def wait(self, trouble: Trouble) -> None:
        """Until it is time to send again. Raises StoreError when the time budget is used up, or would be."""
        left = self._until - self._clock()
        if left <= 0 or trouble.wait > left:
            asked = f" and asks to wait {trouble.wait:g} s" if trouble.wait > left > 0 else ""
            raise StoreError(f"{self._name} {trouble.reason}{asked} (tried for {self._budget - max(0.0, left):.0f} s)")
        import random  # 2 ms, and opensearch-py has it loaded

        jitter = random.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2**self._turn))  # noqa: S311  # no secret
        self._turn += 1
        self._sleep(min(left, max(jitter, trouble.wait)))


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
    ) -> None:
        self.name = name
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
        return Patience(self.name, self._budget, self._sleep, self._clock)

    def request(
        self, method: str, path: str, content: Any = None, parameters: Mapping[str, str] | None = None
    ) -> Answer:
        """See OpenSearchStore.request."""
        kind = "application/x-ndjson" if isinstance(content, bytes) else "application/json"
        data = content if content is None or isinstance(content, bytes) else _compact(content)
        patience = self.patience()
        while True:
            answer = self.send(method, path, parameters or {}, data, patience, kind)
            trouble = answer if isinstance(answer, Trouble) else bulk.overload(answer)
            if trouble is None:
                assert isinstance(answer, Answer)
                return answer
            patience.wait(trouble)

    def ask(self, path: str, content: Any, *, once: bool = False) -> dict[str, Any]:
        """The answer to a search. once: not again, since the question moves a place forward. Raises StoreError."""
        if once:
            answer = self.send("POST", path, {}, _compact(content), self.patience())
            if isinstance(answer, Trouble):
                raise StoreError(f"{self.name} {answer.reason}: run it again")
        else:
            answer = self.request("POST", path, content)
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
    ) -> Answer | Trouble:
        """One request to the node whose turn it is. Raises StoreError when sending it again is of no use."""
        import opensearchpy.exceptions as theirs  # 165 ms, and only where something is sent

        headers = {"content-type": content_type}
        if self._compress and data is not None and len(data) > _COMPRESS_ABOVE:
            data = zlib.compress(data, level=3, wbits=31)
            headers["content-encoding"] = "gzip"
        connection = self._connection()
        timeout = min(self._options.timeout, patience.left())
        try:
            status, received, text = connection.perform_request(
                method, path, parameters, data, timeout=timeout, ignore=_ANY_STATUS, headers=headers
            )
        except theirs.ConnectionTimeout:
            trouble = Trouble(f"gave no answer within {timeout:g} s")
        except theirs.SSLError as error:
            trouble = self._tls_trouble(error)
        except (theirs.OpenSearchException, theirs.OpenSearchDslException, theirs.ImproperlyConfigured) as error:
            trouble = Trouble(f"cannot be reached: {_root(error)}")
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
        reason = _root(error)
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


class Templates:
    """That the templates are there before the first document is."""

    def __init__(self, client: Client, prefix: str, state: str) -> None:
        self._client = client
        self._prefix = prefix
        self._base = quote(templates.base_name(prefix))
        self._state = state
        self._seen: set[str] = set()

    def ensure(self, datasets: set[str]) -> None:
        """Look for them, install those that are absent or older. Raises StoreError when some stay absent.

        Never without a template: OpenSearch would guess a mapping, and the index keeps it for ever.
        """
        if datasets <= self._seen:
            return
        if not self._remembered():
            self._look(datasets)
            self._remember()
        self._seen |= datasets

    def _look(self, datasets: set[str]) -> None:
        installed = self._installed()
        if all(version >= templates.VERSION for version in installed.values()):
            return
        said = self._install(installed)
        absent = [dataset for dataset in sorted(datasets) if installed[dataset] < 0]
        if said and absent:
            raise StoreError(
                f"{self._client.name} has no index template for {', '.join(absent)}, and this user may not install it "
                f"({said}): run `email-report-admin setup` as one who may"
            )

    def _installed(self) -> dict[str, int]:
        """Dataset -> version of its index template, -1 when it is absent."""
        parameters = {"filter_path": "index_templates.name,index_templates.index_template.version"}
        answer = self._client.request("GET", f"/_index_template/{self._base}-*", None, parameters)
        value = answer.json
        if answer.status not in {200, 404} or not isinstance(value, dict):  # 404: none has such a name
            raise bulk.refusal(self._client.name, answer)
        found = {one["name"]: one["index_template"].get("version", 0) for one in value.get("index_templates", [])}
        return {name: found.get(templates.template_name(self._prefix, name), -1) for name in BY_NAME}

    def _install(self, installed: Mapping[str, int]) -> str:
        """Put what is absent or older, and nothing in the place of what is newer. What was said against it, else ''."""
        older = [dataset for dataset, version in installed.items() if version < templates.VERSION]
        newer = any(version > templates.VERSION for version in installed.values())
        for method, path, content in templates.requests(self._prefix, older):
            if newer and path.endswith("-common"):
                continue
            answer = self._client.request(method, path, content)
            if answer.status != 200:
                return str(bulk.refusal(f"PUT {path}", answer))
        return ""

    def _marker(self) -> str:
        text = f"{self._client.name} {self._prefix} {templates.VERSION}"
        return os.path.join(self._state, f"opensearch-templates-{hashlib.sha256(text.encode()).hexdigest()[:16]}")

    def _remembered(self) -> bool:
        try:
            return bool(self._state) and 0 <= time.time() - os.stat(self._marker()).st_mtime < _SEEN_FOR
        except OSError:
            return False

    def _remember(self) -> None:
        """A state directory that cannot be written costs one small request each time, no more."""
        if not self._state:
            return
        try:
            if not os.path.isdir(self._state):
                os.mkdir(self._state, 0o700)
            descriptor = os.open(self._marker(), os.O_WRONLY | os.O_CREAT, 0o600)
            os.utime(descriptor)
            os.close(descriptor)
        except OSError:
            return


# Connections


def load_client() -> None:
    """Import opensearch-py now: before a process parts into several that all need it."""
    import opensearchpy  # noqa: F401  # 165 ms


def _place(url: str) -> SplitResult:
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


def _root(error: BaseException) -> str:
    """The words of the error at the bottom: `Connection refused`, not what each layer wrapped around it."""
    below = getattr(error, "info", None)
    last = below if isinstance(below, BaseException) else error
    while (cause := last.__cause__ or last.__context__) is not None:
        last = cause
    return str(getattr(last, "strerror", None) or last) or type(last).__name__


def _compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _chunks(rows: Iterable[Row], limit: Callable[[], int]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    size = 0
    for row in rows:
        if chunk and size + bulk.size_of(row) > limit():
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += bulk.size_of(row)
    if chunk:
        yield chunk


# Questions


def _groups(client: Client, path: str, checked: "Checked") -> Iterator[Total]:
    """All groups: a composite aggregation, page by page, since only it knows documents without the field."""
    sums = {f"s{number}": {"sum": {"field": field.name}} for number, field in enumerate(checked.sum)}
    question: dict[str, Any] = {"size": 0, "query": _query(checked), "track_total_hits": True, "aggs": sums}
    if not checked.by:
        answer = client.ask(path, question)
        yield _total(checked, {}, answer["hits"]["total"]["value"], answer.get("aggregations", {}))
        return
    sources = [{f"k{n}": {"terms": {"field": one.name, "missing_bucket": True}}} for n, one in enumerate(checked.by)]
    composite: dict[str, Any] = {"size": _PAGE_GROUPS, "sources": sources}
    question["aggs"] = {"groups": {"composite": composite, "aggs": sums}}
    while True:
        groups = client.ask(path, question).get("aggregations", {}).get("groups", {})
        for group in groups.get("buckets", []):
            yield _total(checked, group["key"], group["doc_count"], group)
        if "after_key" not in groups:
            return
        composite["after"] = groups["after_key"]


def _total(checked: "Checked", key: Mapping[str, Any], documents: int, sums: Mapping[str, Any]) -> Total:
    values = [key.get(f"k{number}") for number in range(len(checked.by))]
    return Total(
        tuple(_as_stored(field.type.name, value) for field, value in zip(checked.by, values, strict=True)),
        documents,
        tuple(round(sums.get(f"s{number}", {}).get("value") or 0) for number in range(len(checked.sum))),
    )


def _as_stored(type_: str, value: Any) -> Any:
    """A date comes back in milliseconds since 1970."""
    if type_ == "date" and value is not None:
        return write_date(datetime.fromtimestamp(value / 1000, UTC))
    return value


def _query(checked: "Checked") -> dict[str, Any]:
    must: list[dict[str, Any]] = []
    must_not: list[dict[str, Any]] = []
    for field, value in checked.where:
        if value is None:
            must_not.append({"exists": {"field": field.name}})
        else:
            must.append({"term": {field.name: {"value": value}}})
    bounds = {name: bound for name, bound in (("gte", checked.since), ("lt", checked.until)) if bound}
    if bounds:
        must.append({"range": {"@timestamp": bounds}})
    return {"bool": {"filter": must, "must_not": must_not}}
