"""The listener as a process: what it answers, what it leaves, and what it survives."""

import contextlib
import os
import re
import resource
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import messages
from email_report_processor.inboxes.resident import feed_of
from email_report_processor.stores import kept
from tests.conftest import Program
from tests.fake_opensearch import FakeOpenSearch, Fault
from tests.lmtp import Client, EndedError, Listener, codes, stopped, stuffed
from tests.places import ROOT

Listen = Callable[..., Listener]
BROKEN = b"From: a@example.net\r\nSubject: Report\r\nContent-Type: text/xml\r\n\r\n<feedback><report_metadata>\r\n"


@pytest.fixture
def listen(run_filter: Program, state: Path) -> Iterator[Listen]:
    """`listen(*flags, settings=…, store=…)` starts a listener."""
    with contextlib.ExitStack() as stack:

        def start(*flags: str, **more: Any) -> Listener:
            return stack.enter_context(Listener(run_filter, *flags, **{"store": f"sqlite:{state}/r.sqlite", **more}))

        yield start


def rows(state: Path) -> Counter[str]:
    """Documents in the embedded store, by report id."""
    with contextlib.closing(sqlite3.connect(state / "r.sqlite")) as connection:
        found = connection.execute("SELECT json_extract(source, '$.report.id') FROM documents")
        return Counter(one for (one,) in found)


def in_kept(state: Path) -> list[str]:
    return sorted(one.category for one in kept.listing(kept.directory(state)))


def test_each_message_is_stored_or_kept_and_has_its_line(listen: Listen, state: Path) -> None:
    listener = listen()
    with listener.client() as client:
        assert codes(client.send(messages.message(3, "100"))) == ["250"]
        assert codes(client.send(messages.message(3, "100"), ["a@example.org", "b@example.org"])) == ["250", "250"]
        assert codes(client.send(messages.NO_REPORT)) == ["250"]
        assert codes(client.send(BROKEN)) == ["250"]
        assert client.say("QUIT").startswith("221 ")
        assert client.reply() == ""
    lines = [line for line in listener.said.splitlines() if "message-id=" in line]
    assert [re.search(r"stored=\d+, already=\d+", line)[0] for line in lines] == [  # type: ignore[index]
        "stored=4, already=0", "stored=0, already=4", "stored=0, already=0", "stored=0, already=0",
    ]  # fmt: skip
    assert all(re.search(r"ms=\d+", line) for line in lines)
    assert in_kept(state) == ["no-report", "unreadable"]
    assert rows(state) == {"100": 4}
    assert listener.stop() == 0
    assert not listener.path.exists()


