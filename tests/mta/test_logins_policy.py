"""The proof: one account from 80 places at a real Postfix and a real Dovecot that ask `logins policy`."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mmdb
from tests.conftest import Program, missing
from tests.logins.asking import running

from .box import free_port, wait_until
from .logins import PASSWORD, Logins, plain
from .packages import UnavailableError
from .talk import session
from .wires import Sink

pytestmark = pytest.mark.postfix

ALICE, BOB = "alice@example.org", "bob@example.org"
PLACES = [f"198.{number}.7.9" for number in range(80)]
_POSTFIX = """
smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{port}
smtpd_policy_service_default_action = DUNNO
"""
_DOVECOT = """
auth_policy_server_url = http://127.0.0.1:{port}/
auth_policy_hash_nonce = a-secret-of-this-test
"""


class Site:
    """The mail servers, one of which asks at `place`."""

    def __init__(self, sink: Sink, **more: str) -> None:
        self.sink = sink
        port = free_port()
        self.servers = Logins(sink, **{server: text.format(port=port) for server, text in more.items()})
        self.place = f"inet:127.0.0.1:{port}"

    def send(self, account: str, address: str) -> str:
        """What Postfix says to a message of somebody who logs in: `sent`, or its refusal."""
        smtp = self.servers.smtp("submission", addr=address)
        with contextlib.closing(smtp):
            code, answer = smtp.docmd("AUTH", "PLAIN " + plain(account))
            if code != 235:
                return f"{code} {answer.decode()}"
            assert smtp.docmd("MAIL", f"FROM:<{account}>")[0] == 250
            code, answer = smtp.docmd("RCPT", "TO:<x@sink.example>")
            if code != 250:
                return f"{code} {answer.decode()}"
            smtp.data(b"Subject: x\r\n\r\nhello\r\n")
            return "sent"

    def imap(self, account: str, address: str) -> str:
        """What Dovecot says to a login."""
        with session(self.servers.ports["imap"]) as imap:
            imap.say(f'a ID ("x-originating-ip" "{address}")')
            return imap.say(f'b LOGIN "{account}" {PASSWORD}')


@pytest.fixture(scope="module")
def site(sink: Sink, request: pytest.FixtureRequest) -> Iterator[Site]:
    """Postfix and Dovecot: a Dovecot whose policy server is away waits 2 s for it at each login."""
    try:
        site = Site(sink, **{request.param: {"postfix": _POSTFIX, "dovecot": _DOVECOT}[request.param]})
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(site.servers):
        yield site


asks_postfix = pytest.mark.parametrize("site", ["postfix"], indirect=True)


@pytest.fixture
def settings(tmp_path: Path) -> str:
    """Each place in a country of its own."""
    pytest.importorskip("maxminddb")
    records = {
        f"198.{number}.0.0/16": {
            "country_code": chr(65 + number // 26) + chr(65 + number % 26),
            "asn": f"AS{number + 1}",
        }
        for number in range(80)
    }
    (tmp_path / "geo.mmdb").write_bytes(mmdb.write(records))
    return f"[geo]\ndatabases = ['{tmp_path}/geo.mmdb']\n[logins]\nmode = 'stop'\n[log]\nto = '{tmp_path}/log'\n"


@asks_postfix
def test_an_account_from_80_places(site: Site, settings: str, run_admin: Program, tmp_path: Path) -> None:
    """Stopped at the third country, with the service killed between the second and the third."""
    path, received = tmp_path / "policy", len(site.sink.messages)
    sent = 0
    with running(run_admin, path, settings, site.place, number=signal.SIGKILL):
        for place in PLACES[:2]:
            assert site.send(ALICE, place) == "sent"
            assert site.send(BOB, "192.0.2.7") == "sent"
            sent += 2
        wait_until(lambda: "2 networks" in remembered(run_admin), "what was learnt is not on disk")
    assert site.send(BOB, "192.0.2.7") == "sent"  # nobody answers: the mail goes on
    with running(run_admin, path, settings, site.place):
        for place in PLACES[2:]:
            assert site.send(ALICE, place).startswith(
                "450 4.7.1 <x@sink.example>: Recipient address rejected: this acc"
            )
        assert site.send(BOB, "192.0.2.7") == "sent"
        assert run_admin(b"", "logins", "release", ALICE).status == 0
        wait_until(lambda: site.send(ALICE, "192.0.2.8") == "sent", "the release is not seen")
    wait_until(lambda: len(site.sink.messages) == received + sent + 3, "mail is missing")
    assert "many-countries" in run_admin(b"", "logins", "audit").stdout
    assert site.servers.box.run("postqueue", "-j").stdout == b""


def remembered(run_admin: Program) -> str:
    """How many networks of alice the service has written down."""
    from email_report_processor.logins.memory import read_account
    from email_report_processor.logins.state import State

    state = State(run_admin.state)
    accounts = {key: read_account(text) for kind, key, text in state.memory("policy") if kind == "account"}
    state.close()
    return f"{len(accounts[ALICE].networks) if ALICE in accounts else 0} networks"


@pytest.mark.parametrize("site", ["dovecot"], indirect=True)
def test_dovecot_reports_what_it_saw(site: Site, settings: str, run_admin: Program, tmp_path: Path) -> None:
    """Logins that only read mail count too: the account is refused from the third country on, also at Postfix."""
    with running(run_admin, tmp_path / "policy", settings, site.place):
        for place in PLACES[:3]:
            assert "b OK" in site.imap(ALICE, place)
        wait_until(lambda: "b NO" in site.imap(ALICE, PLACES[0]), "the account is not stopped")
        assert "b OK" in site.imap(BOB, "192.0.2.8")
        assert site.send(ALICE, "192.0.2.8").startswith("535")
        assert site.send(BOB, "192.0.2.8") == "sent"
        assert run_admin(b"", "logins", "release", ALICE).status == 0
        wait_until(lambda: "b OK" in site.imap(ALICE, "192.0.2.8"), "the release is not seen")


@asks_postfix
def test_observe_lets_everything_pass(site: Site, settings: str, run_admin: Program, tmp_path: Path) -> None:
    with running(run_admin, tmp_path / "policy", settings.replace("'stop'", "'observe'"), site.place):
        assert {site.send(ALICE, place) for place in PLACES[:6]} == {"sent"}
    assert f"observe: {ALICE} would be stopped" in (tmp_path / "log").read_text()
