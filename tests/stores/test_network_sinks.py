"""Webhook, Splunk, syslog and GELF, against receivers that behave as documented, or misbehave as they are told to."""

import contextlib
import hashlib
import hmac
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from benchmarks.messages import message
from email_report_processor.stores import place
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.splunk import SplunkOptions, SplunkStore
from email_report_processor.stores.store import Question, Store, StoreError, Written
from email_report_processor.stores.syslog import SyslogOptions, SyslogStore, gelf, rfc5424
from email_report_processor.stores.web import Waiting
from email_report_processor.stores.webhook import WebhookOptions, WebhookStore
from tests.conftest import Program, missing
from tests.stores.documents import rows
from tests.stores.test_follow import row

SECRET = "a secret that both sides know"  # of the tests


class Reply(NamedTuple):
    """What a request gets."""

    status: int = 200
    body: Any = ""
    headers: Mapping[str, str] = {}
    cut: bool = False  # the connection ends without an answer


class Request(NamedTuple):
    """What came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Receiver:
    """A web server on loopback; `answer` decides."""

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self.requests: list[Request] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                receiver.requests.append(request)
                reply = answer(request)
                if reply.cut:
                    self.close_connection = True
                    return
                data = reply.body.encode() if isinstance(reply.body, str) else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(data)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def place(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@contextlib.contextmanager
def receiving(answer: Callable[[Request], Reply]) -> Iterator[Receiver]:
    with contextlib.closing(Receiver(answer)) as receiver:
        yield receiver


def waiting(budget: float = 5.0) -> Waiting:
    """Time passes by waiting alone."""
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    return Waiting(budget, 5.0, sleep, lambda: clock[0])


OPENED: list[Store] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


# Webhook


def webhook(receiver: Receiver, tmp_path: Path, budget: float = 5.0) -> WebhookStore:
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "token").write_text("bearer-token\n")
    options = WebhookOptions(str(tmp_path / "secret"), str(tmp_path / "token"))
    parts = urlsplit(f"http+webhook://{receiver.place}/in/box")
    store = WebhookStore(parts, options, waiting(budget), clock=lambda: 1_700_000_000.9)
    OPENED.append(store)
    return store


def test_webhook_sends_signed_lines(tmp_path: Path) -> None:
    some = rows(2000)
    with receiving(lambda request: Reply(202)) as receiver:
        store = webhook(receiver, tmp_path)
        assert store.write(some) == Written(2001, 0)
        store.close()
    assert len(receiver.requests) > 1
    found = []
    for one in receiver.requests:
        assert one.path == "/in/box"
        assert one.headers["content-type"] == "application/x-ndjson"
        assert one.headers["authorization"] == "Bearer bearer-token"
        signed = b"1700000000." + one.body
        expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert one.headers["x-email-report-timestamp"] == "1700000000"
        assert one.headers["x-email-report-signature"] == f"sha256={expected}"
        found += [json.loads(line) for line in one.body.splitlines()]
    assert [one["_id"] for one in found] == [one.id for one in some]
    assert found[0]["_source"] == json.loads(some[0].source)
    assert len({one.headers["idempotency-key"] for one in receiver.requests}) == len(receiver.requests)


@pytest.mark.parametrize(
    "bad",
    [
        Reply(503, "busy", {"Retry-After": "1"}),
        Reply(429),
        Reply(500),
        Reply(408),
        Reply(502, "<html>"),
        Reply(cut=True),
    ],
    ids=lambda one: str(one.status * (not one.cut)),
)
def test_webhook_tries_again_with_the_same_key(bad: Reply, tmp_path: Path) -> None:
    replies = iter([bad, bad, Reply()])
    with receiving(lambda request: next(replies)) as receiver:
        assert webhook(receiver, tmp_path, 60).write([row(1)]) == Written(1, 0)
    assert len({one.headers["idempotency-key"] for one in receiver.requests}) == 1
    assert len({one.body for one in receiver.requests}) == 1


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(401), "user name and the password"),
        (Reply(403, "no"), "answers 403: no"),
        (Reply(404), "check the URL"),
        (Reply(302, headers={"Location": "http://elsewhere.example/"}), "redirects elsewhere"),
        (Reply(400, "what is that"), "answers 400: what is that"),
        (Reply(413), "raise the limit"),
        (Reply(503), "answers 503"),
    ],
)
def test_webhook_says_what_is_wrong(reply: Reply, said: str, tmp_path: Path) -> None:
    with receiving(lambda request: reply) as receiver, pytest.raises(StoreError, match=said) as caught:
        webhook(receiver, tmp_path).write([row(1)])
    assert str(caught.value).startswith(f"http+webhook://{receiver.place} ")
    assert "in/box" not in str(caught.value)
    assert "token" not in str(caught.value)


def test_webhook_counts_what_comes_again(tmp_path: Path) -> None:
    with receiving(lambda request: Reply()) as receiver:
        assert webhook(receiver, tmp_path).write([row(1), row(2), row(1)]) == Written(2, 1)
    (request,) = receiver.requests
    assert request.body.count(b"\n") == 2


def test_webhook_409_is_there_already(tmp_path: Path) -> None:
    with receiving(lambda request: Reply(409)) as receiver:
        assert webhook(receiver, tmp_path).write([row(1), row(2)]) == Written(0, 2)


def test_webhook_refuses_one_document_and_takes_the_others(tmp_path: Path) -> None:
    taken: Counter[str] = Counter()

    def answer(request: Request) -> Reply:
        found = [json.loads(line)["_id"] for line in request.body.splitlines()]
        if len(found) > 8:
            return Reply(413)
        if row(13).id in found:
            return Reply(422, "number 13 brings bad luck")
        taken.update(found)
        return Reply()

    with receiving(answer) as receiver:
        written = webhook(receiver, tmp_path).write([row(number) for number in range(30)])
    assert (written.stored, [one.row for one in written.rejected]) == (29, [row(13)])
    assert "bad luck" in written.rejected[0].reason
    assert taken == dict.fromkeys((row(number).id for number in range(30) if number != 13), 1)


def test_webhook_nobody_there(tmp_path: Path) -> None:
    with receiving(lambda request: Reply()) as receiver:
        store = webhook(receiver, tmp_path)
    with pytest.raises(StoreError, match="cannot be reached: Connection refused"):
        store.write([row(1)])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https+webhook://me:hunter2@host/x", "credentials do not belong"),
        ("https+webhook://host/x?token=hunter2", "a query may hold a token"),
        ("http+webhook://host/x", "without TLS it goes to this machine only"),
        ("splunk+http://host:8088", "without TLS it goes to this machine only"),
        ("https+webhook://", "not a URL"),
        ("https+webhook://host:x/", "not a URL"),
        ("splunk+https://host/services", "not a URL"),
        ("splunk+https://token:hunter2@host", "credentials do not belong"),
        ("syslog://host/path", "not a URL"),
        ("gelf://hunter2@host", "credentials do not belong"),
    ],
)
def test_urls_that_are_none(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        open_store(url)
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"


@pytest.mark.parametrize(
    "url", ["https+webhook://a/b", "splunk+https://a", "syslog://a", "syslog+tls://a", "gelf://a", "gelf+tls://a:1"]
)
def test_what_is_not_used_is_not_loaded(url: str) -> None:
    code = "import sys; from email_report_processor.stores.opening import open_store; "
    code += f"s = open_store({url!r}); print(s.name, *sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said[0].startswith(url.partition("://")[0])
    assert not {"opensearchpy", "urllib3", "sqlite3", "http.client"} & set(said)


def test_loopback_has_a_name() -> None:
    assert set(place.LOOPBACK) == {"127.0.0.1", "::1", "localhost"}


# Splunk


class Collector:
    """The HTTP Event Collector as Splunk documents it (Splunk Enterprise, Getting Data In: "About HTTP Event Collector
    Indexer Acknowledgment", "Troubleshoot HTTP Event Collector"): tokens, channels, ackIds, its codes.
    """

    TOKEN = "8f1c0b1e-1111-2222-3333-444455556666"  # of the tests

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []  # indexed
        self.memory: dict[int, list[dict[str, Any]]] = {}  # taken, not yet indexed
        self.asked: Counter[int] = Counter()
        self.slow = 1  # an ackId is true when it is asked for so many times more
        self.acknowledges = True
        self.replies: list[Reply] = []  # before anything else
        self.forgets = False  # it restarts: what it had in memory is gone
        self.bad: set[str] = set()  # ids that are "invalid"

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Splunk {self.TOKEN}":
            return Reply(403, {"text": "Invalid token", "code": 4})
        if self.acknowledges and "x-splunk-request-channel" not in request.headers:
            return Reply(400, {"text": "Data channel is missing", "code": 10})
        if request.path.startswith("/services/collector/ack?channel="):
            return self._ack(json.loads(request.body)["acks"])
        assert request.path == "/services/collector/event"
        if self.replies:
            return self.replies.pop(0)
        events = [json.loads(line) for line in request.body.splitlines()]
        for number, event in enumerate(events):
            if event["fields"]["id"] in self.bad:
                return Reply(400, {"text": "Invalid data format", "code": 6, "invalid-event-number": number})
        if not self.acknowledges:
            self.events += events
            return Reply(200, {"text": "Success", "code": 0})
        number = len(self.memory)
        self.memory[number] = events
        return Reply(200, {"text": "Success", "code": 0, "ackId": number})

    def _ack(self, numbers: list[int]) -> Reply:
        if not self.acknowledges:
            return Reply(400, {"text": "ACK is disabled", "code": 14})
        said = {}
        for number in numbers:
            self.asked[number] += 1
            said[str(number)] = self.asked[number] > self.slow and not self.forgets
            if said[str(number)]:
                self.events += self.memory[number]
        return Reply(200, {"acks": said})


@pytest.fixture
def collector() -> Collector:
    return Collector()


def splunk(receiver: Receiver, tmp_path: Path, *, token: str = Collector.TOKEN, **options: Any) -> SplunkStore:
    (tmp_path / "token").write_text(token)
    given = SplunkOptions(str(tmp_path / "token"), **options)
    store = SplunkStore(urlsplit(f"splunk+http://{receiver.place}"), given, waiting())
    OPENED.append(store)
    return store


def test_splunk_has_indexed_what_is_stored(collector: Collector, tmp_path: Path) -> None:
    some = rows(1500)
    with receiving(collector) as receiver:
        assert splunk(receiver, tmp_path, into="mail").write(some) == Written(1501, 0)
    assert [one["event"]["id"] for one in collector.events] == [one.id for one in some]
    event = collector.events[0]
    assert event["time"] == datetime.fromisoformat(json.loads(some[0].source)["@timestamp"]).timestamp()
    assert (event["index"], event["source"]) == ("mail", "email-report-processor")
    assert event["sourcetype"] == "email-report:dmarc-aggregate"
    assert event["fields"] == {"id": some[0].id, "dataset": "dmarc-aggregate"}
    assert min(collector.asked.values()) == 2
    channels = {one.headers["x-splunk-request-channel"] for one in receiver.requests}
    assert len(channels) == 1


def test_splunk_that_does_not_index_is_not_believed(collector: Collector, tmp_path: Path) -> None:
    collector.forgets = True
    with receiving(collector) as receiver, pytest.raises(StoreError, match="has not indexed what it took"):
        splunk(receiver, tmp_path).write([row(1)])
    assert collector.asked[0] > 3


@pytest.mark.parametrize(
    "busy",
    [
        Reply(503, {"text": "Server is busy", "code": 9}),
        Reply(500, {"text": "Internal server error", "code": 8}),
        Reply(cut=True),
    ],
)
def test_splunk_is_busy(busy: Reply, collector: Collector, tmp_path: Path) -> None:
    collector.replies = [busy, busy]
    with receiving(collector) as receiver:
        assert splunk(receiver, tmp_path).write([row(1)]) == Written(1, 0)
    assert len(collector.events) == 1


def test_splunk_has_twice_what_it_did_not_answer_for(collector: Collector, tmp_path: Path) -> None:
    """Its promise in docs/stores.md: no ids, so what comes again is there again, with the same id to tell it by."""
    lost = iter([True])

    def answer(request: Request) -> Reply:
        reply = collector(request)
        return Reply(cut=True) if next(lost, False) else reply

    with receiving(answer) as receiver:
        assert splunk(receiver, tmp_path).write([row(1), row(2)]) == Written(2, 0)
    taken = [one for events in collector.memory.values() for one in events]  # Splunk indexes both
    assert Counter(one["fields"]["id"] for one in taken) == {row(1).id: 2, row(2).id: 2}


def test_splunk_refuses_one_event(collector: Collector, tmp_path: Path) -> None:
    collector.bad = {row(5).id}
    with receiving(collector) as receiver:
        written = splunk(receiver, tmp_path).write([row(number) for number in range(9)])
    assert (written.stored, [one.row for one in written.rejected]) == (8, [row(5)])
    assert sorted(one["event"]["id"] for one in collector.events) == [row(n).id for n in range(9) if n != 5]


def test_splunk_says_what_to_do(collector: Collector, tmp_path: Path) -> None:
    with receiving(collector) as receiver:
        with pytest.raises(StoreError, match=r"Invalid token.*token_file") as caught:
            splunk(receiver, tmp_path, token="guessed").write([row(1)])  # of the tests
        assert "guessed" not in str(caught.value)
        collector.acknowledges = False
        with pytest.raises(StoreError, match="acknowledgement is off for this token"):
            splunk(receiver, tmp_path).write([row(1)])
        assert splunk(receiver, tmp_path, acknowledge=False).write([row(2)]) == Written(1, 0)
        collector.replies = [Reply(400, {"text": "Incorrect index", "code": 7, "invalid-event-number": 0})]
        with pytest.raises(StoreError, match=r"Incorrect index.*\[splunk\] into"):
            splunk(receiver, tmp_path).write([row(1)])


# Syslog and GELF


class Listener:
    """A receiver of streams: everything that came on each connection."""

    def __init__(self, context: ssl.SSLContext | None = None, *, resets: int = 0, hangs: bool = False) -> None:
        self.streams: list[bytes] = []
        self._context = context
        self._resets = resets
        self._hangs = hangs
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self._end.is_set():
                connection.close()
                return
            with connection, contextlib.suppress(OSError):
                self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        if self._resets:
            self._resets -= 1
            connection.recv(10)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close with RST
            return
        if self._hangs:
            self._end.wait(30)
            return
        with self._context.wrap_socket(connection, server_side=True) if self._context else connection as stream:
            data = b""
            while piece := stream.recv(65536):
                data += piece
            self.streams.append(data)
            if isinstance(stream, ssl.SSLSocket):
                stream.unwrap()


def sender(scheme: str, listener: Listener, **options: Any) -> SyslogStore:
    given = waiting()
    made = SyslogOptions(**{"hostname": "mx.example", "timeout": 5.0, **options})
    place_ = urlsplit(f"{scheme}://localhost:{listener.port}")
    return SyslogStore(place_, made, budget=given.budget, sleep=given.sleep, clock=given.clock)


def counted(stream: bytes) -> Iterator[bytes]:
    """The messages of a stream with octet counting."""
    while stream:
        length, _, rest = stream.partition(b" ")
        yield rest[: int(length)]
        assert len(rest) >= int(length)
        stream = rest[int(length) :]


RFC5424 = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) ([!-~]{1,255}) ([!-~]{1,48}) - ([!-~]{1,32}) - "
    rb"\xef\xbb\xbf(.*)"
)


def test_syslog_frames_what_rfc_5424_says() -> None:
    some = rows(1200)
    with contextlib.closing(Listener()) as listener:
        assert sender("syslog", listener).write(some) == Written(1201, 0)
    messages = [one for stream in listener.streams for one in counted(stream)]
    assert len(listener.streams) > 1
    read = [RFC5424.fullmatch(one) for one in messages]
    assert all(read)
    assert [json.loads(one[6])["_id"] for one in read if one] == [one.id for one in some]
    first = read[0]
    assert first is not None
    assert first.groups()[:5] == (b"22", b"2026-11-28T12:00:00Z", b"mx.example", b"email-report", b"dmarc-aggregate")


def test_syslog_header_fields_are_harmless() -> None:
    odd = row(1)._replace(source=b'{"event":{"dataset":"a b\\n<1>","ingested":""}}')
    framed = rfc5424(odd, "two words\n")
    (found,) = counted(framed)
    assert found.startswith(b"<22>1 - twowords email-report - ab<1> - \xef\xbb\xbf{")


@pytest.mark.parametrize(
    ("scheme", "messages"),
    [("syslog", lambda stream: list(counted(stream))), ("gelf", lambda stream: stream.split(b"\0")[:-1])],
    ids=["syslog", "gelf"],
)
def test_what_is_broken_off_is_sent_again(scheme: str, messages: Callable[[bytes], list[bytes]]) -> None:
    with contextlib.closing(Listener(resets=2)) as listener:
        assert sender(scheme, listener).write(rows(3)) == Written(4, 0)
    assert len(messages(listener.streams[-1])) == 4


def test_syslog_a_receiver_that_does_not_read_is_not_believed() -> None:
    listener = Listener(hangs=True)
    store = sender("syslog", listener, timeout=0.2)
    store._waiting = (0.0, lambda _: None, time.monotonic, 1)
    with contextlib.closing(listener), pytest.raises(StoreError, match="did not read all within"):
        store.write([row(1)])


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost with its key."""
    if not shutil.which("openssl"):
        missing("needs openssl for a certificate; on Debian: apt-get install openssl")
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(path), "-days", "2"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", *key, *name, "-out", str(path.with_suffix(".crt"))]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


def context(certificate: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(certificate)
    return made


@pytest.mark.parametrize("scheme", ["syslog+tls", "gelf+tls"])
def test_tls_is_checked(scheme: str, certificate: Path) -> None:
    with contextlib.closing(Listener(context(certificate))) as listener:
        with pytest.raises(StoreError, match=r"self.signed certificate.*\[syslog\] ca_file"):
            sender(scheme, listener).write([row(1)])
        store = sender(scheme, listener, ca_file=str(certificate.with_suffix(".crt")))
        assert store.write(rows(20)) == Written(21, 0)
    assert len(listener.streams) == 1


def test_gelf_is_gelf() -> None:
    some = rows(5)
    with contextlib.closing(Listener()) as listener:
        assert sender("gelf", listener).write(some) == Written(6, 0)
    messages = [json.loads(one) for one in listener.streams[0].split(b"\0")[:-1]]
    assert [one["_document"] for one in messages] == [one.id for one in some]
    for one in messages:
        assert (one["version"], one["host"], one["level"]) == ("1.1", "mx.example", 6)
        assert isinstance(one["timestamp"], float)
        for name, value in one.items():
            assert name in {"version", "host", "short_message", "timestamp", "level"} or re.fullmatch(
                r"_[\w.\-]+", name
            )
            assert isinstance(value, str | int | float)
            assert not isinstance(value, bool)
        assert "_id" not in one
    assert messages[0]["_source.ip"]


def test_gelf_lists_and_truth_are_texts() -> None:
    source = b'{"@timestamp":"x","a@b":[1,{"c":true}],"t":true,"n":1.5}'
    made = json.loads(gelf(row(1)._replace(source=source), "h").rstrip(b"\0"))
    assert (made["_a_b"], made["_t"], made["_n"]) == ('[1, {"c": true}]', "true", 1.5)
    assert "timestamp" not in made


@pytest.mark.parametrize("scheme", ["syslog", "gelf"])
def test_nobody_listens(scheme: str) -> None:
    with contextlib.closing(Listener()) as listener:
        store = sender(scheme, listener)
    with pytest.raises(StoreError, match=rf"{scheme}://localhost:\d+ cannot be reached: Connection refused"):
        store.write([row(1)])


# The program


@pytest.mark.parametrize("kind", ["webhook", "splunk", "syslog"])
def test_the_filter_sends_and_gives_back_what_was_not_taken(
    kind: str, run_filter: Program, tmp_path: Path, collector: Collector
) -> None:
    (tmp_path / "token").write_text(Collector.TOKEN)
    settings = f'[splunk]\ntoken_file = "{tmp_path / "token"}"\n[store]\nretry_seconds = 2\n'
    listener = Listener()
    with contextlib.closing(listener), receiving(collector if kind == "splunk" else lambda _: Reply()) as receiver:
        url = {
            "webhook": f"http+webhook://{receiver.place}/x",
            "splunk": f"splunk+http://{receiver.place}",
            "syslog": f"syslog://127.0.0.1:{listener.port}",
        }[kind]
        assert run_filter(message(4), store=url, settings=settings).status == 0
    assert len(receiver.requests) + len(listener.streams) >= 1
    failed = run_filter(message(4), "--log=stderr", store=url, settings=settings)
    assert failed.status == 75
    assert Collector.TOKEN not in failed.stderr


def test_none_can_be_asked() -> None:
    stores: list[Store] = [open_store(url) for url in ("syslog://a", "https+webhook://a/b", "splunk+https://a")]
    for store in stores:
        with pytest.raises(StoreError, match="cannot be read back"):
            store.totals(Question("arf"))
