"""PostgreSQL (12 or later) as a store: one table, the id is its key. The only module that imports psycopg.

One statement and one transaction for each batch, `ON CONFLICT DO NOTHING`: what is there stays. A commit is on the
server's disk (synchronous_commit), whatever the server's default. Extra [postgresql].
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from ..documents.datasets import DATASETS, Dataset
from . import place, secret
from .bulk import Trouble
from .others import Chosen
from .patience import Patience
from .store import Found, Question, Rejected, Row, Selection, Store, StoreError, Total, Written, in_batches

if TYPE_CHECKING:
    from .follow import Entry, Known, Place
    from .renewing import Renewal, Versioned

_T = TypeVar("_T")

TABLE = "email_reports"
_BATCH_ROWS, _BATCH_BYTES = 1000, 4 * 1024**2
_PAGE = 500  # documents read at once
_IDS = 5000  # ids read at once
_FORM = 1  # of the table and its views: raise it when they change
_LOCK = 0x656D7270  # of the advisory lock under which the table is made
_FORM_URL = "postgresql://[USER@]HOST[:PORT]/DATABASE"

# Without its Z, a date with milliseconds sorts behind the same one without.
_TABLE = f"""CREATE TABLE IF NOT EXISTS {TABLE} (
 id text COLLATE "C" PRIMARY KEY, idx text COLLATE "C" NOT NULL, source jsonb NOT NULL,
 moment text COLLATE "C" GENERATED ALWAYS AS (replace(coalesce(source ->> '@timestamp', ''), 'Z', '')) STORED,
 ingested text COLLATE "C" GENERATED ALWAYS AS (replace(coalesce(source #>> '{{event,ingested}}', ''), 'Z', ''))
 STORED)"""
_INDEXES = (
    f"CREATE INDEX IF NOT EXISTS {TABLE}_by_index ON {TABLE} (idx, id)",
    f"CREATE INDEX IF NOT EXISTS {TABLE}_by_moment ON {TABLE} (moment, id)",
    f"CREATE INDEX IF NOT EXISTS {TABLE}_by_ingested ON {TABLE} (ingested, id)",
)
_INSERT = (
    f"INSERT INTO {TABLE} (id, idx, source) SELECT a, b, c "  # noqa: S608  # our own names
    "FROM ROWS FROM (unnest(%s::text[]), unnest(%s::text[]), jsonb_array_elements(%s::jsonb)) AS new (a, b, c) "
    "ON CONFLICT (id) DO NOTHING"
)


class PostgresqlOptions(NamedTuple):
    """What is special to PostgreSQL. TLS is checked (sslmode=verify-full) unless the URL says otherwise."""

    password_file: str = ""  # file whose first line is the password; without it ~/.pgpass counts, as for psql
    ca_file: str = ""  # certificates (PEM) to trust instead of the system's
    timeout: float = 20.0  # seconds for a connection, and for one statement of the filter


def open_url(url: str, chosen: Chosen) -> Store:
    """See others.open_other."""
    return PostgresqlStore(
        url,
        chosen.options("postgresql", PostgresqlOptions),
        prefix=chosen.prefix,
        budget=chosen.budget,
        insists=chosen.insists,
    )


class PostgresqlStore:
    """Documents in the table `email_reports` of a database. Connects when it is used.

    prefix: of the index names. budget: seconds without progress after which a call gives up. Raises ValueError.
    """

    def __init__(
        self,
        url: str,
        options: PostgresqlOptions,
        *,
        prefix: str = "email-report-",
        budget: float = 30.0,
        insists: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self._parameters = _parameters(url, options)
        self._options = options
        self._prefix = prefix
        self._waiting = (budget, sleep, clock, 0 if insists else 1)
        self._connection: Any = None

    def write(self, rows: Iterable[Row]) -> Written:
        """See Store. What PostgreSQL cannot hold (U+0000) is refused."""
        written = Written(0, 0)
        for batch in in_batches(rows, _BATCH_ROWS, _BATCH_BYTES):
            written += self._store(batch)
        return written

    def write_together(self, parcels: Sequence[Sequence[Row]]) -> list[Written | StoreError]:
        """See together.py: one transaction for all of them, or each alone."""
        rows = [row for parcel in parcels for row in parcel]
        if len(rows) > _BATCH_ROWS:
            return [self.write(parcel) for parcel in parcels]
        new, refused = self._patiently(_insert, rows)
        results: list[Written | StoreError] = []
        for parcel in parcels:
            rejected = tuple(refused[row.id] for row in parcel if row.id in refused)
            stored = sum(1 for row in parcel if row.id in new)
            new -= {row.id for row in parcel}
            results.append(Written(stored, len(parcel) - stored - len(rejected), rejected))
        return results

    def _store(self, rows: Sequence[Row]) -> Written:
        new, refused = self._patiently(_insert, rows)
        return Written(len(new), len(rows) - len(new) - len(refused), tuple(refused.values()))

    def scan(self, after: tuple[str, str] | None = None) -> Iterator[Row]:
        """See Store. In the order of indices and ids."""
        last = after or ("", "")
        while page := self._patiently(_scan_page, last):
            yield from page
            last = (page[-1].index, page[-1].id)

    def totals(self, question: Question) -> list[Total]:
        """See Store. Raises ValueError when the question names what is not there."""
        from .totals import check
        from .totals_postgresql import answer

        checked = check(question)

        def ask(connection: Any, prefix: str) -> list[Total]:
            return answer(connection, checked, question, prefix)

        return self._patiently(ask, self._prefix)

    def select(self, selection: Selection, after: tuple[Any, ...] = ()) -> Iterator[Found]:
        """See Store."""
        from .select_postgresql import Wanted, page
        from .totals import check_datasets

        check_datasets(selection.datasets)
        if after and [type(one) for one in after] != [str, str]:
            raise ValueError("this is no place among documents of PostgreSQL: begin at the first page")
        return self._selected(Wanted(selection, self._prefix, after), page)

    def _selected(self, wanted: Any, page: Callable[[Any, Any], list[Found]]) -> Iterator[Found]:
        left = wanted.selection.size
        while True:
            size = min(left, _PAGE) if left else _PAGE
            found = self._patiently(page, wanted._replace(selection=wanted.selection._replace(size=size)))
            yield from found
            left -= len(found) if left else 0
            if len(found) < size or (wanted.selection.size and not left):
                return
            wanted = wanted._replace(after=found[-1].place)

    def log(self, place: "Place", since: str, known: "Known") -> "Iterator[list[Entry]]":
        """See follow.Log: by event.ingested, first ids, then the documents that were not sent."""
        last = (since.removesuffix("Z"), "")
        while ids := self._patiently(_ingested_page, last):
            for first in range(0, len(ids), _PAGE):
                some = ids[first : first + _PAGE]
                sent = known([id_ for _, id_ in some])
                if new := [id_ for _, id_ in some if id_ not in sent]:
                    yield self._patiently(_entries, new)
            last = ids[-1]

    def probe(self) -> None:
        """Connect, and make the table where it is absent. Raises StoreError."""
        self._patiently(_ingested_page, ("9", ""))

    def versioned(self, selection: Selection, after: tuple[Any, ...] = ()) -> "Iterator[Versioned]":
        """See Renewable: what it says is its version."""
        from .renewing import Versioned  # 1 ms, for people only

        return (Versioned(found, found.row.source) for found in self.select(selection, after))

    def renew(self, renewals: "Sequence[Renewal]") -> int:
        """See Renewable."""
        from . import renewing_postgresql  # 1 ms, for people only

        return self._patiently(renewing_postgresql.renew, renewals) if renewals else 0

    def remove(self) -> int:
        """Take away every document under the prefix: for what was made up. Returns how many there were."""
        return self._patiently(_remove, self._prefix)

    def delete(self, rows: Iterable[Row]) -> int:
        """See privacy.documents.Erasable."""
        from . import forget_postgresql  # 1 ms, for people only

        return self._patiently(forget_postgresql.delete, list(rows))

    def replace(self, rows: Iterable[Row]) -> int:
        """See privacy.documents.Erasable."""
        from . import forget_postgresql  # 1 ms, for people only

        return self._patiently(forget_postgresql.replace, list(rows))

    def settle(self) -> None:
        """See privacy.documents.Erasable: the server cleans up by itself."""

    def prune(self, before: Mapping[str, str], *, really: bool) -> Iterator[tuple[str, int]]:
        """See privacy.prune.Prunable."""
        from . import forget_postgresql  # 1 ms, for people only

        for dataset, date in before.items():
            wanted = (f"{self._prefix}{dataset}-", date)
            if not really:
                yield dataset, self._patiently(forget_postgresql.count, wanted)
                continue
            while number := self._patiently(forget_postgresql.prune, wanted):
                yield dataset, number

    def close(self) -> None:
        """See Store."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _patiently(self, work: Callable[[Any, Any], _T], argument: Any) -> _T:
        """Do the work in a transaction, again while the server is away or others are in the way. Raises StoreError."""
        psycopg = _psycopg(self.name)
        patience = Patience(self.name, *self._waiting)
        while True:
            try:
                connection = self._connected(psycopg, patience)
                with connection.transaction():
                    return work(connection, argument)
            except psycopg.Error as error:
                said = _said(error)
                trouble = _trouble(error, said, psycopg)
                if trouble is None:
                    raise StoreError(f"{self.name}: {said}: {_remedy(error)}") from error
            self.close()
            patience.wait(trouble)

    def _connected(self, psycopg: Any, patience: Patience) -> Any:
        if self._connection is None or self._connection.closed:
            password = secret.read(self._options.password_file, "[postgresql] password_file")
            more = {"password": password} if password else {}
            seconds = max(2, int(min(self._options.timeout, patience.left())))  # libpq takes no fewer than 2
            if self._parameters.get("sslrootcert") == "system":
                more["sslrootcert"] = _authorities()
            parameters = self._parameters | more
            connection = psycopg.connect(**parameters, connect_timeout=seconds, autocommit=True)
            _set_up(connection)
            self._connection = connection
        return self._connection


def _psycopg(name: str) -> Any:
    try:
        import psycopg  # 90 ms
    except ImportError as error:
        raise StoreError(f"{name} needs psycopg: pip install 'email-report-processor[postgresql]'") from error
    return psycopg


def _authorities() -> str:
    """The file with the system's authorities: the OpenSSL in psycopg's wheel looks for them where nothing is."""
    import ssl  # 6 ms, and only for another machine

    return ssl.get_default_verify_paths().cafile or "system"


def _parameters(url: str, options: PostgresqlOptions) -> tuple[str, dict[str, str]]:
    """The name for people, and what libpq is told. Raises ValueError, without a password."""
    user, at, rest = url.removeprefix("postgresql://").rpartition("@")
    if ":" in user or "/" in user:
        raise ValueError("a password does not belong into the URL, where logs show it: set [postgresql] password_file")
    parts = urlsplit(f"postgresql://{rest}")
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"not a URL of the form {_FORM_URL}") from error
    given = dict(parse_qsl(parts.query))
    host = unquote(parts.hostname or "") or given.get("host", "")
    database = parts.path.strip("/")
    if "password" in given or not host or not database or "/" in database:
        raise ValueError(f"not a URL of the form {_FORM_URL}")
    parameters = {"host": host, "dbname": database, "application_name": "email-report-processor"}
    if host not in place.LOOPBACK and not host.startswith("/"):
        parameters |= {"sslmode": "verify-full", "sslrootcert": options.ca_file or "system"}
    elif options.ca_file:
        parameters |= {"sslmode": "verify-full", "sslrootcert": options.ca_file}
    parameters |= given | ({"user": unquote(user)} if at else {}) | ({"port": str(port)} if port else {})
    shown = f"[{host}]" if ":" in host else host
    return f"postgresql://{shown}{f':{port}' if port else ''}/{database}", parameters


# Work in a transaction


def _insert(connection: Any, rows: Sequence[Row]) -> tuple[set[str], dict[str, Rejected]]:
    """The ids that were new, and what was refused."""
    connection.execute("SET LOCAL synchronous_commit = on")
    ordered = sorted(rows, key=lambda row: row.id)  # two that store the same do not wait for each other in a circle
    return _insert_some(connection, ordered)


def _insert_some(connection: Any, rows: Sequence[Row]) -> tuple[set[str], dict[str, Rejected]]:
    """In halves, until what cannot be held stands alone."""
    from psycopg import DataError

    if not rows:
        return set(), {}
    # One array of JSON: psycopg would escape an array of texts one by one, which takes longer than all the rest.
    sources = (b"[%b]" % b",".join(row.source for row in rows)).decode()
    columns = [[row.id for row in rows], [row.index for row in rows], sources]
    try:
        with connection.transaction():  # a savepoint
            return {id_ for (id_,) in connection.execute(f"{_INSERT} RETURNING id", columns)}, {}
    except DataError as error:
        if len(rows) == 1:
            return set(), {rows[0].id: Rejected(rows[0], _said(error))}
    half = len(rows) // 2
    new, refused = _insert_some(connection, rows[:half])
    more, too = _insert_some(connection, rows[half:])
    return new | more, refused | too


def _scan_page(connection: Any, after: tuple[str, str]) -> list[Row]:
    sql = f"SELECT idx, id, source::text FROM {TABLE} WHERE (idx, id) > (%s, %s) ORDER BY idx, id LIMIT {_PAGE}"  # noqa: S608  # our own names
    return [Row(index, id_, source.encode()) for index, id_, source in connection.execute(sql, after)]


def _ingested_page(connection: Any, after: tuple[str, str]) -> list[tuple[str, str]]:
    sql = (
        f"SELECT ingested, id FROM {TABLE} WHERE (ingested, id) > (%s, %s) AND ingested <> '' "  # noqa: S608  # our own names
        f"ORDER BY ingested, id LIMIT {_IDS}"
    )
    found: list[tuple[str, str]] = connection.execute(sql, after).fetchall()
    return found


def _entries(connection: Any, ids: list[str]) -> "list[Entry]":
    from .follow import Entry

    sql = f"SELECT idx, id, source::text, ingested FROM {TABLE} WHERE id = ANY(%s) ORDER BY ingested, id"  # noqa: S608  # our own names
    return [
        Entry(Row(index, id_, source.encode()), ingested + "Z")
        for index, id_, source, ingested in connection.execute(sql, (ids,))
    ]


def _remove(connection: Any, prefix: str) -> int:
    gone: int = connection.execute(f"DELETE FROM {TABLE} WHERE starts_with(idx, %s)", (prefix,)).rowcount  # noqa: S608  # our own name
    return gone


# The table


def _set_up(connection: Any) -> None:
    """Make the table and its views where they are absent or older; whoever may not finds them made."""
    wanted = _version()
    said = connection.execute(f"SELECT obj_description(to_regclass('{TABLE}'), 'pg_class')").fetchone()[0]
    if said == wanted:
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        connection.execute("SET LOCAL client_min_messages = warning")
        connection.execute(_TABLE)
        for statement in _INDEXES:
            connection.execute(statement)
        for dataset in DATASETS:
            connection.execute(f"DROP VIEW IF EXISTS {_view_name(dataset)}")
            connection.execute(_view(dataset))
        connection.execute(f"COMMENT ON TABLE {TABLE} IS '{wanted}'")


def _version() -> str:
    """Another one when the views would be others."""
    import zlib

    names = "\n".join(f"{dataset.name} {field.name}" for dataset in DATASETS for field in dataset.fields)
    return f"email-report-processor {zlib.crc32(f'{_FORM} {names}'.encode()):08x}"


def _view_name(dataset: Dataset) -> str:
    return f"{TABLE}_{dataset.name.replace('-', '_')}"


def _view(dataset: Dataset) -> str:
    """One column for each field, for people with psql; lists are JSON."""
    names = {field.objects or field.name: field for field in dataset.fields}
    columns = ", ".join(f'{_column(name, field)} AS "{name}"' for name, field in names.items())
    return (
        f"CREATE VIEW {_view_name(dataset)} AS SELECT id, idx, {columns} FROM {TABLE} "  # noqa: S608  # our own names
        f"WHERE source #>> '{{event,dataset}}' = '{dataset.name}'"
    )


def _column(name: str, field: Any) -> str:
    path = f"'{{{','.join(name.split('.'))}}}'"
    if field.many or field.objects:
        return f"source #> {path}"
    casts = {"long": "::bigint", "integer": "::bigint", "boolean": "::boolean"}
    return f"(source #>> {path}){casts.get(field.type.name, '')}"


# Errors (https://www.postgresql.org/docs/current/errcodes-appendix.html)

_AGAIN = ("08", "40", "53", "55", "57")  # connection, rollback, resources, not in this state, operator's intervention
# What libpq says of a connection that nobody took, of a name and of a socket that are not there
_NOBODY = ("refused", "resolve", "No such file", "No route", "unreachable")
_REMEDIES = {
    "28": "check the user, [postgresql] password_file, and pg_hba.conf of the server",
    "3D": "there is no such database: make it (createdb)",
    "42": "this user may not: give it the table email_reports (INSERT, SELECT), or the right to make it (CREATE)",
}


def _trouble(error: Any, said: str, psycopg: Any) -> Trouble | None:
    """Why it is to be tried again; None when that is of no use."""
    state = error.sqlstate or ""
    if state == "25006" or state.startswith(_AGAIN):  # 25006: a standby that takes over soon, or never
        return Trouble(f"says {said}")
    if not state and isinstance(error, psycopg.OperationalError) and not _hopeless(said):
        return Trouble(f"cannot be reached: {said}", unheard=any(word in said for word in _NOBODY))
    return None


def _hopeless(said: str) -> bool:
    """libpq gives no code before it is connected."""
    return any(words in said for words in ("password", "authentication", "certificate", "does not exist", "no pg_hba"))


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _remedy(error: Any) -> str:
    state = error.sqlstate or ""
    if not state:
        return _REMEDIES["28"]
    return _REMEDIES.get(state[:2], "see the log of PostgreSQL")
