"""What a person asks for: a query as text, read in one pass and bounded, to a tree that each store translates.

    class:spoof subject:"wire transfer" url:*mail.htm as:64500 since:2d -(country:BR or count:>10)

Pure: the time is an argument. docs/searching.md is the page for people.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import NamedTuple, Union

from ..documents.datasets import DATASETS
from ..values.fields import Field, write_date

LONGEST = 2000  # characters of a query
MOST_TERMS = 100
DEEPEST = 20  # parentheses within each other
LONGEST_VALUE = 200  # characters: OpenSearch takes patterns of 1,000, and a letter takes up to four of them
MOST_STARS = 8  # of one value


class QueryError(ValueError):
    """The query cannot be read; the text says why, and shows the place."""


class Text(NamedTuple):
    """A keyword that equals the one piece, or begins, goes on and ends with the pieces around each `*`."""

    field: Field
    pieces: tuple[str, ...]


class Between(NamedTuple):
    """A number within both bounds, or a date (RFC 3339) from `low` on and before `high`. None is open."""

    field: Field
    low: int | str | None
    high: int | str | None


class Within(NamedTuple):
    """An address of a network (CIDR)."""

    field: Field
    network: str


class Is(NamedTuple):
    """A boolean."""

    field: Field
    value: bool


class Exists(NamedTuple):
    """A field that has a value."""

    field: Field


class Ids(NamedTuple):
    """Documents of these ids."""

    ids: frozenset[str]


class Not(NamedTuple):
    """What does not fit, documents without the field included."""

    node: "Node"


class And(NamedTuple):
    """All of them; without any, every document."""

    nodes: tuple["Node", ...] = ()


class Or(NamedTuple):
    """Any of them; without any, no document."""

    nodes: tuple["Node", ...] = ()


Node = Union[Text, Between, Within, Is, Exists, Ids, Not, And, Or]  # noqa: UP007  # a forward reference within each other


def among(name: str, values: Iterable[str | None]) -> Node:
    """Documents with one of these values in a field; None and '' are those without it.

    And perhaps others: letters match in either case, and a value that is too long for a pattern stands for all.
    """
    field = field_of(name)
    found: list[Node] = []
    for value in sorted({value or "" for value in values}):
        if len(value) > LONGEST_VALUE:
            return And()
        found.append(Text(field, (value,)) if value else Not(Exists(field)))
    return Or(tuple(found))


# Short names for the usual, each the fields that it may stand in.
SHORT: Mapping[str, tuple[str, ...]] = {
    "alignment": ("dmarc.result",),
    "as": ("source.as.number",),
    "class": ("class",),
    "date": ("@timestamp",),
    "country": ("source.geo.country_iso_code",),
    "dataset": ("event.dataset",),
    "domain": ("feedback.reported_domain", "policy_published.domain", "policy.domain", "identifiers.header_from"),
    "feed": ("report.feed",),
    "file": ("file.name",),
    "from": ("sample.from", "identifiers.header_from"),
    "hash": ("file.hash.sha256",),
    "host": ("url.domain",),
    "ip": ("source.ip",),
    "network": ("source.as.organization.name",),
    "reporter": ("report.org_name", "report.from_domain"),
    "sender": ("source.name",),
    "subject": ("sample.subject",),
    "to": ("sample.to", "feedback.original_rcpt_to"),
    "url": ("url.full",),
}
# Where a word without a field is looked for, anywhere in the value.
_WORDS = ("sample.subject", "sample.from", "identifiers.header_from", "source.name", "source.domain", "url.domain")
_FIELDS: dict[str, Field] = {field.name: field for dataset in DATASETS for field in dataset.fields}
_NOT_SEARCHED = frozenset({"text", "geo_point"})

_TOKEN = re.compile(
    r"""\s*+(?:
        (?P<mark>[()])
      | (?P<minus>-(?=[^\s-]))?+
        (?:(?P<field>[A-Za-z@][A-Za-z0-9_.@]*+):(?=\S))?+
        (?P<compare>[<>]=?)?+
        (?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<plain>[^\s()"]++)|(?P<open>(?=\()))
    )""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_AGO = re.compile(r"(\d{1,6})(min|[hdwy])\Z")
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_UNITS["y"] = timedelta(days=365)


class _Token(NamedTuple):
    place: int
    mark: str = ""  # ( or )
    minus: bool = False
    field: str = ""
    compare: str = ""
    value: str = ""
    quoted: bool = False
    opens: bool = False  # a minus before a parenthesis

    def is_word(self, word: str) -> bool:
        bare = not (self.mark or self.minus or self.field or self.compare or self.quoted or self.opens)
        return bare and self.value.lower() == word


def field_of(name: str) -> Field:
    """The field of this name, for trees that no text was. Raises KeyError."""
    return _FIELDS[name]


def parse(text: str, now: datetime, flags: Mapping[str, Node] | None = None) -> Node:
    """The tree of a query. flags: bare words that stand for a query of their own (`reported`). Raises QueryError."""
    if len(text) > LONGEST:
        raise QueryError(f"the query has more than {LONGEST} characters")
    return _Parser(text, now, flags or {}).whole()


class _Parser:
    def __init__(self, text: str, now: datetime, flags: Mapping[str, Node]) -> None:
        self.text = text
        self.now = now
        self.flags = flags
        self.tokens = self._tokens()
        self.at = 0

    def whole(self) -> Node:
        node = self._either(0)
        if self.at < len(self.tokens):
            raise self._error("a ) without its (", self.tokens[self.at].place)
        return node

    def _tokens(self) -> list[_Token]:
        tokens: list[_Token] = []
        place = 0
        end = len(self.text.rstrip())
        while place < end:
            found = _TOKEN.match(self.text, place)
            if found is None:
                raise self._error('a " without its end', place)
            place = found.end()
            tokens.append(_token(found))
            if len(tokens) > MOST_TERMS:
                raise self._error(f"more than {MOST_TERMS} terms", found.start())
        return tokens

    def _either(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise self._error(f"more than {DEEPEST} parentheses within each other", self.tokens[self.at].place)
        nodes = [self._all(depth)]
        while self.at < len(self.tokens) and self.tokens[self.at].is_word("or"):
            self.at += 1
            nodes.append(self._all(depth))
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _all(self, depth: int) -> Node:
        nodes: list[Node] = []
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.mark == ")" or token.is_word("or"):
                break
            self.at += 1
            if not token.is_word("and"):
                nodes.append(self._one(token, depth))
        if not nodes and (depth or self.at or self.at < len(self.tokens)):
            raise self._error("a term is missing here", self._place())
        return nodes[0] if len(nodes) == 1 else And(tuple(nodes))

    def _one(self, token: _Token, depth: int) -> Node:
        if token.opens:
            self.at += 1  # the parenthesis itself
        node = self._group(token, depth) if token.opens or token.mark == "(" else self._term(token)
        return Not(node) if token.minus else node

    def _group(self, token: _Token, depth: int) -> Node:
        if token.field or token.compare:
            raise self._error("write the field before each value: (url:a or url:b)", token.place)
        node = self._either(depth + 1)
        if self.at >= len(self.tokens):
            raise self._error("a ( without its )", token.place)
        self.at += 1
        return node

    def _term(self, token: _Token) -> Node:
        if not token.field:
            return self._word(token)
        if token.field in {"since", "until"}:
            moment = self._moment(token)[0]
            low, high = (moment, None) if token.field == "since" else (None, moment)
            return Between(_FIELDS["@timestamp"], low, high)
        names = SHORT.get(token.field.lower(), (token.field,))
        nodes = [self._compared(self._field(name, token), token) for name in names]
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _word(self, token: _Token) -> Node:
        if token.compare or token.value.endswith(":"):
            raise self._error("write field and value together: count:>10", token.place)
        if not token.quoted and token.value.lower() in self.flags:
            return self.flags[token.value.lower()]
        pieces = self._pieces(token)
        return Or(tuple(Text(_FIELDS[name], ("", *_inner(pieces), "")) for name in _WORDS))

    def _field(self, name: str, token: _Token) -> Field:
        field = _FIELDS.get(name)
        if field is None:
            raise self._error(
                f'there is no field {name}; see docs/fields.md, or write "{name}:…" in quotes', token.place
            )
        if field.type.name in _NOT_SEARCHED:
            raise self._error(f"{name} is kept to be read and cannot be searched", token.place)
        return field

    def _compared(self, field: Field, token: _Token) -> Node:
        if token.value == "*" and not token.quoted and not token.compare:
            return Exists(field)
        kind = field.type.name
        if kind == "date":
            return self._between(field, token, *self._moment(token))
        if kind in {"long", "integer"}:
            return self._between(field, token, *self._numbers(token))
        if token.compare:
            raise self._error(f"{field.name} has no order: only numbers and dates have", token.place)
        if kind == "ip":
            return self._network(field, token)
        if kind == "boolean":
            return self._truth(field, token)
        pieces = self._pieces(token)
        if "fields" in field.type.mapping and len(pieces) == 1:  # a subject: anywhere in it
            pieces = ("", *pieces, "")
        return Text(field, pieces)

    def _between(self, field: Field, token: _Token, low: int | str | None, high: int | str | None) -> Between:
        """What the comparison leaves of a value that begins at `low` and ends at `high`."""
        whole = isinstance(low, int) or isinstance(high, int)  # numbers: both ends are part of it
        match token.compare:
            case "<":
                return Between(field, None, low - 1 if isinstance(low, int) else low)
            case "<=":
                return Between(field, None, high)
            case ">":
                return Between(field, high + 1 if whole and isinstance(high, int) else high, None)
            case ">=":
                return Between(field, low, None)
            case _:
                return Between(field, low, high)

    def _numbers(self, token: _Token) -> tuple[int | None, int | None]:
        low, dots, high = token.value.partition("..")
        try:
            numbers = [int(one) if one else None for one in ((low, high) if dots else (low, low))]
        except ValueError:
            numbers = [None, None]
        if numbers == [None, None] or any(abs(one or 0) >= 2**63 - 1 for one in numbers) or (dots and token.compare):
            raise self._error("write a number, or two: 10..20", token.place)
        return numbers[0], numbers[1]

    def _moment(self, token: _Token) -> tuple[str | None, str | None]:
        low, dots, high = token.value.partition("..")
        if dots and not token.compare and token.field not in {"since", "until"}:
            return (self._day(low, token)[0] if low else None), (self._day(high, token)[1] if high else None)
        return self._day(token.value, token)

    def _day(self, text: str, token: _Token) -> tuple[str, str]:
        """The begin of a day and of the next one; twice the same for a moment."""
        try:
            if ago := _AGO.match(text.lower()):
                moment = write_date(self.now - int(ago[1]) * _UNITS[ago[2]])
                return moment, moment
            value = datetime.fromisoformat(text)
            value = value.replace(tzinfo=UTC) if value.tzinfo is None else value
            after = value + timedelta(days=1) if len(text) == len("2026-11-20") else value
            return write_date(value), write_date(after)
        except (ValueError, OverflowError) as error:
            raise self._error("write a date such as 2026-11-20 or 2d for two days ago", token.place) from error

    def _network(self, field: Field, token: _Token) -> Within:
        try:
            return Within(field, str(ip_network(token.value, strict=False)))
        except ValueError as error:
            raise self._error("write an address or a network such as 192.0.2.0/24", token.place) from error

    def _truth(self, field: Field, token: _Token) -> Is:
        try:
            return Is(field, field.type.read(token.value))
        except ValueError as error:
            raise self._error("write true or false", token.place) from error

    def _pieces(self, token: _Token) -> tuple[str, ...]:
        if len(token.value) > LONGEST_VALUE:
            raise self._error(f"a value has more than {LONGEST_VALUE} characters", token.place)
        if token.quoted:
            return (token.value,)
        pieces = tuple(_ESCAPED.sub(r"\1", one) for one in _split_at_stars(token.value))
        if len(pieces) > MOST_STARS + 1:
            raise self._error(f"a value has more than {MOST_STARS} stars", token.place)
        return pieces

    def _place(self) -> int:
        return self.tokens[self.at].place if self.at < len(self.tokens) else len(self.text)

    def _error(self, reason: str, place: int) -> QueryError:
        begin = max(0, place - 30)
        shown = self.text[begin : place + 30].replace("\n", " ").replace("\t", " ")
        return QueryError(f"{reason}:\n  {shown}\n  {' ' * (place - begin)}^")


def _token(found: re.Match[str]) -> _Token:
    place = found.end() - len(found[0].lstrip())
    quoted = found["quoted"] is not None
    return _Token(
        place,
        mark=found["mark"] or "",
        minus=bool(found["minus"]),
        field=found["field"] or "",
        compare=found["compare"] or "",
        value=_ESCAPED.sub(r"\1", found["quoted"]) if quoted else found["plain"] or "",
        quoted=quoted,
        opens=found["open"] is not None,
    )


def _split_at_stars(value: str) -> list[str]:
    """The pieces between the stars that no backslash escapes; what is escaped stays so."""
    pieces = [""]
    escaped = False
    for character in value:
        if character == "*" and not escaped:
            pieces.append("")
        else:
            pieces[-1] += character
        escaped = character == "\\" and not escaped
    return pieces


def _inner(pieces: tuple[str, ...]) -> tuple[str, ...]:
    """Without the empty ends, which a star around them has already."""
    inner = list(pieces)
    while len(inner) > 1 and not inner[0]:
        inner.pop(0)
    while len(inner) > 1 and not inner[-1]:
        inner.pop()
    return tuple(inner)
