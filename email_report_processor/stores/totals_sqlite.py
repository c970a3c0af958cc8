"""Answers to questions from the embedded store: from its daily sums where they hold it, else from every document."""

import sqlite3
from typing import Any

from ..values.fields import Field
from .by_time import by_period, ranges
from .select_sqlite import prepare, translate
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
    whole_days = all(bound.endswith("T00:00:00Z") for bound in (checked.since, checked.until) if bound)
    listed = any(field.many or field.objects for field in scalar) or any(field.objects for field in checked.by)
    if checked.node is not None or listed or not whole_days:
        return None
    days = bool(checked.every or checked.since or checked.until)
    found = [
        one
        for one in SUMS
        if one.dataset == dataset
        and (one.daily or not days)
        and needed <= set(one.fields)
        and {field.name for field in checked.sum} <= set(one.sums)
    ]
    return min(found, key=lambda one: (len(one.fields), one.daily), default=None)


def _from_sums(one: Sum, checked: Checked, prefix: str) -> tuple[str, list[Any]]:
    """As `_from_documents`, with the key of a row of sums in the place of a document."""
    keys = [_key_of_sums(one, number, field) for number, field in enumerate(checked.by)]
    joins = [_join_of_sums(one, number, field) for number, field in enumerate(checked.by) if field.many]
    if checked.every:
        keys.insert(0, "nullif(day, x'')")
    values = [f"s{one.sums.index(field.name)}" for field in checked.sum]
    different = [f"nullif({one.column(field.name)}, x'')" for field in checked.different]
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
    return f"j{number}.value" if field.many else f"nullif({one.column(field.name)}, x'')"


def _join_of_sums(one: Sum, number: int, field: Field) -> str:
    elements = f"json_each(nullif({one.column(field.name)}, x'')) AS j{number}"
    return f"LEFT JOIN {elements} ON j{number}.value IS NOT NULL"


def _conditions_of_sums(one: Sum, checked: Checked) -> tuple[list[str], list[Any]]:
    conditions = [f"{one.column(field.name)} = ifnull(?, x'')" for field, _ in checked.where]
    conditions += [f"{one.column(field.name)} <> ifnull(?, x'')" for field, _ in checked.unless]
    parameters = [value for _, value in (*checked.where, *checked.unless)]
    for bound, operator in ((checked.since, ">="), (checked.until, "<")):
        if bound:
            conditions.append(f"(day {operator} ? AND day <> x'')")
            parameters.append(bound[:10])
    return conditions, parameters


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
