"""Answers to questions from PostgreSQL: what totals_sqlite asks of every document, in the words of jsonb."""

import json
from typing import Any

from ..values.fields import Field
from .select_postgresql import TABLE, elements, path, translate
from .store import Question, Total
from .totals import Checked, largest


def answer(connection: Any, checked: Checked, question: Question, prefix: str) -> list[Total]:
    """The largest groups. Raises psycopg.Error."""
    sql, parameters = _question(checked, f"{prefix}{question.dataset}-")
    return largest((_total(checked, values) for values in connection.execute(sql, parameters)), question.size)


def _question(checked: Checked, begin: str) -> tuple[str, list[Any]]:
    """SQL that yields for each group its key, its number of documents, its sums and counts of different values.

    A document counts once for each different value of a list, as in a terms aggregation of OpenSearch.
    """
    keys = [_key(number, field) for number, field in enumerate(checked.by)]
    joins = [_join(number, field) for number, field in enumerate(checked.by) if field.many or field.objects]
    values = [_number(field) for field in checked.sum] + [
        f"source #> {path(field.name)}" for field in checked.different
    ]
    conditions, parameters = _conditions(checked)
    if checked.every:
        keys.insert(0, "nullif(left(moment, 10), '')")
    columns = [f"{sql} AS c{number}" for number, sql in enumerate([*keys, *values])]
    inner = (
        f"SELECT {'DISTINCT' if joins else ''} {', '.join(['id', *columns])} "  # noqa: S608  # our own names
        f"FROM {TABLE} {' '.join(joins)} WHERE {' AND '.join(['starts_with(idx, %s)', *conditions])}"
    )
    groups = [f"c{number}" for number in range(len(keys))]
    rest = [f"c{number}" for number in range(len(keys), len(columns))]
    totals = [f"coalesce(sum({name}), 0)" for name in rest[: len(checked.sum)]]
    counts = [f"count(DISTINCT {name})" for name in rest[len(checked.sum) :]]
    outer = f"SELECT {', '.join([*groups, 'count(*)', *totals, *counts])} FROM ({inner}) AS found"  # noqa: S608  # our own names
    return outer + (f" GROUP BY {', '.join(groups)}" if groups else ""), [begin, *parameters]


def _key(number: int, field: Field) -> str:
    if field.objects:
        return f"j{number}.value #> {path(field.name.removeprefix(field.objects + '.'))}"
    return f"j{number}.value" if field.many else f"source #> {path(field.name)}"


def _join(number: int, field: Field) -> str:
    """A row for each value; one row of NULL when there is none."""
    each = f"LATERAL {elements(field.objects or field.name)} AS j{number} (value)"
    return f"LEFT JOIN {each} ON ({_key(number, field)}) IS NOT NULL"


def _number(field: Field) -> str:
    value = f"source #> {path(field.name)}"
    return f"CASE jsonb_typeof({value}) WHEN 'number' THEN ({value})::numeric END"


def _conditions(checked: Checked) -> tuple[list[str], list[Any]]:
    conditions, parameters = [], []
    for field, value in checked.where:
        conditions.append(_equal(field, value))
        parameters += [] if value is None and (field.many or field.objects) else [_json(value)]
    for field, value in checked.unless:
        conditions.append(f"(source #> {path(field.name)}) IS DISTINCT FROM %s::jsonb")
        parameters.append(_json(value))
    for bound, operator in ((checked.since, ">="), (checked.until, "<")):
        if bound:
            conditions.append(f"moment {operator} %s AND moment <> ''")
            parameters.append(bound.removesuffix("Z"))
    if checked.node is not None:
        condition, more = translate(checked.node)
        conditions.append(condition)
        parameters += more
    return conditions, parameters


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _equal(field: Field, value: Any) -> str:
    """None asks for documents without the field."""
    if not (field.many or field.objects):
        return f"(source #> {path(field.name)}) IS NOT DISTINCT FROM %s::jsonb"
    each = f"SELECT 1 FROM {elements(field.objects or field.name)} AS j0 (value) WHERE ({_key(0, field)})"  # noqa: S608  # our own names
    return f"NOT EXISTS ({each} IS NOT NULL)" if value is None else f"EXISTS ({each} = %s::jsonb)"


def _total(checked: Checked, values: tuple[Any, ...]) -> Total:
    size = len(checked.by) + bool(checked.every)
    numbers = tuple(int(value) for value in values[size + 1 :])
    return Total(values[:size], values[size], numbers[: len(checked.sum)], numbers[len(checked.sum) :])
