"""Answers to questions from the embedded store: from its sums where they hold it, else from every document."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from ..values.fields import Field
from .by_time import by_period, ranges, terms
from .query import And, Between, Ids, Node, Not, Or
from .select_sqlite import Condition, Place, prepare, translate
from .store import Total
from .sums_sqlite import SUMS, Sum, catch_up, path
from .totals import Checked, largest


def answer(connection: sqlite3.Connection, checked: Checked, dataset: str, prefix: str, size: int) -> list[Total]:
    """The largest groups. Raises sqlite3.Error."""
    one = holding(checked, dataset)
    if one is not None and catch_up(connection):
        sql, parameters = _from_sums(one, checked, prefix)
    else:
        sql, parameters = _from_documents(checked, dataset, prefix)
    if checked.node is not None:
        prepare(connection)
    return largest((_total(checked, values) for values in connection.execute(sql, parameters)), size)


# From sums


def holding(checked: Checked, dataset: str) -> Sum | None:
    """The sums with the fewest fields that hold the answer."""
    scalar = [field for field, _ in (*checked.where, *checked.unless)] + list(checked.different)
    needed = {field.name for field in (*checked.by, *scalar)}
    said = list(_fields(checked.node)) if checked.node is not None else []
    listed = any(field.many or field.objects for field in scalar)
    if listed or any(field is None or field.objects for field in (*checked.by, *said)):
        return None
    names, periods = {field.name for field in said if field}, _periods(checked)
    found = [
        one
        for one in SUMS
        if one.dataset == dataset
        and periods <= one.periods
        and needed <= set(one.fields)
        and names <= {*one.fields, *one.moments}
        and {field.name for field in checked.sum} <= set(one.sums)
    ]
    return min(found, key=lambda one: (one.exact, len(one.fields), len(one.times)), default=None)


def _periods(checked: Checked) -> set[str]:
    """What it names of time, beside its query."""
    bounds = [bound for bound in (checked.since, checked.until) if bound]
    days = {"day"} if checked.every or bounds else set()
    return days | ({"@timestamp"} if any(not bound.endswith("T00:00:00Z") for bound in bounds) else set())


def _fields(node: Node) -> Iterator[Field | None]:
    """The fields that a query names; None where it names documents."""
    match node:
        case And(nodes) | Or(nodes):
            for one in nodes:
                yield from _fields(one)
        case Not(inner):
            yield from _fields(inner)
        case Ids():
            yield None
        case _:
            yield node.field


def _from_sums(one: Sum, checked: Checked, prefix: str) -> tuple[str, list[Any]]:
    """As `_from_documents`, with the key of a row of sums in the place of a document."""
    keys = [_key_of_sums(one, number, field) for number, field in enumerate(checked.by)]
    joins = [_join_of_sums(one, number, field) for number, field in enumerate(checked.by) if field.many]
    if checked.every:
        keys.insert(0, one.day)
    values = [f"s{one.sums.index(field.name)}" for field in checked.sum]
    different = [one.value(field.name) for field in checked.different]
    columns = [f"{sql} AS c{number}" for number, sql in enumerate([*keys, *values, *different])]
    conditions, parameters = _conditions_of_sums(one, checked)
    # A list may name a value twice: each row of sums counts once for it.
    begin_ = f"SELECT DISTINCT {', '.join(one.keys)}," if joins else "SELECT"
    inner = (
        f"{begin_} documents, {', '.join(columns) or 'NULL'} FROM {one.table} {' '.join(joins)} "
        f"WHERE {' AND '.join([*conditions, 'documents > 0', 'prefix = ?'])}"
    )
    names = [f"c{number}" for number in range(len(columns))]
    groups, rest = names[: len(keys)], names[len(keys) :]
    totals = [f"coalesce(sum({name}), 0)" for name in rest[: len(values)]]
    counts = [f"count(DISTINCT {name})" for name in rest[len(values) :]]
    outer = f"SELECT {', '.join([*groups, 'coalesce(sum(documents), 0)', *totals, *counts])} FROM ({inner})"
    return outer + (f" GROUP BY {', '.join(groups)}" if groups else ""), [*parameters, prefix]


def _key_of_sums(one: Sum, number: int, field: Field) -> str:
    return f"j{number}.value" if field.many else one.value(field.name)


def _join_of_sums(one: Sum, number: int, field: Field) -> str:
    elements = f"json_each({one.value(field.name)}) AS j{number}"
    return f"LEFT JOIN {elements} ON j{number}.value IS NOT NULL"


def _conditions_of_sums(one: Sum, checked: Checked) -> tuple[list[str], list[Any]]:
    conditions = [f"{one.column(field.name)} = ifnull(?, x'')" for field, _ in checked.where]
    conditions += [f"{one.column(field.name)} <> ifnull(?, x'')" for field, _ in checked.unless]
    parameters = [value for _, value in (*checked.where, *checked.unless)]
    column = "about" if one.exact else "day"
    for bound, operator in ((checked.since, ">="), (checked.until, "<")):
        if bound:
            conditions.append(f"({column} {operator} ? AND {column} <> x'')")
            parameters.append(bound.removesuffix("Z") if one.exact else bound[:10])
    if checked.node is not None:
        place = Place(one.value, lambda name: f"json_each({one.value(name)})")
        for term in terms(checked.node):
            condition, more = _between(one, term) or translate(term, place)
            conditions.append(condition)
            parameters += more
    return conditions, parameters


def _between(one: Sum, node: Node) -> Condition | None:
    """Moments in the words of the primary key: the rest of the table is not read."""
    if not isinstance(node, Between) or node.field.name not in one.moments:
        return None
    column = one.moments[node.field.name]
    bounds = [(bound, sign) for bound, sign in ((node.low, ">="), (node.high, "<")) if isinstance(bound, str)]
    conditions = [*(f"{column} {sign} ?" for _, sign in bounds), f"{column} <> x''"]
    return f"({' AND '.join(conditions)})", [bound.removesuffix("Z") for bound, _ in bounds]


# From documents


def _from_documents(checked: Checked, dataset: str, prefix: str) -> tuple[str, list[Any]]:
    """SQL that yields for each group its key, its number of documents, its sums and counts of different values.

    A document counts once for each different value of a list, as in a terms aggregation of OpenSearch.
    """
    keys = [_key(number, field) for number, field in enumerate(checked.by)]
    joins = [_join(number, field) for number, field in enumerate(checked.by) if field.many or field.objects]
    values = [f"json_extract(source, {path(field.name)})" for field in (*checked.sum, *checked.different)]
    timed, times = by_period((dataset,), checked.node)
    within, bounds = ranges(prefix, (dataset,), found=bool(timed))
    more, parameters = _conditions(checked)
    conditions = [*timed, *within, *more]
    if checked.every:
        keys.insert(0, _DAY)
    columns = [f"{sql} AS c{number}" for number, sql in enumerate([*keys, *values])]
    inner = (
        f"SELECT {'DISTINCT' if joins else ''} {', '.join(['+documents.rowid', *columns])} "
        f"FROM documents {' '.join(joins)} WHERE {' AND '.join(conditions)}"
    )
    groups = [f"c{number}" for number in range(len(keys))]
    summed = [f"c{number}" for number in range(len(keys), len(columns))]
    totals = [f"coalesce(sum({name}), 0)" for name in summed[: len(checked.sum)]]
    counts = [f"count(DISTINCT {name})" for name in summed[len(checked.sum) :]]
    outer = f"SELECT {', '.join([*groups, 'count(*)', *totals, *counts])} FROM ({inner})"
    return outer + (f" GROUP BY {', '.join(groups)}" if groups else ""), [*times, *bounds, *parameters]


def _key(number: int, field: Field) -> str:
    if field.objects:
        return f"json_extract(j{number}.value, {path(field.name.removeprefix(field.objects + '.'))})"
    return f"j{number}.value" if field.many else f"json_extract(source, {path(field.name)})"


def _join(number: int, field: Field) -> str:
    """A row for each value; one row of NULL when there is none."""
    elements = f"json_each(source, {path(field.objects or field.name)}) AS j{number}"
    return f"LEFT JOIN {elements} ON {_key(number, field)} IS NOT NULL"


_DAY = f"substr(json_extract(source, {path('@timestamp')}), 1, 10)"


def _conditions(checked: Checked) -> tuple[list[str], list[Any]]:
    conditions, parameters = [], []
    for field, value in checked.where:
        conditions.append(_equal(field, value))
        parameters.append(value)
    for field, value in checked.unless:
        conditions.append(f"json_extract(source, {path(field.name)}) IS NOT ?")
        parameters.append(value)
    # Without its Z, a date with milliseconds sorts behind the same one without.
    moment = f"replace(json_extract(source, {path('@timestamp')}), 'Z', '')"
    for bound, operator in ((checked.since, ">="), (checked.until, "<")):
        if bound:
            conditions.append(f"{moment} {operator} ?")
            parameters.append(bound.removesuffix("Z"))
    if checked.node is not None:
        condition, more = translate(checked.node)
        conditions.append(condition)
        parameters += more
    return conditions, parameters


def _equal(field: Field, value: Any) -> str:
    """`IS`, so that None asks for documents without the field."""
    if not (field.many or field.objects):
        return f"json_extract(source, {path(field.name)}) IS ?"
    elements = f"SELECT 1 FROM json_each(source, {path(field.objects or field.name)}) AS j0 WHERE {_key(0, field)}"
    if value is None:
        return f"(? IS NULL AND NOT EXISTS ({elements} IS NOT NULL))"
    return f"EXISTS ({elements} = ?)"


def _total(checked: Checked, values: tuple[Any, ...]) -> Total:
    days = values[:1] if checked.every else ()
    size = len(days) + len(checked.by)
    key = tuple(
        bool(value) if field.type.name == "boolean" and value is not None else value
        for field, value in zip(checked.by, values[len(days) : size], strict=True)
    )
    numbers = tuple(int(value) for value in values[size + 1 :])
    return Total((*days, *key), values[size], numbers[: len(checked.sum)], numbers[len(checked.sum) :])
