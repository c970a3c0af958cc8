"""Mailboxes of a real Dovecot by IMAP: nothing lost, nothing twice, nothing moved or deleted too early."""

import contextlib
import hashlib
import os
import random
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.messages import NO_REPORT, message
from email_report_processor.admin.inbox import read_setup
from email_report_processor.inboxes.credentials import CredentialError, check, credential
from email_report_processor.inboxes.imap import Connection, InboxError, connect
from email_report_processor.inboxes.options import InboxOptions
from email_report_processor.settings import SettingsError, load
from tests.conftest import Outcome, Program
from tests.mta.messages import broken_report, plain, report
from tests.mta.wires import Gate

from .conftest import Tokens
from .mailbox import Mailbox, Server

ARCHIVE, UNREADABLE = "archive/reports", "archive/unreadable"
ENVIRONMENT = {"SECRET": "secret"}


@pytest.fixture
def mailbox(imap: Server) -> Mailbox:
    """An empty mailbox of a new user."""
    return imap.mailbox()


def reports(number: int, name: str = "") -> list[bytes]:
    """Reports of two rows each, which are three documents."""
    name = name or secrets.token_hex(4)
    return [message(2, f"{name}-{one}") for one in range(number)]


class Site:
    """The command on a mailbox, with an embedded store and a log of its own."""

    def __init__(self, program: Program, directory: Path) -> None:
        self.program = program
        self.store = directory / "reports.sqlite"
        self.log = directory / "log"

    def settings(self, tables: str, more: str = "") -> str:
        return f'[log]\nto = "{self.log}"\n{more}{tables}'

    def once(self, tables: str, more: str = "", *, store: str = "") -> Outcome:
        where = store or f"sqlite:{self.store}"
        return self.program(b"", "inbox", "--once", store=where, settings=self.settings(tables, more), env=ENVIRONMENT)

    @contextlib.contextmanager
    def service(self, tables: str, more: str = "", **environ: str) -> Iterator[subprocess.Popen[bytes]]:
        text = self.settings(tables, more)
        where = f"sqlite:{self.store}"
        with self.program.start("inbox", store=where, settings=text, env=ENVIRONMENT | environ) as process:
            try:
                yield process
            finally:
                process.kill()
                process.communicate()

    def documents(self) -> int:
        if not self.store.exists():
            return 0
        with contextlib.closing(sqlite3.connect(self.store)) as connection:
            try:
                return int(connection.execute("SELECT count(*) FROM documents").fetchone()[0])
            except sqlite3.OperationalError:  # it is being made
                return 0

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8") if self.log.exists() else ""


@pytest.fixture
def site(run_admin: Program, tmp_path: Path) -> Site:
    return Site(run_admin, tmp_path)


