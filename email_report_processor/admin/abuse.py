"""`email-report-admin abuse …`: reports to networks, from messages that a query finds to what became of them."""

import argparse
import json
import os
import pwd
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from ..desk import drafts, history, league
from ..desk.answering import Taken, take, take_kept
from ..desk.drafts import Held
from ..desk.history import Standing
from ..desk.message import Message
from ..desk.preparing import LeftOut
from ..desk.rdap import is_address
from ..desk.replies import LARGEST
from ..desk.reporting import OUTCOMES, Desk, ReportingError, close_report, open_desk, prepare_reports
from ..desk.sending import SEARCH, Result, send_reports, send_unseen
from ..desk.taken import as_pasted, store
from ..flags import add_common, now
from ..job import choose_store, make_job
from ..message import mbox
from ..message.blob import File, chunks
from ..settings import Settings, state_dir
from ..stores import kept
from ..values.fields import clean_lines
from .reported import add_query, reported
from .summary import when
from .text import fail, say, table, terminal_width

USUAL = "class:spoof -reported since:7d"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command and of its own sub-commands."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

    def command(name: str, help_: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=help_, description=help_[0].upper() + help_[1:] + ".", allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
        )  # fmt: skip
        add_common(made, stream=False)
        return made

    prepare = command("prepare", "make drafts of reports about messages, and say what is left out")
    add_query(prepare, USUAL)
    prepare.add_argument("--campaign", metavar="NAME", default="", help="only the messages of this campaign")
    prepare.add_argument(
        "--eml", metavar="FILE", action="append", default=[],
        help="about the spam in this file, which is stored; - is standard input; again for more",
    )  # fmt: skip
    prepare.add_argument(
        "--copy-to", metavar="ADDRESS", action="append", default=[],
        help="who gets a copy of each report, beside [abuse] copy_to; again for more",
    )  # fmt: skip
    command("drafts", "list the drafts, and what keeps them from leaving")
    show = command("show", "print drafts as they will be sent; whoever looks may send")
    show.add_argument("tokens", nargs="+", metavar="TOKEN", help="as abuse drafts lists it")
    send = command("send", "send drafts that somebody looked at")
    send.add_argument("tokens", nargs="*", metavar="TOKEN", default=[], help="as abuse drafts lists it")
    send.add_argument("--all", action="store_true", default=False, help="all that somebody looked at")
    command("auto", "prepare and send the reports of [abuse] auto, for a timer")
    close = command("close", "say what became of a report, or drop a draft")
    close.add_argument("token", metavar="TOKEN", help="as abuse reports or abuse drafts lists it")
    close.add_argument("outcome", choices=OUTCOMES, help="what became of it")
    close.add_argument("--why", metavar="TEXT", default="", help="a sentence about it")
    answers = command("answers", "read what came back: bounces and answers")
    answers.add_argument(
        "paths", nargs="*", metavar="PATH", default=[], help="Maildirs, mboxes, files, - (those that the filter kept)"
    )
    reports = command("reports", "list the reports, and what became of them")
    reports.add_argument("--json", action="store_true", default=False, help="one JSON object a line, with the events")
    reports.add_argument("--message", metavar="ID", default="", help="only those about this document")
    contacts = command("contacts", "list whom was written to, and who can be reached")
    contacts.add_argument("--json", action="store_true", default=False, help="one JSON object a line")
    table_ = command("league", "list the networks by how they react")
    table_.add_argument("--since", metavar="DATE", default="", help="only reports sent since: 90d, 2026-11-01 (all)")
    table_.add_argument("--json", action="store_true", default=False, help="print it as JSON")
    table_.add_argument("--html", metavar="FILE", default="", help="write it as a page")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """0 done, 1 something is wrong or waits, 75 the store failed."""
    try:
        return _RUN[arguments.what](arguments, settings)
    except (ReportingError, ValueError) as error:
        return fail(str(error), 1)


@contextmanager
def _desk(settings: Settings) -> Iterator[Desk]:
    opened = choose_store(settings, os.environ).open()
    try:
        yield open_desk(settings, os.environ, opened)
    finally:
        opened.close()


