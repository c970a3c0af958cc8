"""The command line of the filter, and the flags that both commands have."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

from .settings import FLAGS
from .values.fields import write_date

if TYPE_CHECKING:
    import argparse

HOW = """\
This program reads one e-mail message, or one report, on standard input:

    email-report-processor < message.eml
    email-report-processor report.xml.gz reports.mbox Maildir/   (imports files and directories)

A mail server calls it for each message; contrib/forward-examples/ has a file for yours.
Try --help.
"""


class UsageError(Exception):
    """The command line is wrong."""


class Arguments(SimpleNamespace):
    """What a command line says; flags that it does not have are None or False."""

    paths: Sequence[str] = ()
    store: str | None = None
    config: str | None = None
    state: str | None = None
    feed: str | None = None
    tenant: str | None = None
    recipient: Sequence[str] = ()
    deadline: str | None = None
    unreadable: str | None = None
    log: str | None = None
    lmtp: str | None = None
    since: str | None = None
    until: str | None = None
    limit: str | None = None
    jobs: str | None = None
    patience: str | None = None
    dry_run = False
    kept = False
    help = False
    version = False


# Flags of a mail server's line; each has a value.
_PLAIN = ("store", "config", "state", "feed", "tenant", "recipient", "deadline", "log")


def read_arguments(argv: Sequence[str]) -> Arguments:
    """Read the command line of the filter. Raises UsageError."""
    plain = _plain(argv)
    return parser().parse_intermixed_args(argv, Arguments()) if plain is None else plain


def _plain(argv: Sequence[str]) -> Arguments | None:
    """What `--name=value` and `--name value` say; None when there is more, and argparse (6 ms) has to read it."""
    said = Arguments()
    rest = iter(argv)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name[:2] != "--" or name[2:] not in _PLAIN:
            return None
        if not equals:
            value = next(rest, "--")
            if value[:1] == "-" and value != "-":
                return None
        setattr(said, name[2:], (*said.recipient, value) if name == "--recipient" else value)
    return said


def parser() -> "argparse.ArgumentParser":
    """The command line of the filter, with all that it can say."""
    import argparse  # 3 ms, and 3 more to make one

    class _Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise UsageError(message)

    def _help(prog: str) -> argparse.HelpFormatter:
        return argparse.HelpFormatter(prog, width=80)  # without a width it imports shutil (4 ms)

    about = "Reads one e-mail message, or one report, on standard input; with PATH it imports files and directories."
    name = "email-report-processor"
    made = _Parser(name, description=about, add_help=False, allow_abbrev=False, formatter_class=_help)
    made.add_argument("paths", nargs="*", metavar="PATH", help="import these instead of standard input")
    add_common(made)
    made.add_argument("--feed", metavar="NAME", help="stored as report.feed")
    made.add_argument(
        "--recipient",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="where it came to, for [[tenants]]; repeatable",
    )
    made.add_argument("--deadline", metavar="SECONDS", help="for one message (120; 8 below Dovecot's 10)")
    made.add_argument(
        "--unreadable", choices=["keep", "65"], help="65: give back what is no report, for filters that sort"
    )
    made.add_argument("--log", metavar="WHERE", help="syslog, stderr, none, or a file")
    made.add_argument("--lmtp", metavar="ADDRESS", help="listen instead: 127.0.0.1:PORT, unix:PATH, or systemd")
    add_import(made)
    made.add_argument("-h", "--help", action="store_true", help="show this and leave")
    made.add_argument("--version", action="store_true", help="show the version and leave")
    return made


def add_import(made: "argparse.ArgumentParser") -> None:
    """The flags of an import, whose values the importer reads: a wrong one is no concern of a mail server."""
    group = made.add_argument_group("with PATH")
    group.add_argument("--since", metavar="DATE", help="only messages of this date or later, such as 2026-11-20")
    group.add_argument("--until", metavar="DATE", help="only messages before this date")
    group.add_argument("--limit", metavar="N", help="stop after N messages")
    group.add_argument("--dry-run", action="store_true", help="read and count, store nothing")
    group.add_argument("--kept", action="store_true", help="copy what cannot be read to the kept messages")
    group.add_argument("--jobs", metavar="N", help="processes (one for each core)")
    group.add_argument("--patience", metavar="SECONDS", help="how long to wait for a store that is away (300)")


def add_common(made: "argparse.ArgumentParser", *, stream: bool = True) -> None:
    """The flags of both commands. stream: whether documents may go to standard output."""
    more = ", or - for standard output" if stream else ""
    made.add_argument("--store", metavar="URL", help=f"https://host:9200{',' if stream else ' or'} sqlite:PATH{more}")
    made.add_argument("--config", metavar="FILE", help="settings (/etc/email-report-processor.toml)")
    made.add_argument("--state", metavar="DIR", help="kept messages, the embedded store")
    made.add_argument("--tenant", metavar="NAME", help="one of [[tenants]] (docs/tenants.md)")


def flags(arguments: "argparse.Namespace | Arguments") -> dict[tuple[str, str], Any]:
    """The settings that were given as flags."""
    given = vars(arguments)
    return {place: given[name] for name, place in FLAGS.items() if given.get(name) is not None}


def now() -> str:
    """The time, as documents have it."""
    return write_date(datetime.now(UTC).replace(microsecond=0))
