"""Dovecot (LMTP, IMAP) with Sieve, and the programs that fetch mail from it, all as the examples have them."""

import random
import smtplib
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from .box import DMARC, EXAMPLES, STATE, Box, User, free_port
from .packages import UnavailableError, unpacked
from .postfix import WAYS, Postfix
from .wires import Sink, send

ADDRESS = "dmarc@example.org"
PACKAGES = ("dovecot", "dovecot-lmtpd", "dovecot-sieve", "dovecot-imapd", "dovecot-pop3d")
IMAP_HOST = "imap.example.org"
INBOX = f"{STATE}/Maildir"
RETRY = f"{INBOX}/.DMARC.retry"

_USERS = (User("dovecot", 4040, "/usr/lib/dovecot"), User("dovenull", 4041, "/nonexistent"))
_CONFIG = """
protocols = imap lmtp pop3
mail_location = maildir:~/Maildir
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=email-report gid=email-report home={home}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    address = {imap}
    port = 993
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    address = {imap}
    port = 995
    ssl = yes
  }}
}}
ssl = yes
ssl_cert = </etc/ssl/imap.crt
ssl_key = </etc/ssl/imap.key
hostname = mail.example.org
postmaster_address = postmaster@sink.example
submission_host = 127.0.0.1:{submission}
protocol lmtp {{
  mail_plugins = sieve
}}
plugin {{
  sieve = file:~/.dovecot.sieve
  sieve_redirect_envelope_from = sender
}}
!include /etc/dovecot/conf.d/95-email-report.conf
"""


_PROXY = """
protocols = lmtp
{example}
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=dmarc gid=dmarc home=/nonexistent
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
ssl = no
hostname = mail.example.org
"""


class Dovecot:
    """A running Dovecot with a Sieve script. Ends with its box."""

    mortal: tuple[str, ...] = ("bin/email-report-processor ",)

    def __init__(self, sink: Sink, packages: Sequence[Path] = ()) -> None:
        self.sink = sink
        self.box = Box([unpacked(*PACKAGES), *packages], _USERS)
        self.port = start(self.box, sink.port)

    def use(self, script: str, *, deadline: str = "60") -> None:
        """Give the user an example for a Sieve script, as it stands but for the deadline."""
        text = (EXAMPLES / script).read_text(encoding="utf-8").replace('"60"', f'"{deadline}"')
        self.box.write(f"{STATE}/.dovecot.sieve", text, 0o600, DMARC)
        self.box.run("sievec", "-c", "/etc/dovecot/dovecot.conf", f"{STATE}/.dovecot.sieve", "/run/compiled")

    def deliver(self, message: bytes, *recipients: str) -> None:
        """Hand in a message by LMTP, which answers when it is delivered."""
        send(self.port, message, recipients, lmtp=True)

    def retry(self) -> None:
        """What cron does."""
        run_as_dmarc(self.box, "/usr/local/bin/email-report-processor-retry", RETRY)

    def waiting(self) -> int:
        """How many messages are in the folder for another try."""
        return count(self.box, RETRY)

    def inbox(self) -> int:
        """How many messages are in the mailbox."""
        return count(self.box, INBOX)

    def close(self) -> None:
        """End it."""
        self.box.close()


class Redirecting(Postfix):
    """Dovecot hands over to an address of Postfix's, behind which stands pipe(8)."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink, [unpacked(*PACKAGES)], _USERS)
        self.lmtp = start(self.box, self.port)
        script = (EXAMPLES / "redirect.sieve").read_text(encoding="utf-8").replace("dmarc@example.org", WAYS["pipe"])
        self.box.write(f"{STATE}/.dovecot.sieve", script, 0o600, DMARC)

    def deliver(self, message: bytes, *recipients: str) -> None:
        """Hand in a message by LMTP, and wait until Postfix has tried what it was given."""
        send(self.lmtp, message, recipients, lmtp=True)
        self.settle()

    def inbox(self) -> int:
        """How many messages are in the mailbox."""
        return count(self.box, INBOX)


class Proxy:
    """Dovecot's LMTP that passes messages on; in the place of the mail server before it, a queue that tries again."""

    mortal: tuple[str, ...] = ()

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.listener = free_port()
        self.box = Box([unpacked(*PACKAGES)], _USERS)
        self.port = free_port()
        example = (EXAMPLES / "dovecot-lmtp-proxy.conf").read_text(encoding="utf-8")
        config = _PROXY.format(port=self.port, example=example.replace("10024", str(self.listener)))
        self.box.write("/etc/dovecot/dovecot.conf", config)
        self.box.spawn(self.port, "dovecot", "-F")
        self._queue: list[tuple[bytes, tuple[str, ...]]] = []

    def deliver(self, message: bytes, *recipients: str) -> None:
        """Hand in a message by LMTP; what is answered with 4xx waits here, and anything but that and 250 is a fault."""
        try:
            send(self.port, message, recipients, lmtp=True)
        except smtplib.SMTPDataError as refused:
            self._keep(message, recipients, refused.smtp_code)
        except smtplib.SMTPRecipientsRefused as refused:
            self._keep(message, recipients, max(code for code, _ in refused.recipients.values()))

    def _keep(self, message: bytes, recipients: tuple[str, ...], code: int) -> None:
        assert 400 <= code < 500, code
        self._queue.append((message, recipients))

    def retry(self) -> None:
        """Try everything that waits once more."""
        waiting, self._queue = self._queue, []
        for message, recipients in waiting:
            self.deliver(message, *recipients)

    def waiting(self) -> int:
        """How many messages wait for another try."""
        return len(self._queue)

    def close(self) -> None:
        """End it."""
        self.box.close()


