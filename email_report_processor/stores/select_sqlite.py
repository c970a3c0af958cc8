"""A tree of a query as a condition of SQL over `documents`. Pure.

JSON paths and names are our own fields'; what a person wrote is always a parameter. A leaf is true or false, never
NULL, so that `not` means what it means in OpenSearch: documents without the field included.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from ..values.fields import Field
from . import by_time
from .by_time import MOMENT
from .query import And, Between, Exists, Ids, Is, Node, Not, Or, Text, Within
from .select_opensearch import cases
from .store import Found, Row, Selection

IN_NETWORK = "in_network"  # the function of SQL that `in_network` is
Condition = tuple[str, list[Any]]


def path(name: str) -> str:
    """A JSON path as an SQL literal: `source.ip` is '$."source"."ip"'."""
    return "'$" + "".join(f'."{part}"' for part in name.split(".")) + "'"


class Place(NamedTuple):
    """Where the values of fields stand: SQL by the name of a field."""

    value: Callable[[str], str]  # NULL where the field is absent
    each: Callable[[str], str]  # a table of the values of a list


DOCUMENT = Place(
    lambda name: f"json_extract(source, {path(name)})",
    lambda name: f"json_each(source, {path(name)})",
)


class Wanted(NamedTuple):
    """What `find` looks for."""

    selection: Selection
    prefix: str  # of the index names
    after: tuple[Any, ...]  # a place of `read`, () for the beginning


def prepare(connection: sqlite3.Connection) -> None:
    """Give the connection the function that `translate` may use."""
    connection.create_function(IN_NETWORK, 2, in_network, deterministic=True)


def find(connection: sqlite3.Connection, wanted: Wanted) -> list[int]:
    """Row numbers of what is selected, newest first. Raises ValueError for a place that is none."""
    prepare(connection)
    datasets = wanted.selection.datasets
    condition, parameters = translate(wanted.selection.node)
    ordered, times = by_time.by_order(datasets, wanted.selection.node)
    conditions, parameters = [*ordered, condition], [*times, *parameters]
    if datasets:
        within, bounds = by_time.ranges(wanted.prefix, datasets, found=bool(ordered))
        conditions, parameters = [*conditions, *within], [*parameters, *bounds]
    if wanted.after:
        if [type(one) for one in wanted.after] != [str, str]:
            raise ValueError("this is no place among documents of the embedded store: begin at the first page")
        conditions.append(f"({MOMENT}, id) < (?, ?)")
        parameters = [*parameters, *wanted.after]
    sql = f"SELECT rowid FROM documents WHERE {' AND '.join(conditions)} ORDER BY {MOMENT} DESC, id DESC LIMIT ?"  # noqa: S608  # our own names
    return [number for (number,) in connection.execute(sql, [*parameters, wanted.selection.size or -1])]


def read(connection: sqlite3.Connection, wanted: tuple[Sequence[int], tuple[str, ...]]) -> list[Found]:
    """The documents of some row numbers, in their order; without those that were removed meanwhile.

    wanted: the row numbers, and the fields that are needed; () is the whole document.
    """
    numbers, fields = wanted
    sql = (
        f"SELECT rowid, idx, id, CAST({_brief(fields)} AS BLOB), {MOMENT} FROM documents "  # noqa: S608  # our own names
        "WHERE rowid IN (SELECT value FROM json_each(?))"
    )
    found = {
        number: Found(Row(index, id_, source), (moment, id_))
        for number, index, id_, source, moment in connection.execute(sql, [json.dumps(list(numbers))])
    }
    return [found[number] for number in numbers if number in found]


def _brief(fields: Sequence[str]) -> str:
    """Some fields as one flat object: to open the whole document in Python takes longer than to find it."""
    if not fields:
        return "source"
    members = ", ".join(f"'{name}', json_extract(source, {path(name)})" for name in fields)
    return f"json_patch('{{}}', json_object({members}))"  # without those that are NULL (RFC 7396)


def translate(node: Node, place: Place = DOCUMENT) -> Condition:
    """The condition and its parameters."""
    match node:
        case And(nodes):
            return _joined([translate(one, place) for one in nodes], " AND ", "1")
        case Or(nodes):
            return _joined([translate(one, place) for one in nodes], " OR ", "0")
        case Not(inner):
            condition, parameters = translate(inner, place)
            return f"NOT {condition}", parameters
        case Ids(ids):
            return "(id IN (SELECT value FROM json_each(?)))", [json.dumps(sorted(ids))]
        case Text(field, pieces):
            return _any(place, field, *_text(pieces, field.type.mapping["ignore_above"]))
        case Between(field, low, high):
            return _any(place, field, *_between(low, high))
        case Within(field, network):
            return _within(place, field, network)
        case Is(field, value):
            return _any(place, field, "{} = ?", [int(value)])
        case Exists(field):
            longest = field.type.mapping.get("ignore_above")
            return _any(place, field, f"length({{}}) <= {longest}" if longest else "{} IS NOT NULL", [])


def _within(place: Place, field: Field, network: str) -> Condition:
    """An address is stored as it is written here; a network is for Python."""
    if ip_network(network).num_addresses == 1:
        return _any(place, field, "{} = ?", [network.partition("/")[0]])
    return _any(place, field, f"{IN_NETWORK}({{}}, ?)", [network])


def _joined(conditions: list[Condition], word: str, without: str) -> Condition:
    text = word.join(condition for condition, _ in conditions) or without
    return f"({text})", [one for _, parameters in conditions for one in parameters]


def _any(place: Place, field: Field, test: str, parameters: list[Any]) -> Condition:
    """Whether any value of the field passes. test: SQL with `{}` for the value."""
    if field.objects:
        value = f"json_extract(j.value, {path(field.name.removeprefix(field.objects + '.'))})"
        source = field.objects
    elif field.many:
        value, source = "j.value", field.name
    else:
        return f"({test.replace('{}', place.value(field.name))}) IS TRUE", parameters
    return f"EXISTS (SELECT 1 FROM {place.each(source)} AS j WHERE {test.replace('{}', value)})", parameters  # noqa: S608  # our own names


def _text(pieces: tuple[str, ...], longest: int) -> tuple[str, list[Any]]:
    """A keyword that is longer than OpenSearch indexes (`ignore_above`) is not found here either."""
    if not "".join(pieces).isascii():
        pattern = "*".join("".join(_glob(one) for one in piece) for piece in pieces)
        return f"length({{}}) <= {longest} AND {{}} GLOB ?", [pattern]
    if len(pieces) == 1:
        return f"length({{}}) <= {longest} AND {{}} = ? COLLATE NOCASE", [pieces[0]]
    pattern = "%".join(_like(piece) for piece in pieces)
    return f"length({{}}) <= {longest} AND {{}} LIKE ? ESCAPE '\\'", [pattern]


def _like(piece: str) -> str:
    return piece.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _glob(character: str) -> str:
    """In each case, and none of `*?[` special."""
    forms = cases(character)
    return f"[{''.join(forms)}]" if len(forms) > 1 or character in "*?[" else character


def _between(low: int | str | None, high: int | str | None) -> tuple[str, list[Any]]:
    """Without its Z, a date with milliseconds sorts behind the same one without."""
    tests: list[str] = []
    parameters: list[Any] = []
    for bound, operator in ((low, ">="), (high, "<=" if isinstance(high, int) else "<")):
        if bound is not None:
            date = isinstance(bound, str)
            tests.append(f"replace({{}}, 'Z', '') {operator} ?" if date else f"{{}} {operator} ?")
            parameters.append(bound.removesuffix("Z") if isinstance(bound, str) else bound)
    return " AND ".join(tests), parameters


@lru_cache(maxsize=100_000)  # a host stands in many rows
def in_network(address: Any, network: str) -> bool:
    """Whether a stored address is in a network; what is no address is in none."""
    try:
        return ip_address(address) in _network(network)
    except ValueError:
        return False


@lru_cache(maxsize=64)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text)
