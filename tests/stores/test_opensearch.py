"""OpenSearch as a store: the whole fault matrix on a fake that fails as told, the rest on real nodes."""

import contextlib
import inspect
import json
import os
import random
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import opensearchpy.exceptions
import pytest

from email_report_processor.documents.datasets import BY_NAME
from email_report_processor.documents.encode import decode, encode
from email_report_processor.stores import bulk, templates
from email_report_processor.stores.client import OpenSearchOptions
from email_report_processor.stores.opensearch import OpenSearchStore
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Question, Row, StoreError, Written
from tests import nodes
from tests.fake_opensearch import FakeOpenSearch, Fault

INDEX = "email-report-dmarc-aggregate-2026.11"
ROWS = [Row(INDEX, f"{number:040x}", encode({"count": number})) for number in range(5)]
KEYS = [(row.index, row.id) for row in ROWS]
LOOKED_AT = [("POST", f"/_index_template/_simulate_index/{INDEX}")]
NO_HOST = "http://127.0.0.1:9"  # discard: nobody listens


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake() -> Iterator[FakeOpenSearch]:
    with FakeOpenSearch() as fake:
        yield fake


Open = Callable[..., OpenSearchStore]


@pytest.fixture
def open_(fake: FakeOpenSearch, clock: Clock) -> Iterator[Open]:
    """Opens stores on the fake; keywords are those of the store, or options."""
    opened: list[OpenSearchStore] = []

    def make(*urls: str, **keywords: Any) -> OpenSearchStore:
        own = {name: keywords.pop(name) for name in ("prefix", "budget", "state", "insists") if name in keywords}
        options = OpenSearchOptions(**{"timeout": 5.0, **keywords})
        opened.append(OpenSearchStore(urls or (fake.url,), options, sleep=clock.sleep, clock=clock, **own))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


# Writing


def test_one_bulk_for_an_ordinary_report(fake: FakeOpenSearch, open_: Open) -> None:
    store = open_()
    assert store.write(ROWS) == Written(5, 0)
    assert fake.bulks == [KEYS]
    assert fake.documents[KEYS[3]] == {"count": 3}
    assert store.write(iter(ROWS)) == Written(0, 5)
    assert store.write([]) == Written(0, 0)
    assert len(fake.bulks) == 2


def test_what_a_bulk_asks_for(fake: FakeOpenSearch, open_: Open) -> None:
    open_().write(ROWS)
    sent = fake.seen[-1]
    assert sent.query == {"filter_path": ["errors,items.*.status,items.*.error.type,items.*.error.reason"]}
    assert sent.headers["content-type"] == "application/x-ndjson"
    assert "content-encoding" not in sent.headers  # 1 KiB at the least


@pytest.mark.parametrize(
    ("compress", "near", "encoding"), [(True, (), "gzip"), (False, (), None), (True, ("127.0.0.1",), None)]
)
def test_large_bodies_are_compressed_where_they_leave_the_machine(
    fake: FakeOpenSearch,
    open_: Open,
    monkeypatch: pytest.MonkeyPatch,
    compress: bool,
    near: tuple[str, ...],
    encoding: str | None,
) -> None:
    monkeypatch.setattr("email_report_processor.stores.client._LOOPBACK", near)
    rows = [Row(INDEX, f"{number:040x}", encode({"count": number})) for number in range(100)]
    assert open_(compress=compress).write(rows) == Written(100, 0)
    assert fake.seen[-1].headers.get("content-encoding") == encoding
    assert len(fake.documents) == 100


def test_many_rows_go_in_bulks_of_bounded_size(fake: FakeOpenSearch, open_: Open) -> None:
    rows = [Row(INDEX, f"{number:040x}", b'{"text":"' + b"x" * 1000 + b'"}') for number in range(100)]
    assert open_(bulk_bytes=10_000).write(rows) == Written(100, 0)
    assert {len(one) for one in fake.bulks} == {8, 4}
    assert max(len(one.body) for one in fake.seen if one.path == "/_bulk") <= 10_000


def test_rows_are_read_as_they_are_sent(fake: FakeOpenSearch, open_: Open) -> None:
    """Flat memory: of a million rows, one bulk is held."""
    ahead = []

    def rows() -> Iterator[Row]:
        for number in range(50):
            ahead.append(number - len(fake.documents))
            yield Row(INDEX, str(number), b'{"text":"' + b"x" * 1000 + b'"}')

    open_(bulk_bytes=5000).write(rows())
    assert max(ahead) <= 5


def test_a_row_above_the_size_of_a_bulk_goes_alone(fake: FakeOpenSearch, open_: Open) -> None:
    open_(bulk_bytes=10).write(ROWS)
    assert fake.bulks == [[key] for key in KEYS]


def test_pipelines(fake: FakeOpenSearch, open_: Open) -> None:
    rows = [ROWS[0], Row("email-report-report-2026.11", "r", b"{}")]
    open_(pipelines={"dmarc-aggregate": "geo"}).write(rows)
    actions = [json.loads(line)["create"] for line in fake.seen[-1].body.splitlines()[::2]]
    assert [action.get("pipeline") for action in actions] == ["geo", None]


@pytest.mark.parametrize("index", ["other-report-2026", "email-report-report", "email-report-new-2026", "report"])
def test_an_index_that_is_none_of_ours(fake: FakeOpenSearch, open_: Open, index: str) -> None:
    """It has no template: OpenSearch would guess a mapping."""
    with pytest.raises(StoreError, match="is no index of ours: its name would have to begin with email-report-"):
        open_().write([Row(index, "1", b"{}")])
    assert fake.bulks == []


