"""DMARC aggregate reports: RFC 7489 Appendix C, RFC 9990, their drafts, and what reporters make of them.

One document for each `<record>` and one `report` document for the whole. Which element goes into which field stands
in datasets.py; here is only what the world does otherwise: any order, any namespace, names for names, words for words.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

from ..documents.datasets import AGGREGATE, REPORT
from ..documents.document import Document, canonical, make_id
from ..message.blob import CHUNK
from ..message.bounds import Bounds, OverBound, Problem
from ..message.payload import Payload
from ..message.payload import head as head_of
from ..values.fields import Fields, Layer
from .aggregate_head import Head, head_values, read_head, reports_in
from .aggregate_kinds import Kinds, Recognised
from .aggregate_names import CONTAINERS
from .aggregate_rows import RowReader, row_reader
from .repetitions import repetitions
from .report import Context, Kind, Report
from .xml.survey import ForbiddenError, Survey, survey, surveyed_bodies


def read(payload: Payload, context: Context) -> Report | Problem | None:
    """Read a payload: a Report, a Problem when it is a DMARC report that cannot be read, None when it is none.

    A Report whose head says `salvaged` was broken XML, or cut off: rows may be missing. Its documents share layers
    with each other: add to the own fields of one, but leave its layers as they are.
    """
    bounds = context.options.bounds
    try:
        found = _survey(payload, bounds)
    except OverBound as error:
        return Problem(payload.place, f"DMARC aggregate report over a bound: {error}")
    except ForbiddenError as error:
        return Problem(payload.place, f"DMARC aggregate report refused: {error}")
    if found is None:
        return None
    surveyed = found.survey._replace(sha256=found.sha256 or found.survey.sha256)
    if reports_in(surveyed) > 1:
        return Problem(payload.place, "several DMARC aggregate reports in one file, which cannot be told apart")
    values = head_values(surveyed)
    named = any(values.texts.get(name) for name in ("org_name", "report_id", "begin", "domain"))
    if not surveyed.rows and surveyed.damage:
        return Problem(payload.place, f"DMARC aggregate report without a readable record: {surveyed.damage}")
    if not named and not (surveyed.rows and surveyed.is_report):
        return _nothing(payload, surveyed)
    head = read_head(values, surveyed, context)
    return Report(AGGREGATE.name, head.report, surveyed.rows, partial(_documents, found, head, bounds), surveyed.cost)


class _Read(NamedTuple):
    """What the first pass made of a payload."""

    payload: Payload  # without what follows the first report in it
    survey: Survey
    sha256: str = ""  # of the payload as it came, where something in it was changed
    rows: Recognised | None = None  # when they are usual ones; where they are kept, there is no second pass


def _survey(payload: Payload, bounds: Bounds) -> _Read | None:
    """The first pass; None when there is nothing of ours. Raises OverBound, ForbiddenError."""
    reader = row_reader(bounds.string_chars, bounds.xml_depth, bounds.max_count)
    usual = _usual(payload, bounds, reader)
    if usual is not None:
        return usual
    again = partial(
        survey, bounds=bounds, containers=CONTAINERS, rows_in=reader.rows_in, kind_of=kinds_of(reader).kind_of
    )
    surveyed = again(payload)
    if surveyed is not None and not (surveyed.rows or surveyed.damage):
        return _without_records(payload, surveyed, again)
    if surveyed is not None and reports_in(surveyed) > 1:
        payload = payload.holding(_first_report(payload.chunks))
        surveyed = again(payload)
        return surveyed and _Read(payload, surveyed._replace(strict=False, warnings=(*surveyed.warnings, _ANOTHER)))
    return surveyed and _alone(payload, surveyed, again)


def _usual(payload: Payload, bounds: Bounds, reader: RowReader) -> _Read | None:
    """A report of usual records alone; None for any other payload, of which nothing is known then."""
    if b"<record>" not in head_of(payload, CHUNK):
        return None
    from .xml.skeleton import DefusedXmlException, survey_usual  # 2 ms, only for what looks like a report

    rows = Recognised(kinds_of(reader), bounds)
    try:
        surveyed = survey_usual(payload, bounds, CONTAINERS, rows)
    except (DefusedXmlException, OverBound):  # `survey` says it, where it is the first thing to be said
        return None
    return _Read(payload, surveyed, rows=rows) if surveyed is not None and reports_in(surveyed) < 2 else None


def _without_records(payload: Payload, surveyed: Survey, again: Callable[[Payload], Survey | None]) -> _Read:
    """A report in which no record was found: it may have none, or its records have another name."""
    beginning = head_of(payload, CHUNK)
    if re.search(rb"(?i)<(?:[^\s<>/:]{1,40}:)?records?[\s>]", beginning):
        renamed = payload._replace(chunks=_renamed(payload.chunks))
        found = again(renamed)
        if found is not None and found.rows:
            return _Read(renamed, found._replace(warnings=(*found.warnings, _RENAMED)), surveyed.sha256)
    if surveyed.strict and re.search(rb"(?i)source[_-]?ip|<row[\s>]", beginning):
        return _Read(payload, surveyed._replace(strict=False, warnings=(*surveyed.warnings, _NO_RECORD)))
    return _alone(payload, surveyed, again)


_RENAMED = "record: its name is written otherwise"
_NO_RECORD = "salvaged: there are rows outside of any record, which were not read"
_RECORD = rb"(?i)<(/?)((?:[^\s<>/:]{1,40}:)?)records?(?=[\s/>])"
_LONGEST_TAG = 100  # bytes that it can match


def _renamed(chunks: Callable[[], Iterator[bytes]]) -> Callable[[], Iterator[bytes]]:
    """The file with its records named as the schema has it."""

    def pieces() -> Iterator[bytes]:
        rest = b""
        for chunk in chunks():
            data = rest + chunk
            cut = data.rfind(b"<", max(len(data) - _LONGEST_TAG, 0))
            cut = cut if cut >= 0 else len(data)
            rest = data[cut:]
            yield re.sub(_RECORD, rb"<\1\2record", data[:cut])
        yield re.sub(_RECORD, rb"<\1\2record", rest)

    return pieces


def _alone(payload: Payload, surveyed: Survey, again: Callable[[Payload], Survey | None]) -> _Read:
    """The report without a banner or a footer that a gateway put around it, when it is whole without them."""
    if surveyed.strict or surveyed.damage:
        return _Read(payload, surveyed)
    alone = payload.holding(_first_report(_from_the_root(payload.chunks)))
    found = again(alone)
    if found is None or not found.strict or found.rows != surveyed.rows:
        return _Read(payload, surveyed)
    return _Read(alone, found._replace(warnings=(*found.warnings, _AROUND)))


_AROUND = "there is text around the report, which was left out"
_BEGINNING = rb"(?:<\?xml\s[^<>]{0,400}\?>\s{0,100})?<(?:[^\s<>/:]{1,40}:)?feedback[\s>]"


def _from_the_root(chunks: Callable[[], Iterator[bytes]]) -> Callable[[], Iterator[bytes]]:
    """The file from its declaration or its root element on, where that stands in its first piece."""

    def rest() -> Iterator[bytes]:
        pieces = chunks()
        first = next(pieces, b"")
        metadata = first.find(b"report_metadata")  # a banner may ask for <feedback>, too
        begins = [begin.start() for begin in re.finditer(_BEGINNING, first) if begin.start() < metadata or metadata < 0]
        yield first[begins[-1 if metadata >= 0 else 0] :] if begins else first
        yield from pieces

    return rest


_ANOTHER = "salvaged: another report follows in the same file, and was not read"
_END = rb"</(?:[^\s<>/:]{1,40}:)?feedback\s{0,20}>"  # compiled when it is needed: 0.1 ms
_LONGEST_END = 80  # bytes that it can match


def _first_report(chunks: Callable[[], Iterator[bytes]]) -> Callable[[], Iterator[bytes]]:
    """The file up to the end of the first report."""

    def first() -> Iterator[bytes]:
        before = b""
        for chunk in chunks():
            if end := re.search(_END, before + chunk):
                yield chunk[: end.end() - len(before)]
                return
            yield chunk
            before = (before + chunk)[-_LONGEST_END:]

    return first


def _nothing(payload: Payload, surveyed: Survey) -> Problem | None:
    # A text that merely mentions our elements is not ours.
    if not surveyed.is_report:
        return None
    return Problem(payload.place, "DMARC aggregate report without metadata and without records")


KIND = Kind(AGGREGATE.name, read)


def _documents(found: _Read, head: Head, bounds: Bounds) -> Iterator[Document]:
    """The rows, then the report: the second pass.

    The id of a row is make_id(*identity, record, n), where `record` is the list of xml.shape.Shape and n how often the
    same record came before in this payload: what is counted is the id with 0.
    """
    start = hashlib.sha256((canonical(head.identity)[:-1] + ",").encode("utf-8", "surrogatepass"))
    repeated = repetitions(found.survey.rows)
    total = messages = 0
    rows = found.rows.rows() if found.rows is not None and found.rows.kept else _rows(found, bounds)
    for record, own, shared in rows:
        digest = start.copy()
        digest.update(record + b",0]")
        number = digest.digest()
        before = repeated.count(number)
        if before:
            digest = start.copy()
            digest.update(b"%b,%d]" % (record, before))
            number = digest.digest()
        number = number[:20]
        total += int.from_bytes(number, "big")
        messages += own.get("count", 0)
        yield Document(AGGREGATE.name, number.hex(), own, (head.row, shared))
    number_of_all = make_id(REPORT.name, *head.identity, total % 2**160)
    yield Document(REPORT.name, number_of_all, {**head.report, "messages": messages})


def _rows(found: _Read, bounds: Bounds) -> Iterator[tuple[bytes, Fields, Layer]]:
    """Of each row the record as reported, its own fields, and those that it shares."""
    kinds = kinds_of(row_reader(bounds.string_chars, bounds.xml_depth, bounds.max_count))
    kinds.begin()
    for body in surveyed_bodies(found.payload, found.survey, bounds):
        yield from kinds.rows(body)


@lru_cache(maxsize=2)  # as readers are
def kinds_of(reader: RowReader) -> Kinds:
    """The kinds of rows that a reader has met."""
    return Kinds(reader)
