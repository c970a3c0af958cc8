"""`email-report-admin dns DOMAIN…`: what a domain publishes so that reports can arrive, and what it should."""

import argparse
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ..checking import finding
from ..checking.dns import check_domains
from ..checking.finding import Finding
from ..checking.record import read_name
from ..checking.resolver import Resolver
from ..flags import now
from ..job import choose_senders, choose_store
from ..pages.figure import Period
from ..settings import Settings, SettingsError
from .asking_dns import add_dns, resolver
from .summary import when

EXITS = {0: "All is well.", 1: "There are warnings.", 2: "There are failures."}  # for the manual


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("domains", metavar="DOMAIN", nargs="+", help="a domain that sends or receives mail")
    add_dns(parser)
    parser.add_argument("--observed", action="store_true", help="hold it against what the stored reports say")
    parser.add_argument(
        "--since", metavar="WHEN", default="90d", help="of --observed: 30d, 12w, a date, or all (default: 90d)"
    )
    parser.add_argument("--json", action="store_true", help="a list of objects with result, about, text, remedy")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print what was found, and the records to publish; 0 when all is well, 1 with warnings, 2 with failures."""
    try:
        domains = [read_name(name) for name in arguments.domains]
        look = resolver(arguments)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    found: list[Finding] = []
    for one in _checks(arguments, settings, domains, look):
        found.append(one)
        if not arguments.json:
            print(finding.line(one), flush=True)
    if arguments.json:
        print(finding.as_json(found))
    return finding.status(found)


def _checks(
    arguments: argparse.Namespace, settings: Settings, domains: Sequence[str], look: Resolver
) -> Iterator[Finding]:
    yield from check_domains(domains, look)
    if not arguments.observed:
        return
    from ..advice.observed import check_observed  # 20 ms, with the store
    from ..checking.bimi import check_bimi
    from ..checking.reach import Reach  # 30 ms of ssl, http and smtplib
    from ..checking.transport import check_transport

    store = choose_store(settings, os.environ).open()
    senders = choose_senders(settings)
    reach = Reach(look, arguments.timeout)
    try:
        for domain in domains:
            yield from check_transport(domain, look, reach)
            yield from check_bimi(domain, look, reach, datetime.now(UTC))
            yield from check_observed(domain, store, Period(when(arguments.since)), look, senders, now()[:10])
    finally:
        store.close()
