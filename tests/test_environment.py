"""The real program in the surroundings that mail servers give it (design §5): next to none, or hostile ones.

`mta/` runs the same program in the real mail servers; here each of their peculiarities stands alone.
"""

import contextlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Outcome, Program, missing
from tests.mta import messages
from tests.mta.box import ALICE, CONFIG, DMARC, EXAMPLES, PROJECT, STATE, Box, wait_until
from tests.mta.packages import UnavailableError
from tests.nodes import Node

MEGABYTE = 1_000_000
CHARMAPS = Path("/usr/share/i18n/charmaps")


def shell(run_filter: Program, before: str, message: bytes, *arguments: str, store: str, **popen: object) -> Outcome:
    """Run the program after a line of shell, which sets a limit or closes a descriptor: `before; exec program`."""
    command = ["/bin/sh", "-c", f'{before}; exec "$@"', "sh", *run_filter.command(*arguments, store=store)]
    done = subprocess.run(command, input=message, env={}, capture_output=True, check=False, timeout=120, **popen)  # type: ignore[call-overload]  # further arguments of Popen
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def silent(outcome: Outcome, status: int = 0) -> None:
    """The status, and nothing that a mail server could mail to the sender."""
    assert outcome == Outcome(status, "", "")


def kept(state: Path) -> list[Path]:
    """The kept messages."""
    return list((state / "kept" / "new").iterdir()) if (state / "kept" / "new").is_dir() else []


def settings(run_filter: Program, prefix: str) -> str:
    """Settings for a store with this test's prefix."""
    text = f'[store]\nindex_prefix = "{prefix}"\n'
    run_filter.settings.write_text(text)
    return text


def embedded(state: Path) -> str:
    """The URL of an embedded store."""
    return f"sqlite:{state}/reports.sqlite"


def ids(outcome: Outcome) -> list[str]:
    """The documents that `--store -` printed."""
    assert (outcome.status, outcome.stderr) == (0, "")
    return [line["_id"] for line in outcome.lines]


def test_an_empty_environment(run_filter: Program, node: Node, prefix: str) -> None:
    """No PATH, no HOME, no USER, no LANG: sendmail, Dovecot."""
    silent(run_filter(messages.report(rows=3), store=node.url, settings=settings(run_filter, prefix), env={}))
    assert len(node.documents(f"{prefix}*")) == 4


@pytest.mark.parametrize("before", ["umask 000", "umask 007", "umask 022", "umask 077"])
def test_files_are_for_their_owner_alone(run_filter: Program, state: Path, before: str) -> None:
    silent(shell(run_filter, before, messages.report(), store=embedded(state)))
    silent(shell(run_filter, before, messages.plain(), store=embedded(state)))
    files = [path for path in [state, *state.rglob("*")] if path.exists()]
    assert len(kept(state)) == 1
    assert {stat.S_IMODE(path.stat().st_mode) for path in files if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files if path.is_dir()} == {0o700}


@pytest.mark.parametrize("rows", [2, 20_000])
def test_256_megabytes_of_memory(run_filter: Program, node: Node, prefix: str, state: Path, rows: int) -> None:
    """Dovecot's LMTP limits the address space, with opensearch-py loaded."""
    settings(run_filter, prefix)
    silent(shell(run_filter, "ulimit -v 262144", messages.report(rows=rows), store=node.url))
    assert kept(state) == []
    node.ask("POST", f"/{prefix}*/_refresh")
    assert node.ask("GET", f"/{prefix}*/_count")["count"] == rows + 1


def test_a_message_of_49_megabytes_in_256_megabytes_of_memory(run_filter: Program, state: Path) -> None:
    report = messages.report(rows=3, text=49 * MEGABYTE)
    assert 49 * MEGABYTE < len(report) < 50 * 1024**2
    silent(shell(run_filter, "ulimit -v 262144", report, store=embedded(state)))
    assert kept(state) == []
    assert len(ids(run_filter(report, store="-"))) == 4


def test_a_message_that_is_too_big_is_read_to_its_end_and_kept(run_filter: Program, state: Path) -> None:
    message = messages.plain(51 * MEGABYTE + 2 * 1024**2)
    silent(shell(run_filter, "ulimit -v 262144", message, store=embedded(state)))
    (copy,) = kept(state)
    assert copy.stat().st_size > len(message)


