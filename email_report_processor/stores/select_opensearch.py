"""A tree of a query as OpenSearch's query DSL. Pure."""

from typing import Any

from .query import And, Between, Exists, Ids, Is, Node, Not, Or, Text, Within

Clause = dict[str, Any]

_REGEXP = frozenset('.?+*|{}[]()"\\#@&<>~^-')  # of Lucene's regular expressions, all of them switched on


def translate(node: Node) -> Clause:
    """The clause for a filter context: nothing is scored."""
    match node:
        case And(nodes):
            return {"bool": {"filter": [translate(one) for one in nodes]}}
        case Or(nodes):
            # A bool without clauses matches everything, whatever minimum_should_match says.
            some = {"bool": {"should": [translate(one) for one in nodes], "minimum_should_match": 1}}
            return some if nodes else {"match_none": {}}
        case Not(inner):
            return {"bool": {"must_not": [translate(inner)]}}
        case Text(field, pieces):
            return _text(field.name, pieces)
        case Between(field, low, high):
            upper = {} if high is None else {"lte" if isinstance(high, int) else "lt": high}
            return {"range": {field.name: {**({} if low is None else {"gte": low}), **upper}}}
        case Within(field, network):
            return {"term": {field.name: {"value": network}}}
        case Is(field, value):
            return {"term": {field.name: {"value": value}}}
        case Exists(field):
            return {"exists": {"field": field.name}}
        case Ids(ids):
            return {"ids": {"values": sorted(ids)}}


def _text(name: str, pieces: tuple[str, ...]) -> Clause:
    """ASCII letters match in either case by the query itself (Lucene knows no others), the rest by a pattern."""
    if not "".join(pieces).isascii():
        pattern = ".*".join("".join(_either_case(one) for one in piece) for piece in pieces)
        return {"regexp": {name: {"value": pattern}}}
    if len(pieces) == 1:
        return {"term": {name: {"value": pieces[0], "case_insensitive": True}}}
    pattern = "*".join(_literal(piece) for piece in pieces)
    return {"wildcard": {name: {"value": pattern, "case_insensitive": True}}}


def _literal(piece: str) -> str:
    return piece.replace("\\", "\\\\").replace("?", "\\?").replace("*", "\\*")


def _either_case(character: str) -> str:
    forms = cases(character)
    if len(forms) > 1:
        return f"[{''.join(forms)}]"
    return f"\\{character}" if character in _REGEXP else character


def cases(character: str) -> list[str]:
    """A character in each case that is one character itself."""
    forms = {character, character.lower(), character.upper(), character.title()}
    return sorted(form for form in forms if len(form) == 1)
