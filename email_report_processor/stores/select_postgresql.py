"""A tree of a query as a condition of PostgreSQL over `email_reports`. Pure but for `page`.

As in select_sqlite: JSON paths and names are our own fields', what a person wrote is always a parameter, and a leaf is
true or false, never NULL. Patterns match as there: ASCII letters in either case, other letters in each case that is one
character.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..values.fields import Field
from .query import And, Between, Exists, Ids, Is, Node, Not, Or, Text, Within
from .select_opensearch import cases
from .store import Found, Row, Selection

TABLE = "email_reports"
Condition = tuple[str, list[Any]]
_SPECIAL = frozenset(r".?+*|{}[]()\^$")  # of a regular expression


class Wanted(NamedTuple):
    """What `page` looks for."""

    selection: Selection
    prefix: str  # of the index names
    after: tuple[Any, ...]  # (moment, id), () for the beginning


def page(connection: Any, wanted: Wanted) -> list[Found]:
    """Documents newest first, as many as the selection has as its size."""
    condition, parameters = translate(wanted.selection.node)
    conditions = [condition]
    if wanted.selection.datasets:
        begins = [f"{wanted.prefix}{dataset}-" for dataset in wanted.selection.datasets]
        conditions.append("(" + " OR ".join(["starts_with(idx, %s)"] * len(begins)) + ")")
        parameters = [*parameters, *begins]
    if wanted.after:
        conditions.append("(moment, id) < (%s, %s)")
        parameters = [*parameters, *wanted.after]
    said = _brief(wanted.selection.fields)
    sql = (
        f"SELECT idx, id, ({said})::text, moment FROM {TABLE} WHERE {' AND '.join(conditions)} "  # noqa: S608  # our own names
        "ORDER BY moment DESC, id DESC LIMIT %s"
    )
    found = connection.execute(sql, [*parameters, wanted.selection.size])
    return [Found(Row(index, id_, source.encode()), (moment, id_)) for index, id_, source, moment in found]


def _brief(fields: Sequence[str]) -> str:
    """Some fields as one flat object, without those that are not there; the whole document for ()."""
    members = ", ".join(f"'{name}', source #> {path(name)}" for name in fields)
    return f"jsonb_strip_nulls(jsonb_build_object({members}))" if fields else "source"


def path(name: str) -> str:
    """A path as an SQL literal: `source.ip` is '{source,ip}'."""
    return "'{" + ",".join(name.split(".")) + "}'"


def elements(name: str) -> str:
    """What yields each value of a list as jsonb; of what is none, nothing."""
    value = f"source #> {path(name)}"
    return f"jsonb_array_elements(CASE jsonb_typeof({value}) WHEN 'array' THEN {value} ELSE '[]' END)"


def translate(node: Node) -> Condition:
    """The condition and its parameters."""
    match node:
        case And(nodes):
            return _joined([translate(one) for one in nodes], " AND ", "true")
        case Or(nodes):
            return _joined([translate(one) for one in nodes], " OR ", "false")
        case Not(inner):
            condition, parameters = translate(inner)
            return f"(NOT {condition})", parameters
        case Ids(ids):
            return "(id = ANY(%s))", [sorted(ids)]
        case Text(field, pieces):
            return _any(field, *_text(pieces, field.type.mapping["ignore_above"]))
        case Between(field, low, high):
            return _any(field, *_between(low, high))
        case Within(field, network):
            looks_so = "({text} ~ '^[0-9a-fA-F:.]+$')"
            return _any(field, f"CASE WHEN {looks_so} THEN {{text}}::inet <<= %s::inet END", [network])
        case Is(field, value):
            return _any(field, "{json} = %s::jsonb", ["true" if value else "false"])
        case Exists(field):
            longest = field.type.mapping.get("ignore_above")
            return _any(field, f"length({{text}}) <= {longest}" if longest else "{text} IS NOT NULL", [])


def _joined(conditions: list[Condition], word: str, without: str) -> Condition:
    text = word.join(condition for condition, _ in conditions) or without
    return f"({text})", [one for _, parameters in conditions for one in parameters]


def _any(field: Field, test: str, parameters: list[Any]) -> Condition:
    """Whether any value of the field passes. test: SQL with {text} and {json} for the value."""
    if not (field.many or field.objects):
        return f"(({_filled(test, 'source', path(field.name))}) IS TRUE)", parameters
    inner = path(field.name.removeprefix(field.objects + ".")) if field.objects else "'{}'"
    each = f"{elements(field.objects or field.name)} AS j (value)"
    return f"EXISTS (SELECT 1 FROM {each} WHERE {_filled(test, 'j.value', inner)})", parameters  # noqa: S608  # our own names


def _filled(test: str, value: str, place: str) -> str:
    """`#>> '{}'` is the value itself as text."""
    return test.replace("{text}", f'(({value} #>> {place}) COLLATE "C")').replace("{json}", f"({value} #> {place})")


def _text(pieces: tuple[str, ...], longest: int) -> tuple[str, list[Any]]:
    """A keyword that is longer than OpenSearch indexes (`ignore_above`) is not found here either."""
    short = f"length({{text}}) <= {longest}"
    if not "".join(pieces).isascii():
        return f"{short} AND {{text}} ~ %s", ["^" + ".*".join("".join(map(_either, one)) for one in pieces) + "$"]
    if len(pieces) == 1:
        return f"{short} AND lower({{text}}) = %s", [pieces[0].lower()]
    return f"{short} AND lower({{text}}) LIKE %s", ["%".join(_like(piece.lower()) for piece in pieces)]


def _like(piece: str) -> str:
    return piece.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _either(character: str) -> str:
    """In each case, and nothing special."""
    forms = cases(character)
    if len(forms) > 1:
        return f"[{''.join(forms)}]"
    return f"\\{character}" if character in _SPECIAL else character


def _between(low: int | str | None, high: int | str | None) -> tuple[str, list[Any]]:
    """Without its Z, a date with milliseconds sorts behind the same one without."""
    return " AND ".join(sql for sql, _ in _bounds(low, high)), [value for _, value in _bounds(low, high)]


def _bounds(low: int | str | None, high: int | str | None) -> Iterator[tuple[str, Any]]:
    for bound, operator in ((low, ">="), (high, "<=" if isinstance(high, int) else "<")):
        if isinstance(bound, str):
            yield f"replace({{text}}, 'Z', '') {operator} %s", bound.removesuffix("Z")
        elif bound is not None:
            yield f"CASE jsonb_typeof({{json}}) WHEN 'number' THEN {{json}}::numeric {operator} %s END", bound
