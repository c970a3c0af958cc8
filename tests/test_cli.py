"""The command: statuses on a terminal and in a pipe, standard descriptors, flags; the admin commands beside it."""

import contextlib
import gzip
import json
import os
import pty
import re
import resource
import select
import signal
import sqlite3
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.policy import SMTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor import __version__, flags
from email_report_processor.admin.command import main as run_command
from email_report_processor.admin.text import table
from email_report_processor.importing.again import open_blob
from email_report_processor.job import EMBEDDED
from email_report_processor.message.blob import chunks
from email_report_processor.stores import kept
from tests import nodes
from tests.conftest import Outcome, Program
from tests.fake_opensearch import FakeOpenSearch, Fault
from tools import samples

DAY = datetime(2026, 11, 18, tzinfo=UTC)
AGGREGATE = samples.aggregate_zip(DAY).as_bytes(policy=SMTP)
NO_REPORT = samples.no_report(DAY).as_bytes(policy=SMTP)
UNREADABLE = samples.unreadable(DAY).as_bytes(policy=SMTP)
BROKEN = samples.broken(DAY).as_bytes(policy=SMTP)
BARE = samples.xml(DAY, "Big Mail", "noreply@bigmail.example", samples.rows(DAY)).encode()
EVERYTHING = [
    AGGREGATE,
    samples.aggregate_rfc9990(DAY).as_bytes(policy=SMTP),
    samples.tls(DAY).as_bytes(policy=SMTP),
    samples.failure(DAY),
    samples.abuse(DAY),
    BROKEN,
]
QUIET = ("", "")


def kept_messages(state: Path) -> dict[bytes, str]:
    return {
        b"".join(chunks(kept.untouched(open_blob(one.path)))): one.category
        for one in kept.listing(kept.directory(state))
    }


def logged(program: Program) -> str:
    path = program.directory / "log"
    return path.read_text("utf-8") if path.exists() else ""


def run(program: Program, message: bytes, *flags: str, **more: Any) -> Outcome:
    return program(message, f"--log={program.directory}/log", *flags, **more)


# In a pipe


def test_nothing_configured(run_filter: Program, state: Path) -> None:
    """The embedded store in the state directory, with one warning that names it, for a message and a bare report."""
    for message in (AGGREGATE, BARE, gzip.compress(BARE)):
        outcome = run(run_filter, message)
        assert outcome == (0, *QUIET)
        assert "kept=no" in logged(run_filter).splitlines()[-1]
    assert logged(run_filter).count("no [store] url is set") == 1  # said until the file is there
    assert f"no [store] url is set: storing into sqlite:{state}/{EMBEDDED}" in logged(run_filter).splitlines()[0]
    assert (state / EMBEDDED).stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700
    assert kept_messages(state) == {}


def test_no_warning_when_configured(run_filter: Program, tmp_path: Path) -> None:
    assert run(run_filter, AGGREGATE, store=f"sqlite:{tmp_path}/r.sqlite").status == 0
    assert "warning" not in logged(run_filter)
    assert (tmp_path / "r.sqlite").exists()


@pytest.mark.parametrize("message", [NO_REPORT, UNREADABLE, BROKEN], ids=["no-report", "unreadable", "broken"])
def test_what_is_kept(run_filter: Program, state: Path, message: bytes) -> None:
    for _ in range(2):
        assert run(run_filter, message) == (0, *QUIET)
    assert list(kept_messages(state)) == [message]


@pytest.mark.parametrize(
    ("message", "status"), [(NO_REPORT, 65), (UNREADABLE, 65), (BROKEN, 0), (AGGREGATE, 0), (b"", 0)]
)
def test_filters_that_sort(run_filter: Program, state: Path, message: bytes, status: int) -> None:
    assert run(run_filter, message, "--unreadable=65") == (status, *QUIET)
    assert list(kept_messages(state)) == ([BROKEN] if message == BROKEN else [])


def test_empty_input(run_filter: Program, state: Path) -> None:
    assert run(run_filter, b"") == (0, *QUIET)
    assert "the input is empty: nothing to do" in logged(run_filter)
    assert not state.exists()


