"""The fault matrix of docs/faults.md: the real process, one fault, then the retry; every row exactly once.

The filter in a pipe, and the listener that takes the same messages by LMTP: its 250 and 451 are the 0 and 75 of a pipe.
No status but 0 and 75 is ever seen, nothing is written to standard output or standard error, and the password is
nowhere to be found. Where the real node can fail that way it does; for the rest there is a small OpenSearch that
fails as it is told.
"""

import contextlib
import ctypes
import json
import os
import random
import re
import resource
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.policy import SMTP
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks import messages as bench
from email_report_processor import process as pipeline
from email_report_processor.importing.again import open_blob
from email_report_processor.job import choose_store, make_job
from email_report_processor.message.blob import Memory, chunks
from email_report_processor.reports.reading import read_message
from email_report_processor.settings import load
from email_report_processor.stores import kept
from email_report_processor.stores.opening import open_store
from tests import nodes
from tests.admin import test_reclassify_ending as reclassified
from tests.conftest import Program
from tests.fake_opensearch import FakeOpenSearch, Fault
from tests.lmtp import EndedError, Listener
from tests.places import ROOT
from tools import samples

PASSWORD = "never-to-be-seen-2026"
DAY = datetime(2026, 11, 18, tzinfo=UTC)
Ids = set[str]


def mail(number: int = 0, records: int = 0) -> bytes:
    """An aggregate report in a mail, another one for each number; 6 rows, or `records` of them."""
    begin = DAY - timedelta(days=number)
    if not records:
        return samples.aggregate_zip(begin).as_bytes(policy=SMTP)
    rows = "".join(
        samples.record(f"192.0.2.{one % 250}", 0, "pass", "fail", "example.org", "example.org", "x.example", amount=one)
        for one in range(1, records + 1)
    )
    message = samples.mail("noreply@bigmail.example", "Report", begin)
    report = samples.xml(begin, "Big Mail", "noreply@bigmail.example", rows)
    message.add_attachment(report.encode(), "text", "xml", filename="report.xml")
    return message.as_bytes(policy=SMTP)


def ids_of(*messages: bytes) -> Ids:
    """The documents that must be there, each once."""
    found = [document.id for one in messages for report in read_message(one).reports for document in report.documents()]
    assert len(found) == len(set(found)) > 0
    return set(found)


MESSAGE = mail()
EXPECTED = ids_of(MESSAGE)
NO_REPORT = samples.no_report(DAY).as_bytes(policy=SMTP)


class Delivery:
    """The filter as a mail server calls it, over and over; it remembers every status."""

    def __init__(self, program: Program, store: str, settings: str, state: Path) -> None:
        self.program = program
        self.store = store
        self.settings = settings
        self.state = state
        self.log = program.directory / "log"
        self.statuses: Counter[int] = Counter()

    @property
    def arguments(self) -> dict[str, Any]:
        secrets = f'[opensearch]\nusername = "writer"\npassword = "{PASSWORD}"\n'
        text = self.settings if "[opensearch]" in self.settings else secrets + self.settings
        return {"store": self.store, "settings": text}

    def __call__(self, message: bytes = MESSAGE, *flags: str, **start: Any) -> int:
        """One delivery; its status, which is 0 or 75."""
        outcome = self.program(message, f"--log={self.log}", *flags, **{**self.arguments, **start})
        self.saw(outcome.status)
        assert (outcome.stdout, outcome.stderr) == ("", "")
        assert PASSWORD not in self.said
        return outcome.status

    def saw(self, status: int) -> None:
        self.statuses[status] += 1
        assert status in {0, 75}, self.said

    def start(self, *flags: str, **start: Any) -> "subprocess.Popen[bytes]":
        return self.program.start(f"--log={self.log}", *flags, **{**self.arguments, **start})

    def stop(self) -> None:
        """Nothing of it runs any more."""

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8") if self.log.exists() else ""

    @property
    def kept(self) -> list[kept.Kept]:
        return list(kept.listing(kept.directory(self.state)))

    def kept_messages(self) -> list[bytes]:
        return [b"".join(chunks(kept.untouched(open_blob(one.path)))) for one in self.kept]

    def local(self, message: bytes) -> bytes:
        """A message as this way in hands it on."""
        return message

    def retry_kept(self, program: Program) -> None:
        """What a timer does: `email-report-admin kept --retry`."""
        outcome = program(b"", "kept", "--retry", **self.arguments)
        assert (outcome.status, outcome.stderr) == (0, ""), outcome
        assert self.kept == []


# While a fault lasts; what comes after it has all the time of a slow machine.
HURRY = {"EMAIL_REPORT_PROCESSOR_STORE_RETRY_SECONDS": "0.2"}