def test_credentials_and_what_is_never_shown(fake: FakeOpenSearch, open_: Open) -> None:
    fake.always = Fault(status=401, body=b"Unauthorized", content_type="text/plain")
    store = open_(username="us:er".replace(":", ""), password="geheim-ß")
    with pytest.raises(StoreError) as caught:
        store.write(ROWS)
    assert fake.seen[-1].headers["authorization"] == "Basic dXNlcjpnZWhlaW0tw58="
    assert "401: Unauthorized: check the user name and the password" in str(caught.value)
    assert "geheim" not in f"{caught.value!r} {caught.value.__cause__!r} {store.name}"


# Faults: each time every row is there exactly once


STILL_COMES = [
    Fault(stores=2),  # 429 for the others
    Fault(stores=0, item=(503, "unavailable_shards_exception", "primary shard is not active")),
    Fault(status=429, item=(0, "circuit_breaking_exception", "Data too large")),
    Fault(status=429, body=b"Too Many Requests", content_type="text/plain", headers={"Retry-After": "2"}),
    *(Fault(status=status, body=b"<html>Bad Gateway</html>", content_type="text/html") for status in (502, 503, 504)),
    *(Fault(status=503, stores=number) for number in range(6)),  # after k of n rows, for every k
    Fault(cut=0),  # stored, and the answer lost
    Fault(cut=0, stores=2),
    Fault(cut=7),
    Fault(cut=0, status=503),  # closed before anything was stored
    Fault(body=b'{"errors":fal'),
    Fault(body=b""),
    Fault(body=b"\xff\xfe\x00"),
    Fault(body=b"[]"),
    Fault(body=b'{"errors":false}'),
    Fault(body=b"ok", content_type="text/plain"),
    Fault(short=1),
    Fault(short=5),
]


@pytest.mark.parametrize("fault", STILL_COMES, ids=str)
def test_once(fake: FakeOpenSearch, open_: Open, clock: Clock, fault: Fault) -> None:
    fake.faults = [fault]
    written = open_().write(ROWS)
    assert written.stored + written.already == 5
    assert sorted(fake.documents) == KEYS
    assert len(fake.bulks) == 2
    assert len(clock.slept) == 1


@pytest.mark.parametrize("fault", STILL_COMES, ids=str)
def test_what_is_new_is_counted_as_new(fake: FakeOpenSearch, open_: Open, fault: Fault) -> None:
    """Also where the answer was lost and a second request finds what the first one stored."""
    fake.faults = [fault]
    assert open_().write(ROWS) == Written(5, 0)


def test_many_new_indices_go_in_several_requests(fake: FakeOpenSearch, open_: Open) -> None:
    """Each has the time limit of a request for no more indices than can be made in it."""
    rows = [
        row._replace(index=f"email-report-report-{2012 + n // 12}.{n % 12 + 1:02d}") for n in range(40) for row in ROWS
    ]
    store = open_()
    assert store.write(rows) == Written(200, 0)
    assert [len({index for index, _ in keys}) for keys in fake.bulks] == [16, 16, 8]
    assert store.write(rows) == Written(0, 200)
    assert len(fake.bulks) == 4


@pytest.mark.parametrize("fault", STILL_COMES, ids=str)
def test_always(fake: FakeOpenSearch, open_: Open, clock: Clock, fault: Fault) -> None:
    """StoreError at the end of the time budget, which only progress prolongs."""
    fake.always = fault
    if fault.stores in {1, 2, 3, 4} and fault.status == 0 and fault.cut is None:
        assert open_(budget=20).write(ROWS) == Written(5, 0)  # each turn brings some
        return
    with pytest.raises(StoreError) as caught:
        open_(budget=20).write(ROWS)
    asked = int(fault.headers.get("Retry-After", 0))  # it gives up when that is more than what is left
    assert 19 - asked < clock.now - 1000 < 21
    assert str(caught.value).startswith(fake.url)
    assert f"(tried for {clock.now - 1000:.0f} s)" in str(caught.value)
    fake.always = None
    written = open_().write(ROWS)  # the mail server tries again
    assert written.stored + written.already == 5
    assert sorted(fake.documents) == KEYS


def test_only_unfinished_items_are_sent_again(fake: FakeOpenSearch, open_: Open) -> None:
    fake.faults = [Fault(stores=3), Fault(stores=1)]
    assert open_().write(ROWS) == Written(5, 0)
    assert fake.bulks == [KEYS, KEYS[3:], KEYS[4:]]


def test_slow_answers(fake: FakeOpenSearch, open_: Open) -> None:
    """Too slow for the time limit of a request: stored, unknown, asked again."""
    fake.faults = [Fault(delay=2)]
    assert open_(timeout=0.2).write(ROWS) == Written(5, 0)
    fake.always = Fault(delay=2)
    with pytest.raises(StoreError, match=r"gave no answer within 0\.2 s"):
        open_(timeout=0.2, budget=0.5).write(ROWS)


def test_a_search_that_takes_too_long_is_not_sent_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with contextlib.closing(OpenSearchStore([url], OpenSearchOptions(timeout=0.1))) as store:
            with pytest.raises(StoreError, match=r"gave no answer within 0\.6 s: ask about less time"):
                store.totals(Question("report", sum=()))
            silent.setblocking(False)
            silent.accept()[0].close()
            with pytest.raises(BlockingIOError):
                silent.accept()


def test_retry_after_is_honoured(fake: FakeOpenSearch, open_: Open, clock: Clock) -> None:
    fake.faults = [Fault(status=429, headers={"Retry-After": "9"}), Fault(status=503, headers={"Retry-After": "0"})]
    assert open_().write(ROWS) == Written(5, 0)
    assert clock.slept[0] == 9
    assert clock.slept[1] <= 1