def test_over_the_bound_it_is_read_to_its_end_and_kept_whole(run_filter: Program, state: Path) -> None:
    message = NO_REPORT + b"x" * 3_000_000
    outcome = run(run_filter, message, settings='[bounds]\nmessage_bytes = "1 MiB"\n')
    assert outcome == (0, *QUIET)
    assert "more than bounds.message_bytes = 1048576" in logged(run_filter)
    assert kept_messages(state) == {message: "unreadable"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"],
        ["--unreadable=66"],
        ["--store"],
        ["--help"],
        ["-h"],
        ["--version"],
        ["--deadline=soon"],
        ["--deadline=0"],
        ["--config=/nowhere/at/all"],
        ["--store=ftp://x"],
        ["--sto=-"],
    ],
    ids=str,
)
def test_wrong_usage_keeps_the_mail(run_filter: Program, state: Path, arguments: list[str]) -> None:
    """And reads it to its end: a writer that meets a closed pipe takes the filter for failed."""
    message = AGGREGATE + b"x" * 1_000_000
    assert run(run_filter, message, *arguments) == (75, *QUIET)
    assert not state.exists()


def test_wrong_usage_is_said_in_the_log(run_filter: Program) -> None:
    assert run(run_filter, AGGREGATE, "--deadline=soon").status == 75
    assert logged(run_filter).endswith(
        "error: the mail server keeps the message: flag --deadline: [filter] deadline = 'soon':"
        " write a number from 0 on, such as 120\n"
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('[filter]\ndatasets = ["dmarc"]\n', "[filter] datasets = ['dmarc']: there is no dataset 'dmarc'; write some"),
        ("[kept]\nmax_messages = -1\n", "[kept] max_messages = -1: write a whole number of 0 or more, such as 100"),
        ("[read]\nsample = 'some'\n", "[read] sample = 'some': write one of 'none', 'headers', 'full'"),
        ("[storage]\nurl = '-'\n", "there is no section [storage]; did you mean 'store'?"),
        ("[site]\nown_networks = ['10.0.0.0/40']\n", "[site] own_networks: "),
        ("[senders]\nnowhere = 'x'\n", "[senders] 'nowhere' is no network"),
        ("[store]\nurl = 'elastic://x'\n", "[store] url: the store is https://HOST:9200"),
        ("nonsense", "is not TOML"),
    ],
)
def test_wrong_settings_in_a_pipe(run_filter: Program, settings: str, said: str) -> None:
    assert run(run_filter, AGGREGATE, settings=settings) == (75, *QUIET)
    assert f"the mail server keeps the message: {run_filter.settings}: {said}" in logged(run_filter)


def test_a_database_that_is_missing_is_only_a_warning(run_filter: Program) -> None:
    assert run(run_filter, AGGREGATE, settings='[geo]\ndatabases = ["/nowhere.mmdb"]\n') == (0, *QUIET)
    assert "warning: /nowhere.mmdb: the database cannot be opened" in logged(run_filter)
    assert "stored=7" in logged(run_filter)


def test_only_some_datasets(run_filter: Program) -> None:
    settings = '[filter]\ndatasets = ["smtp-tls", "report"]\n'
    assert run(run_filter, AGGREGATE, store="-", settings=settings) == (0, *QUIET)
    assert "report=dmarc-aggregate" in logged(run_filter)
    assert "stored=0" in logged(run_filter)
    outcome = run(run_filter, EVERYTHING[2], store="-", settings=settings)
    assert [line["_source"]["event"]["dataset"] for line in outcome.lines] == ["smtp-tls", "smtp-tls", "report"]


def test_no_report_ignored(run_filter: Program, state: Path) -> None:
    for message in (NO_REPORT, UNREADABLE):
        assert run(run_filter, message, settings='[kept]\nno_report = "ignore"\n') == (0, *QUIET)
    assert kept_messages(state) == {UNREADABLE: "unreadable"}


