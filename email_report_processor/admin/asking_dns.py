"""The flags of commands that ask the DNS."""

import argparse

from ..checking.resolver import Resolver
from ..settings import SettingsError
from .numbers import span


def add_dns(parser: argparse.ArgumentParser) -> None:
    """Which server, and how long."""
    parser.add_argument("--server", metavar="ADDRESS[:PORT]", default="", help="ask this server, not the system's")
    parser.add_argument("--timeout", metavar="SECONDS", type=span(0.1, 3600), default=5.0, help="for one question (5)")


def resolver(arguments: argparse.Namespace) -> Resolver:
    """Raises SettingsError."""
    try:
        return Resolver(arguments.server, arguments.timeout)
    except ValueError as error:
        raise SettingsError(str(error)) from None
