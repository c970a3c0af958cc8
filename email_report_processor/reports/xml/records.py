"""Plain text to records: the inside of each, and what stands outside of them all."""

import re
from collections.abc import Iterator
from functools import cache

from ...message.payload import OverBound
from ...values.patterns import pattern

PREFIX = r"(?:[^\s<>/:]+:)?"  # a prefix, which means nothing
# Attributes: a quoted '>' ends no tag. Possessive, so that an open quote costs no search.
ATTRIBUTES = r"""[^<>"']*+(?:(?:"[^"<]*+"|'[^'<]*+')[^<>"']*+)*+"""
TAG = pattern(r"<([^<>]+)>")
_ANY_END = pattern(rf"</{PREFIX}record\s*>")


@cache  # 0.4 ms, only for records that are not written as most are
def _any_record() -> re.Pattern[str]:
    return pattern(rf"<(/?)({PREFIX}record)(\s{ATTRIBUTES}|\s[^<>]*|/)?>")


class Outside:
    """What stands outside of the records, bounded; and how many records have no end."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.parts: list[str] = []
        self.size = 0
        self.unclosed = 0  # records without an end tag

    def add(self, text: str) -> None:
        """White space counts as one blank. Raises OverBound."""
        inner = text.strip()
        if inner:
            self.parts.append(f" {inner} " if len(inner) + 2 < len(text) else text)
            self.size += len(self.parts[-1])
            if self.size > self.bound:
                raise OverBound(f"more than bounds.record_bytes = {self.bound} outside of the records")

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.parts)

    def first_tag(self) -> str:
        """The outermost start tag, without its brackets."""
        found = TAG.search(self.text)
        return found[1] if found else ""


def records(texts: Iterator[str], outside: Outside, bound: int) -> Iterator[str]:
    """The inside of each record; the rest goes to `outside`. Raises OverBound.

    Texts are cut at the end tag as it was spelled last. A piece that holds the start tag and no other mention of a
    record ends with the inside of one; all others are looked at closely.
    """
    start, end = "<record>", "</record>"
    rest = ""
    for text in texts:
        rest += text
        if end not in rest and (other := _ANY_END.search(rest)):
            end = other[0]
            start = f"<{end[2:-1].rstrip()}>"
        *pieces, rest = rest.split(end)
        for piece in pieces:
            before, found, body = piece.partition(start)
            if found and "record" not in body and "record" not in before and len(body) <= bound:
                if before and not before.isspace():
                    outside.add(before)
                yield body
            else:
                yield from _closely(piece + end, outside, bound)
        if len(rest) > bound:
            start_at = _begin(rest, bound)
            yield from _closely(rest[:start_at], outside, bound)
            rest = rest[start_at:]
    yield from _closely(rest, outside, bound)


def _closely(text: str, outside: Outside, bound: int) -> Iterator[str]:
    """The inside of each record in a text of whole records. Raises OverBound."""
    if "record" in text:
        yield from _tag_by_tag(text, outside, bound)
    else:
        outside.add(text)


def _tag_by_tag(text: str, outside: Outside, bound: int) -> Iterator[str]:
    """The inside of each record. Raises OverBound.

    A record within a record of the same name means that the first has no end tag. One of another prefix within a
    record is somebody's extension.
    """
    opened: re.Match[str] | None = None
    foreign = place = 0  # place: where the part that is not yet dealt with begins
    for tag in _any_record().finditer(text):
        if opened and not tag[1] and tag[2] != opened[2]:
            foreign += not _empty(tag)
        elif not tag[1]:
            if opened:
                _unclosed(text[opened.start() : tag.start()], outside)
            else:
                outside.add(text[place : tag.start()])
            opened, place = (None, tag.end()) if _empty(tag) else (tag, tag.end())
            if _empty(tag):
                yield ""
        elif opened and foreign and tag[2] != opened[2]:
            foreign -= 1
        elif opened:
            if tag.start() - place > bound:
                raise OverBound(f"a record has more than bounds.record_bytes = {bound}")
            yield text[place : tag.start()]
            opened, foreign, place = None, 0, tag.end()
        else:  # an end tag of nothing
            outside.add(text[place : tag.start()])
            place = tag.end()
    if opened:
        _unclosed(text[opened.start() :], outside)
    else:
        outside.add(text[place:])


def _empty(tag: re.Match[str]) -> bool:
    return (tag[3] or "").endswith("/")


def _unclosed(text: str, outside: Outside) -> None:
    """A record without its end tag is no row; metadata that come after it still count."""
    outside.unclosed += 1
    if "report_metadata" in text or "policy_published" in text:
        outside.add(text)


def _begin(rest: str, bound: int) -> int:
    """Where in a text without the usual end tag the last record begins, or may begin. Raises OverBound."""
    starts = [tag for tag in _any_record().finditer(rest) if not tag[1] and not _empty(tag)]
    if not starts:
        return max(rest.rfind("<"), len(rest) - bound)
    last = next(tag for tag in reversed(starts) if tag[2] == starts[0][2])
    if len(rest) - last.end() > bound:
        raise OverBound(f"a record has more than bounds.record_bytes = {bound}")
    return last.start()
