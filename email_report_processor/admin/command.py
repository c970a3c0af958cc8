"""The command line of `email-report-admin`: which sub-command, and what its exit status is."""

import argparse
import importlib
import os
import re
import sys
from collections.abc import Collection, Sequence

from .. import __version__
from ..flags import add_common, flags
from ..settings import Settings, SettingsError, load
from ..stores.patience import Patience
from ..stores.store import StoreError
from .text import fail

# Name, and the sentence of its help. The module of the same name has `add_arguments(parser)` and
# `run(arguments, settings) -> int` (0 done, 1 something is wrong, 2 wrong usage, 75 the store failed). One that is
# for no single tenant says OF_THE_SITE.
COMMANDS = {
    "abuse": "reports to networks: prepare, look, send, what came back, who reacts",
    "alert": "tell by mail, webhook or command what is wrong, each event once",
    "campaigns": "reported messages that belong together, whatever address they came from",
    "check": "a line for a monitoring system: is anything wrong",
    "copy": "copy every document from one store to another",
    "demo": "store some weeks of made-up reports, to see what there is to see",
    "desk": "serve the web pages of the desk, for people who look, judge and report",
    "digest": "the mail of a week or a month: what changed, and what to do",
    "dns": "check what a domain publishes so that reports can arrive",
    "doctor": "check everything that the filter needs, as the user it runs as",
    "erase": "take away everything that is stored of an address",
    "explain": "what a document says, field by field, and which rule made its class",
    "inbox": "read mailboxes by IMAP: as a service, or once",
    "init": "the first hour: ask, write the settings, say what to publish and to tell the mail server, try it",
    "journal": "when receivers saw the policy of a domain change, and what came of it",
    "kept": "list the messages that were kept, and feed them again",
    "logins": "who logs in from where: read logs, follow them, judge, stop an account",
    "metrics": "figures for Prometheus",
    "names": "give hosts without a name one, by SPF records and reverse DNS, in the background",
    "policy": "what a stricter DMARC record would have cost",
    "prune": "take away from the embedded store or PostgreSQL what is older than its retention",
    "reclassify": "make stored documents say what new ones would, after a change of rules, verdicts or own networks",
    "search": "find documents by a query: class:spoof subject:invoice since:2d",
    "setup": "make OpenSearch ready: templates, retention, pipelines, roles, dashboards",
    "summary": "is my mail authenticated, who sends in my name, what do I have to fix",
    "urls": "URLs of reported fraud: plain, CSV, hosts, RPZ, MISP, STIX",
    "verdict": "say of a sender whether it is yours, a service, a forwarder, a stranger, or to be ignored",
}


# What the manual says of an exit status; a module with others has an EXITS of its own.
EXITS = {
    0: "Done, and nothing is wrong.",
    1: "Something is wrong, or was not found; it is said.",
    2: "Wrong usage or wrong settings.",
    75: "The store, the disk or the network failed: try again.",
}

_SAME_AS_URLS = ("urls", "export")  # the word is none of the query

_NEGATED = re.compile(r"-\(|-[A-Za-z@][A-Za-z0-9_.@]*:\S")


def run() -> None:
    """The console script."""
    try:
        status = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def main(argv: Sequence[str]) -> int:
    """Run one sub-command and return its exit status."""
    arguments = _parse(argv)
    module = importlib.import_module(f".{arguments.command}", __package__)
    if sys.stderr.isatty():
        Patience.tell = _say
    try:
        own = getattr(module, "OWN_SETTINGS", False)  # init writes the file that others read
        settings = Settings({}, ()) if own else load(flags(arguments), arguments.config, os.environ)
        if arguments.tenant:
            settings = _of_tenant(settings, arguments, of_the_site=getattr(module, "OF_THE_SITE", False))
        return int(module.run(arguments, settings))
    except SettingsError as error:
        return fail(str(error), 2)
    except StoreError as error:
        return fail(str(error), 75)
    except BrokenPipeError:  # nobody reads on, see `run`
        raise
    except OSError as error:
        remedy = ": run it as root, or as the user of the filter" if isinstance(error, PermissionError) else ""
        return fail(f"{error.filename or 'input or output'}: {error.strerror or error}{remedy}", 75)


def _of_tenant(settings: Settings, arguments: argparse.Namespace, *, of_the_site: bool) -> Settings:
    """The settings of --tenant. Raises SettingsError."""
    from ..tenants import for_tenant  # 2 ms, only where there are some

    if of_the_site:
        raise SettingsError(f"{arguments.command} is the site's, with all its tenants: leave --tenant out")
    return for_tenant(settings, arguments.tenant, os.environ)


def _say(text: str) -> None:
    sys.stderr.write(f"email-report-admin: {text}\n")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    # A sub-command that is not asked for need not be loaded.
    made = parser([name for name in COMMANDS if name in argv])
    words = [*argv[:1], *argv[2:]] if tuple(argv[:2]) == _SAME_AS_URLS else argv
    arguments, unknown = made.parse_known_args([_as_query(one) for one in words])
    if unknown:
        made.error(f"unrecognized arguments: {' '.join(unknown)}; try email-report-admin {arguments.command} --help")
    return arguments


def parser(loaded: Collection[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """The command line of `email-report-admin`, with the flags of the sub-commands that are to be loaded."""
    made = argparse.ArgumentParser(
        prog="email-report-admin", allow_abbrev=False, description="Everything that a person does now and then."
    )
    made.add_argument("--version", action="version", version=f"email-report-admin {__version__}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_ in COMMANDS.items():
        command = commands.add_parser(
            name, help=help_, description=help_[0].upper() + help_[1:] + ".", allow_abbrev=False
        )
        add_common(command, stream=False)
        if name in loaded:
            importlib.import_module(f".{name}", __package__).add_arguments(command)
    return made


def _as_query(argument: str) -> str:
    """`-class:spoof` is part of a query: what has a blank in it is no flag for argparse."""
    return f" {argument}" if _NEGATED.match(argument) else argument