def test_retry_after_beyond_the_budget(fake: FakeOpenSearch, open_: Open, clock: Clock) -> None:
    """No use in waiting: the mail server does that better."""
    fake.always = Fault(status=503, headers={"Retry-After": "3600"})
    with pytest.raises(StoreError, match=r"503: .* and asks to wait 3600 s \(tried for 0 s\)"):
        open_().write(ROWS)
    assert clock.slept == []


def test_back_off_grows_with_full_jitter(open_: Open, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = []

    def uniform(low: float, high: float) -> float:
        assert low == 0
        limits.append(high)
        return high

    monkeypatch.setattr(random, "uniform", uniform)
    with pytest.raises(
        StoreError, match=r"http://127\.0\.0\.1:9 cannot be reached: Connection refused \(tried for 120"
    ):
        open_(NO_HOST, budget=120, insists=True).write(ROWS)
    assert limits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert sum(clock.slept) == pytest.approx(120)


def _reset_each(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the test is over
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()


def test_who_breaks_tls_off_gets_a_second_try_and_no_more(open_: Open, clock: Clock) -> None:
    """A balancer with nothing behind it takes the connection and resets it; no request was sent yet."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_reset_each, args=(listener,), daemon=True).start()
        with pytest.raises(StoreError, match=r"reset.*\(tried twice\)"):
            open_(f"https://127.0.0.1:{listener.getsockname()[1]}", budget=120).write(ROWS)
        assert [one for one in clock.slept if one] == [1.0]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("urls", [(NO_HOST,), (NO_HOST, "http://127.0.0.1:10"), ("http://nowhere.invalid:9200",)])
def test_who_does_not_listen_gets_a_second_try_and_no_more(open_: Open, clock: Clock, urls: tuple[str, ...]) -> None:
    """The mail server waits better. Each of several nodes is tried twice."""
    with pytest.raises(StoreError, match=r"cannot be reached: .*\(tried twice\)"):
        open_(*urls, budget=120).write(ROWS)
    assert [one for one in clock.slept if one] == [1.0]
    with pytest.raises(StoreError, match="tried twice"):
        open_(*urls, budget=120).request("GET", "/")
    assert sum(clock.slept) == 2.0


def test_a_node_that_listens_again_a_moment_later(fake: FakeOpenSearch, clock: Clock) -> None:
    """And what answered in between had its turn: the count begins anew."""
    nobody = NO_HOST
    store = OpenSearchStore((nobody, fake.url), OpenSearchOptions(timeout=5.0), sleep=clock.sleep, clock=clock)
    fake.faults = [Fault(status=503), Fault(status=503), Fault(status=503)]
    assert store.write(ROWS) == Written(5, 0)
    store.close()


def test_a_hundred_clients_do_not_come_back_at_once(open_: Open, clock: Clock, fake: FakeOpenSearch) -> None:
    first = set()
    for _ in range(20):
        fake.faults = [Fault(status=503)]
        clock.slept.clear()
        open_().write(ROWS)
        first.add(round(clock.slept[0], 4))
    assert len(first) > 10


ENDS_AT_ONCE = [
    (Fault(status=401, body=b"Unauthorized"), "check the user name and the password"),
    (Fault(status=403, body=b"Forbidden"), "check the rights of this user"),
    (Fault(status=400, item=(0, "illegal_argument_exception", "Malformed action")), "Malformed action: see the log"),
    (Fault(status=404, body=b"<html>", content_type="text/html"), "no OpenSearch answers there"),
    (Fault(status=302, headers={"Location": "/login"}, body=b""), "it redirects elsewhere"),
    (Fault(body=b"<html>Log in</html>", content_type="text/html"), "answers a web page"),
    (Fault(status=201, body=b"{}"), "201"),
    (
        Fault(stores=3, item=(400, "illegal_argument_exception", "pipeline with id [geo] does not exist")),
        "run `email-report-admin setup`",
    ),
    (Fault(stores=3, item=(400, "index_closed_exception", "closed")), "open the index"),
]


@pytest.mark.parametrize(("fault", "words"), ENDS_AT_ONCE, ids=str)
def test_what_waiting_does_not_change(
    fake: FakeOpenSearch, open_: Open, clock: Clock, fault: Fault, words: str
) -> None:
    fake.always = fault
    with pytest.raises(StoreError) as caught:
        open_().write(ROWS)
    assert words in str(caught.value)
    assert clock.slept == []
    assert len(fake.bulks) == 1


def test_the_documents_own_fault(fake: FakeOpenSearch, open_: Open) -> None:
    """The others are stored, and it is named."""
    fake.faults = [Fault(stores=4, item=(400, "mapper_parsing_exception", "failed to parse field [count]"))]
    written = open_().write(ROWS)
    assert written[:2] == (4, 0)
    assert [(one.row, one.reason) for one in written.rejected] == [
        (ROWS[4], "mapper_parsing_exception: failed to parse field [count]")
    ]


def test_too_large_is_sent_in_halves(fake: FakeOpenSearch, open_: Open) -> None:
    rows = [Row(INDEX, f"{number:02}", b'{"text":"' + b"x" * 1000 + b'"}') for number in range(32)]
    fake.limit = 5000
    store = open_(compress=False)
    assert store.write(rows) == Written(32, 0)
    assert len(fake.documents) == 32
    number = len(fake.seen)
    assert store.write(rows) == Written(0, 32)
    assert len(fake.seen) - number < number / 2  # it has learned


def test_one_document_too_large(fake: FakeOpenSearch, open_: Open, clock: Clock) -> None:
    """A limit of OpenSearch or of a proxy, and so not the document's fault (design §4)."""
    fake.limit = 50
    with pytest.raises(StoreError, match=r"answers 413: .*http\.max_content_length"):
        open_(compress=False).write(ROWS)
    assert clock.slept == []


def test_the_next_node_is_tried(fake: FakeOpenSearch, open_: Open) -> None:
    assert open_(NO_HOST, fake.url).write(ROWS) == Written(5, 0)
    assert open_(NO_HOST, hosts=(fake.url,)).write(ROWS) == Written(0, 5)


def test_a_name_that_does_not_resolve(open_: Open) -> None:
    with pytest.raises(StoreError, match=r"http://no-such-host\.invalid:9200 cannot be reached: .*[Nn]ame"):
        open_("http://no-such-host.invalid:9200", budget=0).write(ROWS)


def test_tls_where_there_is_none(fake: FakeOpenSearch, open_: Open, clock: Clock) -> None:
    with pytest.raises(StoreError, match="it does not speak TLS there: use http:// or another port"):
        open_(fake.url.replace("http:", "https:")).write(ROWS)
    assert clock.slept == []


def test_a_path_before_the_api(fake: FakeOpenSearch, open_: Open) -> None:
    """Behind a proxy that serves OpenSearch under a path. The fake has nothing there."""
    with pytest.raises(StoreError, match="no handler found for uri"):
        open_(fake.url + "/search/").write(ROWS)
    assert fake.seen[0].path == "/search/_index_template"


@pytest.mark.parametrize("key", ["ca_file", "client_cert"])
def test_files_that_are_not_there(open_: Open, tmp_path: Path, key: str) -> None:
    for name, text in (("absent", None), ("empty", "")):
        path = tmp_path / name
        if text is not None:
            path.write_text(text)
        with pytest.raises(StoreError, match=f"https://127.0.0.1:9: {path}: .*: it must be a readable PEM file"):
            open_("https://127.0.0.1:9", **{key: str(path)}).write(ROWS)


# Every exception of opensearch-py


def _theirs() -> list[type[Exception]]:
    classes = [one for one in vars(opensearchpy.exceptions).values() if inspect.isclass(one)]
    found = [one for one in classes if issubclass(one, Exception) and not issubclass(one, Warning)]
    assert len(found) > 12
    return found


@pytest.mark.parametrize("class_", _theirs(), ids=lambda one: one.__name__)
def test_every_exception_of_the_client_is_a_store_error(
    open_: Open, clock: Clock, monkeypatch: pytest.MonkeyPatch, class_: type[Exception]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise class_("N/A", "told", ValueError("below"))

    monkeypatch.setattr(opensearchpy.Urllib3HttpConnection, "perform_request", fail)
    with pytest.raises(StoreError) as caught:
        open_(budget=10).write(ROWS)
    assert "below" in str(caught.value) or "told" in str(caught.value) or "no answer within" in str(caught.value)
    assert clock.now >= 1010


def test_nothing_is_printed(fake: FakeOpenSearch, tmp_path: Path) -> None:
    """Neither the client's log, nor its warnings: output can become a bounce (design §5)."""
    code = (
        "import sys; from email_report_processor.stores.opening import open_store\n"
        "from email_report_processor.stores.store import Row, StoreError\n"
        "rows = [Row('email-report-arf-all', '1', b'{}')]\n"
        "print(open_store(sys.argv[1], budget=3).write(rows))\n"
        "try: open_store('http://127.0.0.1:9', budget=0.1).write(rows)\n"
        "except StoreError as error: print(error)\n"
    )
    fake.faults = [Fault(status=503), Fault(headers={"Warning": '299 OpenSearch-3 "this is deprecated"'})]
    said = subprocess.run([sys.executable, "-c", code, fake.url], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("Written(stored=1")
    assert said.stderr == ""


# Templates


RESOLVED = ("GET", "/_resolve/index/" + ",".join(f"email-report-{name}-*" for name in BY_NAME))


def test_templates_come_first(fake: FakeOpenSearch, open_: Open) -> None:
    open_().write(ROWS)
    assert [(one.method, one.path) for one in fake.seen] == [
        ("GET", "/_index_template"),
        *[(one.method, one.path) for one in templates.requests("email-report-")],
        ("GET", "/_index_template"),
        *LOOKED_AT,
        RESOLVED,
        ("POST", "/_bulk"),
    ]
    assert set(fake.templates) == {f"email-report-{name}" for name in BY_NAME}
    number = len(fake.seen)
    open_().write(ROWS)  # another process: small requests
    assert [(one.method, one.path) for one in fake.seen[number:]] == [
        ("GET", "/_index_template"),
        *LOOKED_AT,
        RESOLVED,
        ("POST", "/_bulk"),
    ]


def test_it_is_remembered(fake: FakeOpenSearch, open_: Open, tmp_path: Path) -> None:
    open_(state=str(tmp_path)).write(ROWS)
    open_(state=str(tmp_path)).write(ROWS)  # an index was new: it looks for others once more
    number = len(fake.seen)
    open_(state=str(tmp_path)).write(ROWS)
    assert [one.path for one in fake.seen[number:]] == ["/_bulk"]
    assert len(markers := list(tmp_path.iterdir())) == 2
    assert {marker.stat().st_mode & 0o777 for marker in markers} == {0o600}
    other = [row._replace(index=row.index.replace("email-report-", "x-")) for row in ROWS]
    for rows, place in ((other, {"prefix": "x-"}), (ROWS, {"hosts": (NO_HOST,)})):
        number = len(fake.seen)
        open_(state=str(tmp_path), **place).write(rows)
        assert fake.seen[number].path == "/_index_template"


def test_it_is_not_remembered_for_ever(fake: FakeOpenSearch, open_: Open, tmp_path: Path) -> None:
    """Somebody makes the cluster anew under the same name."""
    open_(state=str(tmp_path)).write(ROWS)
    (marker,) = tmp_path.glob("opensearch-templates-*")
    for age in (4000, -4000):  # also a clock that was wrong
        os.utime(marker, (time.time() - age, time.time() - age))
        number = len(fake.seen)
        open_(state=str(tmp_path)).write(ROWS)
        assert fake.seen[number].path == "/_index_template"
        assert abs(marker.stat().st_mtime - time.time()) < 60


def test_a_state_directory_that_cannot_be_written(fake: FakeOpenSearch, open_: Open) -> None:
    open_(state="/dev/null/no").write(ROWS)
    assert open_(state="/dev/null/no").write(ROWS) == Written(0, 5)
    assert [(one.method, one.path) for one in fake.seen[-3:]] == [LOOKED_AT[-1], RESOLVED, ("POST", "/_bulk")]


def _install(fake: FakeOpenSearch, version: int) -> None:
    for request in templates.requests("email-report-"):
        held = fake.templates if "_index_template" in request.path else fake.components
        held[request.path.rsplit("/", 1)[1]] = {**request.body, "version": version}


def test_a_newer_template_stays(fake: FakeOpenSearch, open_: Open) -> None:
    _install(fake, templates.VERSION + 1)
    assert open_().write(ROWS) == Written(5, 0)
    assert not [one for one in fake.seen if one.method == "PUT"]
    del fake.templates["email-report-arf"]  # and the common component stays with it
    open_().write(ROWS)
    assert [one.path for one in fake.seen if one.method == "PUT"] == [
        "/_component_template/email-report-arf",
        "/_index_template/email-report-arf",
    ]


def test_an_older_template_is_replaced(fake: FakeOpenSearch, open_: Open) -> None:
    _install(fake, templates.VERSION - 1)
    assert open_().write(ROWS) == Written(5, 0)
    assert {one["version"] for one in fake.templates.values()} == {templates.VERSION}


def test_an_older_template_is_enough(fake: FakeOpenSearch, open_: Open, tmp_path: Path) -> None:
    """A writer that may not install: search on a new field waits for `setup`, mail does not."""
    _install(fake, templates.VERSION - 1)
    fake.template_faults["PUT"] = Fault(status=403)
    assert open_(state=str(tmp_path)).write(ROWS) == Written(5, 0)
    open_(state=str(tmp_path)).write(ROWS)
    number = len(fake.seen)
    open_(state=str(tmp_path)).write(ROWS)
    assert len(fake.seen) - number == 1


@pytest.mark.parametrize("status", [400, 401, 403])
def test_never_without_a_template(fake: FakeOpenSearch, open_: Open, tmp_path: Path, status: int) -> None:
    fake.template_faults["PUT"] = Fault(status=status, item=(0, "security_exception", "no permissions"))
    with pytest.raises(StoreError) as caught:
        open_(state=str(tmp_path)).write(ROWS)
    assert "has no index template for dmarc-aggregate, and this user may not install it" in str(caught.value)
    assert "run `email-report-admin setup`" in str(caught.value)
    assert fake.bulks == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(status=401, body=b"Unauthorized"), "check the user name"),
        (Fault(status=403, item=(0, "security_exception", "no permissions for [indices:x]")), "lacks indices:x"),
        (Fault(status=200, body=b"<html>", content_type="text/html"), "answers 200: <html>: check the URL"),
        (Fault(status=404, body=b"<html>", content_type="text/html"), "no OpenSearch answers there"),
    ],
    ids=str,
)
def test_templates_that_cannot_be_looked_for(fake: FakeOpenSearch, open_: Open, fault: Fault, words: str) -> None:
    fake.template_faults["GET"] = fault
    with pytest.raises(StoreError, match=words):
        open_().write(ROWS)
    assert fake.bulks == []


def test_overload_while_templates_are_looked_for(fake: FakeOpenSearch, open_: Open, clock: Clock) -> None:
    fake.template_faults["GET"] = Fault(status=503)
    with pytest.raises(StoreError, match="answers 503"):
        open_(budget=5).write(ROWS)
    assert clock.now >= 1005


# AWS


def test_requests_are_signed(
    fake: FakeOpenSearch, open_: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    open_(aws_region="eu-central-1", aws_service="aoss").write(ROWS * 10)
    for one in fake.seen:
        assert one.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
        assert "/eu-central-1/aoss/aws4_request" in one.headers["authorization"]
        assert len(one.headers["x-amz-content-sha256"]) == 64


def test_no_aws_credentials(open_: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [one for one in os.environ if one.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StoreError, match="no AWS credentials"):
        open_(aws_region="eu-central-1").write(ROWS)


def test_without_the_extra(open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(StoreError, match=r"pip install 'email-report-processor\[aws\]'"):
        open_(aws_region="eu-central-1").write(ROWS)


# The real node


@pytest.fixture
def real(node: nodes.Node, prefix: str) -> Iterator[OpenSearchStore]:
    for request in templates.requests(prefix, strict=True):
        node.ask(request.method, request.path, request.body)
    store = OpenSearchStore((node.url,), OpenSearchOptions(), prefix=prefix)
    yield store
    store.close()


def _row(prefix: str, number: int, period: str = "2026.11", **fields: Any) -> Row:
    document = {"event.dataset": "dmarc-aggregate", "count": number, **fields}
    return Row(f"{prefix}dmarc-aggregate-{period}", f"{number:040x}", encode(document))


def test_real_write(node: nodes.Node, real: OpenSearchStore, prefix: str) -> None:
    rows = [_row(prefix, number) for number in range(200)]
    assert real.write(rows[:100]) == Written(100, 0)
    assert real.write(rows) == Written(100, 100)
    held = node.documents(f"{prefix}*")
    assert [(one.index, one.id) for one in held] == [(row.index, row.id) for row in rows]
    assert held[7].source == {"event": {"dataset": "dmarc-aggregate"}, "count": 7}


def test_real_answer_has_the_looks_that_are_known(
    real: OpenSearchStore, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That everything was stored is told without looking at each item."""
    monkeypatch.setattr(bulk, "_items", lambda *_: pytest.fail("the answer was read item by item"))
    assert real.write([_row(prefix, number) for number in range(5)]) == Written(5, 0)


def test_real_documents_fault(real: OpenSearchStore, prefix: str) -> None:
    rows = [_row(prefix, 1), _row(prefix, 2, **{"@timestamp": "someday"}), _row(prefix, 3, new=1)]
    written = real.write(rows)
    assert written[:2] == (1, 0)
    assert [(one.row, one.reason.split(":")[0]) for one in written.rejected] == [
        (rows[1], "mapper_parsing_exception"),
        (rows[2], "strict_dynamic_mapping_exception"),
    ]


def test_real_installs_what_is_absent(node: nodes.Node, prefix: str) -> None:
    store = OpenSearchStore((node.url,), OpenSearchOptions(), prefix=prefix)
    assert store.write([_row(prefix, 1)]) == Written(1, 0)
    store.close()
    for name in BY_NAME:
        template = node.ask("GET", f"/_index_template/{prefix}{name}")["index_templates"][0]["index_template"]
        assert template["version"] == templates.VERSION
    mappings = node.ask("GET", f"/{prefix}*")[f"{prefix}dmarc-aggregate-2026.11"]["mappings"]
    assert mappings["dynamic"] == "false"


def test_real_missing_pipeline(node: nodes.Node, real: OpenSearchStore, prefix: str) -> None:
    store = OpenSearchStore((node.url,), OpenSearchOptions(pipelines={"dmarc-aggregate": "absent"}), prefix=prefix)
    with pytest.raises(StoreError, match=r"pipeline with id \[absent\] does not exist: run `email-report-admin setup`"):
        store.write([_row(prefix, 1)])
    store.close()


def test_real_pipeline(node: nodes.Node, real: OpenSearchStore, prefix: str) -> None:
    node.ask("PUT", f"/_ingest/pipeline/{prefix}p", {"processors": [{"set": {"field": "class", "value": "x"}}]})
    options = OpenSearchOptions(pipelines={"dmarc-aggregate": f"{prefix}p"})
    store = OpenSearchStore((node.url,), options, prefix=prefix)
    store.write([_row(prefix, 1)])
    store.close()
    assert node.documents(f"{prefix}*")[0].source["class"] == "x"


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"index.blocks.read_only_allow_delete": True}, "its disk is full: make room"),
        ({"index.blocks.write": True}, "lift the block from the index"),
        (None, "open the index"),
    ],
)
def test_real_blocks(
    node: nodes.Node, real: OpenSearchStore, prefix: str, block: dict[str, bool] | None, words: str
) -> None:
    real.write([_row(prefix, 1)])
    index = f"/{prefix}dmarc-aggregate-2026.11"
    node.ask("POST" if block is None else "PUT", index + ("/_close" if block is None else "/_settings"), block)
    impatient = OpenSearchStore((node.url,), OpenSearchOptions(), prefix=prefix, budget=0.5)
    with pytest.raises(StoreError, match=words):
        impatient.write([_row(prefix, 2)])
    impatient.close()


def test_real_limit_of_shards(own_node: nodes.Node, prefix: str) -> None:
    """On a node of this run alone: the limit is the whole cluster's."""
    store = OpenSearchStore((own_node.url,), OpenSearchOptions(), prefix=prefix)
    store.write([_row(prefix, 0)])

    def limit(number: int | None) -> None:
        own_node.ask("PUT", "/_cluster/settings", {"persistent": {"cluster.max_shards_per_node": number}})

    limit(1)
    try:
        with pytest.raises(StoreError, match=r"validation_exception .*cluster\.max_shards_per_node"):
            store.write([_row(prefix, 1), _row(prefix, 2, period="2026.12")])
    finally:
        limit(None)
        store.close()


def test_real_scan(node: nodes.Node, real: OpenSearchStore, prefix: str) -> None:
    """More than a page in several indices; each document once, as it was written."""
    rows = [_row(prefix, number, period, text="ü") for period in ("2026.10", "2026.11") for number in range(300)]
    node.ask("PUT", f"/_component_template/{prefix}common", {"template": {"mappings": {"dynamic": False}}})
    real.write([*rows, Row(f"{prefix}report-2026.11", "r", b'{"rows":1}')])
    real.request("POST", f"/{prefix}*/_refresh")
    seen = list(real.scan())
    assert sorted(seen[:600]) == sorted(rows)
    assert [row.index for row in seen] == sorted(row.index for row in seen)
    assert seen[600] == Row(f"{prefix}report-2026.11", "r", b'{"rows":1}')
    assert {row.index for row in real.scan((rows[-1].index, "7"))} == {rows[-1].index, f"{prefix}report-2026.11"}
    again = real.scan()
    next(again)
    again.close()  # type: ignore[attr-defined]  # it is a generator: our place in OpenSearch is given up
    assert (
        node.ask("GET", "/_nodes/stats/indices/search")["nodes"].popitem()[1]["indices"]["search"]["scroll_current"]
        == 0
    )


def test_real_scan_of_nothing(real: OpenSearchStore) -> None:
    assert list(real.scan()) == []
    assert real.totals(Question("arf"))[0].documents == 0
    assert real.totals(Question("arf", by=("class",))) == []


def test_both_stores_answer_alike(real: OpenSearchStore, prefix: str, tmp_path: Path) -> None:
    """Any question over the same documents."""
    chance = random.Random(7)
    rows = [_row(prefix, number, **_some_fields(chance)) for number in range(300)]
    sqlite = SqliteStore(str(tmp_path / "store.db"), prefix=prefix)
    sqlite.write(rows)
    real.write(rows)
    real.request("POST", f"/{prefix}*/_refresh")
    fields = ["source.ip", "dkim.signatures", "auth_results.dkim.domain", "policy_published.testing", "count"]
    fields += ["@timestamp", "auth_results.dkim.result", "policy_published.pct", "class"]
    values: dict[str, list[Any]] = {
        "source.ip": ["192.0.2.1", "2001:db8::1", None],
        "dkim.signatures": ["a / b / pass", None],
        "policy_published.testing": [True, False, None],
        "auth_results.dkim.domain": ["b.example", None],
        "count": [7],
    }
    for _ in range(90):
        where = {name: chance.choice(values[name]) for name in chance.sample(sorted(values), chance.randint(0, 2))}
        question = Question(
            "dmarc-aggregate",
            by=tuple(chance.sample(fields, chance.randint(0, 3))),
            sum=chance.choice([("count",), (), ("policy_published.pct", "count")]),
            where=where,
            since=chance.choice(["", "2026-11-02", "2026-11-03T00:00:00.500Z"]),
            until=chance.choice(["", "2026-11-04T00:00:00Z"]),
            size=chance.choice([3, 5000]),
            every=chance.choice(["", "day"]),
            unless=chance.choice([{}, {"class": "forwarded"}, {"source.ip": "192.0.2.1"}]),
            different=chance.choice([(), ("source.ip", "class"), ("@timestamp",)]),
        )
        assert real.totals(question) == sqlite.totals(question), question
    sqlite.close()


def _some_fields(chance: random.Random) -> dict[str, Any]:
    fields: dict[str, list[Any]] = {
        "@timestamp": [
            "2026-11-01T00:00:00Z",
            "2026-11-03T00:00:00Z",
            "2026-11-03T00:00:00.500Z",
            "2026-11-05T01:02:03Z",
        ],
        "source.ip": ["192.0.2.1", "192.0.2.2", "2001:db8::1"],
        "dkim.signatures": [["a / b / pass"], ["a / b / pass", "c / d / fail", "a / b / pass"], []],
        "auth_results.dkim": [
            [{"domain": "a.example", "result": "pass"}, {"domain": "b.example"}],
            [{"domain": "b.example", "result": "fail"}, {"result": "pass"}],
            [{"result": "none"}],
        ],
        "policy_published.testing": [True, False],
        "policy_published.pct": [0, 50, 100],
        "class": ["aligned", "forwarded"],
    }
    return {name: chance.choice(some) for name, some in fields.items() if chance.random() < 0.7}


@pytest.mark.parametrize("dataset", BY_NAME)
def test_every_field_can_be_asked_for(real: OpenSearchStore, prefix: str, tmp_path: Path, dataset: str) -> None:
    """By each field of each dataset that may be grouped by, both stores give the same one group."""
    fields = {one.name: one.example for one in BY_NAME[dataset].fields if not one.objects}
    objects = {one.objects: [{"x": "y"}] for one in BY_NAME[dataset].fields if one.objects}
    for one in BY_NAME[dataset].fields:
        if one.objects:
            objects[one.objects][0].pop("x", None)
            objects[one.objects][0][one.name.removeprefix(one.objects + ".")] = one.example
    row = Row(f"{prefix}{dataset}-2026.11", "1", encode(fields | objects))
    sqlite = SqliteStore(str(tmp_path / "store.db"), prefix=prefix)
    sqlite.write([row])
    assert real.write([row]) == Written(1, 0)
    real.request("POST", f"/{prefix}*/_refresh")
    for one in BY_NAME[dataset].fields:
        if one.type.name not in {"text", "geo_point"}:
            question = Question(dataset, by=(one.name,), sum=())
            answer = sqlite.totals(question)
            expected = one.example if isinstance(one.example, list) else [one.example]
            assert sorted(str(total.key[0]) for total in answer) == sorted(map(str, expected))
            assert real.totals(question) == answer
    sqlite.close()


# The node with TLS and roles

WRITER = "A-Writer's-passw0rd-ü"


@pytest.fixture
def role(prefix: str) -> dict[str, Any]:
    """No more than the filter needs (docs/opensearch.md)."""
    return {
        "cluster_permissions": ["indices:data/write/bulk", "indices:admin/index_template/get"],
        "index_permissions": [
            {
                "index_patterns": [f"{prefix}*"],
                "allowed_actions": ["indices:data/write/bulk*", "indices:data/write/index", "indices:admin/create"],
            }
        ],
    }


def _secure(node: nodes.SecureNode, prefix: str, user: str = "", password: str = "", **more: Any) -> OpenSearchStore:
    options = OpenSearchOptions(
        username=user or "admin",
        password=password or node.admin_password,
        **{"ca_file": str(node.ca_file), **more},
    )
    return OpenSearchStore((node.url,), options, prefix=prefix, budget=5)


def _writer(node: nodes.SecureNode, prefix: str, role: dict[str, Any]) -> OpenSearchStore:
    node.put_role(f"{prefix}writer", role)
    node.put_user(f"{prefix}writer", WRITER, [f"{prefix}writer"])
    node.ask("PUT", f"/_plugins/_security/api/rolesmapping/{prefix}writer", {"users": [f"{prefix}writer"]})
    return _secure(node, prefix, f"{prefix}writer", WRITER)


def _setup(node: nodes.SecureNode, prefix: str) -> None:
    for request in templates.requests(prefix, strict=True):
        node.ask(request.method, request.path, request.body)


def test_secure_write(secure_node: nodes.SecureNode, prefix: str) -> None:
    """With the file of the authority; templates are installed by who may."""
    store = _secure(secure_node, prefix)
    assert store.write([_row(prefix, 1)]) == Written(1, 0)
    store.close()
    assert len(secure_node.documents(f"{prefix}*")) == 1


def test_secure_systems_trust_store(
    secure_node: nodes.SecureNode, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL's own, whose file SSL_CERT_FILE names; not the one of some package."""
    store = _secure(secure_node, prefix, ca_file="")
    with pytest.raises(StoreError, match=r"CERTIFICATE_VERIFY_FAILED.*name the authority .* ca_file"):
        store.write([_row(prefix, 1)])
    store.close()
    monkeypatch.setenv("SSL_CERT_FILE", str(secure_node.ca_file))
    store = _secure(secure_node, prefix, ca_file="")
    assert store.write([_row(prefix, 1)]) == Written(1, 0)
    store.close()


def test_secure_wrong_authority(secure_node: nodes.SecureNode, prefix: str) -> None:
    """Any other one: the system's first."""
    bundle = ssl.get_default_verify_paths().cafile
    if bundle is None or not os.path.exists(bundle):
        pytest.skip("this system has no trust store")
    began = time.monotonic()
    store = _secure(secure_node, prefix, ca_file=bundle)
    with pytest.raises(StoreError, match="CERTIFICATE_VERIFY_FAILED"):
        store.write([_row(prefix, 1)])
    store.close()
    assert time.monotonic() - began < 3  # at once


def test_secure_wrong_name(secure_node: nodes.SecureNode, prefix: str) -> None:
    options = OpenSearchOptions(username="admin", password=secure_node.admin_password, ca_file=str(secure_node.ca_file))
    store = OpenSearchStore((secure_node.wrong_name_url,), options, prefix=prefix, budget=5)
    with pytest.raises(
        StoreError, match=r"mismatch, certificate is not valid for .*: name the host as its certificate"
    ):
        store.write([_row(prefix, 1)])
    store.close()


def test_secure_not_verified(secure_node: nodes.SecureNode, prefix: str) -> None:
    store = _secure(secure_node, prefix, ca_file="", verify=False)
    assert store.write([_row(prefix, 1)]) == Written(1, 0)
    store.close()


def test_secure_wrong_password(secure_node: nodes.SecureNode, prefix: str) -> None:
    store = _secure(secure_node, prefix, password="wrong-and-not-shown")
    with pytest.raises(StoreError, match="answers 401: Unauthorized: check the user name and the password") as caught:
        store.write([_row(prefix, 1)])
    store.close()
    assert "wrong-and" not in str(caught.value)


def test_secure_writer(secure_node: nodes.SecureNode, prefix: str, role: dict[str, Any]) -> None:
    """The whole work, also into a period that has no index yet, with a password that is not Latin-1's business."""
    _setup(secure_node, prefix)
    store = _writer(secure_node, prefix, role)
    rows = [_row(prefix, 1), _row(prefix, 2, period="2027.01"), _row(prefix, 3, new=1)]
    written = store.write(rows)
    assert written[:2] == (2, 0)
    assert len(written.rejected) == 1
    assert store.write(rows[:2]) == Written(0, 2)
    with pytest.raises(StoreError, match="lacks indices:data/read/search"):
        list(store.scan())
    with pytest.raises(StoreError, match="lacks indices:data/read/search"):
        store.totals(Question("dmarc-aggregate"))
    store.close()
    assert [decode(json.dumps(one.source).encode())["count"] for one in secure_node.documents(f"{prefix}*")] == [1, 2]


def test_secure_writer_without_templates(secure_node: nodes.SecureNode, prefix: str, role: dict[str, Any]) -> None:
    store = _writer(secure_node, prefix, role)
    with pytest.raises(StoreError, match=r"no index template for dmarc-aggregate.*run `email-report-admin setup`"):
        store.write([_row(prefix, 1)])
    store.close()
    assert secure_node.documents(f"{prefix}*") == []


@pytest.fixture
def nothing_for_everybody(secure_node: nodes.SecureNode) -> Iterator[None]:
    """The plugin's demonstration gives every user the role own_index, and with it the cluster's bulk right."""
    mapping = "/_plugins/_security/api/rolesmapping/own_index"
    secure_node.ask("DELETE", mapping)
    yield
    secure_node.ask("PUT", mapping, {"users": ["*"]})


@pytest.mark.usefixtures("nothing_for_everybody")
@pytest.mark.parametrize(
    ("right", "named"),
    [
        ("indices:data/write/bulk", "indices:data/write/bulk"),
        ("indices:admin/index_template/get", "indices:admin/index_template/get"),
        ("indices:data/write/bulk*", "indices:data/write/bulk"),
        ("indices:data/write/index", "indices:data/write/index"),
        ("indices:admin/create", "indices:admin/"),
    ],
)
def test_secure_one_right_less(
    secure_node: nodes.SecureNode, prefix: str, role: dict[str, Any], right: str, named: str
) -> None:
    """Each is needed, and the error says which one is missing."""
    _setup(secure_node, prefix)
    for actions in (role["cluster_permissions"], role["index_permissions"][0]["allowed_actions"]):
        if right in actions:
            actions.remove(right)
    store = _writer(secure_node, prefix, role)
    with pytest.raises(StoreError, match=f"the role of this user lacks {named}"):
        store.write([_row(prefix, 1)])
    store.close()
    assert secure_node.documents(f"{prefix}*") == []
