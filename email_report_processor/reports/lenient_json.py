"""One JSON object out of a stranger's bytes: bounded, never NaN, and as much of it as is whole (RFC 8259, RFC 7493).

Numbers that are no plain integers stay text, as they are written: nothing is rounded, nothing is infinite, and no
digits are too many for Python's own limit.
"""

import json
import re
from itertools import pairwise
from typing import Any, NamedTuple

_DIGITS = 18  # of an integer that becomes an int; longer ones stay text
_NAMED = 5  # duplicate keys that a warning names

# One token each, so linear; `++` and `*+` never go back.
_NESTING = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_BLANK = re.compile(r"[ \t\r\n\0\ufeff]*")
_BLANK_BYTES = b" \t\r\n\x00\xef\xbb\xbf\xff\xfe"  # white space, byte order marks, and the zeros of UTF-16 and UTF-32


class UnreadableError(ValueError):
    """The bytes are not an object, or one that is nested too deeply; the text is a sentence."""


class Found(NamedTuple):
    """An object, what had to be repaired, and whether a part of it is lost."""

    value: dict[str, Any]
    warnings: tuple[str, ...] = ()
    salvaged: bool = False


def begins_like_object(data: bytes) -> bool:
    """Whether an object may begin here, in any of JSON's encodings."""
    return data.lstrip(_BLANK_BYTES)[:1] == b"{"


def is_blank(data: bytes) -> bool:
    """Whether there is nothing in it that tells JSON from anything else."""
    return not data.lstrip(_BLANK_BYTES)


def read_object(data: bytes, depth: int, values: int = 10**9) -> Found:
    """The object that the bytes begin with; `depth` arrays and objects within each other, `values` values at the most.

    Repairs, each with a warning: a wrong encoding, several members of one name (the last counts), bytes behind the
    end, and an object that breaks off (what is whole before that place is read). Raises UnreadableError.
    """
    text, warnings = decode(data)
    begin = _skip(text, 0)
    if text[begin : begin + 1] != "{":
        raise UnreadableError("the JSON text does not begin with an object")
    if sum(map(text.count, ",[{")) > values:  # each value costs Python up to a hundred bytes
        raise UnreadableError(f"the JSON text has more values than bounds.json_values = {values}")
    _check_depth(text, begin, depth)
    twice: set[str] = set()
    try:
        value, salvaged = _decode_object(_decoder(twice), text, begin, warnings)
    except RecursionError as error:  # only when bounds.json_depth was set very high
        raise UnreadableError("arrays and objects are nested too deeply for this machine") from error
    if twice:
        warnings.append(f"several members of one name: {', '.join(sorted(twice)[:_NAMED])}")
    return Found(value, tuple(warnings), salvaged)


def decode(data: bytes) -> tuple[str, list[str]]:
    """The text by its byte order mark or its zeros (RFC 4627 §3), else UTF-8, else Latin-1; and warnings."""
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding), []
    except UnicodeDecodeError as error:
        if not encoding.startswith("utf-8"):
            return data.decode(encoding, "replace"), [f"broken {encoding.upper()}"]
        if error.end == len(data) and error.reason == "unexpected end of data":
            return data[: error.start].decode(encoding), ["the text ends within a character"]
        return data.decode("latin-1"), ["not UTF-8, read as Latin-1"]


def canonical(value: Any) -> str:
    """A value as text that depends on its content alone: keys sorted, no white space."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _skip(text: str, index: int) -> int:
    blank = _BLANK.match(text, index)
    assert blank is not None  # it matches nothing at all as well
    return blank.end()


def _check_depth(text: str, begin: int, depth: int) -> None:
    """Before the decoder, which recurses. Only up to the end of the object: what follows is not read."""
    level = 0
    for mark in _NESTING.finditer(text, begin):
        if mark.group() in "[{":
            level += 1
            if level > depth:
                raise UnreadableError(f"arrays and objects are nested deeper than bounds.json_depth = {depth}")
        elif mark.group() in "]}":
            level -= 1
            if level == 0:
                return


def _decode_object(
    decoder: json.JSONDecoder, text: str, begin: int, warnings: list[str]
) -> tuple[dict[str, Any], bool]:
    """The object, and whether something of it is lost."""
    try:
        value, end = decoder.raw_decode(text, begin)
    except ValueError as error:
        warnings.append(f"broken JSON, read up to there: {error}")
        return _whole_members(decoder, text, begin), True
    if _skip(text, end) < len(text):
        warnings.append("there is more text behind the JSON object")
    return value, "{" in text[end:]  # a footer is no damage, another object would be


def _decoder(twice: set[str]) -> json.JSONDecoder:
    """A decoder that adds the names of members that an object has more than once to `twice`."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = sorted(name for name, _ in pairs)
            twice.update(name[:80] for name, following in pairwise(names) if name == following)
        return found

    return json.JSONDecoder(
        object_pairs_hook=members, parse_int=_integer, parse_float=str, parse_constant=str, strict=False
    )


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= _DIGITS else text


def _whole_members(decoder: json.JSONDecoder, text: str, begin: int) -> dict[str, Any]:
    """The members of a broken object that are whole, and of the array in which it breaks the elements that are."""
    found: dict[str, Any] = {}
    index = _skip(text, begin + 1)
    try:
        while text.startswith('"', index):
            name, index = decoder.raw_decode(text, index)
            index = _skip(text, _behind(":", text, index))
            if text.startswith("[", index):
                found[name] = []  # filled as far as it goes
                index = _whole_elements(decoder, text, index, found[name])
            else:
                found[name], index = _whole_value(decoder, text, index)
            index = _skip(text, _behind(",", text, index))
    except ValueError:
        return found
    return found


def _whole_elements(decoder: json.JSONDecoder, text: str, begin: int, found: list[Any]) -> int:
    """Append the elements of an array to `found`; the index behind it. Raises ValueError where it breaks."""
    index = _skip(text, begin + 1)
    while not text.startswith("]", index):
        value, index = _whole_value(decoder, text, index)
        found.append(value)
        index = _skip(text, index)
        if not text.startswith("]", index):
            index = _skip(text, _behind(",", text, index))
    return index + 1


def _whole_value(decoder: json.JSONDecoder, text: str, begin: int) -> tuple[Any, int]:
    """A value and the index behind it. Raises ValueError when it breaks; a number at the very end may be cut."""
    value, end = decoder.raw_decode(text, begin)
    if end == len(text) and text[end - 1] not in '"]}el':
        raise ValueError("the text ends within a number")
    return value, end


def _behind(mark: str, text: str, index: int) -> int:
    """The index behind a mark. Raises ValueError when something else stands there."""
    index = _skip(text, index)
    if not text.startswith(mark, index):
        raise ValueError(f"{mark!r} is missing")
    return index + 1