def test_postfix_limit_of_files_does_not_matter_to_ordinary_mail(run_filter: Program, state: Path) -> None:
    """Postfix's local(8) sets RLIMIT_FSIZE to mailbox_size_limit, 51,200,000 bytes."""
    silent(shell(run_filter, "ulimit -f 100000", messages.report(rows=5000), store=embedded(state)))


@pytest.mark.parametrize("size", [100_000, 3 * MEGABYTE])
def test_a_copy_over_the_limit_of_files_is_given_back(run_filter: Program, state: Path, size: int) -> None:
    """Small messages fail when they are kept, big ones already when they are spooled."""
    silent(shell(run_filter, "ulimit -f 32", messages.plain(size), store=embedded(state)), 75)
    assert kept(state) == []
    silent(shell(run_filter, "ulimit -f unlimited", messages.plain(size), store=embedded(state)))
    assert len(kept(state)) == 1


def test_an_embedded_store_over_the_limit_of_files_gives_back(run_filter: Program, state: Path) -> None:
    message = messages.report(rows=5000)
    silent(shell(run_filter, "ulimit -f 1000", message, store=embedded(state)), 75)
    silent(shell(run_filter, ":", message, store=embedded(state)))
    silent(shell(run_filter, ":", message, store=embedded(state)))
    assert kept(state) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("before", [":", "trap '' HUP INT USR1 TERM"], ids=["default", "ignored"])
@pytest.mark.parametrize("stage", ["reading", "storing"])
def test_a_signal_gives_the_message_back(
    run_filter: Program, before: str, number: signal.Signals, stage: str, tmp_path: Path
) -> None:
    """Exim starts its filters with signals ignored; whoever sends one all the same means it."""
    with silent_store() as (url, connected):
        command = ["/bin/sh", "-c", f'{before}; exec "$@"', "sh", *run_filter.command("--log=log", store=url)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env={}, cwd=tmp_path, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            assert process.stdin is not None
            process.stdin.write(messages.report())
            process.stdin.flush()
            if stage == "storing":
                process.stdin.close()
                process.stdin = None
                connected.accept()[0].close()
            else:
                until_watching(process.pid)
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr) == (75, b"", b"")
    assert signal.Signals(number).name in (tmp_path / "log").read_text()


