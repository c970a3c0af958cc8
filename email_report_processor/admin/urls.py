"""`email-report-admin urls QUERY`: URLs of reported fraud for those who block (docs/abuse-desk.md)."""

import argparse
import sys
from datetime import UTC, datetime

from ..checking.record import read_name
from ..desk.blocklists import FORMATS, Zone, collect
from ..documents.senders import OURS
from ..job import choose_senders
from ..settings import Settings
from .numbers import whole
from .reported import add_query, own_domains, reported
from .text import fail


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command, which may be called `urls export` (see command.py)."""
    add_query(parser, "class:spoof since:7d")
    parser.add_argument("--format", choices=sorted(FORMATS), default="plain", help="of the list (plain)")
    parser.add_argument("--least", metavar="N", type=whole(1), default=2, help="messages that a URL must stand in (2)")
    parser.add_argument(
        "--own", metavar="DOMAIN", action="append", default=[], help="a domain of yours; again for more"
    )
    parser.add_argument("--zone", metavar="NAME", default="rpz.localhost", type=_zone, help="of --format rpz")


def _zone(text: str) -> str:
    try:
        return read_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; write one such as rpz.example.org") from None


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the list. 0, also when it is empty."""
    messages = reported(arguments, settings)
    own = {*arguments.own, *own_domains(messages, settings)}
    senders = choose_senders(settings)
    trusted = [domain for domain, one in senders.domains.items() if one.verdict in OURS] if senders else []
    listed = collect(messages, own=own, trusted=trusted, least=arguments.least)
    if not listed:
        least = f"{arguments.least:,} of them (--least {arguments.least})"
        fail(f"{len(messages):,} messages, and no URL of somebody else stands in {least}", 0)
    sys.stdout.write(FORMATS[arguments.format](listed, datetime.now(UTC), Zone(arguments.zone)))
    return 0