def test_a_message_of_any_size_and_with_any_bytes(listen: Listen, state: Path) -> None:
    listener = listen()
    big = messages.message(3, "200").replace(b"This is", b"x" * 3_000_000 + b"\r\n.\r\n..\x00\xff bare\nand\r This is")
    with listener.client() as client:
        assert codes(client.send(messages.message(20_000, "201"))) == ["250"]
        client.envelope()
        client.socket.sendall(big.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
        assert client.reply().startswith("250 ")
        client.envelope()
        odd = b"Subject: odd\r\n\r\nbare\nand\rnull\x00 and\n.\nmore\r\n"
        client.socket.sendall(odd + b".\r\n")
        assert client.reply().startswith("250 ")
    assert rows(state) == {"200": 4, "201": 20_001}
    (copy,) = kept.listing(kept.directory(state))
    assert copy.path.read_bytes()[copy.offset :] == odd.replace(b"\r\n", b"\n")  # as behind a pipe


def test_feeds_by_recipient(listen: Listen, state: Path) -> None:
    feeds = '[feeds]\n"+rua" = "rua"\n"ruf@example.org" = "ruf"\n"tls" = "tls"\n[read]\nfeed = "other"\n'
    listener = listen(settings=feeds)
    for number, to in enumerate(["reports+rua@example.org", "RUF@example.org", "tls@x.example", "dmarc@example.org"]):
        assert codes(listener.send(messages.message(1, str(number)), to)) == ["250"]
    with contextlib.closing(sqlite3.connect(state / "r.sqlite")) as connection:
        found = connection.execute("SELECT DISTINCT source->>'$.report.id', source->>'$.report.feed' FROM documents")
        assert dict(found.fetchall()) == {"0": "rua", "1": "ruf", "2": "tls", "3": "other"}


def test_which_feed_a_recipient_has() -> None:
    feeds = {"a@example.org": "1", "a": "2", "+a": "3"}
    assert feed_of(("nobody@example.org", "A@Example.org"), feeds) == "1"
    assert feed_of(("a@example.net",), feeds) == "2"
    assert feed_of(("x+a@example.net",), feeds) == "3"
    assert feed_of(("x@example.net", "a"), feeds) == "2"
    assert feed_of(("a+token@example.net",), feeds) == "2"
    assert feed_of(("x@example.net",), feeds) == ""


# Clients that misbehave


def test_a_slow_client_and_others_beside_it(listen: Listen, state: Path) -> None:
    listener = listen()
    with listener.client() as slow:
        slow.envelope()
        wire = stuffed(messages.message(1, "1"))
        for place in range(len(wire) - 3):
            slow.socket.send(wire[place : place + 1])
            if place % 500 == 0:
                assert codes(listener.send(messages.message(1, f"2{place}"))) == ["250"]
        slow.socket.sendall(wire[-3:])
        assert slow.reply().startswith("250 ")
    assert rows(state)["1"] == 2


def test_half_closed_connections(listen: Listen, state: Path) -> None:
    """Who has said everything may still hear what came of it; without its end a message is none."""
    listener = listen()
    with listener.client() as client:
        client.envelope()
        client.socket.sendall(stuffed(messages.message(1, "1")))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.reply().startswith("250 ")
        assert client.reply() == ""
    with listener.client() as client:
        client.envelope()
        client.socket.sendall(stuffed(messages.message(1, "2"))[:-3])
        client.socket.shutdown(socket.SHUT_WR)
        assert client.reply() == ""
    assert codes(listener.send(messages.message(1, "3"))) == ["250"]
    assert rows(state) == {"1": 2, "3": 2}
    assert in_kept(state) == []


def test_everything_in_one_piece(listen: Listen, state: Path) -> None:
    listener = listen()
    with Client(listener.path) as client:
        envelope = b"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"
        both = b"".join(envelope + stuffed(messages.message(1, one)) for one in ("1", "2"))
        client.socket.sendall(b"LHLO x\r\n" + both + b"QUIT\r\n")
        said = [client.reply()[:3] for _ in range(12)]
        assert said == ["220", "250", "250", "250", "354", "250", "250", "250", "354", "250", "221", ""]
    assert rows(state) == {"1": 2, "2": 2}


def test_idle_connections_and_too_many(listen: Listen) -> None:
    listener = listen(settings="[lmtp]\nconnections = 2\nidle = 1\n")
    with listener.client() as one, listener.client() as two:
        with Client(listener.path) as three:
            assert three.reply().startswith("421 4.3.2")
            assert three.reply() == ""
        two.envelope()
        assert one.reply().startswith("421 4.4.2")
        assert two.reply().startswith("421 4.4.2")
    assert codes(listener.send(messages.message(1))) == ["250"]


def test_a_client_that_does_not_read(listen: Listen) -> None:
    """What it makes the listener hold is bounded: nothing more is read of it."""
    listener = listen(settings="[lmtp]\nidle = 2\n")
    with listener.client() as deaf:
        deaf.socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError, ConnectionError):
            for _ in range(2000):
                deaf.socket.sendall(b"NOOP\r\n" * 10_000)
        assert codes(listener.send(messages.message(1))) == ["250"]
        assert memory(listener.process.pid) < 64 * 1024**2


def test_a_client_that_does_not_read_its_farewell(listen: Listen) -> None:
    listener = listen(settings="[lmtp]\nconnections = 1\nidle = 1\n")
    with listener.client() as deaf:
        deaf.socket.sendall(b"NOOP\r\n" * 20_000 + b"QUIT\r\n")

        def greeted() -> bool:
            with Client(listener.path) as other:
                return other.reply().startswith("220 ")

        listener.wait_until(greeted)


