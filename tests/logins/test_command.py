"""`email-report-admin logins read` and `follow`, as a person and as a service run them."""

import gzip
import json
import os
import signal
import sqlite3
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest

from tests import mmdb
from tests.conftest import Outcome, Program
from tests.logins.logs import CLOCK, LOGS
from tests.mta.box import wait_until

COUNTRIES = {"192.0.2.0/24": "DE", "198.51.100.0/24": "BR", "203.0.113.0/24": "VN", "2001:db8::/32": "ZA"}
ADDRESSES = ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1")


def lines(addresses: Iterable[str] = ADDRESSES, account: str = "alice@example.org") -> bytes:
    """A login an hour, each from the next address."""
    return b"".join(
        f"2026-11-28T{hour:02}:00:00Z mail postfix/smtpd[1]: A{hour}: client=h[{address}], sasl_method=PLAIN, "
        f"sasl_username={account}\n".encode()
        for hour, address in enumerate(addresses)
    )


@pytest.fixture
def settings(tmp_path: Path) -> str:
    """A database of countries."""
    pytest.importorskip("maxminddb")
    records = {
        network: {"country": {"iso_code": code}, "autonomous_system_number": 64500 + number}
        for number, (network, code) in enumerate(COUNTRIES.items())
    }
    (tmp_path / "geo.mmdb").write_bytes(mmdb.write(records))
    return f"[geo]\ndatabases = ['{tmp_path}/geo.mmdb']\n"


def stored(path: Path) -> list[dict[str, object]]:
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT source FROM documents ORDER BY id").fetchall()
    return [json.loads(source) for (source,) in rows]


def log(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    os.utime(path, (CLOCK.end, CLOCK.end))
    return str(path)


def test_read_stores_and_judges(run_admin: Program, tmp_path: Path, settings: str) -> None:
    path = log(tmp_path / "mail.log.1.gz", gzip.compress(lines()))
    store = f"sqlite:{tmp_path}/store.sqlite"
    done = run_admin(b"", "logins", "read", "--lines", path, store=store, settings=settings)
    assert (done.status, done.stderr) == (0, "")
    assert "alarm many-countries for alice@example.org: 3 new countries within 24 hours: BR, DE, VN" in done.stdout
    assert "    2026-11-28T01:00:00Z mail postfix/smtpd[1]: A1: client=h[198.51.100.1]" in done.stdout
    assert "4 lines, 4 logins" in done.stdout
    assert "4 stored, 0 were there already, 0 refused" in done.stdout
    first = stored(tmp_path / "store.sqlite")
    assert {one["source"]["geo"]["country_iso_code"] for one in first} == {"DE", "BR", "VN", "ZA"}  # type: ignore[index]  # JSON
    again = run_admin(b"", "logins", "read", path, store=store, settings=settings)
    assert "0 stored, 4 were there already" in again.stdout
    assert stored(tmp_path / "store.sqlite") == first


def test_read_of_standard_input(run_admin: Program, settings: str) -> None:
    done = run_admin(lines(), "logins", "read", "-", store="-", settings=settings)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [row["_source"]["user"]["name"] for row in rows] == ["alice@example.org"] * 4
    assert {row["_index"] for row in rows} == {"email-report-mail-login-2026.11"}


def test_read_of_every_server(run_admin: Program) -> None:
    done = run_admin(b"", "logins", "read", "--dry-run", *map(str, LOGS))
    assert done.status == 0
    assert "lines, 44 logins" in done.stdout


def test_what_cannot_be_read(run_admin: Program, tmp_path: Path) -> None:
    done = run_admin(b"", "logins", "read", "--dry-run", str(tmp_path / "absent"))
    assert done.status == 1
    assert "absent: cannot be read (No such file or directory)" in done.stderr
    assert "no line is a login" not in done.stderr
    none = run_admin(b"Once upon a time\nthere was a log\n", "logins", "read", "--dry-run", "-")
    assert "no line is a login of Postfix, Dovecot or Exim: docs/logins.md says what is read" in none.stderr
    assert "no line" not in run_admin(lines(), "logins", "read", "--dry-run", "-").stderr


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("ignore_networks = ['x']", "'x' is neither a network"),
        ("ignore_systems = ['Google']", "'Google' is no AS number"),
        ("zone = 'Europe/Nowhere'", "there is no such zone"),
        ("mode = 'kill'", "write one of 'observe', 'stop'"),
        ("ignore = []", "has no key 'ignore'"),
    ],
)
def test_wrong_settings_are_named(setting: str, said: str, run_admin: Program) -> None:
    """(n) of the old tool: a key was missing, and nobody was told which."""
    done = run_admin(b"", "logins", "read", "--dry-run", "-", settings=f"[logins]\n{setting}\n")
    assert done.status == 2
    assert said in done.stderr


