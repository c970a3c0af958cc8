"""Logins at Exim, and at the Dovecot of Debian's next release (2.4), whose lines are others than those of 2.3."""

import base64
import contextlib
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from time import time

import pytest

from email_report_processor.logins.lines.login import Login
from email_report_processor.logins.lines.scan import Scanner
from email_report_processor.logins.lines.times import Clock
from tests.conftest import missing

from .box import Box, User, free_port, wait_until
from .logins import PASSWORD, plain
from .packages import UnavailableError, newer, unpacked
from .talk import session

pytestmark = pytest.mark.mta

_EXIM = """
primary_hostname = mail.example.org
domainlist local_domains = example.org
acl_smtp_rcpt = accept
acl_smtp_data = accept
log_file_path = /var/log/exim4/%slog
log_selector = {selector}
never_users = root
tls_advertise_hosts =
auth_advertise_hosts = *
keep_environment =
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = /var/mail/all
  mode = 0666
begin authenticators
plain_server:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if eq{{$auth3}}{{{password}}}}}
  server_set_id = $auth2
login_server:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if eq{{$auth2}}{{{password}}}}}
  server_set_id = $auth1
"""
_DOVECOT = """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols = imap pop3
mail_driver = maildir
mail_path = ~/Maildir
log_path = /var/log/dovecot.log
log_timestamp =
auth_allow_cleartext = yes
login_trusted_networks = 127.0.0.0/8
auth_username_chars =
auth_failure_delay = 0
ssl = no
passdb passwd-file {{
  passwd_file_path = /etc/dovecot/proxied
  result_failure = continue
}}
passdb static {{
  password = {password}
}}
userdb static {{
  fields {{
    uid = vmail
    gid = vmail
    home = /var/vmail/%{{user}}
  }}
}}
service imap-login {{
  inet_listener imap {{
    listen = 127.0.0.1
    port = {imap}
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    listen = 127.0.0.1
    port = {pop3}
  }}
}}
"""


def scan(lines: bytes) -> list[Login]:
    return Scanner().scan(lines, Clock(time(), UTC))


# Exim


@pytest.fixture(scope="module")
def exim() -> Iterator[Box]:
    """Exim with two authenticators; `-bs` with an address is a session from there."""
    try:
        box = Box([unpacked("exim", "exim4-daemon-light")], [User("Debian-exim", 4020, "/var/spool/exim4")])
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(box):
        box.run("install", "-d", "-o", "Debian-exim", "-g", "Debian-exim", "/var/log/exim4", "/var/spool/exim4")
        box.run("chmod", "u+s", "/usr/sbin/exim4")
        box.run("chmod", "1777", "/var/mail")
        yield box


def converse(box: Box, address: str, *lines: str, selector: str = "") -> list[Login]:
    """One session; the logins that the log has of it."""
    box.write("/etc/exim4/exim4.conf", _EXIM.format(selector=selector, password=PASSWORD))
    log = box.path("/var/log/exim4/mainlog")
    before = len(log.read_bytes()) if log.exists() else 0
    said = "".join(f"{line}\r\n" for line in ("EHLO client.example", *lines, "QUIT"))
    box.run("exim4", "-bs", "-oMa", address, "-oMs", "host.example.net", input_=said.encode(), check=False)
    return scan(log.read_bytes()[before:])


MAIL = (
    "MAIL FROM:<a@example.org>",
    "RCPT TO:<x@example.org>",
    "DATA",
    "Subject: x A=plain_server:forged S=1",
    "",
    "hi",
    ".",
)


@pytest.mark.parametrize("selector", ["", "+incoming_port +incoming_interface +pid +subject"])
@pytest.mark.parametrize("account", ["alice@example.org", "alice smith@example.org", "x [192.0.2.1] a=y:z@example.org"])
@pytest.mark.parametrize("address", ["198.51.100.7", "2001:db8::25"])
def test_exim(account: str, address: str, selector: str, exim: Box) -> None:
    (login,) = converse(exim, f"{address}.4711", f"AUTH PLAIN {plain(account)}", *MAIL, selector=selector)
    assert (login.account, login.address, login.outcome) == (account, address, "success")
    assert (login.server, login.service, login.method, login.name) == (
        "exim",
        "smtp",
        "plain_server",
        "host.example.net",
    )
    assert login.port == (4711 if selector else 0)
    assert abs(login.time - time()) < 60


