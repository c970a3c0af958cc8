"""`email-report-admin metrics`: Prometheus text, to a file, a loopback port, or standard output (docs/alerts.md)."""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from ..alerts.evaluate import evaluate
from ..settings import Settings
from .looking import looking
from .numbers import span, whole
from .text import fail


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--file", metavar="FILE", help="for the textfile collector: DIR/email_reports.prom")
    parser.add_argument(
        "--port", metavar="PORT", type=whole(1, 65535), help="serve on 127.0.0.1, evaluated anew every five minutes"
    )
    parser.add_argument("--every", metavar="SECONDS", type=span(0.01), default=300.0, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write the metrics once, or serve them until a signal."""
    try:
        from prometheus_client import generate_latest
    except ImportError:
        return fail("metrics needs prometheus-client: pip install 'email-report-processor[metrics]'", 2)
    if arguments.port is not None:
        return _serve(arguments, settings)
    made = _registry(settings)
    if arguments.file:
        from ..alerts.metrics import write_text

        write_text(Path(arguments.file), made)
    else:
        sys.stdout.write(generate_latest(made).decode("utf-8"))
    return 0


def _registry(settings: Settings) -> Any:
    from ..alerts.metrics import registry

    with looking(settings) as (look, options):
        return registry(look, evaluate(look, options))


class _Latest:
    """What the server collects from: the registry of the last evaluation."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def collect(self) -> Any:
        """For prometheus-client."""
        return self.made.collect()


def _serve(arguments: argparse.Namespace, settings: Settings) -> int:
    from prometheus_client import CollectorRegistry, start_http_server

    latest = _Latest(_registry(settings))
    whole = CollectorRegistry()
    whole.register(latest)
    start_http_server(arguments.port, "127.0.0.1", whole)
    while True:
        time.sleep(arguments.every)
        latest.made = _registry(settings)