# follow


class Service:
    """`logins follow`, started and ended."""

    def __init__(self, run_admin: Program, directory: Path, settings: str) -> None:
        self.run, self.directory, self.settings = run_admin, directory, settings
        self.log = directory / "mail.log"
        self.log.touch()
        self.store = directory / "store.sqlite"

    def once(self, *flags: str) -> Outcome:
        arguments = ("follow", "--once", str(self.log), *flags)
        return self.run(b"", "logins", *arguments, store=f"sqlite:{self.store}", settings=self.settings)

    def append(self, text: bytes) -> None:
        with self.log.open("ab") as file:
            file.write(text)


def test_follow_goes_on_where_it_was(run_admin: Program, tmp_path: Path, settings: str) -> None:
    """The rule needs what was read before the restart; the finding is told once."""
    service = Service(run_admin, tmp_path, settings + "[log]\nto = 'log'\n")
    for number in range(1, 5):
        service.append(lines()[len(lines(ADDRESSES[: number - 1])) : len(lines(ADDRESSES[:number]))])
        assert service.once() == Outcome(0, "", "")
        assert len(stored(service.store)) == number
    service.log.rename(tmp_path / "mail.log.1")
    service.log.touch()
    service.once()
    told = (tmp_path / "log").read_text()
    assert told.count("warning: alarm many-countries for alice@example.org") == 1
    assert told.count("observe: alice@example.org would be stopped") == 2  # and by impossible-travel
    events = run_admin(b"", "logins", "events", "--hours", "1e6")
    assert events.stdout.count("many-countries") == 1
    assert "no account is stopped" in run_admin(b"", "logins", "stopped").stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_follow_is_ended_and_started_again(number: signal.Signals, run_admin: Program, tmp_path: Path) -> None:
    service = Service(run_admin, tmp_path, "[log]\nto = 'none'\n")
    arguments = ("logins", "follow", "--every", "0.01", str(service.log))
    for round_ in range(3):
        with run_admin.start(*arguments, store=f"sqlite:{service.store}", settings=service.settings) as process:
            service.append(lines(ADDRESSES, f"user{round_}@example.org"))
            wait_until(partial(has, service.store, 4 * round_ + 4), "nothing is stored")
            process.send_signal(number)
            assert process.wait(20) == (0 if number == signal.SIGTERM else -number)
    service.once()
    assert len(stored(service.store)) == 12


def has(path: Path, number: int) -> bool:
    """Whether so many documents are there by now."""
    try:
        return len(stored(path)) >= number
    except sqlite3.OperationalError:  # there is no table yet
        return False


def test_follow_needs_something_to_follow(run_admin: Program) -> None:
    done = run_admin(b"", "logins", "follow")
    assert (done.status, "needs the PATH of a log, or --journal" in done.stderr) == (2, True)


# By hand


def test_what_is_wrong_by_hand_says_what_to_do(run_admin: Program) -> None:
    for name in ("", "  "):
        done = run_admin(b"", "logins", "stop", name)
        assert (done.status, "name an account" in done.stderr) == (2, True)
    assert "stopped" in run_admin(b"", "logins", "stopped").stdout
    found = run_admin(b"", "logins", "events", "alice@example.org")
    assert (found.status, found.stdout[:40]) == (0, "nothing of alice@example.org was found i")
    unknown = run_admin(b"", "logins", "answer", "0123456789abcdef-abcdefghijklmnop", "yes")
    assert unknown.status == 1
    assert "no token of ours: copy the token whole from the subject of the mail" in unknown.stderr


def test_stop_and_release_are_written_down(run_admin: Program) -> None:
    assert run_admin(b"", "logins", "stop", "Alice@example.org", "--why", "called us").status == 0
    assert run_admin(b"", "logins", "stop", "alice@example.org").status == 1
    assert "alice@example.org" in run_admin(b"", "logins", "stopped").stdout
    assert run_admin(b"", "logins", "release", "alice@example.org", "--why", "new password").status == 0
    assert run_admin(b"", "logins", "release", "alice@example.org").status == 1
    audit = run_admin(b"", "logins", "audit", "alice@example.org").stdout.splitlines()
    assert [line.split()[-2:] for line in audit[1:]] == [["called", "us"], ["new", "password"]]
    assert audit[1].index("stop") == audit[2].index("release")
