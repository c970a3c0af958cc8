"""Imports: message files, mboxes, Maildirs, directories of any of these, and bare reports, many at once.

This process finds the messages, hands them to workers (`intake`), and tells a person how far it is. Nothing is moved
or deleted, and the same command again changes nothing, so that it may be stopped at any moment.
"""

import marshal
import os
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple, NoReturn

from ..flags import Arguments, flags, now
from ..job import choose_store, make_job
from ..objects import ObjectsError, S3Options, is_url, parts
from ..objects import load_client as load_s3
from ..process import Job
from ..settings import Settings, SettingsError, load
from ..stores.client import OpenSearchOptions, load_client
from .intake import DONE, FAILED, OUTPUT, Plan, Trouble, serve
from .progress import Ledger, Progress
from .sources import Found, Item, Sources, Unread, Wait
from .workers import Crew, Death, Frame

TASK_ITEMS = 32  # messages that are handed over at once
TASK_BYTES = 512 * 1024  # likewise
LINES = 256 * 1024  # bytes of lines for standard output that a worker sends at once

USAGE, STORE_FAILED, UNREADABLE = 2, 75, 1


class ArgumentError(Exception):
    """An argument of an import is wrong."""


class Interrupted(BaseException):
    """A signal: not an Exception, so that nothing on the way takes it for a fault."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class StoppedError(Exception):
    """A fault on our side: the text is a sentence."""


class Options(NamedTuple):
    """What was asked for on the command line."""

    paths: list[str]
    since: datetime | None
    until: datetime | None
    dry_run: bool
    keep: bool
    jobs: int
    limit: int  # 0 is none
    patience: float  # seconds
    tenant: str
    recipients: tuple[str, ...]


def main(arguments: Arguments) -> int:
    """Import what the command line names, and return the exit status: 0, 1, 2, 75, or 128 and a signal."""
    try:
        options = read_options(arguments)
        settings = load(flags(arguments), arguments.config, os.environ)
        return _import(options, settings)
    except ArgumentError as error:
        _say(f"{error}; try --help")
        return USAGE
    except (SettingsError, ObjectsError) as error:
        _say(str(error))
        return STORE_FAILED


def read_options(arguments: Arguments) -> Options:
    """What was asked for. Raises ArgumentError."""
    for path in filter(is_url, arguments.paths):
        try:
            parts(path)
        except ValueError as error:
            raise ArgumentError(str(error)) from None
    cores = len(os.sched_getaffinity(0))
    return Options(
        paths=list(arguments.paths),
        since=_date("since", arguments.since),
        until=_date("until", arguments.until),
        dry_run=arguments.dry_run,
        keep=arguments.kept,
        jobs=_number("jobs", arguments.jobs, cores),
        limit=_number("limit", arguments.limit, 0),
        patience=float(_number("patience", arguments.patience, 300)),
        tenant=arguments.tenant or "",
        recipients=tuple(arguments.recipient),
    )


def _date(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentError(f"--{name} {text!r} is no date: write 2026-11-20 or 2026-11-20T18:00:00Z") from None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date


def _number(name: str, text: str | None, default: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0 and len(text) < 10):
        raise ArgumentError(f"--{name} {text!r}: write a whole number of 1 or more")
    return int(text)


def _say(text: str) -> None:
    sys.stderr.write(f"email-report-processor: {text}\n")


def _import(options: Options, settings: Settings) -> int:
    choice = choose_store(settings, os.environ, budget=options.patience, insists=True)
    if not choice.url.startswith(("-", "sqlite:")):
        choice.open().close()  # a URL that is none is said before the first message; nothing is touched yet
    job = make_job(settings, os.environ, choice, now, _say)
    if options.tenant or job.routes is not None:
        job = _addressed(job, options)
    s3 = settings.record("s3", S3Options)
    sources = Sources(options.paths, s3)
    stream = choice.url == "-" and not options.dry_run
    plan = Plan(
        since=options.since,
        until=options.until,
        keep=options.keep,
        dry_run=options.dry_run,
        stream=stream,
        bulk_bytes=LINES if stream else settings.record("opensearch", OpenSearchOptions).bulk_bytes,
        unpacked=sources.unpacked,
        s3=s3,
    )
    _load_for_workers(choice.url, options)
    crew = Crew(options.jobs, partial(serve, job=job, plan=plan))
    return _run(options, sources, crew, Ledger(choice.url, dry_run=options.dry_run))


def _addressed(job: Job, options: Options) -> Job:
    """Where there are tenants: their settings are read before the first message. Raises SettingsError."""
    from ..routing import addressed

    job = addressed(job, options.tenant, options.recipients, {})
    if job.routes is not None:
        job.routes.check()
    return job


def _load_for_workers(url: str, options: Options) -> None:
    """What every worker is going to need is loaded once, before they part."""
    from ..reports import dmarc_aggregate, smtp_tls  # noqa: F401  # reading uses them
    from ..reports.xml import judge  # noqa: F401  # the first of them does

    if url.startswith(("http:", "https:")) and not options.dry_run:
        load_client()
    if any(map(is_url, options.paths)):
        load_s3()


def _run(options: Options, sources: Sources, crew: Crew, ledger: Ledger) -> int:
    """Read everything; the exit status."""
    _on_signals(_interrupt)
    progress = Progress(options.paths, sys.stderr)
    status, end = 0, ""
    try:
        for said in crew.run(_tasks(sources, options.limit, ledger)):
            _hear(said, ledger)
            if ledger.overflows:
                progress.clear()
                ledger.name_troubles(_say)
            progress.show(ledger, news=said is not None)
    except Interrupted as signalled:
        status, end = 128 + signalled.number, f"ended by {signal.Signals(signalled.number).name}"
    except (StoppedError, ObjectsError) as error:
        status, end = STORE_FAILED, str(error)
    finally:
        _on_signals(signal.SIG_IGN)
        crew.close()
    progress.clear()
    ledger.name_troubles(_say)
    if end:
        _say(f"{end}; what is stored stays: run the same command again for the rest")
    output = sys.stderr if ledger.stream else sys.stdout
    output.writelines(f"{line}\n" for line in ledger.summary(progress.seconds, stopped=bool(end)))
    return status or (UNREADABLE if ledger.failed else 0)


def _on_signals(handler: Callable[[int, object], NoReturn] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _interrupt(number: int, _frame: object) -> NoReturn:
    raise Interrupted(number)


def _tasks(sources: Sources, limit: int, ledger: Ledger) -> Iterator[list[tuple[object, ...]]]:
    """The messages in handy portions. An empty one: everything so far must be done before the next."""
    task: list[tuple[object, ...]] = []
    weight = 0
    for found in _limited(sources.find(), limit):
        if isinstance(found, Item):
            task.append(tuple(found))
            weight += found.weight
        elif isinstance(found, Unread):
            ledger.note(Trouble(found.number, found.place, "unreadable", found.reason))
        if task and (isinstance(found, Wait) or len(task) >= TASK_ITEMS or weight >= TASK_BYTES):
            yield task
            task, weight = [], 0
        if isinstance(found, Wait):
            yield []
    if task:
        yield task


def _limited(found: Iterator[Found], limit: int) -> Iterator[Found]:
    items = 0
    for one in found:
        yield one
        items += isinstance(one, Item)
        if items == limit > 0:
            return


def _hear(said: Frame | Death | None, ledger: Ledger) -> None:
    """What a worker says. Raises StoppedError."""
    if isinstance(said, Death):
        item = Item(*said.item)
        ledger.count["messages"] += 1
        ledger.note(Trouble(item.number, item.place, "failed", said.reason))
    elif said is None:
        return
    elif said.kind == OUTPUT:
        _put(said.data)
    elif said.kind == FAILED:
        raise StoppedError(said.data.decode())
    elif said.kind == DONE:
        count, troubles = marshal.loads(said.data)  # noqa: S302  # from our own worker
        ledger.count.update(count)
        for trouble in troubles:
            ledger.note(Trouble(*trouble))


def _put(lines: bytes) -> None:
    """To standard output. Raises StoppedError."""
    view = memoryview(lines)
    try:
        while view:
            view = view[os.write(1, view) :]
    except OSError as error:
        said = error.strerror or str(error)
        raise StoppedError(f"standard output: {said}: whoever reads the documents must read all of them") from error
