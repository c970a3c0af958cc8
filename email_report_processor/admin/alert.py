"""`email-report-admin alert`: evaluate the rules and tell what is new (docs/alerts.md)."""

import argparse
import os

from ..alerts import channels, memory, tell
from ..alerts.evaluate import evaluate
from ..alerts.rules import RULES
from ..pages.words import count
from ..settings import Settings, SettingsError, state_dir
from .looking import looking
from .text import fail, paragraph, say

_FILE = "alerts.json"  # in the state directory: what was told


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--dry-run", action="store_true", help="print what is wrong, and tell nobody")
    parser.add_argument("--rules", action="store_true", help="print the rules and their thresholds")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """0 when everybody was told, 1 when a channel failed (it is told next time)."""
    if arguments.rules:
        return _rules(settings)
    with looking(settings) as (look, options):
        events = evaluate(look, options)
        now = look.now
    if arguments.dry_run:
        for event in events:
            print(f"{event.level}: {event.sentence}\n  {event.do}")
        if not events:
            say("Nothing is wrong.")
        return 0
    ways = channels.channels(options)
    if not ways:
        raise SettingsError(
            f"{count(len(events), 'thing')} wrong now, and nobody can be told: set [alerts] mail_to, webhook_file, "
            "command or apprise_file (docs/alerts.md); --dry-run prints what is wrong"
        )
    try:
        faults = tell.tell(state_dir(settings, os.environ) / _FILE, events, ways, options, now)
    except memory.ForgottenError as error:
        return fail(str(error), 75)
    except ValueError as error:
        raise SettingsError(f"[alerts] quiet: {error}") from error
    for fault in faults:
        fail(fault, 1)
    failed = f"; {len(faults)} of these failed" if faults else ""
    say(f"{count(len(events), 'thing')} wrong now; what is new, or over, was told by {', '.join(ways)}{failed}.")
    return 1 if faults else 0


def _rules(settings: Settings) -> int:
    from ..alerts.options import AlertOptions

    options = settings.record("alerts", AlertOptions)
    for rule in RULES:
        print(f"{rule.name}: from {getattr(options, rule.name):g} {rule.unit}")
        print(paragraph(f"{rule.meaning} {rule.reason}"))
    return 0