@pytest.mark.parametrize("selector", ["", "+incoming_port +pid"])
def test_exim_failures(selector: str, exim: Box) -> None:
    words = [base64.b64encode(word).decode() for word in (b"bob@example.org", b"wrong")]
    first, second = converse(
        exim,
        "203.0.113.9.99",
        f"AUTH PLAIN {plain('élise@example.org', 'wrong')}",
        "AUTH LOGIN",
        *words,
        selector=selector,
    )
    assert (first.account, first.outcome, first.address) == ("élise@example.org", "failure", "203.0.113.9")
    assert (second.account, second.method, second.reason) == (
        "bob@example.org", "login_server", "535 Incorrect authentication data",
    )  # fmt: skip


# Dovecot 2.4


@pytest.fixture(scope="module")
def dovecot() -> Iterator[tuple[Box, dict[str, int]]]:
    """Dovecot 2.4 and its ports; one account is proxied to another."""
    ports = {"imap": free_port(), "pop3": free_port()}
    users = [
        User("dovecot", 4040, "/usr/lib/dovecot"),
        User("dovenull", 4041, "/nonexistent"),
        User("vmail", 4050, "/var/vmail"),
    ]
    try:
        box = Box([newer("dovecot-2.4", "trixie", "dovecot-core", "dovecot-imapd", "dovecot-pop3d")], users)
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(box):
        box.run("install", "-d", "-o", "vmail", "-m", "700", "/var/vmail")
        box.write("/etc/dovecot/dovecot.conf", _DOVECOT.format(password=PASSWORD, **ports))
        proxied = f"proxied@example.org:{{PLAIN}}{PASSWORD}::::::proxy=y host=127.0.0.1 port={ports['imap']}"
        box.write("/etc/dovecot/proxied", f"{proxied} destuser=alice@example.org\n")
        box.run("ldconfig", check=False)
        box.spawn(ports["imap"], "dovecot", "-F")
        yield box, ports


def logged(log: Path, number: int) -> list[Login]:
    """The logins of Dovecot's log, once there are so many; with the date that syslog would have put in front."""

    def found() -> list[Login]:
        return scan(
            b"".join(b"2026-11-28T08:00:00Z mail dovecot: " + line for line in log.read_bytes().splitlines(True))
        )

    wait_until(lambda: len(found()) >= number, lambda: f"not {number} logins: {log.read_text()}")
    return found()


def test_dovecot_2_4(dovecot: tuple[Box, dict[str, int]]) -> None:
    box, ports = dovecot
    with session(ports["imap"]) as imap:
        imap.say('a ID ("x-originating-ip" "192.0.2.55")')
        assert "b OK" in imap.say(f"b LOGIN alice@example.org {PASSWORD}")
    with session(ports["imap"]) as imap:
        imap.say('a ID ("x-originating-ip" "192.0.2.56")')
        assert "b OK" in imap.say(f"b LOGIN proxied@example.org {PASSWORD}")
    with session(ports["imap"]) as imap:
        imap.say('a ID ("x-originating-ip" "192.0.2.57")')
        for number in range(2):
            assert f"{number} NO" in imap.say(f'{number} LOGIN "bob smith@example.org" wrong')
    with session(ports["pop3"]) as pop3:
        pop3.say("XCLIENT ADDR=2001:db8::58 PORT=99")
        pop3.say("USER carol@example.org")
        assert "+OK" in pop3.say(f"PASS {PASSWORD}")
    found = {(login.account, login.address): login for login in logged(box.path("/var/log/dovecot.log"), 5)}
    assert found["alice@example.org", "192.0.2.55"].outcome == "success"
    assert found["alice@example.org", "192.0.2.56"].relay == ""
    assert found["proxied@example.org", "192.0.2.56"].relay == f"127.0.0.1:{ports['imap']}"
    failed = found["bob smith@example.org", "192.0.2.57"]
    assert (failed.outcome, failed.attempts) == ("failure", 2)
    assert found["carol@example.org", "2001:db8::58"].service == "pop3"