def test_ndjson(run_filter: Program) -> None:
    outcome = run(run_filter, AGGREGATE, "--feed=rua", store="-")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert len(outcome.lines) == 7
    for line in outcome.lines:
        assert list(line) == ["_index", "_id", "_source"]
        assert re.fullmatch("[0-9a-f]{40}", line["_id"])
        assert line["_index"] == f"email-report-{line['_source']['event']['dataset']}-2026.11"
        assert line["_source"]["report"]["feed"] == "rua"


def test_nobody_reads_the_documents(run_filter: Program) -> None:
    record = BARE[BARE.index(b"<record>") : BARE.index(b"</record>") + 9]
    message = BARE.replace(b"</feedback>", record * 3000 + b"</feedback>")
    with run_filter.start(f"--log={run_filter.directory}/log", store="-") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.write(message)
        process.stdin.close()
        assert process.wait(timeout=60) == 75
    assert "Broken pipe: whoever reads the documents must read them to the end" in logged(run_filter)


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
@pytest.mark.parametrize("store", ["sqlite:{}/r.sqlite", "-"])
def test_closed_descriptors(run_filter: Program, tmp_path: Path, store: str, closed: str) -> None:
    command = run_filter.command(f"--log={tmp_path}/log", store=store.format(tmp_path))
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *command],
        input=AGGREGATE,
        capture_output=True,
        check=False,
        env={},
    )
    no_input, no_output = "0<" in closed, "1>" in closed and store == "-"
    assert done.returncode == (75 if no_input or no_output else 0), logged(run_filter)
    assert done.stderr == b""
    assert bool(done.stdout) == (store == "-" and done.returncode == 0)
    if no_input:
        assert "standard input is closed" in logged(run_filter)


def test_input_that_is_no_pipe(run_filter: Program, tmp_path: Path) -> None:
    """sendmail's prog mailer and procmail give a file; some give a socket."""
    (tmp_path / "message").write_bytes(AGGREGATE)
    command = run_filter.command(f"--log={tmp_path}/log")
    with (tmp_path / "message").open("rb") as file:
        assert subprocess.run(command, stdin=file, check=False, env={}).returncode == 0
    with (tmp_path / "other").open("wb") as file:
        assert subprocess.run(command, stdin=file, check=False, env={}).returncode == 75
    assert "Bad file descriptor" in logged(run_filter)


def test_inherited_limits_and_signals(run_filter: Program) -> None:
    """Exim: TERM, HUP, INT ignored; few descriptors; SIGPIPE as the shell has it; umask 0."""

    def as_a_mail_server() -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
        os.umask(0)
        os.setsid()

    outcome = run(run_filter, AGGREGATE, preexec_fn=as_a_mail_server)
    assert outcome == (0, *QUIET)
    for path in [run_filter.state, *run_filter.state.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("number", range(6, 14))
def test_too_few_descriptors(run_filter: Program, state: Path, number: int) -> None:
    """With fewer than 6, Python itself does not start."""

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))

    outcome = run(run_filter, AGGREGATE, preexec_fn=few)
    assert (outcome.stdout, outcome.stderr) == QUIET
    assert outcome.status in {0, 75}
    assert (state / EMBEDDED).exists() or outcome.status == 75


# On a terminal


class Terminal:
    """A command on a terminal: what it wrote, and its status."""

    def __init__(self, command: list[str], stdin: Any = None) -> None:
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            command, stdin=terminal if stdin is None else stdin, stdout=terminal, stderr=terminal, env={}
        )
        os.close(terminal)
        self.output = ""
        while True:
            ready, _, _ = select.select([controller], [], [], 60)
            try:
                data = os.read(controller, 65536) if ready else b""
            except OSError:  # the last one that had it open is gone
                break
            if not data:
                break
            self.output += data.decode()
        self.status = process.wait(timeout=60)
        os.close(controller)


@pytest.fixture
def message_file(tmp_path: Path) -> Any:
    path = tmp_path / "message.eml"
    path.write_bytes(AGGREGATE)
    with path.open("rb") as file:
        yield file


def test_a_terminal_without_a_message_says_how_it_is_meant(run_filter: Program) -> None:
    found = Terminal(run_filter.command())
    assert found.status == 2
    assert "reads one e-mail message, or one report, on standard input" in found.output
    assert "--help" in found.output