class Fetching:
    """A program that fetches the messages of Dovecot's mailbox and hands each to the program."""

    mortal: tuple[str, ...] = ("bin/email-report-processor ",)

    def __init__(
        self,
        sink: Sink,
        packages: Path,
        example: str,
        file: str,
        command: Sequence[str],
        change: Callable[[str], str] = str,
    ) -> None:
        self.sink = sink
        self.box = Box([unpacked(*PACKAGES), packages], _USERS)
        self.port = start(self.box, sink.port)
        self.command = command
        self.box.run("install", "-d", "-o", DMARC.name, "-m", "700", str(Path(f"{STATE}/{file}").parent))
        text = change((EXAMPLES / example).read_text(encoding="utf-8"))
        self.box.write(f"{STATE}/{file}", text, 0o600, DMARC)
        self.box.run("chown", "-R", DMARC.name, STATE)

    def deliver(self, message: bytes, *recipients: str) -> None:
        """Put a message into the mailbox and fetch it."""
        send(self.port, message, recipients, lmtp=True)
        self.retry()

    def retry(self) -> None:
        """Fetch."""
        run_as_dmarc(self.box, *self.command)

    def waiting(self) -> int:
        """How many messages are still on the server."""
        return count(self.box, INBOX)

    def close(self) -> None:
        """End it."""
        self.box.close()


def fetchmail(sink: Sink) -> Fetching:
    """fetchmail, one poll a time."""
    return Fetching(sink, unpacked("fetchmail", "fetchmail"), "fetchmailrc", ".fetchmailrc", ["fetchmail"])


def getmail(sink: Sink) -> Fetching:
    """getmail, one run a time."""
    return Fetching(sink, unpacked("getmail", "getmail6"), "getmailrc", ".config/getmail/getmailrc", ["getmail"])


def getmail_by_pop3(sink: Sink) -> Fetching:
    """The same with the one change of docs/inboxes.md."""

    def change(text: str) -> str:
        assert text.count("SimpleIMAPSSLRetriever") == 1
        return text.replace("SimpleIMAPSSLRetriever", "SimplePOP3SSLRetriever")

    packages = unpacked("getmail", "getmail6")
    return Fetching(sink, packages, "getmailrc", ".config/getmail/getmailrc", ["getmail"], change)


def start(box: Box, submission: int) -> int:
    """Start Dovecot in a box; the port of its LMTP. `submission` is the port that redirected mail goes to."""
    port = free_port()
    # An address of its own lets the examples keep the port of IMAP.
    address = "127." + ".".join(str(random.randint(2, 250)) for _ in range(3))
    _certify(box, address)
    config = _CONFIG.format(home=STATE, port=port, imap=address, submission=submission)
    box.write("/etc/dovecot/dovecot.conf", config)
    example = (EXAMPLES / "dovecot-sieve.conf").read_text(encoding="utf-8")
    box.write("/etc/dovecot/conf.d/95-email-report.conf", example)
    box.run("mkdir", "-p", "/usr/lib/dovecot/sieve-execute")
    box.run("ln", "-s", "/usr/local/bin/email-report-processor-pipe", "/usr/lib/dovecot/sieve-execute/")
    retry = (EXAMPLES / "email-report-processor-retry").read_text(encoding="utf-8")
    box.write("/usr/local/bin/email-report-processor-retry", retry, 0o755)
    box.spawn(port, "dovecot", "-F")
    return port


def count(box: Box, maildir: str) -> int:
    """The messages of a Maildir."""
    folders = [box.path(f"{maildir}/{name}") for name in ("new", "cur")]
    return sum(len(list(folder.iterdir())) for folder in folders if folder.is_dir())


def run_as_dmarc(box: Box, *command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command as the program's user, as cron does."""
    become = ("setpriv", "--reuid", DMARC.name, "--regid", DMARC.name, "--clear-groups")
    done = box.run(*become, "env", "-i", f"HOME={STATE}", "PATH=/usr/bin:/bin", *command, check=False)
    box.lines.append(f"{command}: {done.returncode} {done.stdout!r} {done.stderr!r}")
    return done


def _certify(box: Box, address: str) -> None:
    """A certificate for the name in the examples, that the box believes, and the name in /etc/hosts."""
    if not Path("/usr/bin/openssl").exists():
        raise UnavailableError("needs openssl for a certificate; on Debian: apt-get install openssl")
    box.run(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={IMAP_HOST}"),
        *("-addext", f"subjectAltName=DNS:{IMAP_HOST}", "-keyout", "/etc/ssl/imap.key", "-out", "/etc/ssl/imap.crt"),
    )
    box.run("sh", "-c", "ln -s /etc/ssl/imap.crt /etc/ssl/certs/$(openssl x509 -hash -noout -in /etc/ssl/imap.crt).0")
    box.run("sh", "-c", "cat /etc/ssl/imap.crt >>/etc/ssl/certs/ca-certificates.crt")
    with box.path("/etc/hosts").open("a", encoding="utf-8") as hosts:
        hosts.write(f"{address} {IMAP_HOST}\n")