def _user() -> str:
    """Who does this, for the events."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


# Prepare, look, send


def _prepare(arguments: argparse.Namespace, settings: Settings) -> int:
    if arguments.eml and arguments.query:
        return fail("a query or --eml: not both", 2)
    messages = _brought(arguments.eml, settings) if arguments.eml else reported(arguments, settings)
    if arguments.eml and not messages:
        return fail("nothing of it can be reported", 1)
    if wrong := [one for one in arguments.copy_to if not is_address(one)]:
        return fail(f"--copy-to {wrong[0]}: that is no address", 2)
    with _desk(settings) as desk:
        copies = tuple(dict.fromkeys([*desk.sending.copy_to, *arguments.copy_to]))
        copying = desk._replace(sending=desk.sending._replace(copy_to=copies))
        made = prepare_reports(copying, messages, _user(), campaign=arguments.campaign)
    print(_drafts_table(made.prepared) or "no report was prepared")
    if made.left_out:
        print("\nleft out:\n" + _left_out(made.left_out))
    if made.prepared:
        say("\nLook at them with `email-report-admin abuse show TOKEN`, then `abuse send TOKEN`.")
    return 0


def _brought(paths: Sequence[str], settings: Settings) -> list[Message]:
    """Spam that somebody got, stored as the desk's page Paste does it: what is reported can be found."""
    job = make_job(settings, os.environ, choose_store(settings, os.environ), now)
    found: list[Message] = []
    for path in paths:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        looked, outcome = store(data, as_pasted(job))
        if outcome.verdict:
            fail(f"{path}: {outcome.verdict.reason}", 1)
        found += looked.messages
    return found


def _left_out(found: Sequence[LeftOut]) -> str:
    rows = [[one.messages, one.about or "-", f"{one.why}: {one.form}" if _adds(one) else one.why] for one in found]
    return table(("messages", "network", "why"), rows)


def _adds(one: LeftOut) -> bool:
    return bool(one.form) and one.form not in one.why


def _drafts(_arguments: argparse.Namespace, settings: Settings) -> int:
    with _desk(settings) as desk:
        held = drafts.listing(desk.directory)
    print(_drafts_table(held) or "no drafts: email-report-admin abuse prepare")
    return 0


def _drafts_table(held: Sequence[Held]) -> str:
    head = ("token", "contact", "about", "network", "messages", "hosts", "campaign", "state")
    return table(head, [_draft_row(one) for one in held], indent="")


def _draft_row(held: Held) -> list[object]:
    about = held.incident
    state = held.fault or ("copies are owed" if held.sent else f"looked at by {held.looked}" if held.looked else "new")
    return [
        about.token, about.contact, about.address, about.as_name or about.network, about.count, len(about.addresses),
        about.campaign or "-", state,
    ]  # fmt: skip


def _show(arguments: argparse.Namespace, settings: Settings) -> int:
    with _desk(settings) as desk:
        for token in arguments.tokens:
            message = drafts.look(desk.directory, token, _user()).decode("utf-8", "replace")
            sys.stdout.write(shown(message, terminal=sys.stdout.isatty()))
    return 0


def shown(text: str, *, terminal: bool) -> str:
    """A draft as it is; on a terminal without what a stranger's header could tell the terminal to do."""
    return clean_lines(text) if terminal else text


def _send(arguments: argparse.Namespace, settings: Settings) -> int:
    if bool(arguments.tokens) == arguments.all:
        return fail("name the tokens of drafts, or --all", 2)
    with _desk(settings) as desk:
        unseen = {one.incident.token for one in drafts.listing(desk.directory) if not one.looked}
        results = send_reports(desk, None if arguments.all else arguments.tokens, _user())
    unknown = set(arguments.tokens) - {one.token for one in results}
    for token in sorted(unknown):
        fail(f"{token}: there is no such draft; `abuse drafts` lists them", 1)
    meant = [one for one in results if not (arguments.all and one.token in unseen)]
    _told(results)
    return 1 if unknown or any(one.state != "sent" for one in meant) else 0


def _told(results: Sequence[Result]) -> bool:
    """Whether any of them failed; each is said."""
    print(table(("token", "contact", "", "why"), [list(one) for one in results], indent="") or "nothing to send")
    return any(one.state == "failed" for one in results)


def _auto(arguments: argparse.Namespace, settings: Settings) -> int:
    failed = False
    with _desk(settings) as desk:
        if not desk.sending.auto:
            say("[abuse] auto names no saved search: nothing is prepared without looking.")
        for name in desk.sending.auto:
            messages = reported(argparse.Namespace(query=[f"@{name}"], usual=""), settings)
            made = prepare_reports(desk, messages, f"{SEARCH}{name}")
            print(f"{name}: {len(made.prepared)} prepared")
            failed |= _told(send_unseen(desk, name))
    return 1 if failed else 0


def _close(arguments: argparse.Namespace, settings: Settings) -> int:
    with _desk(settings) as desk:
        about = close_report(desk, arguments.token, _user(), arguments.outcome, arguments.why)
    return say(f"The report to {about.contact} about {about.address} is closed: {arguments.outcome}.")