def test_usage_on_a_terminal(run_filter: Program) -> None:
    found = Terminal(run_filter.command("--nonsense"))
    assert found.status == 2
    assert "email-report-processor: unrecognized arguments: --nonsense; try --help" in found.output


def test_help_and_version(run_filter: Program) -> None:
    found = Terminal(run_filter.command("--help"))
    assert found.status == 0
    for flag in ("--store", "--config", "--state", "--feed", "--deadline", "--unreadable", "--log", "PATH"):
        assert flag in found.output
    found = Terminal(run_filter.command("--version"))
    assert (found.status, found.output) == (0, f"email-report-processor {__version__}\r\n")


def test_the_log_on_a_terminal(run_filter: Program, message_file: Any) -> None:
    found = Terminal(run_filter.command(), message_file)
    assert found.status == 0
    assert "warning: no [store] url is set" in found.output
    assert "email-report-processor: message-id=<" in found.output


def test_settings_faults_on_a_terminal(run_filter: Program, message_file: Any) -> None:
    """A message was piped in, so that it must not be lost: 75 there too."""
    found = Terminal(run_filter.command(settings="[filter]\ndeadline = -1\n"), message_file)
    assert found.status == 75
    assert f"{run_filter.settings}: [filter] deadline = -1: write a number from 0 on, such as 120" in found.output


# Every setting comes from its record, every flag from a setting


def test_every_flag_is_a_setting() -> None:
    arguments = flags.parser().parse_args(
        ["--store=a", "--state=b", "--feed=c", "--deadline=1", "--unreadable=65", "--log=d"]
    )
    assert flags.flags(arguments) == {
        ("store", "url"): "a",
        ("state", "dir"): "b",
        ("read", "feed"): "c",
        ("filter", "deadline"): "1",
        ("filter", "unreadable"): "65",
        ("log", "to"): "d",
    }
    assert flags.flags(flags.parser().parse_args([])) == {}


def test_no_flag_takes_a_secret() -> None:
    assert not re.search("password|secret|token", flags.parser().format_help(), re.IGNORECASE)


# Secrets


@pytest.mark.parametrize("way", ["file", "password_file", "variable", "variable_file"])
def test_ways_of_a_secret(run_filter: Program, tmp_path: Path, way: str) -> None:
    secret = "pässword, with: everything"
    (tmp_path / "secret").write_text(f"{secret}\n")
    settings = '[opensearch]\nusername = "me"\n'
    env = {}
    if way == "file":
        settings += f'password = "{secret}"\n'
    elif way == "password_file":
        settings += f'password_file = "{tmp_path}/secret"\n'
    elif way == "variable":
        env["EMAIL_REPORT_PROCESSOR_OPENSEARCH_PASSWORD"] = secret
    else:
        env["EMAIL_REPORT_PROCESSOR_OPENSEARCH_PASSWORD_FILE"] = f"{tmp_path}/secret"
    with FakeOpenSearch() as fake:
        assert run(run_filter, AGGREGATE, store=fake.url, settings=settings, env=env) == (0, *QUIET)
        expected = "Basic " + b64encode(f"me:{secret}".encode()).decode()
        assert {one.headers["authorization"] for one in fake.seen} == {expected}
    assert secret not in logged(run_filter)


# email-report-admin


