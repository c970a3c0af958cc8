"""Which mail server is here, and what it has to be told: the files of contrib/forward-examples."""

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# Installed within the package; in the repository they stand in contrib/.
_FOLDERS = (Path(__file__).parents[1] / "examples", Path(__file__).parents[2] / "contrib/forward-examples")
_ADDRESS = "dmarc@example.org"  # what the examples have in its place
_PATH = "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/sbin:/bin"


class MailServer(NamedTuple):
    """A mail server that there is an example for."""

    name: str
    program: str  # that shows that it is here
    files: tuple[str, ...]  # of contrib/forward-examples


SERVERS = (
    MailServer("postfix", "postconf", ("postfix-pipe.sh",)),
    MailServer("exim", "exim4", ("exim-router.conf", "exim-transport.conf")),
    MailServer("opensmtpd", "smtpctl", ("smtpd.conf",)),
    MailServer("dovecot", "doveadm", ("reports.sieve", "dovecot-sieve.conf")),
    MailServer("forward", "", ("forward",)),
    MailServer("none", "", ()),
)
BY_NAME = {server.name: server for server in SERVERS}


def found(path: str = _PATH) -> str:
    """The name of the mail server of this machine, `none` without one that we know."""
    return next((one.name for one in SERVERS if one.program and shutil.which(one.program, path=path)), "none")


def lines(server: MailServer, address: str) -> Iterator[str]:
    """What a person does so that the mail server hands the address to the filter."""
    for name in server.files:
        path = example(name)
        if path.suffix == ".sh":
            yield from ("As root:", f"  sh {shlex.quote(str(path))} {shlex.quote(address)}")
            continue
        text = path.read_text("utf-8").replace(_ADDRESS, address)
        about = next((line for line in text.splitlines() if line.startswith("# Does: ")), name)
        yield f"{path}: {about.removeprefix('# Does: ')}"
        yield from (f"  {line}" for line in text.splitlines() if line and not line.startswith("#"))


def example(name: str) -> Path:
    """A file of contrib/forward-examples. Raises FileNotFoundError."""
    for folder in _FOLDERS:
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(2, "the examples are not installed", str(_FOLDERS[0] / name))
