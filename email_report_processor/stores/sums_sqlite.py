"""Sums that the embedded store keeps beside its documents, so that a page or a check need not read them all.

A page asks for days, a check for what was stored since a moment. A reporter tells of a domain once a day, and all of a
report is stored at one moment: so sums by the moment are not many more than sums by the day, and hold any period.

Whoever asks brings the sums up to the newest document first: the filter pays nothing for them. They hold the documents
up to a mark (a rowid), which moves in the same transaction as the sums; what changes or removes a document takes it out
again by a trigger. So they are true at any moment, and what is missing is only not yet in them.
"""

import sqlite3
from typing import NamedTuple

from ..documents.datasets import BY_NAME
from ..values.fields import Field
from . import kinds_sqlite

_SLICE = 20_000  # documents of one transaction: writers wait no longer than for these
_ABSENT = "x''"  # stands for NULL in keys: NULLs are all different in an index
_DAILY = ("day",)
_STORED = ("stored", "about")  # the moments event.ingested and @timestamp, without their Z: so they sort (by_time.py)
_ABOUT = ("about",)
_MOMENTS = {"event.ingested": "stored", "@timestamp": "about"}


class Sum(NamedTuple):
    """One table of sums: by prefix, time and some fields."""

    name: str
    dataset: str
    fields: tuple[str, ...]  # dotted names; of a list the whole list is one value
    sums: tuple[str, ...] = ("count",)
    times: tuple[str, ...] = _DAILY  # (): of all time, which is small where days are many

    @property
    def table(self) -> str:
        """Its name in the file."""
        return f"sums_{self.name}"

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of its primary key: what is asked for by one value, or from a moment on, comes first."""
        fields = tuple(f"k{number}" for number in range(len(self.fields)))
        return (*self.times, *fields, "prefix") if self.exact else (*fields, *self.times, "prefix")

    @property
    def exact(self) -> bool:
        """Whether it knows moments, not days alone."""
        return "about" in self.times

    @property
    def moments(self) -> dict[str, str]:
        """The fields of the moments that it knows, with their columns."""
        return {name: column for name, column in _MOMENTS.items() if column in self.times}

    @property
    def periods(self) -> frozenset[str]:
        """What a question may name of time."""
        return frozenset({"day", *self.moments} if self.exact else self.times)

    @property
    def day(self) -> str:
        """SQL of the day of a row."""
        return "substr(nullif(about, x''), 1, 10)" if self.exact else "nullif(day, x'')"

    def value(self, name: str) -> str:
        """SQL of a field of a row, NULL where it is absent."""
        return f"nullif({self.moments.get(name) or self.column(name)}, x'')"

    def column(self, name: str) -> str:
        """Of a field."""
        return f"k{self.fields.index(name)}"

    def field(self, name: str) -> Field:
        """Of this dataset."""
        return BY_NAME[self.dataset].by_name[name]


_DOMAIN = "policy_published.domain"
_TRUST = "report.authentication"  # what forged reports say is left out
_MAIL = "dmarc-aggregate"

_SENDER = ("source.name", "identifiers.header_from")
_PLACE = ("source.as.organization.name", "source.geo.country_iso_code")

# Whoever changes these raises `sqlite._FORM`: the tables are then made anew.
SUMS = (
    Sum("days", _MAIL, ("class", "class_rule", _DOMAIN, "dmarc.result", "report.duration", _TRUST)),
    Sum("senders", _MAIL, ("class", "source.name", _DOMAIN, "dmarc.result", _TRUST)),
    Sum("policies", _MAIL, (_DOMAIN, "policy_published.p", "policy_published.sp", "policy_published.np", _TRUST)),
    Sum(
        "places",
        _MAIL,
        (
            "source.as.organization.name",
            "source.as.number",
            "source.geo.country_iso_code",
            "dmarc.result",
            _DOMAIN,
            _TRUST,
        ),
    ),
    *(
        Sum(name + more, _MAIL, (*fields, _DOMAIN, _TRUST), times=() if more else _DAILY)
        for name, fields in (
            ("hosts", ("class", "class_rule", "source.ip", *_SENDER, *_PLACE, "dmarc.result")),
            ("reporters", ("class", "class_rule", "report.org_name", "policy_evaluated.disposition", *_SENDER)),
            ("signatures", ("class", "dkim.signatures", *_SENDER)),
        )
        for more in ("", "_ever")
    ),
    Sum("warnings", _MAIL, ("warnings", _DOMAIN, _TRUST)),
    # What the rules of alerts look at.
    *(
        Sum(f"stored_{name}", _MAIL, (_DOMAIN, "report.org_name", *fields, _TRUST), times=_STORED)
        for name, fields in (
            ("senders", ("source.name", "class", "dmarc.result")),
            ("hosts", ("source.name", "source.ip", "source.as.number", "class", "dmarc.result")),
            ("policies", tuple(f"policy_published.{tag}" for tag in ("p", "sp", "np", "adkim", "aspf", "testing"))),
            ("signatures", ("dkim.signatures",)),
        )
    ),
    Sum(
        "stored_tls",
        "smtp-tls",
        ("policy.domain", "report.org_name", "policy.string", "failure.result_type", _TRUST),
        ("sessions.successful", "sessions.failed", "failure.failed_session_count"),
        _STORED,
    ),
    *(
        Sum(f"stored_{dataset.replace('-', '_')}", dataset, ("report.org_name", _TRUST), (), _STORED)
        for dataset in ("report", "dmarc-failure", "arf")
    ),
    # What pages and the desk show of failed messages. Hardly two are of one moment: this is what is asked of each,
    # taken out of its document once.
    *(
        Sum(
            f"failures_{dataset.replace('-', '_')}",
            dataset,
            (
                "feedback.type",
                "class",
                "feedback.delivery_result",
                "source.as.number",
                *_PLACE,
                "source.ip",
                "feedback.reported_domain",
                "warnings",
                _TRUST,
            ),
            times=_ABOUT,
        )
        for dataset in ("dmarc-failure", "arf")
    ),
)


def path(name: str) -> str:
    """A JSON path as an SQL literal: `source.ip` is '$."source"."ip"'."""
    return "'$" + "".join(f'."{part}"' for part in name.split(".")) + "'"


def create(connection: sqlite3.Connection) -> None:
    """Empty tables, and the triggers that take out what changes. Within a transaction."""
    connection.execute("DROP TABLE IF EXISTS sums_upto")
    connection.execute("CREATE TABLE sums_upto (upto INTEGER NOT NULL)")
    connection.execute("INSERT INTO sums_upto VALUES (0)")
    for one in SUMS:
        keys = ", ".join(one.keys)
        sums = "".join(f", s{number} INTEGER NOT NULL" for number in range(len(one.sums)))
        connection.execute(f"DROP TABLE IF EXISTS {one.table}")
        connection.execute(
            f"CREATE TABLE {one.table} ({keys}, documents INTEGER NOT NULL{sums}, PRIMARY KEY ({keys})) WITHOUT ROWID"
        )
    kinds_sqlite.create(connection)
    for event in ("DELETE", "UPDATE"):
        connection.execute(f"DROP TRIGGER IF EXISTS sums_{event.lower()}")
        connection.execute(_trigger(event))


def _trigger(event: str) -> str:
    """Takes the old document out; what is there instead is counted again, since the mark moves below it."""
    steps = [*(_take_out(one) for one in SUMS), kinds_sqlite.take_out()]
    # A rowid may be given again once the largest is gone; a changed document stands above the mark after its removal.
    mark = "UPDATE sums_upto SET upto = min(upto, (SELECT coalesce(max(rowid), 0) FROM documents))"
    if event == "UPDATE":
        steps += [*(_put_in(one) for one in SUMS), *kinds_sqlite.put_in()]
    condition = "old.rowid <= (SELECT upto FROM sums_upto)"
    return (
        f"CREATE TRIGGER sums_{event.lower()} AFTER {event} ON documents WHEN {condition} "
        f"BEGIN {'; '.join([*steps, mark])}; END"
    )


def _take_out(one: Sum) -> str:
    values = _values(one, "old.source", "old.idx")
    keys = " AND ".join(f"{column} = {value}" for column, value in zip(one.keys, values, strict=True))
    sums = "".join(f", s{number} = s{number} - {value}" for number, value in enumerate(_numbers(one, "old.source")))
    return f"UPDATE {one.table} SET documents = documents - 1{sums} WHERE {_of(one, 'old.idx')} AND {keys}"


def _put_in(one: Sum) -> str:
    """Add what the trigger calls new."""
    values = ", ".join([*_values(one, "new.source", "new.idx"), "1", *_numbers(one, "new.source")])
    return _upsert(one, f"SELECT {values} WHERE {_of(one, 'new.idx')}")


def _upsert(one: Sum, selection: str) -> str:
    more = "".join(f", s{n} = s{n} + excluded.s{n}" for n in range(len(one.sums)))
    keys = ", ".join(one.keys)
    return (
        f"INSERT INTO {one.table} {selection} "
        f"ON CONFLICT ({keys}) DO UPDATE SET documents = documents + excluded.documents{more}"
    )


def _of(one: Sum, index: str) -> str:
    return f"{_named(index)} LIKE '%{one.dataset}-'"


def _named(index: str) -> str:
    """The name of an index without its period: prefix, dataset and a hyphen."""
    return f"rtrim({index}, replace({index}, '-', ''))"


def _values(one: Sum, source: str, index: str) -> list[str]:
    """The key of a document."""
    fields = [f"ifnull(json_extract({source}, {path(name)}), {_ABSENT})" for name in one.fields]
    name = _named(index)
    prefix = f"substr({name}, 1, length({name}) - {len(one.dataset) + 1})"
    times = [_time(source, time) for time in one.times]
    return [*times, *fields, prefix] if one.exact else [*fields, *times, prefix]


def _time(source: str, column: str) -> str:
    name = "event.ingested" if column == "stored" else "@timestamp"
    value = f"json_extract({source}, {path(name)})"
    moment = f"substr({value}, 1, 10)" if column == "day" else f"replace({value}, 'Z', '')"
    return f"ifnull({moment}, {_ABSENT})"


def _numbers(one: Sum, source: str) -> list[str]:
    return [f"ifnull(json_extract({source}, {path(name)}), 0)" for name in one.sums]


# Up to the newest document


def catch_up(connection: sqlite3.Connection) -> bool:
    """Count what is not yet in the sums. False where this user may not write them: they are of no use then."""
    try:
        while _step(connection):
            pass
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_READONLY:
            raise
        return False
    return True


_BEHIND = "SELECT (SELECT max(rowid) FROM documents) > (SELECT upto FROM sums_upto)"


def _step(connection: sqlite3.Connection) -> bool:
    """A slice; whether there may be more."""
    if not connection.execute(_BEHIND).fetchone()[0]:
        return False
    try:
        connection.execute("BEGIN IMMEDIATE")
        upto = connection.execute("SELECT upto FROM sums_upto").fetchone()[0]
        limit = "SELECT rowid FROM documents WHERE rowid > ? ORDER BY rowid LIMIT ?"
        last = connection.execute(f"SELECT max(rowid) FROM ({limit})", (upto, _SLICE)).fetchone()[0]
        if last is not None:
            _count(connection, upto, last)
            connection.execute("UPDATE sums_upto SET upto = ?", (last,))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.rollback()
    return last is not None


def _count(connection: sqlite3.Connection, after: int, last: int) -> None:
    """Each document is opened once for all tables of its dataset."""
    for dataset in dict.fromkeys(one.dataset for one in SUMS):
        mine = [one for one in SUMS if one.dataset == dataset]
        whole = _whole(dataset, mine)
        numbers = [f"{value} AS s{n}" for n, value in enumerate(_numbers(whole, "source"))]
        values = [f"{value} AS {key}" for key, value in zip(whole.keys, _values(whole, "source", "idx"), strict=True)]
        connection.execute(
            f"CREATE TEMP TABLE opened AS SELECT {', '.join([*values, *numbers])} FROM documents "
            f"WHERE rowid > {after:d} AND rowid <= {last:d} AND {_of(whole, 'idx')}"
        )
        for one in mine:
            connection.execute(_from_opened(one, whole))
        connection.execute("DROP TABLE temp.opened")
    kinds_sqlite.count(connection, after, last)


def _whole(dataset: str, some: list[Sum]) -> Sum:
    """A table with everything that these have."""
    fields = dict.fromkeys(name for one in some for name in one.fields)
    sums = dict.fromkeys(name for one in some for name in one.sums)
    times = dict.fromkeys(name for one in some for name in one.times)
    return Sum("", dataset, tuple(fields), tuple(sums), tuple(times))


def _from_opened(one: Sum, whole: Sum) -> str:
    fields = [whole.column(name) for name in one.fields]
    keys = [*one.times, *fields, "prefix"] if one.exact else [*fields, *one.times, "prefix"]
    sums = [f"sum(s{whole.sums.index(name)})" for name in one.sums]
    groups = ", ".join(str(number) for number in range(1, len(keys) + 1))
    # WHERE true: without it the parser takes ON CONFLICT for the ON of a join.
    selection = f"SELECT {', '.join([*keys, 'count(*)', *sums])} FROM temp.opened WHERE true GROUP BY {groups}"
    return _upsert(one, selection)