@pytest.mark.parametrize("front", [b"", b"\n\r\n", b"\xef\xbb\xbf"])
def test_several_messages_on_standard_input(
    run_filter: Program, run_admin: Program, state: Path, tmp_path: Path, front: bytes
) -> None:
    """An mbox piped by hand: the first is read, a copy of all is kept, and `kept --retry` reads the rest."""
    report_id = BARE[BARE.index(b"<report_id>") + 11 : BARE.index(b"</report_id>")]
    others = [BARE.replace(report_id, b"another-%d" % number) for number in range(2)]
    line = b"From a@b.example Thu Nov 20 06:12:44 2025\nFrom: a@b.example\nContent-Type: text/xml\n\n"
    piped = front + b"".join(line + one + b"\n" for one in (BARE, *others))
    path = tmp_path / "reports.sqlite"
    assert run(run_filter, piped, store=f"sqlite:{path}").status == 0
    assert "3 messages on standard input" in logged(run_filter)
    assert "name the file as a PATH" in logged(run_filter)
    assert kept_messages(state) == {piped: "unfinished"}
    assert run(run_filter, line + BARE, store=f"sqlite:{path}").status == 0  # one message behind such a line is one
    assert len(kept_messages(state)) == 1
    again = run_admin(b"", "kept", "--retry", store=f"sqlite:{path}")
    assert again.stdout == "1 stored and removed, 0 still kept\n"
    whole = tmp_path / "whole.sqlite"
    (tmp_path / "reports.mbox").write_bytes(piped)
    assert run(run_filter, b"", str(tmp_path / "reports.mbox"), store=f"sqlite:{whole}").status == 0
    assert documents(path).keys() == documents(whole).keys()


def test_summary_into_head(run_filter: Program, run_admin: Program, tmp_path: Path) -> None:
    """Who reads no further wants to hear no more."""
    store = f"sqlite:{tmp_path}/reports.sqlite"
    for message in recent():
        assert run(run_filter, message, store=store).status == 0
    for command in ("summary", "search", "kept"):
        reading, writing = os.pipe()
        os.close(reading)
        arguments = ("class:*",) if command == "search" else ()
        process = run_admin.start(command, *arguments, store=store, stdout=writing)
        os.close(writing)
        assert process.communicate(timeout=60)[1] == b""


def test_kept_list_retry_remove(run_filter: Program, run_admin: Program, state: Path, tmp_path: Path) -> None:
    assert "nothing is kept" in run_admin(b"", "kept").stdout
    for message in (NO_REPORT, UNREADABLE):
        run(run_filter, message)
    over = run(run_filter, AGGREGATE, settings="[bounds]\nmessage_bytes = 100\n")
    assert over.status == 0
    listed = run_admin(b"", "kept")
    assert listed.status == 0
    assert [line.split()[2] for line in listed.stdout.splitlines()[1:]].count("unreadable") == 2
    assert "bounds.message_bytes = 100" in listed.stdout
    only = run_admin(b"", "kept", "--category=no-report")
    assert len(only.stdout.splitlines()) == 2

    again = run_admin(b"", "kept", "--retry", settings="")
    assert again.status == 1
    assert again.stdout.splitlines()[0] == "1 stored and removed, 2 still kept"
    assert set(kept_messages(state)) == {NO_REPORT, UNREADABLE}
    assert "still unreadable: part 2" in again.stderr

    names = [one.path.name for one in kept.listing(kept.directory(state))]
    assert run_admin(b"", "kept", "--remove", "no-such-name").status == 1
    assert run_admin(b"", "kept", "--remove", *(name[:12] for name in names)).status == 0
    assert kept_messages(state) == {}
    assert run(run_filter, AGGREGATE).status == 0
    assert "stored=0, already=7" in logged(run_filter).splitlines()[-1]


def recent() -> list[bytes]:
    """The same kinds, of yesterday: `summary` looks at the last 30 days."""
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    return [
        samples.aggregate_zip(day).as_bytes(policy=SMTP),
        samples.aggregate_rfc9990(day).as_bytes(policy=SMTP),
        samples.tls(day).as_bytes(policy=SMTP),
        samples.failure(day),
        samples.abuse(day),
        samples.no_report(day).as_bytes(policy=SMTP),
    ]


def without_store(text: str) -> str:
    return text.partition("\n")[2]


