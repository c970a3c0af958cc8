"""The pipeline, in the order of the drawing: read, store, keep.

Here the pure half meets the store, the clock and the kept messages. What is decided here is whose turn it is: a
message that can never be stored is kept (and answered with 0); whatever is ours raises, and the mail server keeps it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

from .documents.classify import Site
from .documents.completion import Completion
from .documents.enrich import Databases
from .documents.layout import date_of, index_of
from .documents.senders import Senders
from .message.blob import Blob, chunks
from .reports.reading import read_message
from .reports.report import Envelope, Options, Reading, Report
from .stores import kept
from .stores.store import Row, Store, Written
from .values.fields import Fields

if TYPE_CHECKING:
    from pathlib import Path

Result = TypeVar("Result")


class FilterOptions(NamedTuple):
    """How the filter answers the mail server."""

    deadline: float = 120.0  # seconds for one message, then it is kept or given back; 8 below Dovecot's 10
    datasets: tuple[str, ...] = ()  # store only these datasets; empty: all of them
    unreadable: Literal["keep", "65"] = "keep"  # 65 gives back what is no report; with the wrapper, as its argument


class Layout(NamedTuple):
    """How indices are named."""

    index_prefix: str = "email-report-"  # of every index name; another one needs its own templates and dashboards
    index_period: Literal["year", "month", "week", "day", "none"] = "month"  # of one index
    months_since: int = 2024  # before this year there is one index a year: imports of old mail, and forged dates


class Routing(Protocol):
    """What finds the owners of reports where the site has several tenants: routing.Routes, loaded only there."""

    def of_message(self, recipients: Iterable[str], feed: str) -> tuple[str, ...]:
        """Whose a message is by what the mail server says of it."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Of the tenants."""
        ...

    def known(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of the names that there still are."""
        ...

    def addressed(self, to: tuple[str, ...], feed: str = "") -> "Job":
        """The job for messages to these tenants."""
        ...

    def keeper(self, to: tuple[str, ...], owners: tuple[str, ...]) -> "Job":
        """Whose kept messages a copy belongs to."""
        ...

    def work(self, blob: Blob, reading: Reading, job: "Job") -> "Work":
        """The work on a message that was read."""
        ...

    def open_store(self, stream: Store | None = None) -> Store:
        """A store for all of them. stream: in the place of standard output."""
        ...

    def check(self) -> None:
        """Say now what is wrong with the settings of any."""
        ...


class Job(NamedTuple):
    """Everything that processing a message needs, made once."""

    open_store: Callable[[], Store]  # called when there is something to store
    now: Callable[[], str]  # RFC 3339
    maildir: "Path | str"  # of kept messages
    options: Options = Options()
    layout: Layout = Layout()
    site: Site = Site()
    senders: Senders | None = None
    databases: Databases | None = None
    filter: FilterOptions = FilterOptions()
    keeping: kept.KeptOptions = kept.KeptOptions()
    routes: Routing | None = None  # where there are several tenants
    to: tuple[str, ...] = ()  # tenants whose address it came to


class Verdict(NamedTuple):
    """Why a message is not done with being stored: a category of kept messages, and a sentence."""

    category: str
    reason: str


class Outcome(NamedTuple):
    """What became of one message."""

    reading: Reading | None  # None when reading it failed
    written: Written
    repaired: int  # warnings of all documents
    verdict: Verdict | None  # None: everything in it is stored
    notes: tuple[str, ...] = ()  # for the log: a traceback, kept messages that had to go
    kept: bool = False  # a copy is on disk
    owners: tuple[str, ...] = ()  # tenants whose the reports are, '' the site itself; () where there are no tenants


class PureError(Exception):
    """The pure half failed at this message, and would fail again: a bug of ours, or not enough memory."""


class Work(NamedTuple):
    """A message that was read, and is not stored yet."""

    reading: Reading
    reports: tuple[Report, ...]  # that are to be stored
    rows: Iterator[Row]  # of them, once
    tally: "Tally"
    owners: tuple[str, ...] = ()  # as in Outcome
    notes: tuple[str, ...] = ()  # for the log


def read(blob: Blob, job: Job) -> Work | Outcome:
    """Read a message; an Outcome says that this failed, or is not to be. Raises OSError: ours, to be tried again."""
    if job.options.feed and job.options.feed in job.keeping.replies:
        return Outcome(Reading(Envelope(), (), ()), Written(0, 0), 0, Verdict("reply", _REPLY))
    try:
        return work_on(blob, guarded(lambda: read_message(blob, job.options)), job)
    except PureError as error:
        return Outcome(None, Written(0, 0), 0, *failure(error))


def work_on(blob: Blob, reading: Reading, job: Job) -> Work:
    """What is to be stored of a message that was read. Raises PureError, OSError where there are tenants."""
    if job.routes is not None:
        return job.routes.work(blob, reading, job)
    tally = Tally()
    reports = wanted(reading, job)
    return Work(reading, tuple(reports), guarded_rows(reports, job, tally), tally)


def stored(work: Work, written: Written) -> Outcome:
    """What became of a message whose rows were given to a store."""
    verdict = judge(work.reading, written, work.tally)
    notes = (*work.notes, *_partly_known(work, written))
    return Outcome(work.reading, written, work.tally.repaired, verdict, notes, owners=work.owners)


def _partly_known(work: Work, written: Written) -> tuple[str, ...]:
    """A note for the log when some rows of a report were there and others were not: sums may not agree then."""
    if len(work.reports) != 1 or not (written.already and written.stored):
        return ()
    whole = written.already + written.stored + len(written.rejected)
    why = "an attempt that was not finished, a revised report, or another one under the same id and period"
    where = "Intake health: Reports with several versions"
    return (f"{written.already} of {whole} documents were there before: {why} ({where})",)


def failed(work: Work, error: "PureError | MemoryError") -> Outcome:
    """What became of a message whose rows could not be made."""
    return Outcome(work.reading, Written(0, 0), work.tally.repaired, *failure(error), owners=work.owners)


def store(work: Work, write: Callable[[Iterable[Row]], Written]) -> Outcome:
    """Store the rows of a message. Raises StoreError, OSError: ours, to be tried again."""
    try:
        return stored(work, write(work.rows) if work.reports else Written(0, 0))
    except (PureError, MemoryError) as error:
        return failed(work, error)


def store_message(blob: Blob, job: Job) -> Outcome:
    """Read a message and store its documents. Raises StoreError, OSError: ours, to be tried again."""
    work = read(blob, job)
    return work if isinstance(work, Outcome) else store(work, lambda rows: job.open_store().write(rows))


def process(blob: Blob, job: Job) -> Outcome:
    """Store a message, and keep a copy of it when that is called for. Raises StoreError, KeepError, OSError."""
    return settle(blob, job, store_message(blob, job))


def several(blob: Blob, outcome: Outcome) -> Outcome:
    """For a pipe: of an mbox the first message is read, so that a copy of all is kept, which `kept --retry` reads."""
    if not any(b"\nFrom" in piece or b"\rFrom" in piece for piece in chunks(blob)):
        return outcome
    from .message import mbox  # 2 ms, only where there is such a line

    if not mbox.holds_several(blob):
        return outcome
    number = sum(1 for _ in mbox.messages(chunks(blob)))
    reason = f"{number} messages on standard input, of which the first was read: name the file as a PATH"
    verdict = Verdict("unfinished", reason)
    return outcome._replace(verdict=verdict if outcome.verdict is None else together(outcome.verdict, verdict))


def settle(blob: Blob, job: Job, outcome: Outcome) -> Outcome:
    """Keep a copy of a message when its outcome calls for it. Raises KeepError."""
    if outcome.verdict is None or not _keeps(outcome.verdict, job):
        return outcome
    return keep(blob, job, outcome)


def keep(blob: Blob, job: Job, outcome: Outcome) -> Outcome:
    """Keep a copy of a message for the reason of its outcome. Raises KeepError."""
    assert outcome.verdict is not None
    category, reason = outcome.verdict
    home = job if job.routes is None else job.routes.keeper(job.to, outcome.owners)
    dropped = kept.keep(home.maildir, blob, category, reason, job.now(), home.keeping, job.to)
    notes = (f"dropped a kept message to make room: {one}" for one in dropped)
    return outcome._replace(notes=(*outcome.notes, *notes), kept=True)


# A bounce of a report that we sent has that report in it: read for reports, it would be stored as one about us.
_REPLY = "a reply to a report of ours, kept unread: email-report-admin abuse answers"


def _keeps(verdict: Verdict, job: Job) -> bool:
    if job.filter.unreadable == "65" and verdict.category in {"no-report", "unreadable"}:
        return False
    return verdict.category != "no-report" or job.keeping.no_report == "keep"


def judge(reading: Reading, written: Written, tally: "Tally") -> Verdict | None:
    """Why a message that was read is not done with being stored; None when it is."""
    verdict = None
    for one in _verdicts(reading, written, tally):
        verdict = one if verdict is None else together(verdict, one)
    return verdict


def together(one: Verdict, other: Verdict) -> Verdict:
    """Two verdicts about a message: the stronger one decides how long a copy is kept, and both are said."""
    first, second = sorted((one, other), key=lambda verdict: STRENGTH.index(verdict.category))
    return Verdict(first.category, f"{first.reason}; {second.reason}")


# What could be stored some day is never dropped, so it comes first.
STRENGTH = ("failed", "rejected", "unfinished", "unreadable", "salvaged", "reply", "no-report")


def _verdicts(reading: Reading, written: Written, tally: "Tally") -> Iterator[Verdict]:
    if reading.problems:
        yield Verdict("unreadable", "; ".join(f"{problem.place}: {problem.reason}" for problem in reading.problems[:5]))
    elif not reading.reports:
        yield Verdict("no-report", "no report in it")
    if written.rejected:
        first = written.rejected[0]
        many = f"{len(written.rejected)} document{'s' * (len(written.rejected) > 1)}"
        yield Verdict("rejected", f"the store refuses {many}, first {first.row.id}: {first.reason}")
    if tally.salvaged:
        one = tally.salvaged == 1
        many = "1 broken report was read as far as it goes"
        said = many if one else f"{tally.salvaged} broken reports were read as far as they go"
        yield Verdict("salvaged", f"{said}: {tally.damage}" if tally.damage else said)


def wanted(reading: Reading, job: Job) -> list[Report]:
    """The reports that the site wants to have stored."""
    return [report for report in reading.reports if not job.filter.datasets or report.dataset in job.filter.datasets]


class Tally:
    """What is counted while rows pass by."""

    def __init__(self) -> None:
        self.repaired = 0  # warnings
        self.salvaged = 0  # reports
        self.damage = ""  # of the first of them, as its warning says it


def guarded_rows(reports: list[Report], job: Job, tally: Tally) -> Iterator[Row]:
    """The rows of some reports of a message, encoded. Raises PureError, OSError."""
    with _guard():
        yield from _rows(reports, job, tally)


def _rows(reports: list[Report], job: Job, tally: Tally) -> Iterator[Row]:
    now = job.now()
    completion = Completion(now, job.site, job.senders, job.databases)
    for report in reports:
        indices: dict[tuple[str, str], str] = {}
        head, name = None, ""  # of the row before: rows of a report share their first layer
        for document in report.documents():
            dataset, id_, own, layers, date = document
            if not layers or layers[0] is not head or date:
                key = (dataset, date or date_of(layers[0] if layers else own))
                head, name = (
                    layers[0] if layers and not date else None,
                    indices.get(key) or index(*key, now, job.layout),
                )
                indices[key] = name
            if "warnings" in own:
                tally.repaired += len(own["warnings"])
            if "salvaged" in own:
                tally.salvaged += own["salvaged"]
                tally.damage = tally.damage or _damage(own.get("warnings", ()))
            yield Row(name, id_, completion.encode(document))


def _damage(warnings: Iterable[str]) -> str:
    """The warning that says where a report is broken."""
    found = (warning for warning in warnings if warning.startswith(("salvaged: ", "broken JSON")))
    return next(found, "").removeprefix("salvaged: ")[:200]


def index(dataset: str, date: str, now: str, layout: Layout) -> str:
    """The index of a document, as the site names them."""
    return index_of(
        date,
        now,
        prefix=layout.index_prefix,
        dataset=dataset,
        granularity=layout.index_period,
        months_since=layout.months_since,
    )


def guarded(step: Callable[[], Result]) -> Result:
    """Run a step of the pure half. Raises PureError for anything but OSError (a full disk is no bug)."""
    with _guard():
        return step()


@contextmanager
def _guard() -> Iterator[None]:
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # the pure half raises nothing of the message's making: this is a bug, or no memory
        raise PureError(f"{type(error).__name__}: {error}") from error


def failure(error: PureError | MemoryError) -> tuple[Verdict, tuple[str, ...]]:
    """What is said about a message at which the pure half failed, and the traceback for the log."""
    return Verdict("failed", _last_line(error)), (_traceback(error),)


def _last_line(error: PureError | MemoryError) -> str:
    if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
        return "not enough memory to read it; give the filter more, then email-report-admin kept --retry"
    return f"a bug of email-report-processor, please report it: {error}"


def _traceback(error: PureError | MemoryError) -> str:
    import traceback  # 3 ms, only when it went wrong

    return " | ".join(line.strip() for line in traceback.format_exception(error.__cause__ or error))


def describe(outcome: Outcome, milliseconds: int) -> str:
    """The one line about a message for the log: what it was, from whom, about what, and what became of it."""
    reports = outcome.reading.reports if outcome.reading else ()
    envelope = outcome.reading.envelope if outcome.reading else None
    pairs: dict[str, Any] = {"message-id": f"<{envelope.message_id}>" if envelope and envelope.message_id else "-"}
    pairs |= _about(reports[0].head, len(reports)) if reports else {"report": "none"}
    if outcome.owners:
        pairs["tenant"] = "+".join(name or "-" for name in outcome.owners)
    pairs |= {
        "rows": sum(report.rows for report in reports),
        "stored": outcome.written.stored,
        "already": outcome.written.already,
        "repaired": outcome.repaired,
        "kept": outcome.verdict.category if outcome.verdict and outcome.kept else "no",
        "ms": milliseconds,
    }
    line = ", ".join(f"{key}={_quoted(str(value))}" for key, value in pairs.items())
    return f"{line}: {outcome.verdict.reason}" if outcome.verdict else line


def _quoted(value: str) -> str:
    """Reporters choose some of the values: none may look like further pairs."""
    return json.dumps(value, ensure_ascii=False) if any(mark in value for mark in ',="') else value


def _about(head: Fields, reports: int) -> Mapping[str, Any]:
    period = "/".join(str(head[key])[:10] for key in ("report.begin", "report.end") if key in head)
    about = {
        "report": head.get("report.dataset", "-"),
        "from": head.get("report.org_name") or head.get("report.from_domain") or "-",
        "domain": "+".join(head.get("report.domain", ())[:3]) or "-",
        "period": period or str(head.get("@timestamp", "-"))[:10],
    }
    if "report.id" in head:
        about["id"] = head["report.id"]
    return about | ({"reports": reports} if reports > 1 else {})
