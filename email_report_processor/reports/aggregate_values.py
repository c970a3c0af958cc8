"""Texts of an aggregate report to values of fields, with what is to be said of them."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..values.fields import Field, Fields, Type, clean

WARNINGS = 20  # warnings of one document
MOST = 100  # results, reasons and errors of a kind in one document (RFC 9990 §3.1.3: at most 100 signatures a row)

# Words of draft-era reporters (comments of the schema in RFC 7489 App. C for SPF; `hardfail` as in viewers' tests).
_ALIASES = {
    "auth_results.spf.result": {"hardfail": "fail", "unknown": "temperror", "error": "permerror"},
    "auth_results.dkim.result": {"hardfail": "fail", "error": "permerror"},
}
_ALIASED = frozenset(word for words in _ALIASES.values() for word in words)


class Warnings:
    """A short list of short sentences."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.texts = list(texts)[:WARNINGS]

    def add(self, text: str) -> None:
        """Once each, and not too many."""
        if text not in self.texts and len(self.texts) < WARNINGS:
            self.texts.append(text)


class Value(NamedTuple):
    """A text that was read: the value (None when it cannot be read), and what had to be done to it."""

    value: Any
    warning: str = ""
    raw: str = ""  # the text, when it cannot be read


def read_value(field: Field, text: str, limit: int) -> Value:
    warning = f"{field.name}: cut at {limit} characters" if len(text) > limit else ""
    text = text[:limit]
    try:
        value = field.type.read(text)
    except ValueError:
        return Value(None, f"{field.name}: not {_WHAT.get(field.type.name, 'readable')}", clean(text))
    if isinstance(value, str) and (alias := _ALIASES.get(field.name, {}).get(value)):
        return Value(alias, f"{field.name}: {value} read as {alias}")
    return Value(value, warning)


_WHAT = {"ip": "an address", "date": "a date", "long": "a count", "integer": "a number", "boolean": "y or n"}


def typed(
    table: Mapping[str, Field], texts: Mapping[str, str], limit: int, warnings: Warnings
) -> tuple[Fields, Fields]:
    """The fields of a table that have a text, in the order of the table; and the texts that cannot be read."""
    found: Fields = {}
    odd: Fields = {}
    for name, field in table.items():
        if text := texts.get(name):
            if value := memo(field, limit)[text]:
                found[field.name] = value
            else:
                put(odd, field.name, read_value(field, text, limit), warnings)
    if not odd:
        return found, odd
    raw = {name: text for name, text in odd.items() if name.startswith("raw.")}
    return found | {name: value for name, value in odd.items() if name not in raw}, raw


def put(fields: Fields, name: str, read: Value, warnings: Warnings) -> None:
    if read.warning:
        warnings.add(read.warning)
    if read.value is None:
        fields[f"raw.{name}"] = read.raw
    elif read.value != "":
        fields[name] = read.value


class Memo(dict[str, Any]):
    """Values of texts that were read already: rows repeat each other. None: there is something to say about it."""

    def __init__(self, type_: Type, limit: int) -> None:
        super().__init__()
        self.read = type_.read
        self.longest = min(limit, 256)

    def __missing__(self, text: str) -> Any:
        if len(text) > self.longest:
            return None
        try:
            value = self.read(text)
        except ValueError:
            return None
        if len(self) >= 4096:
            self.clear()
        self[text] = value = None if value in _ALIASED else value
        return value


_memos: dict[tuple[int, int], Memo] = {}


def memo(field: Field, limit: int) -> Memo:
    """One for each type: domains that sign are domains of From, too."""
    key = id(field.type), limit
    return _memos.get(key) or _memos.setdefault(key, Memo(field.type, limit))