def test_summary_and_copy(
    run_filter: Program, run_admin: Program, node: nodes.Node, prefix: str, tmp_path: Path
) -> None:
    """SQLite to OpenSearch to SQLite: the same documents, and the same summary of each."""
    first, last = f"sqlite:{tmp_path}/first.sqlite", f"sqlite:{tmp_path}/last.sqlite"
    settings = f'[store]\nindex_prefix = "{prefix}"\n'
    for message in recent():
        assert run(run_filter, message, store=first, settings=settings).status == 0
    copied = run_admin(b"", "copy", f"--from={first}", f"--to={node.url}", settings=settings)
    assert (copied.status, copied.stderr) == (0, "")
    number = int(copied.stdout.split()[0])
    assert copied.stdout == f"{number} copied, 0 already there, 0 refused\n"
    again = run_admin(b"", "copy", f"--from={first}", f"--to={node.url}", settings=settings)
    assert again.stdout == f"0 copied, {number} already there, 0 refused\n"
    back = run_admin(b"", "copy", f"--from={node.url}", f"--to={last}", settings=settings)
    assert back.stdout == f"{number} copied, 0 already there, 0 refused\n"
    assert documents(tmp_path / "first.sqlite") == documents(tmp_path / "last.sqlite")
    assert len(documents(tmp_path / "first.sqlite")) == number

    texts = [run_admin(b"", "summary", store=store, settings=settings) for store in (first, node.url, last)]
    assert [one.status for one in texts] == [0, 0, 0]
    assert len({without_store(one.stdout) for one in texts}) == 1, [one.stdout for one in texts]
    for words in ("Is my mail authenticated?", "example.org", "Who sends in my name?", "TLS sessions", "no-report"):
        assert words in texts[0].stdout
    narrow = [run_admin(b"", "summary", "--domain=other.example", store=store).stdout for store in (first, last)]
    assert "There are no DMARC aggregate reports" in narrow[0]


def documents(path: Path) -> dict[tuple[str, str], Any]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT idx, id, CAST(source AS BLOB) FROM documents")
        return {(index, id_): json.loads(source) for index, id_, source in rows}


def test_an_interrupted_copy_goes_on(run_filter: Program, run_admin: Program, tmp_path: Path) -> None:
    first = f"sqlite:{tmp_path}/first.sqlite"
    record = BARE[BARE.index(b"<record>") : BARE.index(b"</record>") + 9]
    many = BARE.replace(b"</feedback>", record * 4500 + b"</feedback>")
    assert run(run_filter, many, store=first).status == 0
    total = len(documents(tmp_path / "first.sqlite"))
    settings = "[opensearch]\nbulk_bytes = 100000000\n[store]\nretry_seconds = 2\n"
    with FakeOpenSearch() as fake:
        fake.faults = [Fault(), *(Fault(status=503) for _ in range(100))]
        cut = run_admin(b"", "copy", f"--from={first}", f"--to={fake.url}", settings=settings)
        assert cut.status == 75
        assert "(2,000 copied, 0 already there; go on with --after " in cut.stderr
        mark = cut.stderr.rpartition("--after ")[2].strip().rstrip(")")
        fake.faults = []
        rest = run_admin(b"", "copy", f"--from={first}", f"--to={fake.url}", f"--after={mark}", settings=settings)
        assert rest.stdout == f"{total - 2000:,} copied, 0 already there, 0 refused\n"
        assert set(fake.documents) == set(documents(tmp_path / "first.sqlite"))


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "required: COMMAND"),
        (["nonsense"], 2, "invalid choice"),
        (["copy"], 2, "--from"),
        (["copy", "--from=sqlite:a", "--to=sqlite:a"], 2, "name two stores"),
        (["copy", "--from=sqlite:/nowhere", "--to=-", "--after=x"], 2, "write INDEX/ID"),
        (["summary", "--since=yesterday"], 2, "neither a span such as 30d nor a date"),
        (["summary"], 75, "there is no such file"),
        (["--help"], 0, ""),
        (["--version"], 0, ""),
    ],
)
def test_admin_statuses(run_admin: Program, arguments: list[str], status: int, said: str) -> None:
    command = [str(run_admin.path), *arguments]
    if arguments and not arguments[0].startswith("-"):
        command = run_admin.command(*arguments)
    done = subprocess.run(command, capture_output=True, check=False, env={"HOME": "/nowhere"}, cwd=run_admin.directory)
    assert done.returncode == status
    assert said in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_what_a_newcomer_meets(run_filter: Program, run_admin: Program, state: Path, tmp_path: Path) -> None:
    """Help by its short name, a store that is none, names that fit no message."""
    assert flags.parser().parse_args(["-h"]).help
    for arguments in (("missing-file",), ("--dry-run", str(tmp_path))):
        wrong = run_filter(b"", *arguments, store="bogus")
        assert (wrong.status, wrong.stdout) == (75, "")
        assert "the store is https://HOST:9200, sqlite:PATH, -, or one of docs/stores.md, not 'bogus'" in wrong.stderr
    assert "standard output" not in run_admin(b"", "dns", "--help").stdout
    assert run(run_filter, NO_REPORT).status == 0
    assert run(run_filter, UNREADABLE).status == 0
    assert "no kept message has this name" in run_admin(b"", "kept", "--remove", "zzz").stderr
    assert "2 kept messages have names that begin so" in run_admin(b"", "kept", "--remove", "").stderr


