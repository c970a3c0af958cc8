"""`email-report-admin check`: a monitoring plug-in, for Nagios, Icinga, Zabbix, Monit and cron (docs/alerts.md).

By the conventions of monitoring plug-ins: one line, performance data behind `|`, 0 ok, 1 warning, 2 critical, 3
unknown.
"""

import argparse
from collections.abc import Sequence

from ..alerts.evaluate import evaluate
from ..alerts.event import Event
from ..alerts.look import Look
from ..alerts.tell import worst
from ..settings import Settings, SettingsError
from ..stores.store import StoreError
from .looking import looking

_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")

EXITS = {0: "All is well.", 1: "Warning.", 2: "Critical.", 3: "Unknown: settings or store."}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--verbose", action="store_true", help="each event on a line of its own, with what to do")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the line; 0 to 3."""
    try:
        with looking(settings) as (look, options):
            events = evaluate(look, options)
            print(line(look, events))
    except (StoreError, SettingsError, OSError, ValueError) as error:
        print(f"EMAIL REPORTS {_WORDS[3]}: {_plain(str(error))}")
        return 3
    if arguments.verbose:
        for event in events:
            print(f"{event.level}: {_plain(event.sentence)} → {_plain(event.do)}")
    return worst(events)


def line(look: Look, events: Sequence[Event]) -> str:
    """The line, with performance data."""
    said = _plain(events[0].sentence) if events else "nothing is wrong"
    more = f" (and {len(events) - 1} more)" if len(events) > 1 else ""
    messages = sum(one.messages for one in look.recent)
    failed = sum(one.messages for one in look.recent if one.result == "fail")
    figures = {"messages": messages, "failed": failed, "kept": len(look.kept), "events": len(events)}
    if look.followers:
        figures["behind"] = int(max(one.lag(look.now) for one in look.followers))
    data = " ".join(f"{name}={value};;;0;" for name, value in figures.items())
    return f"EMAIL REPORTS {_WORDS[worst(events)]}: {said}{more} | {data}"


def _plain(text: str) -> str:
    """On one line, without the bar that begins performance data."""
    return " ".join(text.split()).replace("|", "¦")