# What came back


def _answers(arguments: argparse.Namespace, settings: Settings) -> int:
    with _desk(settings) as desk:
        if arguments.paths:
            found = take(desk, chain.from_iterable(map(_named, arguments.paths)))
        else:
            keeping = settings.record("kept", kept.KeptOptions)
            found = take_kept(desk, kept.directory(state_dir(settings, os.environ)), keeping)
        rows = [_taken_row(one) for one in found]
    print(table(("message", "report", "what", "from", "says"), rows, indent="") or "no replies")
    return 0


def _named(path: str) -> Iterator[tuple[str, bytes]]:
    """The messages of a file, an mbox, a directory or a Maildir; of `-` the one on standard input."""
    if path == "-":
        yield "-", sys.stdin.buffer.read()
    elif os.path.isdir(path):
        for folder, _, files in os.walk(path):
            for file in () if os.path.basename(folder) == "tmp" else sorted(files):
                yield from _named(os.path.join(folder, file))
    else:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        blob = kept.untouched(File(descriptor, os.fstat(descriptor).st_size))
        cuts = list(mbox.messages(chunks(blob))) if mbox.is_mbox(blob.read(0, mbox.MARGIN)) else [(0, blob.size)]
        yield from ((path, blob.read(start, min(stop, start + LARGEST))) for start, stop in cuts)


def _taken_row(taken: Taken) -> list[object]:
    name = Path(taken.name).name[:12]
    if taken.reply is None:
        return [name, "-", "none of ours", "-", "-"]
    reply = taken.reply
    return [name, reply.token, f"{reply.action}: {reply.outcome}", reply.sender, (taken.why or reply.reason)[:100]]


# What became of it


def _reports(arguments: argparse.Namespace, settings: Settings) -> int:
    with _desk(settings) as desk:
        events = history.of_message(desk.store, arguments.message) if arguments.message else history.read(desk.store)
        found = history.standings(events, desk.clock(), desk.sending.silent_days)
    if arguments.json:
        for one in found:
            print(json.dumps(_as_json(one), ensure_ascii=False))
        return 0
    head = ("token", "sent", "state", "contact", "about", "network", "messages", "says")
    print(table(head, [_report_row(one) for one in found], indent="") or "no reports yet")
    return 0


def _report_row(one: Standing) -> list[object]:
    about = one.incident
    last = next((event.reason for event in reversed(one.events) if event.reason), "-")
    return [
        about.token, one.sent[:10] or "-", one.state, about.contact, about.address, about.as_name or about.network,
        about.count, last[:100],
    ]  # fmt: skip


def _as_json(one: Standing) -> dict[str, object]:
    events = [{**event._asdict(), "incident": event.incident.token} for event in one.events]
    return {**one.incident._asdict(), "state": one.state, "sent": one.sent, "events": events}


def _contacts(arguments: argparse.Namespace, settings: Settings) -> int:
    with _desk(settings) as desk:
        known = history.contacts(history.read(desk.store), desk.clock(), desk.contacts.dead_days)
    found = sorted(known.values(), key=lambda one: (-one.sent, one.address))
    if arguments.json:
        for one in found:
            print(json.dumps(one._asdict(), ensure_ascii=False))
        return 0
    head = ("contact", "reach", "reports", "reacted", "last", "why")
    rows = [
        [one.address, one.reach, one.sent, one.reacted, one.last[:10], one.form or one.reason[:100]] for one in found
    ]
    print(table(head, rows, indent="") or "nobody was written to yet")
    return 0


def _why(one: history.Contact) -> str:
    return one.form or one.reason[:100] or "-"


def _league(arguments: argparse.Namespace, settings: Settings) -> int:
    with _desk(settings) as desk:
        page = league.page(desk.store, datetime.now(UTC), desk.sending.silent_days, when(arguments.since))
    if arguments.html:
        from ..pages import html  # 60 ms, with Jinja2

        path = Path(arguments.html)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html.plain(page), "utf-8")
        print(path)
    elif arguments.json:
        from ..pages.data import to_json

        sys.stdout.write(to_json(page))
    else:
        from ..pages import text

        figure = page.figures[0]
        print(text.figure(figure, min(terminal_width(), 140)) if figure.rows else figure.empty)
    return 0


_RUN: dict[str, Callable[[argparse.Namespace, Settings], int]] = {
    "prepare": _prepare,
    "drafts": _drafts,
    "show": _show,
    "send": _send,
    "auto": _auto,
    "close": _close,
    "answers": _answers,
    "reports": _reports,
    "contacts": _contacts,
    "league": _league,
}