def test_no_process_can_be_started(listen: Listen, state: Path) -> None:
    """Without a descriptor for its socket: 451, until there is one."""
    listener = listen("--deadline=2")
    with listener.client() as client:
        client.envelope()
        used = len(os.listdir(f"/proc/{listener.process.pid}/fd"))
        limit = resource.prlimit(listener.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(listener.process.pid, resource.RLIMIT_NOFILE, (used, limit[1]))
        client.socket.sendall(stuffed(messages.message(1, "1")))
        assert client.reply().startswith("451 ")
        resource.prlimit(listener.process.pid, resource.RLIMIT_NOFILE, limit)
        assert codes(client.send(messages.message(1, "1"))) == ["250"]
    assert rows(state) == {"1": 2}  # the log file could not be opened either: syslog has the lines


def memory(pid: int) -> int:
    """Resident bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# Workers and the listener that die


def worker_of(listener: Listener) -> int:
    """The one worker, after it did something."""
    assert codes(listener.send(messages.message(1, "first"))) == ["250"]
    (worker,) = listener.workers()
    return worker


ONE = "[lmtp]\nworkers = 1\n"


def test_a_worker_that_dies_in_mid_message(listen: Listen, state: Path) -> None:
    """Nothing tells whose fault it was: tried once more, and the mail server has it then."""
    listener = listen(settings=ONE)
    worker = worker_of(listener)
    with listener.client() as client, stopped(worker):
        client.envelope()
        client.socket.sendall(stuffed(messages.message(1, "1")))
        os.kill(worker, signal.SIGKILL)
        assert client.reply().startswith("250 ")
    assert listener.workers() != [worker]
    assert rows(state) == {"first": 2, "1": 2}


def test_a_worker_that_does_not_come_back(listen: Listen, state: Path) -> None:
    listener = listen("--deadline=4", settings=ONE)
    worker = worker_of(listener)
    with listener.client() as client, stopped(worker):
        client.envelope()
        client.socket.sendall(stuffed(messages.message(1, "1")))
        assert client.reply().startswith("451 4.3.0")
    assert "not done after 4 s" in listener.said
    assert codes(listener.send(messages.message(1, "1"))) == ["250"]
    assert rows(state) == {"first": 2, "1": 2}


def test_a_worker_that_grows_is_replaced(listen: Listen, state: Path) -> None:
    listener = listen(settings="[lmtp]\nworkers = 1\nworker_bytes = 1\n")
    first = worker_of(listener)
    for number in range(3):
        assert codes(listener.send(messages.message(1, str(number)))) == ["250"]
    assert rows(state) == {"first": 2, "0": 2, "1": 2, "2": 2}
    listener.wait_until(lambda: first not in listener.workers())


def test_not_enough_memory_for_one_message(listen: Listen, state: Path) -> None:
    """As in a pipe: a copy is kept, and the next message is read."""
    settings = '[lmtp]\nworkers = 1\nmemory_bytes = "24 MiB"\n'
    listener = listen(settings=settings)
    hard = messages.message(20, "1").replace(b"This is", b"x" * 30_000_000 + b" This is")
    replies = [codes(listener.send(hard)), codes(listener.send(messages.message(1, "2")))]
    assert replies[1] == ["250"]
    assert "not enough memory" in listener.said or rows(state)["1"] == 21


def test_the_listener_is_killed_in_mid_message(listen: Listen, state: Path) -> None:
    listener = listen(settings=ONE)
    worker = worker_of(listener)
    with listener.client() as client, stopped(worker):
        client.envelope()
        client.socket.sendall(stuffed(messages.message(1, "1")))
        listener.process.kill()
        listener.process.wait()
        assert client.reply() == ""
    again = listen(settings=ONE)  # over the socket that the other one left
    assert codes(again.send(messages.message(1, "1"))) == ["250"]
    assert rows(state) == {"first": 2, "1": 2}


# Signals


def test_told_to_end_it_finishes_what_it_has(listen: Listen, state: Path) -> None:
    listener = listen(settings=ONE)
    worker = worker_of(listener)
    with listener.client() as idle, listener.client() as client, listener.client() as sending:
        sending.envelope()
        with stopped(worker):
            client.envelope()
            client.socket.sendall(stuffed(messages.message(1, "1")))
            listener.process.send_signal(signal.SIGTERM)
            assert idle.reply().startswith("421 ")
        assert client.reply().startswith("250 ")
        assert client.reply().startswith("421 ")
        sending.socket.sendall(stuffed(messages.message(1, "2")))
        assert sending.reply().startswith("250 ")
    assert listener.stop() == 0
    assert rows(state) == {"first": 2, "1": 2, "2": 2}


def test_told_to_end_it_does_not_wait_for_ever(listen: Listen, state: Path) -> None:
    listener = listen(settings="[lmtp]\nworkers = 1\ndrain = 0.5\n")
    worker = worker_of(listener)
    with listener.client() as client, listener.client() as sending, stopped(worker):
        client.envelope()
        client.socket.sendall(stuffed(messages.message(1, "1")))
        sending.envelope()
        assert listener.stop() == 0
        assert client.reply().startswith("451 ")
        assert sending.reply().startswith("421 ")
    assert rows(state) == {"first": 2}


def test_settings_are_read_again(listen: Listen, state: Path, tmp_path: Path) -> None:
    listener = listen(settings='[read]\nfeed = "one"\n')
    settings = tmp_path / "settings.toml"
    assert codes(listener.send(messages.message(1, "1"))) == ["250"]
    settings.write_text('[read]\nfeed = "two"\n')
    listener.process.send_signal(signal.SIGHUP)
    listener.wait_for("has read its settings again")
    assert codes(listener.send(messages.message(1, "2"))) == ["250"]
    settings.write_text("[read]\nfede = 1\n")
    listener.process.send_signal(signal.SIGHUP)
    listener.wait_for("has no key 'fede'", "those before stay")
    assert codes(listener.send(messages.message(1, "3"))) == ["250"]
    with contextlib.closing(sqlite3.connect(state / "r.sqlite")) as connection:
        found = connection.execute("SELECT DISTINCT source->>'$.report.id', source->>'$.report.feed' FROM documents")
        assert dict(found.fetchall()) == {"1": "one", "2": "two", "3": "two"}
    assert listener.stop() == 0


def test_a_file_that_was_moved_away_is_made_anew(listen: Listen, state: Path) -> None:
    """A process that stays would write into what nobody will look at."""
    listener = listen()
    assert codes(listener.send(messages.message(1, "1"))) == ["250"]
    for name in ("r.sqlite", "r.sqlite-wal", "r.sqlite-shm"):
        if (state / name).exists():
            (state / name).rename(state / f"old.{name}")
    assert codes(listener.send(messages.message(1, "2"))) == ["250"]
    assert rows(state) == {"2": 2}


# Group commit


def test_messages_that_come_together_share_a_bulk(listen: Listen) -> None:
    with FakeOpenSearch() as fake:
        listener = listen(store=fake.url, settings=ONE)
        worker = worker_of(listener)
        before = len(fake.bulks)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(listener.client()) for _ in range(10)]
            with stopped(worker):
                for number, client in enumerate(clients):
                    client.envelope()
                    client.socket.sendall(stuffed(messages.message(1, str(number))))
                time.sleep(0)
            assert codes([client.reply() for client in clients]) == ["250"] * 10
        assert len(fake.bulks) - before <= 3
        assert len(fake.documents) == 22


def test_one_that_is_refused_fails_no_other(listen: Listen, state: Path) -> None:
    """The first two documents of a shared bulk have a fault of ours, then for ever those of their index."""
    with FakeOpenSearch() as fake:
        listener = listen(store=fake.url, settings=ONE)
        worker = worker_of(listener)
        fake.faults = [Fault(), Fault(stores=4, item=(400, "mapper_parsing_exception", "no"))]
        fake.always = Fault(stores=0, item=(400, "mapper_parsing_exception", "no"))
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(listener.client()) for _ in range(4)]
            with stopped(worker):
                for number, client in enumerate(clients):
                    client.envelope()
                    client.socket.sendall(stuffed(messages.message(1, str(number))))
            assert codes([client.reply() for client in clients]) == ["250"] * 4
        assert in_kept(state).count("rejected") in {1, 2}
        assert len(fake.documents) in {6, 8}


# Where it listens


def test_the_socket_has_its_mode_from_the_first_moment(listen: Listen) -> None:
    listener = listen(settings='[lmtp]\nsocket_mode = "0600"\n')
    assert listener.path.stat().st_mode & 0o777 == 0o600


def test_a_port_of_loopback(listen: Listen) -> None:
    listener = listen(address="127.0.0.1:0")
    found = re.search(r"listens on 127\.0\.0\.1:(\d+)", listener.said)
    assert found
    with Client(("127.0.0.1", int(found[1]))).hello() as client:
        assert codes(client.send(messages.message(1))) == ["250"]


@pytest.mark.parametrize(
    ("address", "settings", "says"),
    [
        ("0.0.0.0:2525", "", "only a loopback address"),
        ("localhost:24", "", "write 127.0.0.1:PORT"),
        ("127.0.0.1:99999", "", "write 127.0.0.1:PORT"),
        ("unix:none/lmtp", "", "make the directory"),
        ("unix:settings.toml", "", "that is no socket"),
        ("systemd", "", "hands over no socket"),
        ("", '[lmtp]\nsocket_group = "no-such-group"\n', "no group 'no-such-group'"),
        ("", '[filter]\nunreadable = "65"\n', "would be a bounce"),
        ("", '[store]\nurl = "ftp://x"\n', "the store is https"),
        ("", "[lmtp]\nidle = 0\n", "more than 0 seconds"),
        ("", '[lmtp]\nsocket_mode = "rw"\n', "octal"),
    ],
)
def test_it_does_not_start(listen: Listen, address: str, settings: str, says: str) -> None:
    with pytest.raises(EndedError) as ended:
        listen(address=address, settings=settings, **({"store": ""} if "[store]" in settings else {}))
    status, stdout, stderr = ended.value.args
    assert (status, stdout) == (75, b"")
    assert says in stderr.decode()


def test_two_on_one_socket(listen: Listen) -> None:
    first = listen()
    with pytest.raises(EndedError) as ended:
        listen()
    assert b"somebody listens there already" in ended.value.args[2]
    assert codes(first.send(messages.message(1))) == ["250"]


class Manager:
    """What systemd does: opens a socket, starts the process, hears its notes."""

    def __init__(self, directory: Path) -> None:
        self.heard: list[str] = []
        self.notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notes.bind(str(directory / "notify"))
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(directory / "handed"))
        self.socket.listen()
        threading.Thread(target=self._hear, daemon=True).start()
        self.environ = {"NOTIFY_SOCKET": str(directory / "notify"), "LISTEN_FDS": "1", "WATCHDOG_USEC": "900000"}

    def _hear(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.heard.append(self.notes.recv(1000).decode())


class HandedOver(Program):
    """The program as systemd starts it."""

    def command(self, *arguments: str, store: str = "", settings: str | None = None) -> list[str]:
        script = 'LISTEN_PID=$$ exec "$@"'  # only the process itself knows its number
        return ["/bin/sh", "-c", script, "sh", *super().command(*arguments, store=store, settings=settings)]


def test_a_socket_of_systemd_and_what_it_wants_to_hear(tmp_path: Path, state: Path) -> None:
    manager = Manager(tmp_path)
    program = HandedOver("email-report-processor", tmp_path, state)
    handed = manager.socket.fileno()
    store = f"sqlite:{state}/r.sqlite"
    more: dict[str, Any] = {"pass_fds": [3], "preexec_fn": lambda: os.dup2(handed, 3)}
    with Listener(program, address="systemd", store=store, env=manager.environ, **more) as listener:
        with Client(tmp_path / "handed").hello() as client:
            assert codes(client.send(messages.message(1))) == ["250"]
        listener.process.send_signal(signal.SIGHUP)
        listener.wait_for("has read its settings again")
        end = time.monotonic() + 30
        while "WATCHDOG=1" not in manager.heard and time.monotonic() < end:
            time.sleep(0.01)
        assert listener.stop() == 0
    assert manager.heard[0] == "READY=1"
    assert any(re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", one) for one in manager.heard)
    assert "WATCHDOG=1" in manager.heard
    assert manager.heard[-1] == "STOPPING=1"
    assert (tmp_path / "handed").exists()


def test_the_page_of_faults_names_tests_that_exist() -> None:
    page = (ROOT / "docs/faults.md").read_text("utf-8").partition("## By LMTP")[2]
    names = {name for row in page.splitlines() if row.startswith("|") for name in re.findall(r"`(\w+)`", row)}
    text = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    files = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(names) > 10
    assert {name for name in names if name not in files and f"def test_{name}(" not in text} - {"unfinished"} == set()