def wait_until(condition: Callable[[], bool], site: Site, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, site.said[-3000:]
        time.sleep(0.02)


def children(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes of the folders."""
    try:
        return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def test_what_is_stored_is_moved(mailbox: Mailbox, site: Site) -> None:
    mailbox.put([*reports(200), *reports(3, "same"), *reports(3, "same")])
    outcome = site.once(mailbox.settings())
    assert (outcome.status, outcome.stderr) == (0, "")
    assert site.documents() == 203 * 3
    assert (mailbox.count(), mailbox.count(ARCHIVE), mailbox.count(UNREADABLE)) == (0, 206, 0)
    assert site.once(mailbox.settings()).status == 0
    assert site.documents() == 203 * 3


def test_a_mailbox_of_a_tenant(mailbox: Mailbox, site: Site, state: Path) -> None:
    mailbox.put([*reports(3), broken_report()])
    more = '[[tenants]]\nname = "acme"\n'
    text = site.settings(mailbox.settings('tenant = "acme"\n'), more)
    for _ in range(2):
        assert site.program(b"", "inbox", "--once", settings=text, env=ENVIRONMENT).status == 0
    site.store = state / "tenants/acme/reports.sqlite"
    assert site.documents() == 9
    assert len(list((state / "tenants/acme/kept/new").iterdir())) == 1
    assert not (state / "reports.sqlite").exists()
    wrong = site.settings(mailbox.settings('tenant = "amce"\n'), more)
    assert site.program(b"", "inbox", "--once", settings=wrong, env=ENVIRONMENT).status == 2


def test_what_is_no_report_has_a_folder_of_its_own_and_a_copy(mailbox: Mailbox, site: Site, state: Path) -> None:
    mailbox.put([*reports(2), plain(), broken_report(), NO_REPORT, *reports(2)])
    assert site.once(mailbox.settings()).status == 0
    assert (mailbox.count(), mailbox.count(ARCHIVE), mailbox.count(UNREADABLE)) == (0, 4, 3)
    assert len(list((state / "kept/new").iterdir())) == 3


def test_a_message_of_many_pieces_is_kept_byte_for_byte(mailbox: Mailbox, site: Site, state: Path) -> None:
    """Fetched in pieces, of which several end between CR and LF; a copy is that of a pipe."""
    text = b"From: a@example.net\nSubject: long\n\n" + b"".join(b"%d\n\n" % number for number in range(400_000))
    mailbox.put([text])
    assert site.once(mailbox.settings()).status == 0
    (kept,) = (state / "kept/new").iterdir()
    assert kept.name == hashlib.sha256(text).hexdigest()
    assert mailbox.count(UNREADABLE) == 1


def test_a_large_message_takes_no_more_memory(imap: Server, site: Site) -> None:
    """Peak of the processes that read, in KiB: that of 24 MiB against that of none."""
    peaks = []
    for text in (b"", b"A line of a long text that is no report.\n" * 600_000):
        mailbox = imap.mailbox()
        mailbox.put([*reports(2), b"From: a@example.net\nSubject: long\n\n" + text])
        with site.service(mailbox.settings("look_seconds = 0.1")) as process:
            wait_until(lambda mailbox=mailbox: mailbox.count(UNREADABLE) == 1, site)  # type: ignore[misc]  # see above
            (pid,) = children(process)
            (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
            peaks.append(int(peak))
    assert peaks[1] - peaks[0] < 8 * 1024, peaks


def test_deleting_deletes_nothing_of_others(mailbox: Mailbox, site: Site) -> None:
    mailbox.put([*reports(3), *reports(1), plain()])
    with mailbox.client() as client:
        client.store("2", "+FLAGS", r"(\Deleted)")  # somebody is not sure yet
    assert site.once(mailbox.settings('done = "delete"')).status == 0
    assert (mailbox.count(), mailbox.count(ARCHIVE), mailbox.count(UNREADABLE)) == (1, 0, 1)
    assert site.documents() == 3 * 3
    with mailbox.client() as client:
        client.store("1", "-FLAGS", r"(\Deleted)")
    assert site.once(mailbox.settings('done = "delete"')).status == 0
    assert (mailbox.count(), site.documents()) == (0, 4 * 3)


def flags(mailbox: Mailbox) -> list[str]:
    return sorted(path.name.partition(":")[2] for one in ("new", "cur") for path in (mailbox.path / one).iterdir())


def test_leaving_changes_nothing_and_reads_each_message_once(mailbox: Mailbox, site: Site, state: Path) -> None:
    mailbox.put([*reports(30), plain()])
    for _ in range(2):
        assert site.once(mailbox.settings('done = "leave"')).status == 0
        assert site.said.count("stored=3") == 30
        assert site.said.count("report=none") == 1
    assert set(flags(mailbox)) == {""}  # nobody has seen them
    with mailbox.client() as client:  # a hole, and one at the end
        client.store("5,31", "+FLAGS", r"(\Deleted)")
        client.expunge()
    mailbox.put(reports(1))
    assert site.once(mailbox.settings('done = "leave"')).status == 0
    assert site.said.count("stored=3") == 31
    (memory,) = (state / "inboxes").iterdir()
    assert '"uids": [[1, 32]]' in memory.read_text()
    memory.write_text('{"uidvalidity": 1,')
    assert site.once(mailbox.settings('done = "leave"')).status == 0
    assert "read again, and counts once" in site.said
    assert site.documents() == 31 * 3


def test_another_uidvalidity_is_another_folder(mailbox: Mailbox, site: Site) -> None:
    mailbox.put(reports(10))
    assert site.once(mailbox.settings('done = "leave"')).status == 0
    time.sleep(1.1)  # Dovecot takes the time in seconds for the new one
    mailbox.forget()
    mailbox.put(reports(1))
    assert site.once(mailbox.settings('done = "leave"')).status == 0
    assert "another UIDVALIDITY" in site.said
    assert site.documents() == 11 * 3


class Notes:
    """What systemd hears."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.environ = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "900000"}

    def wait_for(self, *words: str) -> None:
        self.socket.settimeout(60)
        left = set(words)
        while left:
            left -= set(self.socket.recv(4096).decode().splitlines())


def test_a_service_sees_new_mail_at_once_and_comes_back(mailbox: Mailbox, site: Site, tmp_path: Path) -> None:
    """IDLE tells of new mail; a server that drops it, that is away, or that changes the folder, is found again."""
    gate = Gate("127.0.0.1", mailbox.server.tls)
    notes = Notes(tmp_path / "notify")
    tables = mailbox.settings("look_seconds = 100000", port=gate.port)
    with site.service(tables, **notes.environ) as process, contextlib.closing(notes.socket):
        notes.wait_for("READY=1", "WATCHDOG=1")
        for number in range(1, 4):
            mailbox.put(reports(1))
            wait_until(lambda number=number: mailbox.count(ARCHIVE) == number, site)  # type: ignore[misc]  # see mypy 7568
        gate.close()
        mailbox.put(reports(2))
        wait_until(lambda: "nothing is moved" in site.said, site)
        gate.open()
        wait_until(lambda: mailbox.count(ARCHIVE) == 5, site)
        site.program.settings.write_text("[[inbox]]\nhost = 1")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "those before stay" in site.said, site)
        site.program.settings.write_text(site.settings(tables.replace("[[inbox]]", '[[inbox]]\narchive = "Other"')))
        process.send_signal(signal.SIGHUP)
        mailbox.put(reports(1))
        wait_until(lambda: mailbox.count("Other") == 1, site)
        process.terminate()
        notes.wait_for("STOPPING=1")
        assert process.wait(60) == 0
    gate.close()
    assert site.documents() == 6 * 3


def test_the_store_is_away(mailbox: Mailbox, site: Site) -> None:
    mailbox.put([*reports(100), plain()])
    outcome = site.once(mailbox.settings(), "[store]\nretry_seconds = 1.5\n", store="http://127.0.0.1:1")
    assert outcome.status == 75
    assert (mailbox.count(), mailbox.count(ARCHIVE)) == (101, 0)
    assert site.said.count("the mail server keeps the message") < 100  # it gave up after a group
    assert site.once(mailbox.settings()).status == 0
    assert (mailbox.count(), mailbox.count(ARCHIVE), site.documents()) == (0, 100, 300)


def test_no_copy_can_be_kept(mailbox: Mailbox, site: Site) -> None:
    mailbox.put([plain(), *reports(2), plain()])
    assert site.once(mailbox.settings(), "[kept]\nmax_messages = 0\n").status == 75
    assert (mailbox.count(), mailbox.count(ARCHIVE)) == (2, 2)


def test_killed_at_random_moments(mailbox: Mailbox, site: Site) -> None:
    """The command, and the process that reads: both are started anew by systemd, or by the next cron."""
    number = 250
    mailbox.put(reports(number))
    dice = random.Random(7)
    for _ in range(6):
        with site.service(mailbox.settings()) as process:
            wait_until(lambda: bool(children(process)), site)  # it is called at once
            here = children(process)
            time.sleep(dice.uniform(0.1, 0.6))  # the moment is what is tried
            for pid in (process.pid, *here):
                os.kill(pid, signal.SIGKILL)
    assert site.once(mailbox.settings()).status == 0
    assert (mailbox.count(), mailbox.count(ARCHIVE), mailbox.count(UNREADABLE)) == (0, number, 0)
    assert site.documents() == number * 3


def test_a_connection_that_breaks_at_any_moment(mailbox: Mailbox, site: Site) -> None:
    number = 250
    mailbox.put(reports(number))
    gate = Gate("127.0.0.1", mailbox.server.tls)
    dice = random.Random(9)
    with site.service(mailbox.settings("look_seconds = 0.5", port=gate.port)):
        for _ in range(6):
            time.sleep(dice.uniform(0.2, 0.8))  # the moment is what is tried
            gate.close()
            gate.open()
        wait_until(lambda: mailbox.count() == 0, site)
    gate.close()
    assert (mailbox.count(ARCHIVE), mailbox.count(UNREADABLE)) == (number, 0)
    assert site.documents() == number * 3


def test_a_mailbox_that_changes_underneath(mailbox: Mailbox, site: Site) -> None:
    """Another client deletes messages for good while they are read: what it left is stored, and it is archived."""
    mailbox.put(reports(300))
    over = threading.Event()
    deleted = 0

    def delete() -> None:
        nonlocal deleted
        dice = random.Random(3)
        with mailbox.client() as client:
            while not over.is_set():
                uids = client.uid("SEARCH", "ALL")[1][0].split()
                if not uids:
                    return
                some = b",".join(dice.sample(uids, min(3, len(uids)))).decode()
                client.uid("STORE", some, "+FLAGS", r"(\Deleted)")
                deleted += len([one for one in client.expunge()[1] if one])

    other = threading.Thread(target=delete)
    other.start()
    try:
        assert site.once(mailbox.settings()).status == 0, site.said[-2000:]
    finally:
        over.set()
        other.join()
    assert site.once(mailbox.settings()).status == 0, site.said[-2000:]
    archived = mailbox.count(ARCHIVE)
    assert mailbox.count() == 0
    assert archived * 3 <= site.documents() <= 300 * 3  # one that was just stored may have been deleted before its move
    assert deleted
    assert archived + deleted >= 300 - 3


def test_a_full_archive(imap: Server, site: Site) -> None:
    """Without MOVE a copy counts: it is refused, and the messages stay until there is room; they are not read again.

    Without UIDPLUS they are only marked as deleted: EXPUNGE would remove what others have marked.
    """
    mailbox = imap.mailbox("narrow")
    mailbox.make("Old")
    mailbox.put([NO_REPORT] * 20, "Old")
    mailbox.put(reports(20))
    with site.service(mailbox.settings("look_seconds = 0.3")):
        wait_until(lambda: "cannot be moved to archive/reports" in site.said, site)
        assert (mailbox.count(), mailbox.count(ARCHIVE), site.documents()) == (20, 0, 60)
        with mailbox.client() as client:
            client.select("Old")
            client.store("1:*", "+FLAGS", r"(\Deleted)")
            client.expunge()
        wait_until(lambda: mailbox.count(ARCHIVE) == 20, site)
        wait_until(lambda: all("T" in one for one in flags(mailbox)), site)
    assert site.said.count("stored=3") == 20
    assert site.once(mailbox.settings()).status == 0
    assert (mailbox.count(), mailbox.count(ARCHIVE)) == (20, 20)
    assert site.documents() == 60


def test_moving_without_move_removes_nothing_of_others(mailbox: Mailbox) -> None:
    mailbox.put(reports(4))
    with mailbox.client() as client:
        client.store("2", "+FLAGS", r"(\Deleted)")
    connection = opened(mailbox)
    connection.capabilities = frozenset({"UIDPLUS"})
    with contextlib.closing(connection):
        connection.select("INBOX", read_only=False)
        assert [[one[::2] for one in page] for page in connection.pages(0)] == [
            [(1, False), (2, True), (3, False), (4, False)]
        ]
        assert connection.move([1, 3], "a/b") == ("", True)
        assert (mailbox.count(), mailbox.count("a/b")) == (2, 2)
        assert connection.fetch([1, 2, 3], 0, 5).keys() == {2}


def opened(mailbox: Mailbox) -> Connection:
    """A connection of ours."""
    (values,) = tomllib.loads(mailbox.settings())["inbox"]
    options = InboxOptions(**values)
    return connect(options, credential(options, ENVIRONMENT))


@pytest.mark.parametrize(
    ("more", "port", "sentence"),
    [
        ('security = "starttls"', "plain", ""),
        ("", "tls", ""),
        ('ca_file = ""', "tls", "ca_file"),
        ('ca_file = ""\nverify = false', "tls", ""),
        ('host = "localhost"', "tls", "name the host as its certificate does"),
        ("", "plain", 'security = "starttls"'),
        ('password_variable = ""\npassword = "wrong-pa55"', "tls", "refuses the user name or the password"),
        ('password_variable = ""\npassword_file = "/nowhere"', "tls", "password_file = '/nowhere' cannot be read"),
        ('password_variable = "NONE"', "tls", "there is no variable NONE"),
        ('folders = ["Nowhere"]', "tls", "Nowhere cannot be opened"),
    ],
)
def test_the_way_in(mailbox: Mailbox, more: str, port: str, sentence: str) -> None:
    names = {line.partition(" =")[0] for line in more.splitlines()}
    table = mailbox.settings(port=getattr(mailbox.server, port))
    lines = [line for line in table.splitlines() if line.partition(" =")[0] not in names]
    (values,) = tomllib.loads("\n".join([*lines, more]))["inbox"]
    options = InboxOptions(**values)
    check(options)
    said, lasting = "", True
    try:
        with contextlib.closing(connect(options, credential(options, ENVIRONMENT))) as connection:
            connection.select(options.folders[0], read_only=True)
    except CredentialError as error:
        said = str(error)
    except InboxError as error:
        said, lasting = str(error), error.lasting
    assert lasting
    assert bool(said) == bool(sentence)
    assert sentence in said
    assert "pa55" not in said


def test_a_token(mailbox: Mailbox, tokens: Tokens, tmp_path: Path) -> None:
    token = secrets.token_hex(16)
    tokens.users[token] = mailbox.name
    command = tmp_path / "token"
    (values,) = tomllib.loads(mailbox.settings().replace('password_variable = "SECRET"', ""))["inbox"]
    for says, sentence in (
        (f"echo {token}; echo {token} >&2; exit 3", "ended with status 3"),
        (f"sleep 100; echo {token}", "was not done within 0.2 s"),
        ("echo", "printed no token"),
        (f"echo {token}x", "refuses the token of token_command (status 401)"),
        (f"echo {token}; echo expires soon", ""),
    ):
        command.write_text(f"#!/bin/sh\n{says}\n")
        command.chmod(0o700)
        options = InboxOptions(**values, token_command=(str(command),), token_seconds=0.2 if "sleep" in says else 30)
        check(options)
        said = ""
        try:
            connect(options, credential(options, {})).close()
        except (InboxError, CredentialError) as error:
            said = str(error)
        assert bool(said) == bool(sentence)
        assert sentence in said
        assert token not in said
    assert token not in repr(credential(options, {}))


def test_what_is_wrong_is_said_in_the_log(mailbox: Mailbox, site: Site, tmp_path: Path) -> None:
    """And nothing that is secret; a password that is refused is 1 for cron, a server that is away 75."""
    mailbox.put(reports(1))
    wrong = mailbox.settings().replace('password_variable = "SECRET"', 'password = "pa55"')
    assert site.once(wrong).status == 1
    assert "refuses the user name or the password" in site.said
    assert site.once(mailbox.settings(port=1)).status == 75
    assert "Connection refused" in site.said
    assert "Traceback" not in site.said
    assert "pa55" not in site.said
    assert mailbox.count() == 1


def test_a_message_that_takes_too_long_is_kept(mailbox: Mailbox, site: Site, state: Path) -> None:
    mailbox.put([*reports(2), report(rows=120_000), *reports(2)])
    more = "[filter]\ndeadline = 1\n"
    assert site.once(mailbox.settings(), more).status == 0
    assert (mailbox.count(), mailbox.count(ARCHIVE), mailbox.count(UNREADABLE)) == (0, 4, 1)
    assert len(list((state / "kept/new").iterdir())) == 1
    assert "takes longer than 1 s" in site.said


def test_a_message_at_which_the_process_dies_is_kept(mailbox: Mailbox, site: Site, state: Path) -> None:
    mailbox.put([report(rows=60_000), *reports(2)])
    with site.service(mailbox.settings()) as process:
        seconds = 0.3
        while "died twice" not in site.said:
            wait_until(lambda: bool(children(process)) or "died twice" in site.said, site)
            time.sleep(seconds)  # until it is at the message; more of it each time
            seconds *= 1.1
            for pid in children(process) if mailbox.count() == 3 else ():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            assert seconds < 20, site.said
        wait_until(lambda: mailbox.count() == 0, site)
    assert (mailbox.count(ARCHIVE), mailbox.count(UNREADABLE)) == (2, 1)
    assert len(list((state / "kept/new").iterdir())) == 1


def test_several_mailboxes_and_folders(imap: Server, site: Site) -> None:
    one, two = imap.mailbox(), imap.mailbox()
    two.make("Lists/DMARC")
    one.put(reports(2))
    two.put(reports(2))
    two.put(reports(1), "Lists/DMARC")
    tables = one.settings('feed = "first"') + two.settings('folders = ["INBOX", "Lists/DMARC"]\nfeed = "second"')
    checked = site.program(b"", "inbox", "--check", settings=site.settings(tables), env=ENVIRONMENT)
    assert (checked.status, checked.stderr) == (0, "")
    assert "MOVE (messages are moved in one step)" in checked.stdout
    assert "will be made" in checked.stdout
    assert two.count() == 2
    assert site.once(tables).status == 0
    assert (one.count(ARCHIVE), two.count(ARCHIVE), site.documents()) == (2, 3, 15)
    with contextlib.closing(sqlite3.connect(site.store)) as connection:
        found = connection.execute("SELECT json_extract(source, '$.report.feed') FROM documents").fetchall()
    assert sorted(found) == [("first",)] * 6 + [("second",)] * 9


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ("", "there is no [[inbox]] and no [[bucket]]"),
        ('[[bucket]]\nurl = "b"', "number 1: url: 'b' names no objects"),
        ('[[inbox]]\nhost = "a"', "number 1: an inbox needs host and username"),
        ('[[inbox]]\nhost = "a"\nusername = "u"', "has none"),
        ('[[inbox]]\nhost = "a"\nusername = "u"\npassword = "pa55"\ntoken_command = ["t"]', "and token_command"),
        ('[[inbox]]\nhost = "a"\nusername = "u"\npassword = "pa55"\nsecurity = "none"', "would show the password"),
        ('[[inbox]]\nhost = "a"\nusername = "u"\npassword = "pa55"\nfolders = []', "needs folders"),
        ('[[inbox]]\nhost = "a"\nusername = "u"\npassword = "pa55"\narchive = "INBOX"', "name one that is not read"),
        ('[[inbox]]\nhots = "a"', "did you mean 'host'?"),
        ('[[inbox]]\nhost = "a"\n[[inbox]]\ndone = "burn"', "number 2: [inbox] done = 'burn': write one of"),
    ],
)
def test_wrong_settings(tmp_path: Path, tables: str, sentence: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(tables)
    with pytest.raises(SettingsError) as raised:
        read_setup(load({}, str(file), {"STATE_DIRECTORY": str(tmp_path)}))
    assert sentence in str(raised.value)
    assert "pa55" not in str(raised.value)


def test_one_mailbox_by_variables_alone(mailbox: Mailbox, site: Site) -> None:
    mailbox.put(reports(1))
    given: dict[str, Any] = {
        "HOST": "127.0.0.1", "PORT": mailbox.server.tls, "CA_FILE": mailbox.server.ca, "USERNAME": mailbox.name,
        "PASSWORD": "secret",
    }  # fmt: skip
    environ = {f"EMAIL_REPORT_PROCESSOR_INBOX_{name}": str(value) for name, value in given.items()}
    outcome = site.program(b"", "inbox", "--once", store=f"sqlite:{site.store}", settings="", env=environ)
    assert (outcome.status, mailbox.count(ARCHIVE)) == (0, 1)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_thousand_messages(mailbox: Mailbox, site: Site) -> None:
    """With processes that are killed, and another client that deletes."""
    number = 10_000
    mailbox.put(reports(number, "many"))
    dice = random.Random(11)
    with site.service(mailbox.settings()) as process:
        while mailbox.count():
            time.sleep(dice.uniform(3.0, 10.0))
            for pid in children(process):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            assert process.poll() is None, site.said[-3000:]
    assert (mailbox.count(ARCHIVE), mailbox.count(UNREADABLE)) == (number, 0)
    assert site.documents() == number * 3
