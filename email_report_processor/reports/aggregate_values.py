"""Texts of an aggregate report to values of fields, with what is to be said of them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..values.fields import Field, Fields, clean
from ..values.patterns import pattern

WARNINGS = 20  # warnings of one document
MOST = 100  # results, reasons and errors of a kind in one document (RFC 9990 §3.1.3: at most 100 signatures a row)

# The words of the schemas (RFC 7489 App. C, RFC 9990 App. A), where a field has a list of them.
_POLICIES = ("none", "quarantine", "reject")
_ALIGNMENTS = ("r", "s")
_VERDICTS = ("pass", "fail")
_WORDS: Mapping[str, tuple[str, ...]] = {
    "policy_published.p": _POLICIES,
    "policy_published.sp": _POLICIES,
    "policy_published.np": _POLICIES,
    "policy_published.adkim": _ALIGNMENTS,
    "policy_published.aspf": _ALIGNMENTS,
    "policy_published.discovery_method": ("psl", "treewalk"),
    "policy_evaluated.disposition": (*_POLICIES, "pass"),
    "policy_evaluated.dkim": _VERDICTS,
    "policy_evaluated.spf": _VERDICTS,
    "policy_evaluated.reason.type": (
        *("forwarded", "sampled_out", "trusted_forwarder", "mailing_list", "local_policy", "other"),
        "policy_test_mode",
    ),
    "auth_results.dkim.result": ("none", "pass", "fail", "policy", "neutral", "temperror", "permerror"),
    "auth_results.spf.result": ("none", "neutral", "pass", "fail", "softfail", "policy", "temperror", "permerror"),
    "auth_results.spf.scope": ("mfrom", "helo"),
}
# Words of draft-era reporters (comments of the schema in RFC 7489 App. C for SPF; `hardfail` as in viewers' tests),
# and of people who write a policy in words.
_ALIASES: Mapping[str, Mapping[str, str]] = {
    "auth_results.spf.result": {"hardfail": "fail", "unknown": "temperror", "error": "permerror"},
    "auth_results.dkim.result": {"hardfail": "fail", "error": "permerror"},
    "policy_published.adkim": {"relaxed": "r", "strict": "s"},
    "policy_published.aspf": {"relaxed": "r", "strict": "s"},
    "auth_results.spf.scope": {"mailfrom": "mfrom", "ehlo": "helo"},
}


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
    """Read a text of any length; `limit` is the most characters of it that count."""
    cut = f"{field.name}: cut at {limit} characters" if len(text) > limit else ""
    text = text[:limit]
    from ..values.repairs import read_or_repair  # 1 ms, only for what the memo does not know how to read

    if (own := without_own_end(field, text)) is not None:
        return Value(*read_value(field, own, limit)[:1], f"{field.name}: its mangled end tag was cut off", clean(text))
    try:
        value, done = read_or_repair(field.type, text)
    except ValueError:
        return Value(None, f"{field.name}: not {_WHAT.get(field.type.name, 'readable')}", clean(text))
    if field.name in _WORDS and value:
        return _known_word(field, value)
    return Value(value, f"{field.name}: {done}" if done else cut)


_MANGLED = pattern(r"<?\\?/\s*(?:[^\s<>/:]{1,40}:)?([\w.-]{1,60})\s*>?\Z")


def without_own_end(field: Field, text: str) -> str | None:
    """The text before the element's own end tag that lost a mark (`id/report_id>`); None when there is none of it."""
    found = _MANGLED.search(text[-120:]) if text.endswith(">") or "</" in text else None
    if not found or found[1].lower() != field.wire.rpartition("/")[2]:
        return None
    return text[: len(text) - len(found[0])].strip()


def is_word(field: Field, text: str) -> bool:
    """Whether a text is one of the words of a field, in whatever way it is written."""
    value = text.strip().lower()
    words = _WORDS[field.name]
    return value in words or value in _ALIASES.get(field.name, {}) or bool(_meant(value, words))


def _known_word(field: Field, value: str) -> Value:
    """A word of the field's list, or the one that was meant; anything else stays, with a warning."""
    words = _WORDS[field.name]
    if value in words:
        return Value(value)
    meant = _ALIASES.get(field.name, {}).get(value) or _meant(value, words)
    if meant:
        return Value(meant, f"{field.name}: {value[:60]} read as {meant}")
    return Value(value, f"{field.name}: {value[:60]} is none of its words")


def _meant(value: str, words: Iterable[str]) -> str:
    """The word of a list that is written another way (`mailing-list`), or is the only one of it (`reject;drop`)."""
    squeezed = {re.sub(r"[\W_]", "", word): word for word in words}
    if word := squeezed.get(re.sub(r"[\W_]", "", value)):
        return word
    there = {word for word in re.split(r"\W+", value) if word in words}
    return there.pop() if len(there) == 1 else ""


_WHAT = {
    "ip": "an address",
    "date": "a date",
    "keyword": "a domain",
    "long": "a count",
    "integer": "a number",
    "boolean": "y or n",
}


class Table:
    """The fields of one part of a report, by the names of their elements."""

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self.fields = fields
        self._readers: dict[int, list[tuple[str, Field, Memo]]] = {}

    def typed(self, texts: Mapping[str, str], limit: int, warnings: Warnings) -> tuple[Fields, Fields]:
        """The fields that have a text, in the order of the table; and the texts that cannot be read."""
        found: Fields = {}
        odd: Fields = {}
        for name, field, values in self._readers.get(limit) or self._make(limit):
            if text := texts.get(name):
                if value := values[text]:
                    found[field.name] = value
                else:
                    put(odd, field.name, read_value(field, text, limit), warnings)
        if not odd:
            return found, odd
        raw = {name: text for name, text in odd.items() if name.startswith("raw.")}
        return found | {name: value for name, value in odd.items() if name not in raw}, raw

    def _make(self, limit: int) -> "list[tuple[str, Field, Memo]]":
        self._readers = {limit: [(name, field, memo(field, limit)) for name, field in self.fields.items()]}
        return self._readers[limit]


def put(fields: Fields, name: str, read: Value, warnings: Warnings) -> None:
    if read.warning:
        warnings.add(read.warning)
    if read.value is None:
        fields[f"raw.{name}"] = read.raw
    elif read.value != "":
        fields[name] = read.value


class Memo(dict[str, Any]):
    """Values of texts that were read already: rows repeat each other. None: there is something to say about it."""

    def __init__(self, field: Field, limit: int) -> None:
        super().__init__()
        self.read = field.type.read
        self.words = _WORDS.get(field.name)
        self.longest = min(limit, 256)

    def __missing__(self, text: str) -> Any:
        if len(text) > self.longest or text.endswith(">") or "</" in text:
            return None
        try:
            value = self.read(text)
        except ValueError:
            return None
        if self.words and value not in self.words:
            return None
        if len(self) >= 4096:
            self.clear()
        self[text] = value
        return value


_memos: dict[tuple[object, int], Memo] = {}


def memo(field: Field, limit: int) -> Memo:
    """One for each type, as domains that sign are domains of From, too; one for each field that has a list of words."""
    key = field.name if field.name in _WORDS else id(field.type), limit
    return _memos.get(key) or _memos.setdefault(key, Memo(field, limit))