@contextlib.contextmanager
def silent_store() -> Iterator[tuple[str, socket.socket]]:
    """A store that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield f"http://127.0.0.1:{server.getsockname()[1]}", server


def until_watching(pid: int) -> None:
    """Return when the program has begun to wait for signals (it blocks them for its threads)."""
    end = time.monotonic() + 30
    while True:
        status = Path(f"/proc/{pid}/status").read_text()
        blocked = next(line for line in status.splitlines() if line.startswith("SigBlk"))
        if int(blocked.split()[1], 16) & 1 << (signal.SIGTERM - 1):
            return
        assert time.monotonic() < end
        time.sleep(0.02)


def test_standard_input_closed(run_filter: Program, state: Path) -> None:
    """There is no message that could be said to be safe."""
    silent(shell(run_filter, "exec <&-", b"", store=embedded(state)), 75)


@pytest.mark.parametrize("before", ["exec >&-", "exec 2>&-", "exec >&- 2>&-", "exec >/dev/full 2>/dev/full"])
def test_output_closed_or_full(run_filter: Program, state: Path, before: str) -> None:
    silent(shell(run_filter, before, messages.report(), store=embedded(state)))
    silent(shell(run_filter, before, b"", "--no-such-flag", store=embedded(state)), 75)


@pytest.mark.parametrize("before", ["exec >&-", "exec >/dev/full"])
def test_documents_that_cannot_be_printed_are_given_back(run_filter: Program, before: str) -> None:
    silent(shell(run_filter, before, messages.report(), store="-"), 75)


def test_a_reader_of_documents_that_goes_away(run_filter: Program) -> None:
    """SIGPIPE: 120 and 141 would bounce."""
    with run_filter.start(store="-") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.write(messages.report(rows=3000))
        process.stdin.close()
        assert process.wait(60) == 75


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b"\n", b"\r\n"),
        lambda raw: b"From noreply@reporter.example Thu Nov 20 06:00:00 2025\n" + raw,
        lambda raw: b"From noreply@reporter.example Thu Nov 20 06:00:00 2025\r\n" + raw.replace(b"\n", b"\r\n"),
        lambda raw: b"\n\n" + raw,
        lambda raw: raw + b"\n\n",
        lambda raw: raw.rstrip(b"\n"),
        lambda raw: raw.replace(b"From: Reporter", b"From: R\xe9porter"),
        lambda raw: raw.replace(b"From: Reporter", "From: Réporter".encode()),
        lambda raw: b"Return-Path: <>\nX-Original-To: dmarc@example.org\nDelivered-To: dmarc@example.org\n" + raw,
    ],
    ids=["CRLF", "From", "From-CRLF", "empty lines", "lines at the end", "no last line", "latin-1", "utf-8", "trace"],
)
def test_the_same_report_whatever_the_mail_server_does_to_it(run_filter: Program, change: messages.Change) -> None:
    raw = messages.report(rows=3)
    changed = change(raw)
    assert changed != raw
    assert ids(run_filter(changed, store="-")) == ids(run_filter(raw, store="-"))


@pytest.mark.parametrize(
    "env",
    [
        {"LANG": "C"},
        {"LC_ALL": "POSIX"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LANG": "no_such.ENCODING"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"HOME": "/nonexistent", "USER": "email-report", "LOGNAME": "email-report"},
    ],
    ids=lambda env: " ".join(f"{key}={value}" for key, value in env.items()),
)
def test_languages(run_filter: Program, env: dict[str, str]) -> None:
    raw = messages.report(rows=2, organisation="Bücher & Söhne 書")
    assert_unharmed(run_filter(raw, store="-", env=env))


def test_a_latin_1_locale(run_filter: Program, tmp_path: Path) -> None:
    """Python would take everything for ISO-8859-1 there."""
    if not CHARMAPS.is_dir() or not shutil.which("localedef"):
        missing("needs the locales' sources; on Debian: apt-get install locales")
    locale = tmp_path / "en_US.ISO-8859-1"
    subprocess.run(["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(locale)], check=True, capture_output=True)
    env = {"LC_ALL": locale.name, "LOCPATH": str(tmp_path)}
    python = run_filter.path.with_name("python")
    said = subprocess.run(
        [python, "-c", "import sys; print(sys.stdout.encoding)"], env=env, capture_output=True, check=True
    )
    assert said.stdout.lower() == b"iso8859-1\n"
    assert_unharmed(run_filter(messages.report(rows=2, organisation="Bücher & Söhne 書"), store="-", env=env))


def assert_unharmed(outcome: Outcome) -> None:
    """The organisation's name came through."""
    assert (outcome.status, outcome.stderr) == (0, "")
    assert {line["_source"]["report"]["org_name"] for line in outcome.lines} == {"Bücher & Söhne 書"}


@pytest.mark.parametrize(
    "arguments", [["--no-such-flag"], ["--deadline"], ["--deadline=soon"], ["--help"], ["--config=/nowhere"]]
)
def test_a_wrong_command_line_gives_the_message_back(run_filter: Program, state: Path, arguments: list[str]) -> None:
    silent(run_filter(messages.plain(MEGABYTE), *arguments), 75)
    assert kept(state) == []


def test_a_broken_library(run_filter: Program, state: Path, tmp_path: Path) -> None:
    """What an interrupted upgrade leaves behind."""
    (tmp_path / "opensearchpy.py").write_text("raise ImportError('half installed')\n")
    env = {"PYTHONPATH": str(tmp_path)}
    silent(run_filter(messages.report(), store="http://127.0.0.1:9", env=env), 75)
    assert kept(state) == []


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    """A machine where the program is installed for the user email-report, who cannot log in."""
    try:
        box = Box()
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(box):
        yield box


