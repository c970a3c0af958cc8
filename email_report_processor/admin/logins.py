"""`email-report-admin logins …`: who logs in from where; reading logs, judging, and stopping accounts."""

import argparse
import getpass
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..ending import Ending
from ..flags import add_common, now
from ..job import choose_store, make_job
from ..log import LogOptions, open_log
from ..logins import places as places_room
from ..logins.acting import Acting
from ..logins.ask import Answer, answer, read_key, read_reply, read_token, subject_and_text
from ..logins.check import UNKNOWN, Verdict, check
from ..logins.files import found
from ..logins.follow import Follower, Journal, read_place
from ..logins.judge import Judge
from ..logins.lines.login import Login
from ..logins.lines.scan import Scanner
from ..logins.lines.times import write_time
from ..logins.options import LoginOptions
from ..logins.parallel import WORTH, Pool, seldom_garbage
from ..logins.places import Places
from ..logins.reading import Reader
from ..logins.rules import describe
from ..logins.service import Followed, Watch, Writer, follow
from ..logins.state import Deed, State, StateError, Stop
from ..process import Layout
from ..settings import Settings, SettingsError, state_dir
from ..values.fields import clean
from .numbers import span
from .text import fail, table

_LONGEST_REPLY = 1024**2  # bytes of a reply that are looked at
_ANSWERING = (
    "copy the token whole from the subject of the mail, and write yes or no behind it; it is good for 14 days, where "
    "the state directory is the one of the filter (--state)"
)
_BATCH = 5000  # logins stored at once by `read`

OF_THE_SITE = True  # see admin/command.py


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command and of its own sub-commands."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

    def command(name: str, help_: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=help_, description=help_[0].upper() + help_[1:] + ".", allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
        )  # fmt: skip
        add_common(made)
        return made

    read = command("read", "read logs of Postfix, Dovecot and Exim to their end, store the logins, and judge them")
    read.add_argument(
        "paths", nargs="+", metavar="PATH", help="files, also compressed; directories; - for standard input"
    )
    read.add_argument("--dry-run", action="store_true", default=False, help="judge and count, store nothing")
    read.add_argument("--lines", action="store_true", default=False, help="print the evidence of each finding")
    follow_ = command("follow", "follow logs or the journal, as a service")
    follow_.add_argument("paths", nargs="*", metavar="PATH", default=[], help="log files, followed across rotation")
    follow_.add_argument("--journal", action="store_true", default=False, help="the journal, by journalctl")
    follow_.add_argument("--identifier", action="append", default=[], metavar="NAME", help="only these of the journal")
    follow_.add_argument("--every", type=span(0.01), default=1.0, metavar="SECONDS", help="how often to look (1)")
    follow_.add_argument("--once", action="store_true", default=False, help="read what is new and leave, for cron")
    policy = command("policy", "answer Postfix (check_policy_service) and Dovecot (auth_policy), as a service")
    policy.add_argument(
        "--listen", action="append", required=True, metavar="PLACE", help="unix:/PATH or inet:127.0.0.1:PORT"
    )
    policy.add_argument("--mode", default="660", metavar="OCTAL", help="rights of a Unix socket (660)")
    check_ = command("check", "a plug-in for a monitoring system: alarms, and whether logs are read")
    check_.add_argument(
        "--hours", type=span(0, 1_000_000, "hours"), default=24.0, metavar="N", help="alarms not older than this (24)"
    )
    check_.add_argument(
        "--stale", type=span(1), default=600.0, metavar="SECONDS", help="logs must be read so often (600)"
    )
    events = command("events", "list what was found")
    events.add_argument("account", nargs="?", default="", help="only of this account")
    events.add_argument(
        "--hours", type=span(0, 1_000_000, "hours"), default=24.0 * 7, metavar="N", help="not older than this (168)"
    )
    events.add_argument("--lines", action="store_true", default=False, help="print the evidence")
    for name, help_ in (("stop", "stop an account by hand"), ("release", "release an account that is stopped")):
        made = command(name, help_)
        made.add_argument("account", type=_account, help="as the logs name it")
        made.add_argument("--why", default="", metavar="TEXT", help="for the audit trail")
    answer_ = command("answer", "take a user's answer: a mail on standard input, or a token and a word")
    answer_.add_argument("token", nargs="?", default="", help="of the mail; without it a reply is read")
    answer_.add_argument("word", nargs="?", default="", choices=["", "yes", "no"], help="what the user says")
    command("stopped", "list the accounts that are stopped")
    audit = command("audit", "list who stopped, released and answered what")
    audit.add_argument("account", nargs="?", default="", help="only of this account")


