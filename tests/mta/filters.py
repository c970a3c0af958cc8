"""procmail and maildrop as Postfix's mailbox_command."""

from pathlib import Path

from .box import DMARC, EXAMPLES, STATE, User
from .packages import unpacked
from .postfix import Postfix
from .wires import Sink

FILTER = User("filter", DMARC.uid, "/var/lib/filter")
ADDRESS = f"{FILTER.name}@example.org"
MAILBOXES = "/var/mail"

PROCMAIL = {"all": "procmailrc", "reports-only": "procmailrc.reports-only", "keep": "procmailrc.keep"}
MAILDROP = {"all": "mailfilter", "reports-only": "mailfilter.reports-only", "keep": "mailfilter.keep"}


class Filter(Postfix):
    """Postfix that delivers with a filter program; `use` says with which example."""

    mortal: tuple[str, ...] = ("bin/email-report-processor ",)

    def __init__(self, sink: Sink, packages: list[Path], command: str, home: str, file: str) -> None:
        super().__init__(sink, packages, [FILTER], f"mailbox_command = {command}\n")
        self.home = home
        self.file = file
        self.box.run("chmod", "1777", MAILBOXES)

    def use(self, example: str) -> None:
        """Put an example in the home directory."""
        text = (EXAMPLES / example).read_text(encoding="utf-8")
        self.box.write(f"{self.home}/{self.file}", text, 0o600, DMARC)
        self.box.run("sh", "-c", f"rm -rf {MAILBOXES}/*")

    def copies(self, folder: str) -> int:
        """How many messages the keep examples filed in a Maildir."""
        place = self.box.path(f"{self.home}/{folder}/new")
        return len(list(place.iterdir())) if place.is_dir() else 0


def procmail(sink: Sink) -> Filter:
    """Postfix that delivers with procmail."""
    return Filter(sink, [unpacked("procmail", "procmail")], "/usr/bin/procmail", FILTER.home, ".procmailrc")


def maildrop(sink: Sink) -> Filter:
    """Postfix that delivers with maildrop, which finds the home directory by the user's number."""
    server = Filter(sink, [unpacked("maildrop", "maildrop")], "/usr/bin/maildrop", STATE, ".mailfilter")
    for folder in ("archive", "unparsed"):
        server.box.run(
            "install", "-d", "-o", DMARC.name, *(f"{STATE}/{folder}{sub}" for sub in ("", "/new", "/cur", "/tmp"))
        )
    return server
