"""Several tenants: which of them each report of a message belongs to, and a store that gives every row to its owner's.

What a report says it is about decides where a tenant has that domain; else the address that it came to (docs/tenants.md
has the table). A report goes as a whole. Its owner's settings read it, name its indices and store it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import Any, NamedTuple

from .documents.datasets import ARF
from .message.blob import Blob
from .process import Job, Tally, Work, guarded, guarded_rows, wanted
from .reports.reading import read_message
from .reports.report import Reading, Report
from .settings import SettingsError
from .stores.store import Found, Question, Row, Selection, Store, StoreError, Total, Written
from .stores.together import Parcel, write_together
from .tenants import Tenants

SITE = ""  # in the place of a tenant's name: the site itself


class Routes:
    """The jobs of all tenants, each made when it is needed. home: whose `job` is. make: the job of another one."""

    def __init__(self, tenants: Tenants, home: str, job: Job, make: Callable[[str], Job]) -> None:
        self._tenants = tenants
        self._home = home
        self._make = make
        self._jobs = {home: job}
        self._owners: dict[str, str] = {}  # index name -> tenant
        self._addressed: dict[tuple[tuple[str, ...], str], Job] = {}

    def start(self) -> Job:
        """The job of the one at home, for whom everything is that nothing else is said of."""
        return self.addressed((self._home,) if self._home else (), self._jobs[self._home].options.feed)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the tenants."""
        return self._tenants.names

    def check(self) -> None:
        """Make all jobs now, and look at the URLs of their stores. Raises SettingsError."""
        for name in {SITE, *self._tenants.names} - {self._home}:  # that of the one at home may be in use
            self.job(name).open_store().close()

    def job(self, name: str) -> Job:
        """That of a tenant, or of the site. Raises SettingsError."""
        if name not in self._jobs:
            self._jobs[name] = self._make(name)
        return self._jobs[name]

    def of_message(self, recipients: Iterable[str], feed: str) -> tuple[str, ...]:
        """Whose a message is by what the mail server says of it."""
        return self._tenants.of_message(recipients, feed)

    def known(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of the names that there still are."""
        return tuple(name for name in names if name in self._tenants.names)

    def addressed(self, to: tuple[str, ...], feed: str = "") -> Job:
        """The job for messages to these tenants, () is nobody. Raises SettingsError when there is none of a name."""
        if unknown := set(to) - set(self._tenants.names):
            raise SettingsError(f"there is no tenant {min(unknown)!r}; it is {', '.join(self._tenants.names)}")
        if (to, feed) not in self._addressed:
            job = self.job(to[0] if len(to) == 1 else SITE)
            options = job.options._replace(feed=feed or job.options.feed)
            made = job._replace(options=options, routes=self, to=to, open_store=self.open_store)
            self._addressed[to, feed] = made
        return self._addressed[to, feed]

    def keeper(self, to: tuple[str, ...], owners: tuple[str, ...]) -> Job:
        """Whose kept messages a copy belongs to: the one tenant that it came to, unless it holds what is another's."""
        return self.job(to[0] if len(to) == 1 and set(owners) <= set(to) else SITE)

    def work(self, blob: Blob, reading: Reading, job: Job) -> Work:
        """The work on a message that was read for `job`. Raises PureError, OSError, SettingsError."""
        shares, notes = self._shares(reading.reports, job.to)
        tally = Tally()
        reports: list[Report] = []
        rows: list[Iterator[Row]] = []
        for owner, numbers in shares.items():
            own = self._job_for(owner, job)
            again = self._again(blob, reading, job, own, numbers)
            mine = wanted(reading._replace(reports=tuple(again)), own)
            reports += mine
            rows.append(guarded_rows(mine, own, tally))
        return Work(reading, tuple(reports), chain.from_iterable(rows), tally, tuple(shares), tuple(notes))

    def _shares(self, reports: Sequence[Report], to: tuple[str, ...]) -> tuple[dict[str, list[int]], dict[str, None]]:
        """Owner -> numbers of the reports, and what is to be said in the log."""
        shares: dict[str, list[int]] = {}
        notes: dict[str, None] = {}
        for number, report in enumerate(reports):
            decided = decide(report, to, self._tenants.of_domain)
            for owner in decided.owners:
                shares.setdefault(owner, []).append(number)
            if decided.note:
                notes[decided.note] = None
        return shares, notes

    def _job_for(self, owner: str, job: Job) -> Job:
        """The owner's job; the name of the feed goes with it where it is no other tenant's."""
        own = self.job(owner)
        feed = job.options.feed if owner in job.to or not job.to else ""
        return own._replace(options=own.options._replace(feed=feed))

    def _again(self, blob: Blob, reading: Reading, job: Job, own: Job, numbers: Sequence[int]) -> list[Report]:
        """Reports as the owner wants them read: how much of a sample is stored is the owner's to say."""
        reports = reading.reports
        if own.options != job.options:
            reports = guarded(lambda: read_message(blob, own.options)).reports
            guarded(lambda: _check_same(reports, reading.reports))
        return [reports[number] for number in numbers]

    def open_store(self, stream: Store | None = None) -> Store:
        """A store for all of them; each is opened when something is for it. stream: in the place of standard output."""
        return RoutedStore(self, stream)

    def owner(self, index: str) -> str:
        """Whose index it is, by its prefix: none begins another."""
        if index not in self._owners:
            found = (name for prefix, name in self._tenants.prefixes.items() if index.startswith(prefix))
            self._owners[index] = next(found, SITE)
        return self._owners[index]

    @property
    def on_stream(self) -> tuple[str, ...]:
        """Those whose store is standard output."""
        return self._tenants.on_stream

    @property
    def home(self) -> str:
        """Whose job it began with."""
        return self._home


def _check_same(again: Sequence[Report], before: Sequence[Report]) -> None:
    if [(one.dataset, one.rows) for one in again] != [(one.dataset, one.rows) for one in before]:
        raise ValueError("the settings of a tenant find other reports in the message")


class Decided(NamedTuple):
    """Whose a report is."""

    owners: tuple[str, ...]  # SITE is the site itself
    note: str = ""  # for the log


def decide(report: Report, to: tuple[str, ...], of_domain: Callable[[str], str]) -> Decided:
    """Whose a report is that came to the addresses of some tenants (or of none). Pure.

    Whoever publishes a policy for a domain owns the reports about it, wherever they arrive. A complaint has no policy:
    it is for the address that is registered with the provider.
    """
    domains = report.head.get("report.domain", ())
    of = {domain: of_domain(domain) for domain in domains}
    listed = sorted(set(of.values()) - {SITE})
    if not listed or (to and report.dataset == ARF.name):
        return Decided(to or (SITE,))
    if len(listed) == 1 and (SITE not in of.values() or listed[0] in to):
        strange = to and listed[0] not in to
        return Decided((listed[0],), _strange(domains, listed[0], to) if strange else "")
    whose = ", ".join(f"{domain} ({name or 'nobody'})" for domain, name in list(of.items())[:5])
    return Decided((SITE,), f"one report is about domains of several: {whose}: it is stored for the site itself")


def _strange(domains: Iterable[str], owner: str, to: Iterable[str]) -> str:
    about = ", ".join(list(domains)[:3])
    return f"a report about {about} of tenant {owner} came to an address of tenant {', '.join(to)}: stored for {owner}"


class RoutedStore:
    """The stores of all tenants as one, for writing; questions go to the store of the one at home."""

    def __init__(self, routes: Routes, stream: Store | None = None) -> None:
        self._routes = routes
        self._open: dict[str, Store] = dict.fromkeys(routes.on_stream, stream) if stream else {}
        self._own = self._store(routes.home)
        self.name = self._own.name

    def _store(self, owner: str) -> Store:
        if owner not in self._open:
            self._open[owner] = self._routes.job(owner).open_store()
        return self._open[owner]

    def write(self, rows: Iterable[Row]) -> Written:
        """See Store: all of them, each where it belongs. What raises may have stored some; ids make that harmless."""
        written = Written(0, 0)
        for owner, share in self._split(rows):
            written += self._store(owner).write(share)
        return written

    def _split(self, rows: Iterable[Row]) -> Iterator[tuple[str, Iterable[Row]]]:
        """Rows at hand by owner; those that stream as they come, since reports follow each other."""
        if not isinstance(rows, Sequence):
            return groupby(rows, lambda row: self._routes.owner(row.index))
        shares: dict[str, list[Row]] = {}
        for row in rows:
            shares.setdefault(self._routes.owner(row.index), []).append(row)
        return iter(shares.items())

    def write_together(self, parcels: Sequence[Parcel]) -> Sequence[Written | StoreError]:
        """See AtOnce: a store that is away fails the messages that have something for it, and no other."""
        groups: dict[frozenset[str], list[int]] = {}
        for number, parcel in enumerate(parcels):
            groups.setdefault(frozenset(self._routes.owner(row.index) for row in parcel), []).append(number)
        results: dict[int, Written | StoreError] = {}
        for owners, numbers in groups.items():
            store = self._store(next(iter(owners))) if len(owners) == 1 else self
            results |= zip(numbers, self._each(store, [parcels[number] for number in numbers]), strict=True)
        return [results[number] for number in range(len(parcels))]

    def _each(self, store: "Store", parcels: Sequence[Parcel]) -> Sequence[Written | StoreError]:
        if store is not self:
            return write_together(store, parcels)
        return [_attempt(self.write, parcel) for parcel in parcels]

    def scan(self, after: tuple[str, str] | None = None) -> Iterator[Row]:
        """See Store."""
        return self._own.scan(after)

    def totals(self, question: Question) -> list[Total]:
        """See Store."""
        return self._own.totals(question)

    def select(self, selection: Selection, after: tuple[Any, ...] = ()) -> Iterator[Found]:
        """See Store."""
        return self._own.select(selection, after)

    def close(self) -> None:
        """See Store."""
        for store in self._open.values():
            store.close()


def _attempt(write: Callable[[Iterable[Row]], Written], parcel: Parcel) -> Written | StoreError:
    try:
        return write(parcel)
    except StoreError as error:
        return error


def addressed(job: Job, tenant: str, recipients: Sequence[str], environ: Mapping[str, str]) -> Job:
    """The job for what comes by a command line: `--tenant`, else `--recipient`, else what the environment says.

    Raises SettingsError when there is no tenant of that name.
    """
    from .tenants import recipients_said

    routes = job.routes
    if routes is None:
        if tenant:
            raise SettingsError(f"--tenant {tenant}: there are no [[tenants]] in the settings")
        return job
    feed = job.options.feed
    if tenant:
        return routes.addressed((tenant,), feed)
    to = routes.of_message(recipients, feed)
    if not to and not recipients:
        to = next(filter(None, (routes.of_message([one], "") for one in recipients_said(environ))), ())
    return routes.addressed(to, feed) if to else job