def _account(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("name an account, such as alice@example.org")
    return text.strip()


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run one of them."""
    try:
        return _RUN[arguments.what](arguments, settings)
    except StateError as error:
        return fail(str(error), 75)


def _options(settings: Settings) -> LoginOptions:
    options = settings.record("logins", LoginOptions)
    try:
        places_room.check(options)
    except ValueError as error:
        raise SettingsError(f"[logins] {error}") from error
    return options


def _zone(options: LoginOptions) -> tzinfo | None:
    try:
        return ZoneInfo(options.zone) if options.zone else None
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(f"[logins] zone = {options.zone!r}: there is no such zone; write Europe/Berlin") from error


def _judge(settings: Settings, options: LoginOptions) -> Judge:
    """With the databases of [geo], and the DNS where names are ignored."""
    seldom_garbage()
    choice = choose_store(settings, os.environ)
    job = make_job(settings, os.environ, choice, now, _say)
    confirm = None
    if options.ignore_names:
        from ..checking.resolver import Resolver  # 80 ms of dnspython, when a name is asked for
        from ..logins.names import Confirmed

        confirm = Confirmed(Resolver(timeout=2.0)).name
    return Judge(options, Places(options, job.databases, confirm))


def _say(text: str) -> None:
    sys.stderr.write(f"email-report-admin: {text}\n")


# read


def _read(arguments: argparse.Namespace, settings: Settings) -> int:
    options = _options(settings)
    judge = _judge(settings, options)
    paths, zone = found(arguments.paths), _zone(options)
    with _pool(paths, options, zone) as pool, _writing(arguments, settings, judge) as write:
        reader = Reader(Scanner(options.quota_messages), zone, pool=pool)
        findings, count = 0, 0
        logins = reader.logins(paths)
        while batch := list(islice(logins, _BATCH)):
            write(batch)
            count += len(batch)
            for login in batch:
                for finding in judge.judge(login):
                    findings += 1
                    print(describe(finding))
                    if arguments.lines:
                        print("".join(f"    {_text(line)}\n" for line in finding.lines), end="")
        sys.stdout.flush()
        for text in (*judge.places.said(), *reader.problems):
            _say(text)
    if not count and reader.lines:
        _say("no line is a login of Postfix, Dovecot or Exim: docs/logins.md says what is read")
    print(f"{reader.lines:,} lines, {count:,} logins, {findings:,} findings")
    return 1 if reader.problems else 0


@contextmanager
def _pool(paths: Sequence[str], options: LoginOptions, zone: tzinfo | None) -> Iterator[Pool | None]:
    """Processes for what is large, else none."""
    if sum(os.path.getsize(path) for path in paths if os.path.isfile(path)) < WORTH:
        yield None
        return
    pool = Pool(options.quota_messages, zone)
    try:
        yield pool
    finally:
        pool.close()


@contextmanager
def _writing(
    arguments: argparse.Namespace, settings: Settings, judge: Judge
) -> Iterator[Callable[[Sequence[Login]], None]]:
    if arguments.dry_run:
        yield lambda logins: None
        return
    store = choose_store(settings, os.environ).open()
    writer = Writer(store, judge, settings.record("store", Layout), now)
    try:
        yield writer.write
    finally:
        store.close()
    print(f"{store.name}: {writer.stored:,} stored, {writer.already:,} were there already, {writer.rejected:,} refused")


def _text(line: bytes) -> str:
    return clean(line.decode("utf-8", "replace"))


# follow


def _follow(arguments: argparse.Namespace, settings: Settings) -> int:
    if not arguments.paths and not arguments.journal:
        raise SettingsError("logins follow needs the PATH of a log, or --journal")
    for path in arguments.paths:
        if not os.path.exists(path):
            fail(f"{path}: there is no such file; it is read when it is there: see that the path is right", 0)
    options = _options(settings)
    log = open_log(settings.record("log", LogOptions))
    judge = _judge(settings, options)
    state = State(state_dir(settings, os.environ))
    store = choose_store(settings, os.environ).open()
    ended = Ending()
    writer = Writer(store, judge, settings.record("store", Layout), now)
    acting = Acting(options, state, log)
    watch = Watch(
        Scanner(options.quota_messages), judge, writer, state, acting.tell, acting.found, log, time.time,
        lambda seconds: not ended.wait(seconds), _zone(options),
    )  # fmt: skip
    try:
        follow(watch, list(_sources(arguments, state)), arguments.every, arguments.once)
    finally:
        store.close()
        state.close()
    return 0


def _sources(arguments: argparse.Namespace, state: State) -> Iterator[Followed]:
    for path in dict.fromkeys(os.path.abspath(path) for path in arguments.paths):
        follower = Follower(path, read_place(state.cursor(path)))
        yield Followed(path, follower, follower.text)
    if arguments.journal:
        journal = Journal(state.cursor("journal"), arguments.identifier)
        yield Followed("journal", journal, lambda: journal.cursor)


# policy


def _policy(arguments: argparse.Namespace, settings: Settings) -> int:
    import asyncio  # 35 ms

    from ..logins.serve import Service, read_place

    options = _options(settings)
    try:
        places = [read_place(text) for text in arguments.listen]
        mode = int(arguments.mode, 8)
    except ValueError as error:
        raise SettingsError(f"logins policy: {error}") from error
    log = open_log(settings.record("log", LogOptions))
    with _state(settings) as looking, _state(settings) as writing:
        service = Service(_judge(settings, options), looking, writing, Acting(options, writing, log), log)
        asyncio.run(service.run(places, mode))
    return 0


# What a person does


def _check(arguments: argparse.Namespace, settings: Settings) -> int:
    try:
        with _state(settings) as state:
            verdict = check(state, time.time(), arguments.hours, arguments.stale)
    except StateError as error:
        verdict = Verdict(UNKNOWN, f"LOGINS UNKNOWN - {error}")
    print(verdict.line)
    return verdict.status


def _events(arguments: argparse.Namespace, settings: Settings) -> int:
    with _state(settings) as state:
        events = state.events(time.time() - arguments.hours * 3600, arguments.account.lower())
    for event in events:
        print(describe(event.finding) + (f" [answer: {event.answer}]" if event.answer else ""))
        if arguments.lines:
            print("".join(f"    {_text(line)}\n" for line in event.finding.lines), end="")
    if not events:
        whose = f" of {arguments.account}" if arguments.account else ""
        print(f"nothing{whose} was found in the last {arguments.hours:g} hours by `logins follow` or `logins policy`")
    return 0


def _stop(arguments: argparse.Namespace, settings: Settings) -> int:
    account = arguments.account.lower()
    with _state(settings) as state:
        if not state.stop(Stop(account, time.time(), _person(), arguments.why)):
            return fail(f"{account} is stopped already: email-report-admin logins stopped", 1)
    print(f"{account} is stopped; `email-report-admin logins release {account}` ends it")
    return 0


def _release(arguments: argparse.Namespace, settings: Settings) -> int:
    account = arguments.account.lower()
    with _state(settings) as state:
        if not state.release(account, time.time(), _person(), arguments.why):
            return fail(f"{account} is not stopped: email-report-admin logins stopped", 1)
    print(f"{account} is released")
    return 0


def _answer(arguments: argparse.Namespace, settings: Settings) -> int:
    """Of a mail there is no output and one status, 0: whatever else would be mailed to its sender."""
    options = _options(settings)
    log = open_log(settings.record("log", LogOptions))
    said: Answer | None
    if arguments.token:
        text, said = arguments.token, "yes" if arguments.word == "yes" else "no" if arguments.word == "no" else None
    else:
        text, said = read_reply(*subject_and_text(sys.stdin.buffer.read(_LONGEST_REPLY)))
    with _state(settings) as state:
        event = read_token(text, read_key(state.path.parent), state, time.time())
        if event is None or said is None:
            fault = "no token of ours" if event is None else "neither yes nor no"
            log("warning", f"logins answer: {fault} in what was received; nothing was changed")
            return fail(f"{fault}: {_ANSWERING}", 1) if arguments.token else 0
        denied = answer(event, said, state, options, time.time())
        for told in state.commit("answer", time.time(), {}, findings=[denied] if denied else []):
            Acting(options, state, log).tell(told)
            state.told(told)
    log("info", f"logins answer: {event.finding.account} says {said}: {event.finding.sentence}")
    return 0


def _stopped(_arguments: argparse.Namespace, settings: Settings) -> int:
    with _state(settings) as state:
        rows = [(stop.account, _when(stop.time), stop.who, stop.why) for stop in state.stops().values()]
    print(table(("account", "since", "by", "why"), rows, indent="") or "no account is stopped")
    return 0


def _audit(arguments: argparse.Namespace, settings: Settings) -> int:
    with _state(settings) as state:
        deeds: list[Deed] = state.audit(arguments.account.lower())
    rows = [(_when(deed.time), deed.who, deed.action, deed.account, deed.why) for deed in deeds]
    print(table(("when", "who", "what", "account", "why"), rows, indent="") or "nothing was done yet")
    return 0


@contextmanager
def _state(settings: Settings) -> Iterator[State]:
    state = State(state_dir(settings, os.environ))
    try:
        yield state
    finally:
        state.close()


def _when(moment: float) -> str:
    return write_time(moment).strftime("%Y-%m-%d %H:%M:%SZ")


def _person() -> str:
    """Who types: behind sudo the person in front of it."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


_RUN = {
    "read": _read,
    "follow": _follow,
    "policy": _policy,
    "check": _check,
    "events": _events,
    "stop": _stop,
    "release": _release,
    "answer": _answer,
    "stopped": _stopped,
    "audit": _audit,
}
