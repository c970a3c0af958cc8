"""A small OpenSearch that fails as it is told: what a real node cannot be asked to do at the right moment.

It speaks what the filter speaks (templates, names of indices, `_bulk` with `create`, and with the `index` that asks),
and keeps documents as OpenSearch does: the first one under an id stays. Never in the place of the real node where
things go well.
"""

import gzip
import json
import threading
from collections.abc import Mapping
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Fault(NamedTuple):
    """How one bulk goes wrong. First documents are stored, then the answer is spoilt."""

    stores: int | None = None  # so many items of it are looked at; None: all when `status` is 0, else none
    item: tuple[int, str, str] = (429, "rejected_execution_exception", "queue full")  # what the other items are told
    status: int = 0  # of the whole answer instead of 200
    body: bytes | None = None  # instead of what OpenSearch would say
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}
    delay: float = 0.0  # seconds before the answer
    cut: int | None = None  # the connection ends after so many bytes of the answer; 0 is without any
    short: int = 0  # so many items at the end are not answered for


class Seen(NamedTuple):
    """A request as it came, its body unpacked."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class FakeOpenSearch:
    """`with FakeOpenSearch() as fake:` listens on `fake.url`, a free port of loopback."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], Any] = {}
        self.faults: list[Fault] = []  # one for each bulk to come, in this order
        self.always: Fault | None = None  # for each bulk when `faults` is empty
        self.templates: dict[str, Any] = {}  # index templates
        self.components: dict[str, Any] = {}
        self.template_faults: dict[str, Fault] = {}  # by method, for requests about templates
        self.limit = 0  # bytes of a body above which the answer is 413, 0 is none
        self.seen: list[Seen] = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.fake = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def bulks(self) -> list[list[Any]]:
        """The items of each bulk that came: (index, id)."""
        return [[_target(line) for line in one.body.splitlines()[::2]] for one in self.seen if _creates(one)]

    def __enter__(self) -> "FakeOpenSearch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_fault(self) -> Fault:
        """What happens to the bulk that is here."""
        if self.faults:
            return self.faults.pop(0)
        return self.always or Fault()

    def bulk(self, body: bytes, fault: Fault) -> dict[str, Any]:
        """Store, and say what OpenSearch says."""
        lines = body.splitlines()
        number = fault.stores if fault.stores is not None else (0 if fault.status else len(lines) // 2)
        items = []
        for position, (action, source) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
            items.append({"create": self._create(action, source) if position < number else _failed(*fault.item)})
        items = items[: len(items) - fault.short]
        return {"errors": any(item["create"]["status"] >= 300 for item in items), "items": items}

    def simulated(self, index: str) -> dict[str, Any]:
        """What a new index would get: the one template of the highest priority, with its components."""
        fitting = [one for one in self.templates.values() if any(fnmatchcase(index, p) for p in one["index_patterns"])]
        if not fitting:
            return {}
        best = max(fitting, key=lambda one: int(one.get("priority", 0)))
        mappings: dict[str, Any] = {"properties": {}}
        settings: dict[str, Any] = {}
        for part in (*(self.components[name] for name in best.get("composed_of", ())), best):
            more = part.get("template", {})
            properties = mappings["properties"] | more.get("mappings", {}).get("properties", {})
            mappings |= more.get("mappings", {}) | {"properties": properties}
            settings |= more.get("settings", {})
        return {"template": {"mappings": mappings, "settings": settings}, "overlapping": []}

    def asked(self, body: bytes) -> dict[str, Any]:
        """Whether documents are there: the writer's way to ask without a right to read."""
        targets = [_target(line, "index") for line in body.splitlines()[::2]]
        said = ("current document has seqNo [5]", "but no document was found")
        reasons = (said[target not in self.documents] for target in targets)
        type_ = "version_conflict_engine_exception"
        return {"errors": True, "items": [{"index": _failed(409, type_, reason)} for reason in reasons]}

    def _create(self, action: bytes, source: bytes) -> dict[str, Any]:
        target = _target(action)
        with self.lock:
            if target in self.documents:
                return _failed(409, "version_conflict_engine_exception", "document already exists")
            self.documents[target] = json.loads(source)
        return {"status": 201}


def _target(action: bytes, kind: str = "create") -> tuple[str, str]:
    create = json.loads(action)[kind]
    return create["_index"], create["_id"]


def _creates(request: Seen) -> bool:
    return request.path == "/_bulk" and not request.body.startswith(b'{"index":')


def _failed(status: int, type_: str, reason: str) -> dict[str, Any]:
    return {"status": status, "error": {"type": type_, "reason": reason}}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    fake: FakeOpenSearch

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer takes 40 ms
    wbufsize = -1
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name in the standard library
        """Quiet."""

    def _serve(self) -> None:
        fake = self.server.fake
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        too_long = 0 < fake.limit < len(body)
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        with fake.lock:
            fake.seen.append(Seen(self.command, url.path, parse_qs(url.query), headers, body))
        if url.path == "/_bulk" and body.startswith(b'{"index":'):
            self._answer(Fault(), 200, fake.asked(body))
        elif url.path.startswith("/_resolve/index/"):
            names = sorted({index for index, _ in tuple(fake.documents)})
            self._answer(Fault(), 200, {"indices": [{"name": name} for name in names]})
        elif url.path == "/_bulk":
            fault = Fault(status=413, body=b"") if too_long else fake.next_fault()
            self._answer(fault, 200, fake.bulk(body, fault))
        elif url.path.startswith("/_index_template/_simulate_index/"):
            self._answer(Fault(), 200, fake.simulated(url.path.rsplit("/", 1)[1]))
        elif url.path.startswith(("/_index_template", "/_component_template/")):
            self._template(url.path, body)
        elif self.command == "GET" and "-" in url.path:
            self._answer(Fault(), 404, {"error": {"type": "index_not_found_exception", "reason": "no such index"}})
        else:
            self._answer(Fault(), 400, {"error": f"no handler found for uri [{self.path}]"})

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815  # names of the standard library

    def _template(self, path: str, body: bytes) -> None:
        fake = self.server.fake
        kind, _, name = path.removeprefix("/").partition("/")
        held = fake.templates if kind == "_index_template" else fake.components
        fault = fake.template_faults.get(self.command, Fault())
        if self.command == "PUT":
            if not fault.status:
                held[name] = json.loads(body)
            self._answer(fault, 200, {"acknowledged": True})
            return
        found = [{"name": one, "index_template": held[one]} for one in held if fnmatchcase(one, name or "*")]
        self._answer(fault, 200 if found else 404, {"index_templates": found} if found else {})

    def _answer(self, fault: Fault, status: int, value: Any) -> None:
        if fault.delay:
            self.server.fake.stopping.wait(fault.delay)
        if fault.status and fault.body is None:
            value = {"error": dict(zip(("type", "reason"), fault.item[1:], strict=True)), "status": fault.status}
        data = json.dumps(value).encode() if fault.body is None else fault.body
        if fault.cut == 0:
            self.close_connection = True
            return
        self.send_response(fault.status or status)
        self.send_header("Content-Type", fault.content_type)
        self.send_header("Content-Length", str(len(data)))
        for name, text in fault.headers.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data if fault.cut is None else data[: fault.cut])
        self.wfile.flush()
        self.close_connection = self.close_connection or fault.cut is not None
