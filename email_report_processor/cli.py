"""The filter's command: argv, standard input, logging; the one place where an outcome becomes an exit status.

Two results only for a mail server: 0, "I have it safely", and 75, "you keep it" (docs/mail-servers.md).
"""

import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, NoReturn

from . import __version__
from .flags import HOW, Arguments, UsageError, flags, now, parser, read_arguments
from .job import choose_store, make_job
from .log import Descriptors, Log, LogOptions, open_log, take_descriptors
from .message.blob import CHUNK, Blob, spool
from .process import FilterOptions, Job, Outcome, Verdict, describe, keep, read, settle, several, store
from .settings import Settings, SettingsError, load
from .stores.kept import PLAIN, KeepError
from .stores.store import Row, Store, StoreError, Written
from .watch import TEMPFAIL, Watch
from .writer import CutShortError, Writer

DATAERR = 65  # EX_DATAERR, only where a site asks for it
STILL_TAKING = 10.0  # seconds, or half of the deadline: a store that took a row within them was answering
NEARLY_FULL = 0.8  # of the limit on files: said in the log from here on
INPUT_LIMIT = 4 * 1024**3  # bytes of one message that can be kept; bounds.message_bytes says how many are read


def run() -> NoReturn:
    """The console script. Leaves by `os._exit`, so that a broken pipe at shutdown cannot change the status."""
    status = main(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:  # the descriptor was closed when the interpreter started
                stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(status)


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    try:
        arguments = read_arguments(argv)
    except UsageError as error:
        return _usage(str(error))
    if arguments.help or arguments.version:
        return _inform(arguments)
    if arguments.lmtp:
        if arguments.paths:
            return _usage("--lmtp takes messages from a mail server, and no PATH")
        from .inboxes.resident import main as listen  # 60 ms, of which asyncio has 50

        return listen(arguments)
    if arguments.paths:
        usual_signals()
        from .importing.importer import main as import_paths  # 4 ms, only for people

        return import_paths(arguments)
    if _is_terminal(0):
        sys.stderr.write(HOW)
        return 2
    return filter_message(arguments)


def filter_message(arguments: Arguments) -> int:
    """Read one message from standard input and answer the mail server. Never raises."""
    started = time.monotonic()
    writer = Writer(os.environ)
    descriptors = Descriptors(0, 1, 2)
    wanted = LogOptions(to=arguments.log or "")  # as long as the settings are not read
    log = open_log(wanted, descriptors.stderr)
    try:
        descriptors = take_descriptors()
        log = open_log(wanted, descriptors.stderr)
        settings = load(flags(arguments), arguments.config, os.environ)
        log = open_log(settings.record("log", LogOptions), descriptors.stderr)
        return _filter(Run(settings, descriptors.stdin, descriptors.stdout, log, started, writer), arguments)
    except (SettingsError, StoreError, KeepError, CutShortError) as error:
        log("error", f"the mail server keeps the message: {error}")
    except OSError as error:
        log(
            "error",
            f"the mail server keeps the message: {error.filename or 'input or output'}: {error.strerror or error}",
        )
    except BaseException:  # the edge: whatever it is, the mail server tries again
        import traceback  # 3 ms, only when it went wrong

        log("error", f"the mail server keeps the message: {' | '.join(traceback.format_exc().splitlines())}")
    _drain(descriptors.stdin)
    return TEMPFAIL


class Run(NamedTuple):
    """One run in a pipe."""

    settings: Settings
    stdin: int
    stdout: int
    log: Log
    started: float  # time.monotonic()
    writer: Writer


def _filter(run: Run, arguments: Arguments) -> int:
    if run.stdin < 0:
        raise SettingsError("standard input is closed; the mail server must pipe the message into this program")
    options = run.settings.record("filter", FilterOptions)
    watch = Watch(options.deadline, run.log)
    writer = run.writer
    choice = choose_store(run.settings, os.environ, stdout=run.stdout, budget=options.deadline * 0.8)
    job = make_job(run.settings, os.environ, choice, now, lambda text: run.log("warning", text))
    if arguments.tenant or job.routes is not None:
        from .routing import addressed  # loaded already, if there are tenants

        job = addressed(job, arguments.tenant or "", arguments.recipient, os.environ)
    if choice.first_use and job.routes is None:  # with tenants the site itself may never have anything
        run.log("warning", f"no [store] url is set: storing into {choice.url}")
    spooled = spool(partial(os.read, run.stdin), INPUT_LIMIT)
    if not spooled.complete:
        raise OSError(f"the message has {spooled.seen} bytes, and no more than {INPUT_LIMIT} of one can be kept")
    blob = spooled.blob
    writer.must_be_there(blob.read(blob.size - 1, blob.size) if blob.size else b"\n")
    if blob.size == 0:
        run.log("warning", "the input is empty: nothing to do")
        return 0
    watch.when_late = late = partial(_late, blob, job, watch, writer)
    watched = job._replace(open_store=lambda: _Watched(job.open_store(), watch, late))
    work = read(blob, watched)
    writer.must_be_there()  # reading took its time, and nothing is stored yet
    outcome = work if isinstance(work, Outcome) else store(work, lambda rows: watched.open_store().write(rows))
    outcome = settle(blob, watched, several(blob, outcome))
    _warn(choice.url, job, run.log)
    return _answer(outcome, job, run)


def _warn(url: str, job: Job, log: Log) -> None:
    """What will become a fault if nobody looks."""
    for fault in job.databases.faults if job.databases else ():
        log("warning", fault)
    if url.startswith("sqlite:"):
        from .stores.sqlite import size_state  # loaded already, if anything was stored

        size, limit = size_state(url.removeprefix("sqlite:"))
        if limit and size > limit * NEARLY_FULL:
            log(
                "warning",
                f"the embedded store has {size} of the {limit} bytes that the mail server allows a file (RLIMIT_FSIZE):"
                " raise mailbox_size_limit, use pipe(8), or `email-report-admin copy` it to OpenSearch",
            )


class _Watched:
    """The store, seen from outside: whether it kept taking rows when the deadline passed."""

    def __init__(self, store: Store, watch: Watch, when_late: Callable[[], int]) -> None:
        self._store = store
        self._watch = watch
        self._when_late = when_late
        self._taken = time.monotonic()
        self.name = store.name
        self.scan = store.scan
        self.totals = store.totals
        self.select = store.select
        self.close = store.close
        watch.when_late = self._late

    def write(self, rows: Iterable[Row]) -> Written:
        return self._store.write(self._passing(rows))

    def _passing(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self._taken = time.monotonic()
            yield row

    def _late(self) -> int:
        """It took rows until just now: the rest is a matter of time, which `kept --retry` has. Else it hangs."""
        alive = time.monotonic() - self._taken < min(STILL_TAKING, self._watch.seconds / 2)
        return self._when_late() if alive else self._watch.give_back()


def _late(blob: Blob, job: Job, watch: Watch, writer: Writer) -> int:
    """The deadline passed while the message was read and stored: it would pass again, so a copy is kept."""
    if writer.gone():
        return watch.give_back()
    reason = f"reading and storing it takes longer than {watch.seconds:g} s"
    try:
        keep(blob, job, Outcome(None, Written(0, 0), 0, Verdict("unfinished", reason)))
    except KeepError as error:
        watch.log("error", f"{reason}; {error}")
        return TEMPFAIL
    watch.log("error", f"{reason}; a copy is kept: email-report-admin kept --retry")
    return 0


def _answer(outcome: Outcome, job: Job, run: Run) -> int:
    for note in outcome.notes:
        run.log("error", note)
    verdict = outcome.verdict
    level = "info" if verdict is None or verdict.category in PLAIN else "warning"
    run.log(level, describe(outcome, round(1000 * (time.monotonic() - run.started))))
    if verdict is not None and verdict.category in {"no-report", "unreadable"} and job.filter.unreadable == "65":
        return DATAERR
    return 0


def _drain(descriptor: int) -> None:
    """Read standard input to its end: several mail servers take an unread message for a failure."""
    try:
        while descriptor >= 0 and os.read(descriptor, CHUNK):
            continue
    except OSError:
        return


def usual_signals() -> None:
    """For people: Ctrl-C is an exception, the others end the process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def _usage(message: str) -> int:
    """A wrong command line: 2 on a terminal, and the mail server keeps its message."""
    if _is_terminal(2):
        sys.stderr.write(f"email-report-processor: {message}; try --help\n")
        return 2
    descriptors = take_descriptors()
    open_log(LogOptions(), descriptors.stderr)("error", f"the mail server keeps the message: command line: {message}")
    _drain(descriptors.stdin)
    return TEMPFAIL


def _inform(arguments: Arguments) -> int:
    # A mail server that calls this with --help would lose its message.
    if _has_message(0):
        return _usage("--help and --version do not read a message")
    print(f"email-report-processor {__version__}" if arguments.version else parser().format_help())
    return 0


def _has_message(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISREG(mode)


if __name__ == "__main__":
    run()