class _Overloaded(BaseHTTPRequestHandler):
    """A store that answers every request with 503."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_error(503)

    def log_message(self, *_: Any) -> None:
        """Nothing: pytest shows what is printed."""


@pytest.fixture
def overloaded() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Overloaded) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_person_hears_that_a_store_is_waited_for(run_admin: Program, overloaded: str) -> None:
    """On a terminal alone: a mail server must hear nothing."""
    settings = "[store]\nretry_seconds = 4\n"
    ours, theirs = pty.openpty()
    with run_admin.start("summary", store=overloaded, settings=settings, stderr=theirs) as process:
        assert process.wait(60) == 75
    os.close(theirs)
    assert re.search(rb"waiting up to [1-4] s for it", os.read(ours, 10_000))
    os.close(ours)
    assert "waiting" not in run_admin(b"", "summary", store=overloaded, settings=settings).stderr


def test_a_long_reason_wraps(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "the directory of the zip file is missing or broken, and no file was found in it"
    lines = table(("name", "reason"), [("a", reason)], width=40).splitlines()
    assert max(map(len, lines)) <= 40
    assert " ".join(line.strip() for line in lines[1:]) == f"a     {reason}"


@pytest.mark.parametrize("flag", ["--check", "--once"])
def test_an_inbox_that_is_not_set_up_says_so(run_admin: Program, flag: str) -> None:
    done = run_admin(b"", "inbox", flag)
    assert (done.status, "no [[inbox]] and no [[bucket]] in the settings: docs/inboxes.md" in done.stderr) == (2, True)


def test_what_is_to_be_copied_is_not_cut() -> None:
    """An id of 40 characters stands in one piece, also where the terminal has no room for it."""
    assert "a" * 40 in table(("name", "id"), [("x" * 60, "a" * 40)], width=80)


def test_an_unknown_flag_names_the_help_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_command(["summary", "--nonsense"])
    assert "--nonsense; try email-report-admin summary --help" in capsys.readouterr().err


def test_a_file_that_may_not_be_read_says_as_whom(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied", "/srv/senders.toml")

    monkeypatch.setattr("email_report_processor.admin.kept.run", refuse)
    assert run_command(["kept"]) == 75
    said = capsys.readouterr().err
    assert said.endswith("/srv/senders.toml: Permission denied: run it as root, or as the user of the filter\n")


WORDS = st.sampled_from(
    ["--store=-", "--store", "-", "--config", "--config=x", "--state", "--log=none", "--feed", "a", "", "--deadline=8",
     "--", "--unreadable=65", "--unreadable", "x", "--help", "-h", "--stor=x", "--limit=3", "--kept", "--lmtp=unix:x"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=5))
def test_the_quick_reading_of_a_command_line_says_what_argparse_says(argv: list[str]) -> None:
    quick = flags._plain(argv)
    if quick is None:
        return
    assert vars(flags.parser().parse_intermixed_args(argv, flags.Arguments())).items() >= vars(quick).items()
    assert all(getattr(quick, name) in (None, False, ()) for name in ("paths", "help", "version", "lmtp", "kept"))
    assert flags.flags(quick) == flags.flags(flags.parser().parse_intermixed_args(argv, flags.Arguments()))
