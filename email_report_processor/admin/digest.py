"""`email-report-admin digest`: the mail of a week or a month (docs/alerts.md)."""

import argparse
import sys
from datetime import datetime, timedelta

from ..alerts.channels import ChannelError, send_mail
from ..alerts.digest import Digest, compose
from ..alerts.evaluate import evaluate
from ..pages.asking import Scope
from ..pages.figure import Period
from ..pages.overview import overview
from ..settings import Settings, SettingsError
from ..values.fields import write_date
from .looking import looking
from .text import fail, say

_ROWS = 200  # of the figures that are compared


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--to", metavar="ADDRESS", action="append", default=[], help="who gets it ([alerts] mail_to)")
    parser.add_argument("--period", choices=("week", "month"), default="week", help="how long (week)")
    parser.add_argument("--domain", metavar="DOMAIN", default="", help="only this policy domain")
    parser.add_argument("--always", action="store_true", help="also when there is nothing to say")
    parser.add_argument("--no-pictures", action="store_true", help="without the charts as PNG")
    parser.add_argument("--print", action="store_true", help="print the mail instead of sending it")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Send it. 0 when it was sent or there was nothing to say, 1 when nobody took it."""
    with looking(settings) as (look, options):
        to = tuple(arguments.to) or options.mail_to or (("postmaster@localhost",) if arguments.print else ())
        if not to:
            raise SettingsError(
                "nobody gets it: say --to ADDRESS, or set [alerts] mail_to (docs/alerts.md); --print shows the mail"
            )
        events = tuple(evaluate(look, options)) if not arguments.domain else ()
        now, before = _periods(look.now, arguments.period)
        made = write_date(look.now)
        pages = [
            overview(look.store, Scope(period, arguments.domain.lower(), _ROWS), look.kept, made)
            for period in (now, before)
        ]
        digest = Digest(pages[0], pages[1], events)
    if not (arguments.always or arguments.print or digest.says_something()):
        return say("There is nothing to say; --always sends it all the same.")
    sender = options.mail_from or to[0]
    about = f" about {arguments.domain}" if arguments.domain else ""
    title = f"E-mail reports{about}, {arguments.period} to {now.until[:10]}"
    message = compose(digest, to, sender, title, look.now, pictures=not arguments.no_pictures)
    if arguments.print:
        sys.stdout.buffer.write(bytes(message))
        return 0
    try:
        send_mail(message, options._replace(mail_from=sender))
    except ChannelError as error:
        return fail(str(error), 1)
    return say(f"Sent to {', '.join(to)}.")


def _periods(now: datetime, name: str) -> tuple[Period, Period]:
    """Whole days up to today's begin, and as many before."""
    days = timedelta(days=7 if name == "week" else 30)
    end = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return tuple(  # type: ignore[return-value]  # two of them
        Period(write_date(last - days), write_date(last)) for last in (end, end - days)
    )