class Resident(Delivery):
    """The listener. New settings reach it by SIGHUP; for other circumstances it is started anew."""

    listener: Listener | None = None
    circumstances: object = None
    text = ""

    def local(self, message: bytes) -> bytes:
        """Lines end with LF, as a local delivery has them (RFC 2033 transports CR LF)."""
        return message.replace(b"\r\n", b"\n")

    def __call__(self, message: bytes = MESSAGE, *flags: str, **start: Any) -> int:
        """One delivery; 0 for 250, 75 for 451, and for a listener that does not start."""
        if self.store == "-":  # a listener has no standard output that anybody reads
            self.store = f"sqlite:{self.program.directory}/unused.sqlite"
        wanted = {**self.arguments, **start}
        if wanted.get("env") is HURRY and wanted["settings"] is not None:
            del wanted["env"]
            wanted["settings"] = hurried(wanted["settings"])
        try:
            self._go_on(flags, wanted)
        except EndedError as ended:
            status, stdout, stderr = ended.args
            assert stdout == b""
            assert PASSWORD.encode() not in stderr
            self.saw(status)
            return int(status)
        assert self.listener is not None
        (reply,) = self.listener.send(message)
        self.saw({"250": 0, "451": 75}[reply[:3]])
        assert PASSWORD not in self.said + reply
        return 0 if reply.startswith("250") else 75

    def _go_on(self, flags: tuple[str, ...], wanted: dict[str, Any]) -> None:
        text = wanted.pop("settings")
        if self.listener is None or self.circumstances != (flags, wanted):
            self.stop()
            self.circumstances, self.text = (flags, wanted), text
            self.listener = Listener(self.program, *flags, settings=text, **wanted)
        elif text != self.text:
            before = self.said.count("has read its settings again")
            self.program.settings.write_text(text)
            self.text = text
            self.listener.process.send_signal(signal.SIGHUP)
            self.listener.wait_until(lambda: self.said.count("has read its settings again") > before)

    def stop(self) -> None:
        listener, self.listener = self.listener, None
        if listener is not None:
            assert listener.stop() == 0


def hurried(settings: str) -> str:
    """Settings with what HURRY says."""
    if "[store]\n" in settings:
        return settings.replace("[store]\n", "[store]\nretry_seconds = 0.2\n")
    return settings + "\n[store]\nretry_seconds = 0.2\n"


Deliver = Callable[..., Delivery]
IN_A_PIPE = pytest.mark.parametrize("deliver", ["pipe"], indirect=True)


@pytest.fixture(params=["pipe", "lmtp"])
def deliver(run_filter: Program, state: Path, request: pytest.FixtureRequest) -> Iterator[Deliver]:
    """`deliver(store, settings)` makes a Delivery."""
    made: list[Delivery] = []

    def make(store: str, settings: str = "") -> Delivery:
        made.append((Resident if request.param == "lmtp" else Delivery)(run_filter, store, settings, state))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def fake() -> Iterator[FakeOpenSearch]:
    with FakeOpenSearch() as running:
        yield running


def assert_once(found: Counter[str], expected: Ids) -> None:
    assert {id_: number for id_, number in found.items() if number != 1} == {}
    assert set(found) == expected


def in_fake(fake: FakeOpenSearch) -> Counter[str]:
    return Counter(id_ for _, id_ in fake.documents)