def as_user(box: Box, user: int, before: str, message: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run the program as a user of the box, with nothing in its environment."""
    become = f"exec setpriv --reuid {user} --regid {user} --clear-groups env -i"
    program = "/opt/email-report-processor/bin/email-report-processor"
    return box.run("sh", "-c", f"{before}; {become} {program}", input_=message, check=False)


def test_a_user_who_cannot_log_in(box: Box) -> None:
    """The service user's shell is nologin, and nothing says where its home is."""
    done = as_user(box, DMARC.uid, ":", messages.report())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert box.path(f"{STATE}/reports.sqlite").is_file()
    assert any("storing into sqlite:" in line for line in box.lines)


def test_a_user_without_the_state_directory(box: Box) -> None:
    """The state is in the home directory of the passwd file."""
    done = as_user(box, ALICE.uid, ":", messages.plain())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len(kept(box.path(f"{ALICE.home}/.local/state/email-report-processor"))) == 1


def test_a_working_directory_that_cannot_be_read(box: Box) -> None:
    """Postfix runs filters in /var/spool/postfix, Dovecot in /run/dovecot."""
    box.run("install", "-d", "-m", "700", "/var/secret")
    done = as_user(box, DMARC.uid, "cd /var/secret", messages.report())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_user_who_owns_nothing(box: Box) -> None:
    """nobody has no home directory: there is no place for the state, and the log says so."""
    box.lines.clear()
    done = as_user(box, 65534, ":", messages.report())
    assert (done.returncode, done.stdout, done.stderr) == (75, b"", b"")
    assert any("the mail server keeps the message" in line for line in box.lines)


def test_settings_that_the_user_may_not_read(box: Box) -> None:
    """Never a silent default."""
    box.write(CONFIG, '[store]\nurl = "http://127.0.0.1:9"\n', 0o600)
    done = as_user(box, DMARC.uid, ":", messages.report())
    box.path(CONFIG).unlink()
    assert (done.returncode, done.stdout, done.stderr) == (75, b"", b"")


def commands_of_the_timers() -> list[str]:
    """What the examples for cron and systemd run to feed kept messages again."""
    service = (EXAMPLES / "email-report-kept.service").read_text(encoding="utf-8")
    cron = (EXAMPLES / "cron").read_text(encoding="utf-8")
    found = re.search(r"^ExecStart=(.*)", service, re.MULTILINE), re.search(r"email-report  (.* kept .*)", cron)
    return [match[1] for match in found if match]


@pytest.mark.parametrize("command", commands_of_the_timers(), ids=["systemd", "cron"])
def test_the_timers_finish_what_took_too_long(box: Box, command: str) -> None:
    ours = {"Category": "unfinished", "Reason": "it took too long", "Time": "2025-11-20T00:00:00Z"}
    header = "".join(f"X-Email-Report-Processor-{name}: {value}\n" for name, value in ours.items())
    unfinished = header.encode() + messages.report()
    as_user(box, DMARC.uid, ":", messages.plain())
    before = {path.name for path in kept(box.path(STATE))}
    assert "unfinished" not in before
    box.path(f"{STATE}/kept/new/unfinished").write_bytes(unfinished)
    box.run("chown", "-R", DMARC.name, f"{STATE}/kept")
    for _ in range(2):  # and nothing to do is no failure
        box.run(
            "setpriv",
            "--reuid",
            "email-report",
            "--regid",
            "email-report",
            "--clear-groups",
            "env",
            "-i",
            "sh",
            "-c",
            command,
        )
        assert {path.name for path in kept(box.path(STATE))} == before


def test_the_test_message_of_the_documentation(box: Box) -> None:
    """What docs/mail-servers.md gives for a first try is stored."""
    page = (PROJECT / "docs" / "mail-servers.md").read_text(encoding="utf-8")
    block = re.search(r"```sh\n(/usr/sbin/sendmail .*?)```", page, re.DOTALL)
    assert block
    box.write("/usr/sbin/sendmail", "#!/bin/sh\n(echo 'Message-ID: <1@example.org>'; exec cat) >/run/message\n", 0o755)
    box.run("sh", "-c", block[1])
    box.lines.clear()
    done = as_user(box, DMARC.uid, ":", box.path("/run/message").read_bytes())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    wait_until(lambda: any("stored=2" in line and "kept=no" in line for line in box.lines), lambda: str(box.lines))
