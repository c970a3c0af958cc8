"""`email-report-admin dns DOMAIN…`: what a domain publishes so that reports can arrive, and what it should."""

import argparse

from ..checking import finding
from ..checking.dns import check_domains
from ..checking.finding import Finding
from ..checking.record import read_name
from ..settings import Settings, SettingsError
from .asking_dns import add_dns, resolver

EXITS = {0: "All is well.", 1: "There are warnings.", 2: "There are failures."}  # for the manual


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("domains", metavar="DOMAIN", nargs="+", help="a domain that sends or receives mail")
    add_dns(parser)
    parser.add_argument("--json", action="store_true", help="a list of objects with result, about, text, remedy")


def run(arguments: argparse.Namespace, _settings: Settings) -> int:
    """Print what was found, and the records to publish; 0 when all is well, 1 with warnings, 2 with failures."""
    try:
        domains = [read_name(name) for name in arguments.domains]
        look = resolver(arguments)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    found: list[Finding] = []
    for one in check_domains(domains, look):
        found.append(one)
        if not arguments.json:
            print(finding.line(one), flush=True)
    if arguments.json:
        print(finding.as_json(found))
    return finding.status(found)