def in_sqlite(path: Path) -> Counter[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return Counter(id_ for (id_,) in connection.execute("SELECT id FROM documents"))


def in_node(node: nodes.Node, prefix: str) -> Counter[str]:
    return Counter(stored.id for stored in node.documents(f"{prefix}*"))


def prefixed(prefix: str, more: str = "") -> str:
    return f'[store]\nindex_prefix = "{prefix}"\n{more}'


# The store is away, overloaded, or refuses


class Case(NamedTuple):
    """A fault of every bulk, the status while it lasts, and words of the log."""

    fault: Fault
    says: str


SHARDS = "this action would add [2] shards, but this cluster currently has [1000]/[1000] maximum normal shards open"
CASES = {
    "401": Case(Fault(status=401, item=(401, "security_exception", "Unauthorized")), "the user name and the pass"),
    "403": Case(Fault(status=403, item=(403, "security_exception", "no permissions for [indices:x] and U")), "lack"),
    "413": Case(Fault(status=413, body=b"<html>too large</html>"), "raise the limit of request sizes"),
    "429": Case(Fault(status=429), "answers 429"),
    "429-items": Case(Fault(stores=0), "answers 429"),
    "500": Case(Fault(status=500), "answers 500"),
    "502": Case(Fault(status=502, body=b"<html>bad gateway</html>", content_type="text/html"), "answers 502"),
    "503": Case(Fault(status=503), "answers 503"),
    "504-items": Case(Fault(stores=0, item=(504, "timeout", "slow")), "answers 504"),
    "shards": Case(Fault(stores=0, item=(400, "validation_exception", SHARDS)), "max_shards_per_node"),
    "pipeline": Case(
        Fault(stores=0, item=(400, "illegal_argument_exception", "pipeline with id [x] does not exist")), "pipeline"
    ),
    "closed-index": Case(Fault(stores=0, item=(400, "index_closed_exception", "closed")), "open the index"),
    "flood": Case(
        Fault(stores=0, item=(429, "cluster_block_exception", "disk usage exceeded flood-stage watermark")), "full"
    ),
    "html": Case(Fault(body=b"<html>log in</html>", content_type="text/html"), "a web page"),
    "garbled": Case(Fault(body=b'{"errors":fal'), "answered for 0 of 7"),
    "short": Case(Fault(short=3), "answered for 4 of 7"),
    "no-answer": Case(Fault(cut=0), "cannot be reached"),
    "half-an-answer": Case(Fault(cut=20), ""),
    "stored-without-answer": Case(Fault(stores=4, cut=0), "cannot be reached"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_that_lasts(fake: FakeOpenSearch, deliver: Deliver, name: str) -> None:
    fake.always, says = CASES[name]
    delivery = deliver(fake.url)
    assert delivery(env=HURRY) == 75, delivery.said
    assert says in delivery.said
    fake.always = None
    assert delivery.kept == []
    assert delivery() == 0
    assert_once(in_fake(fake), EXPECTED)


@pytest.mark.parametrize("name", ["429", "429-items", "503", "no-answer", "half-an-answer", "stored-without-answer"])
def test_a_fault_that_happens_once(fake: FakeOpenSearch, deliver: Deliver, name: str) -> None:
    fake.faults = [CASES[name].fault]
    delivery = deliver(fake.url)
    assert delivery() == 0
    assert "kept=no" in delivery.said
    assert_once(in_fake(fake), EXPECTED)


@pytest.mark.parametrize("k", range(len(EXPECTED) + 1))
def test_503_after_k_rows(fake: FakeOpenSearch, deliver: Deliver, k: int) -> None:
    fake.faults = [Fault(stores=k, item=(503, "unavailable_shards_exception", "primary shard is not active"))]
    fake.always = Fault(status=503)
    delivery = deliver(fake.url)
    assert delivery(env=HURRY) == (0 if k == len(EXPECTED) else 75)
    assert len(fake.documents) == k
    fake.always = None
    assert delivery() == 0
    assert f"stored={len(EXPECTED) - k}, already={k}, " in delivery.said.splitlines()[-1]
    assert_once(in_fake(fake), EXPECTED)


def test_413_for_many_and_not_for_few(fake: FakeOpenSearch, deliver: Deliver) -> None:
    message = mail(records=200)
    fake.limit = 3000
    delivery = deliver(fake.url)
    assert delivery(message) == 0
    assert len(fake.bulks) > 3
    assert_once(in_fake(fake), ids_of(message))


def test_refused(deliver: Deliver, node: nodes.Node, prefix: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        delivery = deliver(f"http://127.0.0.1:{nobody.getsockname()[1]}", prefixed(prefix))
        for flags in ((), ("--deadline=2",), ("--deadline=300",)):
            began = time.monotonic()
            assert delivery(MESSAGE, *flags) == 75
            assert time.monotonic() - began < 10  # 3 on a machine that has nothing else to do
    assert delivery.said.count("Connection refused (tried twice)") == 3
    delivery.store = node.url
    assert delivery() == 0
    assert_once(in_node(node, prefix), EXPECTED)


def test_down_and_up_again(own_node: nodes.Node, deliver: Deliver, prefix: str) -> None:
    delivery = deliver(own_node.url, prefixed(prefix))
    first = mail(1)
    assert delivery(first) == 0
    own_node.stop()
    try:
        assert delivery(env=HURRY) == 75
    finally:
        own_node.start()
    assert delivery() == delivery(first) == 0
    assert_once(in_node(own_node, prefix), EXPECTED | ids_of(first))


def test_stored_documents_are_renewed_whatever_becomes_of_the_node(
    own_node: nodes.Node, run_filter: Program, run_admin: Program, prefix: str
) -> None:
    settings = f'[store]\nurl = "{own_node.url}"\nindex_prefix = "{prefix}"\n'
    assert run_filter(bench.message(1500), settings=settings).status == 0

    def refresh() -> None:
        own_node.ask("POST", f"/{prefix}*/_refresh")

    refresh()
    stored = reclassified.Stored(run_admin, settings, lambda: open_store(own_node.url, prefix=prefix), refresh)
    before = reclassified.documents(stored)
    process = stored.start()
    stored.begun(process)
    own_node.stop()
    own_node.start()
    status, _, err = reclassified.ended(process)  # it went on by itself, or says where to go on
    while status:
        assert status in {1, 75}, err
        refresh()
        status, _, err = reclassified.ended(stored.start(*shlex.split(err.partition("go on with ")[2])))
    reclassified.check_done(stored, before)


def test_a_missing_pipeline(node: nodes.Node, deliver: Deliver, prefix: str) -> None:
    pipelines = f'[opensearch]\npassword = "{PASSWORD}"\npipelines = {{dmarc-aggregate = "{prefix}absent"}}'
    delivery = deliver(node.url, prefixed(prefix, pipelines))
    assert delivery() == 75
    assert "setup" in delivery.said
    node.ask("PUT", f"/_ingest/pipeline/{prefix}absent", {"processors": []})
    assert delivery() == 0
    assert_once(in_node(node, prefix), EXPECTED)


@pytest.mark.parametrize(
    ("close", "open_"),
    [
        (("POST", "_close", None), ("POST", "_open", None)),
        (("PUT", "_settings", {"index.blocks.write": True}), ("PUT", "_settings", {"index.blocks.write": False})),
    ],
    ids=["closed", "blocked"],
)
def test_a_closed_index(node: nodes.Node, deliver: Deliver, prefix: str, close: Any, open_: Any) -> None:
    delivery = deliver(node.url, prefixed(prefix))
    other = mail(1)
    assert delivery(other) == 0
    (index,) = {stored.index for stored in node.documents(f"{prefix}dmarc-aggregate-*")}
    method, what, body = close
    node.ask(method, f"/{index}/{what}", body)
    assert delivery() == 75
    method, what, body = open_
    node.ask(method, f"/{index}/{what}?wait_for_active_shards=1" if what == "_open" else f"/{index}/{what}", body)
    assert delivery() == 0
    assert_once(in_node(node, prefix), EXPECTED | ids_of(other))


def test_documents_that_the_index_cannot_hold(
    node: nodes.Node, deliver: Deliver, run_admin: Program, prefix: str
) -> None:
    """Their own fault as far as anybody can tell: kept, never 75 for ever."""
    index = f"{prefix}dmarc-aggregate-2026.11"
    node.ask("PUT", f"/{index}", {"mappings": {"properties": {"count": {"type": "date", "format": "yyyy-MM-dd"}}}})
    delivery = deliver(node.url, prefixed(prefix))
    assert delivery() == 0
    assert "the store refuses 6 documents" in delivery.said
    assert delivery.kept_messages() == [delivery.local(MESSAGE)]
    node.ask("DELETE", f"/{index}")
    delivery.retry_kept(run_admin)
    assert_once(in_node(node, prefix), EXPECTED)


def test_credentials(secure_node: nodes.SecureNode, deliver: Deliver, prefix: str) -> None:
    user, right = f"{prefix}user", f"Right-{prefix}9"
    secure_node.put_user(user, right)

    def settings(password: str) -> str:
        trust = f'ca_file = "{secure_node.ca_file}"\nusername = "{user}"\npassword = "{password}"\n'
        return prefixed(prefix, f"[opensearch]\n{trust}")

    delivery = deliver(secure_node.url, settings(PASSWORD))
    assert delivery() == 75
    assert "answers 401" in delivery.said
    delivery.settings = settings(right)
    assert delivery() == 75
    assert "answers 403" in delivery.said
    everything = [{"index_patterns": [f"{prefix}*"], "allowed_actions": ["*"]}]
    secure_node.put_role(f"{prefix}role", {"cluster_permissions": ["*"], "index_permissions": everything})
    secure_node.ask("PUT", f"/_plugins/_security/api/rolesmapping/{prefix}role", {"users": [user]})
    assert delivery() == 0
    assert right not in delivery.said
    assert_once(in_node(secure_node, prefix), EXPECTED)


# The way to the store


class Proxy:
    """A way to the real node that loses the answers to some bulks, after the node has done what they ask."""

    def __init__(self, url: str, lose: int = 0, delay: float = 0.0) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self.target = (host, int(port))
        self.lose = lose
        self.delay = delay
        self.lost = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.closing = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self.target) as node, contextlib.suppress(OSError):
            bulk = threading.Event()
            threading.Thread(target=self._answers, args=(node, client, bulk), daemon=True).start()
            while data := client.recv(65536):
                if b"POST /_bulk" in data:
                    bulk.set()
                node.sendall(data)

    def _answers(self, node: socket.socket, client: socket.socket, bulk: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := node.recv(65536):
                if bulk.is_set() and self.delay and self.closing.wait(self.delay):
                    return
                if bulk.is_set() and self.lost < self.lose:
                    self.lost += 1
                    client.shutdown(socket.SHUT_RDWR)
                    return
                bulk.clear()
                client.sendall(data)


def test_the_answer_is_lost_after_storing(node: nodes.Node, deliver: Deliver, prefix: str) -> None:
    with Proxy(node.url, lose=1) as proxy:
        delivery = deliver(proxy.url, prefixed(prefix))
        assert delivery() == 0
        assert proxy.lost == 1
    assert f"stored={len(EXPECTED)}, already=0, " in delivery.said
    assert_once(in_node(node, prefix), EXPECTED)


def test_every_answer_is_lost_after_storing(node: nodes.Node, deliver: Deliver, prefix: str) -> None:
    with Proxy(node.url, lose=1000) as proxy:
        delivery = deliver(proxy.url, prefixed(prefix))
        assert delivery(env=dict.fromkeys(HURRY, "3")) == 75  # time for templates
        assert proxy.lost > 0
    delivery.store = node.url
    assert delivery() == 0
    assert_once(in_node(node, prefix), EXPECTED)


def test_slow_beyond_the_deadline(node: nodes.Node, deliver: Deliver, prefix: str) -> None:
    with Proxy(node.url, delay=60) as proxy:
        delivery = deliver(proxy.url, prefixed(prefix))
        begin = time.monotonic()
        assert delivery(MESSAGE, "--deadline=4") == 75
        assert time.monotonic() - begin < 15
    delivery.store = node.url
    assert delivery() == 0
    assert_once(in_node(node, prefix), EXPECTED)


def test_not_done_at_the_deadline_while_it_goes_on(fake: FakeOpenSearch, deliver: Deliver, run_admin: Program) -> None:
    """Again it would not be done: a copy is kept, and finished without a deadline."""
    message = mail(records=100)
    fake.always = Fault(delay=0.3)
    settings = f'[opensearch]\npassword = "{PASSWORD}"\nbulk_bytes = 2000\n'
    delivery = deliver(fake.url, settings)
    assert delivery(message, "--deadline=3") == 0
    assert "takes longer than 3 s; a copy is kept" in delivery.said
    assert delivery.kept_messages() == [delivery.local(message)]
    fake.always = None
    delivery.retry_kept(run_admin)
    assert_once(in_fake(fake), ids_of(message))


@IN_A_PIPE
def test_a_writer_that_stops_in_the_middle_of_the_message(deliver: Deliver, state: Path) -> None:
    delivery = deliver(f"sqlite:{state}/reports.sqlite")
    process = delivery.start("--deadline=1")
    assert process.stdin is not None
    process.stdin.write(MESSAGE[:100])
    process.stdin.flush()
    with process:
        assert process.wait(timeout=60) == 75
    assert not (state / "reports.sqlite").exists()


WRAPPER = ROOT / "contrib/forward-examples/email-report-processor-pipe"

# What writes as a mail server does, and waits for its end.
AGENT = """
import signal, subprocess, sys
message, cut, held, *command = sys.argv[1:]
process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[int(held)])
process.stdin.write(open(message, "rb").read()[: int(cut)])
process.stdin.flush()
print("written", flush=True)
signal.pause()
"""


@IN_A_PIPE
@pytest.mark.parametrize("cut", [50_000, 150_000], ids=["what a pipe holds", "more"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
@pytest.mark.parametrize("way", ["direct", "wrapper", "shell"])
def test_a_writer_that_ends_in_the_middle_of_the_message(
    deliver: Deliver, state: Path, tmp_path: Path, way: str, number: int, cut: int
) -> None:
    """What it leaves behind looks like a whole message; nothing of it is stored or kept."""
    message = mail(records=700)
    path = tmp_path / "message"
    path.write_bytes(message)
    delivery = deliver(f"sqlite:{state}/reports.sqlite")
    command = delivery.program.command(f"--log={delivery.log}", **delivery.arguments)
    if way != "direct":
        wrapper = shutil.copy(WRAPPER, tmp_path / "wrapper")
        (tmp_path / "email-report-processor").symlink_to(command[0])
        command = [str(wrapper), *command[1:]]
    if way == "shell":
        command = ["/bin/sh", "-c", f"{shlex.join(command)}; exit $?"]
    ending, held = os.pipe()
    script = [sys.executable, "-c", AGENT, str(path), str(cut), str(held), *command]
    with subprocess.Popen(script, stdout=subprocess.PIPE, pass_fds=[held]) as agent, open(ending, "rb") as ends:
        os.close(held)
        assert agent.stdout is not None
        assert agent.stdout.readline() == b"written\n"
        if way == "direct" and cut < 65_536:  # it is told by the wrapper alone who called it, before Python starts
            wait_for(lambda: any(map(reads, children(agent.pid))))
        if way == "shell":  # the wrapper runs
            wait_for(lambda: any(children(below) for above in children(agent.pid) for below in children(above)))
        agent.send_signal(number)
        ends.read()  # every process of it has ended
    assert "the process that wrote the message ended before the message did" in delivery.said
    assert "the mail server keeps the message" in delivery.said
    assert not (state / "reports.sqlite").exists()
    assert delivery.kept == []
    assert delivery(message) == 0
    assert_once(in_sqlite(state / "reports.sqlite"), ids_of(message))


def children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def reads(pid: int) -> bool:
    """It blocks its signals just before it reads (watch.py)."""
    status = Path(f"/proc/{pid}/status").read_text()
    masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Sig"))
    return bool(int(masks["SigBlk"], 16) >> (signal.SIGTERM - 1) & 1)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_database_that_another_program_has_locked(deliver: Deliver, state: Path) -> None:
    path = state / "reports.sqlite"
    delivery = deliver(f"sqlite:{path}")
    other = mail(1)
    assert delivery(other) == 0
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert delivery(env=HURRY) == 75
        assert "locked" in delivery.said
        holder.execute("ROLLBACK")
    assert delivery() == 0
    assert_once(in_sqlite(path), EXPECTED | ids_of(other))


# Signals


def catches(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it has taken SIGTERM into its own hands: before, for the first milliseconds, it is the interpreter's."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Sig"))
    mine = int(masks["SigCgt"], 16) | int(masks["SigBlk"], 16)
    return bool(mine >> (signal.SIGTERM - 1) & 1)


def interrupted(delivery: Delivery, message: bytes, number: signal.Signals, after: float) -> int:
    """Deliver, and send a signal `after` so many seconds."""
    with delivery.start() as process:
        assert process.stdin is not None
        while number == signal.SIGTERM and process.poll() is None and not catches(process):
            time.sleep(0.001)
        timer = threading.Timer(after, process.send_signal, (number,))
        timer.start()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(message)
            process.stdin.close()
        process.wait(timeout=60)
        timer.cancel()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            assert stream.read() == b""
    return process.returncode


def at_random_moments(delivery: Delivery, seed: int, times: int) -> Ids:
    """Interrupt deliveries of different messages, and deliver each again as the mail server would."""
    chance = random.Random(seed)
    messages = [mail(number, records=150) for number in range(times)]
    assert delivery(messages[0]) == 0  # templates, the file
    begin = time.monotonic()
    assert delivery(messages[0]) == 0
    usual = time.monotonic() - begin
    ended: Counter[int] = Counter()
    for number, message in enumerate(messages[1:]):
        kind = (signal.SIGTERM, signal.SIGKILL)[number % 2]
        status = interrupted(delivery, message, kind, chance.uniform(0, usual * 1.1))
        ended[status] += 1
        if status != -signal.SIGKILL:
            delivery.saw(status)
        if status != 0:
            assert delivery(message) == 0
    print(f"statuses of {times - 1} deliveries with a signal: {dict(ended)}, all again: {dict(delivery.statuses)}")
    assert delivery.kept == []
    return ids_of(*messages)


SMALL_BULKS = f'[opensearch]\npassword = "{PASSWORD}"\nbulk_bytes = 10000\n'


@IN_A_PIPE
def test_signals_at_random_moments_sqlite(deliver: Deliver, state: Path) -> None:
    expected = at_random_moments(deliver(f"sqlite:{state}/reports.sqlite"), 1, 11)
    assert_once(in_sqlite(state / "reports.sqlite"), expected)


@IN_A_PIPE
def test_signals_at_random_moments_opensearch(node: nodes.Node, deliver: Deliver, prefix: str) -> None:
    expected = at_random_moments(deliver(node.url, prefixed(prefix, SMALL_BULKS)), 2, 11)
    assert_once(in_node(node, prefix), expected)


@IN_A_PIPE
@pytest.mark.long
@pytest.mark.timeout(1200)
def test_100_signals_at_random_moments_sqlite(deliver: Deliver, state: Path) -> None:
    expected = at_random_moments(deliver(f"sqlite:{state}/reports.sqlite"), 3, 101)
    assert_once(in_sqlite(state / "reports.sqlite"), expected)


@IN_A_PIPE
@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [4, 5])  # at most 10,000 documents can be asked for at once
def test_50_signals_at_random_moments_opensearch(node: nodes.Node, deliver: Deliver, prefix: str, seed: int) -> None:
    expected = at_random_moments(deliver(node.url, prefixed(prefix, SMALL_BULKS)), seed, 51)
    assert_once(in_node(node, prefix), expected)


# Disk, rights, settings


@contextlib.contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Path]:
    """A file system of this size, which only root can make."""
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs root and the right to mount a small tmpfs; the same is tested with RLIMIT_FSIZE")
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def file_size_limit(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_the_disk_is_full(tmp_path: Path, deliver: Deliver) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        delivery = deliver(f"sqlite:{disk}/reports.sqlite")
        filler = disk / "filler"
        filler.write_bytes(b"x" * (2048 - 76) * 1024)
        assert delivery() == 75
        assert delivery() == 75
        assert "disk is full" in delivery.said
        filler.unlink()
        assert delivery() == 0
        assert_once(in_sqlite(disk / "reports.sqlite"), EXPECTED)
        delivery.stop()


def test_no_room_for_a_kept_copy(tmp_path: Path, deliver: Deliver) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        delivery = deliver("-", f'[state]\ndir = "{disk}"\n')
        delivery.program.state = delivery.state = disk
        filler = disk / "filler"
        filler.write_bytes(b"x" * 60 * 1024)
        message = NO_REPORT + b"more\r\n" * 2000
        assert delivery(message) == 75
        assert "make room there" in delivery.said
        assert list((disk / "kept/tmp").iterdir()) == []
        filler.unlink()
        assert delivery(message) == 0
        assert delivery.kept_messages() == [delivery.local(message)]
        delivery.stop()


def test_files_may_not_grow(deliver: Deliver, state: Path) -> None:
    path = state / "reports.sqlite"
    delivery = deliver(f"sqlite:{path}")
    message = mail(records=300)
    assert delivery(message, preexec_fn=file_size_limit(100_000)) == 75
    assert "RLIMIT_FSIZE" in delivery.said
    assert delivery(message) == 0
    assert_once(in_sqlite(path), ids_of(message))


def test_no_room_for_a_kept_copy_by_limit(deliver: Deliver) -> None:
    message = NO_REPORT + b"more\r\n" * 20_000
    delivery = deliver("-")
    assert delivery(message, preexec_fn=file_size_limit(50_000)) == 75
    assert "File too large" in delivery.said
    assert list((delivery.state / "kept/tmp").iterdir()) == []
    assert delivery(message) == 0
    assert delivery.kept_messages() == [delivery.local(message)]


def test_no_room_for_a_big_message(deliver: Deliver, state: Path) -> None:
    """Above 1 MiB the input is spooled; it is read to its end all the same."""
    path = state / "reports.sqlite"
    delivery = deliver(f"sqlite:{path}")
    message = mail(records=6000)
    assert len(message) > 1024**2
    assert delivery(message, preexec_fn=file_size_limit(1_000_000)) == 75
    assert "File too large" in delivery.said
    assert delivery(message) == 0
    assert_once(in_sqlite(path), ids_of(message))


PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
_LIBC = ctypes.CDLL(None, use_errno=True)


def bound_by_modes() -> None:
    """Root then is, like anybody else, refused by the modes of its own files."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        _LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@contextlib.contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    before = path.stat().st_mode & 0o7777
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


def test_a_state_directory_that_cannot_be_written(deliver: Deliver, state: Path) -> None:
    state.mkdir()
    delivery = deliver(f"sqlite:{state}/reports.sqlite")
    for bits in (0o500, 0o000):
        with mode(state, bits):
            assert delivery(preexec_fn=bound_by_modes) == 75
            assert delivery(NO_REPORT, preexec_fn=bound_by_modes) == 75
    assert "owner" in delivery.said
    assert delivery(preexec_fn=bound_by_modes) == delivery(NO_REPORT, preexec_fn=bound_by_modes) == 0
    assert_once(in_sqlite(state / "reports.sqlite"), EXPECTED)
    assert delivery.kept_messages() == [delivery.local(NO_REPORT)]


def test_opensearch_does_not_need_the_state_directory(fake: FakeOpenSearch, deliver: Deliver, state: Path) -> None:
    state.mkdir()
    delivery = deliver(fake.url)
    with mode(state, 0o500):
        assert delivery(preexec_fn=bound_by_modes) == 0
    assert_once(in_fake(fake), EXPECTED)


def test_settings_that_cannot_be_read(deliver: Deliver, state: Path) -> None:
    delivery = deliver(f"sqlite:{state}/reports.sqlite")
    settings = delivery.program.settings
    settings.write_text(delivery.arguments["settings"])
    with mode(settings, 0o000):
        assert delivery(settings=None, preexec_fn=bound_by_modes) == 75  # where it is said: in syslog, by default
    assert delivery(settings="[store\n") == 75
    assert delivery(settings="[filter]\ndeadline = 'soon'\n") == 75
    assert not state.exists()
    assert delivery() == 0
    assert_once(in_sqlite(state / "reports.sqlite"), EXPECTED)


def test_a_password_file_that_cannot_be_read(fake: FakeOpenSearch, deliver: Deliver, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    delivery = deliver(fake.url, f'[opensearch]\nusername = "writer"\npassword_file = "{file}"\n')
    with mode(file, 0):
        assert delivery(preexec_fn=bound_by_modes) == 75
    assert f"password_file = '{file}' cannot be read: Permission denied" in delivery.said
    assert delivery(preexec_fn=bound_by_modes) == 0
    assert_once(in_fake(fake), EXPECTED)


def test_an_unreadable_directory_to_be_in_and_nothing_in_the_environment(
    deliver: Deliver, state: Path, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()

    def gone() -> None:
        os.chdir(here)
        here.rmdir()

    delivery = deliver(f"sqlite:{state}/reports.sqlite")
    assert delivery(preexec_fn=gone) == 0
    assert_once(in_sqlite(state / "reports.sqlite"), EXPECTED)


@IN_A_PIPE
@pytest.mark.parametrize("mebibytes", [24, 48, 64, 96, 256])
def test_little_memory(deliver: Deliver, state: Path, mebibytes: int) -> None:
    """Where the interpreter itself does not start there is no status of ours: the wrapper has an answer for that."""
    size = mebibytes * 1024**2
    delivery = deliver(f"sqlite:{state}/reports.sqlite")
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({size}, {size}))"
    starts = subprocess.run(
        [str(delivery.program.path.with_name("python")), "-c", "import email_report_processor.cli, sqlite3, threading"],
        preexec_fn=lambda: exec(limit),
        capture_output=True,
        check=False,
    )
    if starts.returncode != 0:
        pytest.skip(f"Python does not start with {mebibytes} MiB")
    status = delivery(preexec_fn=lambda: exec(limit))
    assert status == 0 or mebibytes < 256
    if status == 75:
        assert delivery() == 0
    assert_once(in_sqlite(state / "reports.sqlite"), EXPECTED)


# The same message again


def all_at_once(delivery: Delivery, number: int) -> None:
    running = [delivery.start() for _ in range(number)]
    for one in running:
        assert one.stdin is not None
        one.stdin.write(MESSAGE)
    for one in running:
        assert one.stdin is not None
        one.stdin.close()
    for one in running:
        with one:
            one.wait(timeout=120)
        delivery.saw(one.returncode)


def totals(said: str) -> Counter[str]:
    """Sums of the log lines."""
    sums: Counter[str] = Counter()
    for line in said.splitlines():
        pairs = dict(pair.split("=", 1) for pair in line.split(": ", 2)[-1].split(", ") if "=" in pair)
        sums.update({key: int(pairs[key]) for key in ("stored", "already") if key in pairs})
    return sums


@IN_A_PIPE
def test_8_processes_at_once_sqlite(deliver: Deliver, state: Path) -> None:
    delivery = deliver(f"sqlite:{state}/reports.sqlite")
    all_at_once(delivery, 8)
    assert delivery.statuses == {0: 8}
    assert totals(delivery.said) == {"stored": len(EXPECTED), "already": 7 * len(EXPECTED)}
    assert_once(in_sqlite(state / "reports.sqlite"), EXPECTED)


@IN_A_PIPE
def test_8_processes_at_once_opensearch(node: nodes.Node, deliver: Deliver, prefix: str) -> None:
    delivery = deliver(node.url, f'[store]\nindex_prefix = "{prefix}"\n')
    all_at_once(delivery, 8)
    assert delivery.statuses == {0: 8}
    assert totals(delivery.said) == {"stored": len(EXPECTED), "already": 7 * len(EXPECTED)}
    assert_once(in_node(node, prefix), EXPECTED)


def redelivered(delivery: Delivery, times: int) -> None:
    """In one process, through the same pipeline."""
    settings = load(
        {("store", "url"): delivery.store, ("state", "dir"): str(delivery.state)}, settings_file(delivery), {}
    )
    choice = choose_store(settings, {})
    store = choice.open()
    job = make_job(settings, {}, choice, lambda: "2026-11-20T06:00:00Z")._replace(open_store=lambda: store)
    for _ in range(times):
        assert pipeline.process(Memory(MESSAGE), job).written == (0, len(EXPECTED), ())
    store.close()


def settings_file(delivery: Delivery) -> str:
    delivery.program.settings.write_text(delivery.arguments["settings"])
    return str(delivery.program.settings)


@IN_A_PIPE
def test_1000_redeliveries_sqlite(deliver: Deliver, state: Path) -> None:
    delivery = deliver(f"sqlite:{state}/reports.sqlite")
    for _ in range(50):
        assert delivery() == 0
    redelivered(delivery, 950)
    assert_once(in_sqlite(state / "reports.sqlite"), EXPECTED)


@IN_A_PIPE
@pytest.mark.parametrize(("processes", "more"), [(5, 95), pytest.param(50, 950, marks=pytest.mark.long)])
def test_redeliveries_opensearch(node: nodes.Node, deliver: Deliver, prefix: str, processes: int, more: int) -> None:
    delivery = deliver(node.url, prefixed(prefix))
    for _ in range(processes):
        assert delivery() == 0
    redelivered(delivery, more)
    assert_once(in_node(node, prefix), EXPECTED)


# Secrets


@IN_A_PIPE
def test_the_password_is_nowhere(fake: FakeOpenSearch, deliver: Deliver) -> None:
    """Not on the command line, in the log, in what is kept, in the state; only where it was put and sent."""
    fake.always = Fault(delay=1.0)
    delivery = deliver(fake.url)
    env = {"EMAIL_REPORT_PROCESSOR_OPENSEARCH_PASSWORD": PASSWORD}
    with delivery.start(settings='[opensearch]\nusername = "writer"\n', env=env) as process:
        assert process.stdin is not None
        process.stdin.write(MESSAGE)
        process.stdin.close()
        while not fake.bulks:
            time.sleep(0.01)
        for pid in (process.pid, *(int(one.name) for one in Path(f"/proc/{process.pid}/task").iterdir())):
            assert PASSWORD.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
            assert PASSWORD.encode() not in Path(f"/proc/{pid}/comm").read_bytes()
        process.wait(timeout=60)
        delivery.saw(process.returncode)
    fake.always = Fault(status=403, item=(403, "security_exception", f"no permissions for {PASSWORD[:5]}"))
    assert delivery(mail(1)) == 75
    assert delivery(NO_REPORT) == 0
    assert [one.headers["authorization"][:5] for one in fake.seen] == ["Basic"] * len(fake.seen)
    for path in delivery.program.directory.rglob("*"):
        if path.is_file() and path != delivery.program.settings:
            assert PASSWORD.encode() not in path.read_bytes(), path
    assert PASSWORD not in json.dumps(list(fake.documents.values()))


# The page


def test_the_page_names_every_test() -> None:
    page = Path(__file__).parents[1].joinpath("docs/faults.md").read_text("utf-8").partition("## By LMTP")[0]
    named = {f"test_{name}" for row in page.splitlines() if row.startswith("|") for name in re.findall("`(\\w+)`", row)}
    mine = {name for name in globals() if name.startswith("test_")} - {"test_the_page_names_every_test"}
    assert mine - named == set()
    assert {name for name in named if name.count("_") > 2} - mine == set()
