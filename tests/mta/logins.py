"""Postfix whose submission asks Dovecot who a user is, and Dovecot's own login services: what logins are read from.

Every service is on a loopback port. XCLIENT gives Postfix, and X-forwarding commands give Dovecot, any address as the
client's: the "places" of the tests.
"""

import base64
import smtplib
from pathlib import Path

from .box import Box, User, free_port, wait_for_port
from .packages import unpacked
from .wires import Sink

DOVECOT = (
    "dovecot-login",
    "dovecot-core",
    "dovecot-imapd",
    "dovecot-pop3d",
    "dovecot-managesieved",
    "dovecot-submissiond",
)
PASSWORD = "secret"  # of every account
LISTENERS = {"imap": "imap", "pop3": "pop3", "managesieve": "sieve", "submission": "submission"}

_USERS = (
    User("postfix", 4010, "/var/spool/postfix"),
    User("postdrop", 4011, "/nonexistent"),
    User("dovecot", 4040, "/usr/lib/dovecot"),
    User("dovenull", 4041, "/nonexistent"),
    User("vmail", 4050, "/var/vmail"),
)
_MAIN = """
compatibility_level = 3.6
myhostname = mail.example.org
mydestination = example.org
inet_interfaces = 127.0.0.1
inet_protocols = all
mynetworks = 127.0.0.1/32
disable_dns_lookups = yes
relayhost = [127.0.0.1]:{sink}
alias_maps =
maillog_file = /var/log/postfix.log
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_authorized_xforward_hosts = 127.0.0.1
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_auth_enable = yes
smtpd_sasl_security_options = noanonymous
smtpd_client_connection_count_limit = 0
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_delay_reject = yes
smtpd_error_sleep_time = 0
{more}
"""
_MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd
  -o syslog_name=postfix/submission
127.0.0.1:{smtps} inet n - n - - smtpd
  -o syslog_name=postfix/smtps
  -o smtpd_client_port_logging=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
_DOVECOT = """
protocols = imap pop3 sieve submission
mail_location = maildir:~/Maildir
log_path = /var/log/dovecot.log
log_timestamp =
disable_plaintext_auth = no
login_trusted_networks = 127.0.0.0/8
auth_username_chars =
auth_failure_delay = 0
auth_mechanisms = plain login
ssl = no
submission_relay_host = 127.0.0.1
submission_relay_port = {smtp}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=vmail gid=vmail home=/var/vmail/%u
}}
service auth {{
  unix_listener /var/spool/postfix/private/auth {{
    mode = 0666
  }}
}}
{listeners}
{more}
"""
_LISTENER = """
service {service}-login {{
  inet_listener {name} {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


class Logins:
    """Postfix and Dovecot in a box, with ports for every way to log in. Ends with its box."""

    def __init__(self, sink: Sink, *, postfix: str = "", dovecot: str = "") -> None:
        """`postfix` are more lines of main.cf, `dovecot` of dovecot.conf. Raises UnavailableError."""
        self.ports = {name: free_port() for name in ("smtp", "submission", "smtps", *LISTENERS)}
        self.ports["dovecot-submission"] = self.ports.pop("submission")
        self.ports["submission"] = free_port()
        self.box = Box([unpacked("postfix", "postfix"), unpacked(*DOVECOT)], _USERS)
        self._configure(sink, postfix, dovecot)
        self.box.run("chown", "postfix:", "/var/lib/postfix")
        self.box.run("chgrp", "postdrop", "/usr/sbin/postqueue", "/usr/sbin/postdrop")
        self.box.run("postfix", "check")
        self.box.run("/usr/lib/postfix/sbin/master", "-w")
        self.box.spawn(self.ports["imap"], "dovecot", "-F")
        wait_for_port(self.ports["submission"])

    def close(self) -> None:
        """End it."""
        self.box.close()

    @property
    def postfix_log(self) -> Path:
        """Postfix's log, as this process finds it."""
        return self.box.path("/var/log/postfix.log")

    @property
    def dovecot_log(self) -> Path:
        """Dovecot's log, as this process finds it."""
        return self.box.path("/var/log/dovecot.log")

    def smtp(self, service: str = "submission", **xclient: str) -> smtplib.SMTP:
        """An SMTP session, as from the place that XCLIENT names (`addr="192.0.2.1"`, `name=…`, `port=…`)."""
        session = smtplib.SMTP("127.0.0.1", self.ports[service], timeout=20)
        session.ehlo("client.example")
        if xclient:
            said = " ".join(f"{key.upper()}={value}" for key, value in xclient.items())
            code, answer = session.docmd("XCLIENT", said)
            assert code == 220, answer
            session.ehlo("client.example")
        return session

    def _configure(self, sink: Sink, postfix: str, dovecot: str) -> None:
        self.box.write("/etc/postfix/main.cf", _MAIN.format(sink=sink.port, more=postfix))
        self.box.write("/etc/postfix/master.cf", _MASTER.format(**self.ports))
        self.box.run("touch", "-d", "2001-01-01", "/etc/postfix/main.cf", "/etc/postfix/master.cf")
        ports = {
            service: self.ports[service if service != "submission" else "dovecot-submission"] for service in LISTENERS
        }
        listeners = "".join(
            _LISTENER.format(service=service, name=name, port=ports[service]) for service, name in LISTENERS.items()
        )
        text = _DOVECOT.format(password=PASSWORD, listeners=listeners, smtp=self.ports["smtp"], more=dovecot)
        self.box.write("/etc/dovecot/dovecot.conf", text)
        self.box.run("install", "-d", "-o", "vmail", "-m", "700", "/var/vmail")


def plain(user: str, password: str = PASSWORD) -> str:
    """The argument of AUTH PLAIN (RFC 4616)."""
    return base64.b64encode(b"\0" + user.encode() + b"\0" + password.encode()).decode()
