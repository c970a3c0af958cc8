"""The search of one input for reports: through its parts, files, archives, texts, and the messages in files.

Asked are the kinds, in the order in which they stand here; what none of them takes is looked at more closely, since
files stand within texts, too.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import NamedTuple

from ..message.blob import CHUNK, Blob, Damaged, Slice, chunks
from ..message.bounds import OverBound, Problem
from ..message.budget import Budget
from ..message.forms import TEXT_MARKS
from ..message.line_ends import mended
from ..message.mail import WHOLE_MESSAGES, Part, read_mail
from ..message.payload import Payload, find_payloads, head
from ..values.patterns import pattern
from .announced import by_header, by_label, is_report_name
from .feedback_parts import find
from .report import Context, Kind, Report
from .sample import begins_with_header


def _feedback(part: Part, context: Context) -> Report | Problem | None:
    if not find(part):
        return None
    from .feedback import read  # 3 ms, only for a feedback report

    return read(part, context)


# Asked in this order. A kind that says anything but None has claimed the node and what is below it.
KINDS_OF_PARTS = (Kind("feedback", _feedback),)

_HEADER = 8 * 1024  # bytes of a file that tell a message
_BINARY = 512  # bytes of a file in which a NUL says that it is no text
_NOTIFICATIONS = ("message/delivery-status", "message/global-delivery-status", "message/disposition-notification")
# The beginning of a report behind much else, with the declaration in front of it.
_LATE = pattern(
    rb"(?:<\?xml\s[^<>]{0,200}>\s{0,100})?<(?:[A-Za-z_][A-Za-z0-9_.-]{0,40}:)?feedback[\s>]"
    rb'|\{\s{0,100}"(?:organization.name|date.range|contact.info|report.id|policies)"',
)
_IN_PAGES = (*TEXT_MARKS, b"&lt;feedback", b"&lt;?xml", b"organization-name&", b"report-id&", b'"report-id"')
_LATE_MARKS = (b"feedback", b'"organization', b'"date', b'"contact', b'"report', b'"policies')  # one of them is in it
_LONGEST_LATE = 1024  # bytes that it can match

Result = Report | Problem


@cache
def _dmarc_aggregate() -> Kind:
    from .dmarc_aggregate import KIND  # 7 ms, only for a file that may be one

    return KIND


@cache
def _smtp_tls() -> Kind:
    from .smtp_tls import KIND  # 2 ms, only for a file that may be one

    return KIND


@cache
def _xarf() -> Kind:
    from .xarf_mail import KIND  # 3 ms, only for a file that may be one

    return KIND


# Without this byte near its beginning a file is not of the kind; each kind then looks closer.
KINDS_OF_PAYLOADS = ((b"<", _dmarc_aggregate), (b"{", _smtp_tls), (b"{", _xarf))


class Search:
    """The search of one input: its message, and messages that are attached to it as files (`forwarded.eml`)."""

    def __init__(self, context: Context, budget: Budget) -> None:
        self.context = context
        self.budget = budget
        self.left = context.options.bounds.message_bytes  # of all messages in files, so that archives multiply nothing
        self.unlooked = self.left  # of all texts that are looked at closer
        self.announced: list[Problem] = []  # what should have had a report, when there turns out to be none
        self.counting = True  # what is read; not when documents are made of it later
        self.reported = False  # whether the input is a report or claims to be one, readable or not

    def of_message(self, mail: Part) -> Iterator[Result]:
        """The reports of the message that is the input; what announces one when there is none."""
        yield from self._judged(self.message(mail, 0))

    def of_file(self, file: Payload) -> Iterator[Result]:
        """The reports of a file that is the input."""
        yield from self._judged(self.payloads(file))

    def _judged(self, results: Iterator[Result]) -> Iterator[Result]:
        reports = problems = 0
        for result in results:
            yield result
            reports += isinstance(result, Report)
            problems += isinstance(result, Problem)
        self.counting = False
        if self.budget.exhausted and not problems:
            yield Problem("message", self.budget.reason)
        elif not (reports or problems):
            yield from self.announced[:1]

    def message(self, mail: Part, level: int) -> Iterator[Result]:
        """The reports of a message. `level`: files around it."""
        yield from self._walk(mail, level)
        if mail.over:  # what stands behind the bound may be a report
            yield Problem("message", mail.over)

    def _walk(self, part: Part, level: int, *, seen: bool = False, message: bool = True) -> Iterator[Result]:
        """The reports of a part. `seen` says that the kinds have looked at it, among those beside it."""
        for kind in KINDS_OF_PARTS if part.parts or not seen else ():
            result = kind.read(part, self.context)
            if result is not None:
                self.reported = True
                yield result
                return
        if _is_notification(part):
            return
        if message and (reason := by_header(part)):
            self.reported = True
            self.announced.append(Problem(_place(part), reason))
        if part.parts:
            seen = part.content_type.startswith("multipart/")
            for child in part.parts:
                yield from self._walk(child, level, seen=seen, message=part.content_type in WHOLE_MESSAGES)
        else:
            yield from self._leaf(part, level)

    def _leaf(self, part: Part, level: int) -> Iterator[Result]:
        empty = True
        for result in self.payloads(_file_of(part), level):
            empty = False
            if part.content_type == "message/partial" and isinstance(result, Problem):
                result = result._replace(reason=f"{by_label(part)}: {result.reason}")  # noqa: PLW2901
            yield result
        if empty and (reason := by_label(part)):
            self.reported = self.reported or is_report_name(part.name) or "tlsrpt" in part.content_type
            self.announced.insert(0, Problem(_place(part), reason))

    def payloads(self, outer: Payload, level: int = 0) -> Iterator[Result]:
        """The reports in a file. `level`: messages and texts in files around it."""
        bounds = self.context.options.bounds
        for found in find_payloads(outer, bounds, self.budget):
            if isinstance(found, Problem):
                yield found
            else:
                yield from self._payload(found, level)

    def _payload(self, found: Payload, level: int) -> Iterator[Result]:
        beginning = head(found, CHUNK)
        several = None if found.message else self._several(found, beginning)
        result = None if found.message or several is not None else self._ask(found, beginning)
        if several is not None:
            yield from several
        elif result is not None:
            yield result
        elif found.message or begins_with_header(beginning[:_HEADER]) or _is_mbox(beginning):
            if self.left >= 0:  # else it was said before
                yield from self._messages_in(found, level)
        else:
            yield from self._closer(found, beginning, level)

    def _ask(self, found: Payload, beginning: bytes) -> Result | None:
        """What the kinds say of a file."""
        for mark, load in KINDS_OF_PAYLOADS:
            result = self._read(load(), found) if beginning.find(mark) >= 0 else None
            if result is not None:
                return result
        return None

    def _read(self, kind: Kind, found: Payload) -> Result | None:
        """What a kind says of a file, of which no more rows are read than the size of the message allows."""
        tls = kind.name == "smtp-tls"
        options = self.context.options
        rows = self.budget.rows(tls=tls)
        bounds = options.bounds._replace(rows=rows, cost=self.budget.cost())
        context = self.context._replace(options=options._replace(bounds=bounds))
        xml = kind.name == "dmarc-aggregate"
        result = kind.read(self._watched(found, _marks, self.budget.read_marks) if xml else self._json(found), context)
        self.reported = self.reported or result is not None
        if isinstance(result, Report):
            self.budget.take_rows(result.rows, result.cost, tls=tls)
        elif result is not None and rows < options.bounds.rows:
            why = self.budget.why_rows(tls=tls)
            result = result._replace(reason=result.reason.replace(f"bounds.rows = {rows}", why))
        if isinstance(result, Problem) and bounds.cost < options.bounds.cost:
            why = f"bounds.cost = {options.bounds.cost} in all reports of the message together"
            result = result._replace(reason=result.reason.replace(f"bounds.cost = {bounds.cost}", why))
        return result

    def _json(self, file: Payload) -> Payload:
        """A file that is read as JSON: what that takes does not show in the bytes of an archive."""
        return self._watched(file, len, self.budget.read_json)

    def _watched(self, file: Payload, size: Callable[[bytes], int], take: Callable[[int], None]) -> Payload:
        """A file of which what is read now is counted."""

        def counted() -> Iterator[bytes]:
            for piece in file.chunks():
                if self.counting:
                    take(size(piece))
                yield piece

        return file._replace(chunks=counted)

    def _messages_in(self, file: Payload, level: int) -> Iterator[Result]:
        """Who forwards a message as a file often labels it application/octet-stream, or puts it into an archive."""
        bounds = self.context.options.bounds
        if level >= bounds.archive_depth:
            yield Problem(file.place, f"more messages in files than bounds.archive_depth = {bounds.archive_depth}")
            return
        faults: list[Damaged] = []
        empty = True
        try:
            blob = self.budget.keep(self._bounded(file, faults))
            for place, message in _each_message(file, blob, bounds.archive_members):
                for result in self._message(message, level):
                    empty = False
                    yield result._replace(place=f"{place} / {result.place}") if isinstance(result, Problem) else result
        except OverBound as bound:
            yield Problem(file.place, str(bound))
            return
        if empty and faults:
            yield Problem(file.place, str(faults[0]))

    def _message(self, blob: Blob, level: int) -> Iterator[Result]:
        """The reports of one message in a file. Raises OverBound."""
        parts = self.budget.parts()
        mail = read_mail(mended(blob), mime_depth=self.context.options.bounds.mime_depth, mime_parts=parts)
        self.budget.take_parts(mail.total)
        yield from self.message(mail, level + 1)

    def _bounded(self, file: Payload, faults: list[Damaged]) -> Iterator[bytes]:
        try:
            for piece in file.chunks():
                self.left -= len(piece)
                if self.left < 0:
                    bound = self.context.options.bounds.message_bytes
                    raise OverBound(f"the messages in files have more bytes than bounds.message_bytes = {bound}")
                yield piece
        except Damaged as fault:
            faults.append(fault)  # what came before is read

    # Closer looks

    def _several(self, found: Payload, beginning: bytes) -> Iterator[Result] | None:
        """The reports in a file that holds an array of them, or one after the other; None when it does not."""
        if beginning.find(b"{") < 0:
            return None
        from .json_texts import read_texts  # 1 ms, only for what may be JSON

        texts = read_texts(self._json(found), beginning, self.context.options.bounds)
        if texts is None:
            return None
        blob = self.budget.keep(iter((texts.data,)))
        return self._each(found, texts.ranges, Slice(blob, 0, blob.size), texts.fault)

    def _each(self, found: Payload, ranges: tuple[tuple[int, int], ...], blob: Slice, fault: str) -> Iterator[Result]:
        for number, (start, stop) in enumerate(ranges, 1):
            one = Slice(blob, start, stop)
            place = f"{found.place} / object {number}"
            payload = found.holding(partial(chunks, one))._replace(place=place)
            result = self._ask(payload, one.read(0, CHUNK))
            if result is not None:
                yield result
        if fault:
            yield Problem(found.place, fault)

    def _closer(self, found: Payload, beginning: bytes, level: int) -> Iterator[Result]:
        """Files within a text, a report that begins far behind its beginning, and names that promise one."""
        empty = True
        if beginning and beginning.find(b"\0", 0, _BINARY) < 0:
            for look in (self._in_text, partial(self._in_page, beginning)):
                for result in look(found, level) if empty else ():
                    empty = False
                    yield result
        if empty and is_report_name(found.name):
            self.reported = True
            self.announced.insert(0, Problem(found.place, "it has the name of a report, and there is none in it"))

    def _in_text(self, found: Payload, level: int) -> Iterator[Result]:
        """What is in a text. All texts of a message may have bounds.message_bytes: what inflates to more is none."""
        try:
            marks = _find_marks(found, self.unlooked)
            self.unlooked -= marks.size
            if marks.files:
                yield from self._files_in(found, level, marks.size)
            if marks.report >= (1 if marks.json else CHUNK // 2):  # nearer ones were seen by the kinds
                yield from self._report_behind(found, marks.report)
        except (Damaged, OverBound) as fault:
            yield Problem(found.place, str(fault))

    def _in_page(self, beginning: bytes, found: Payload, level: int) -> Iterator[Result]:
        """What is in the text of an HTML page, where something in it may be: programs quote plain texts so."""
        if beginning.find(b"<") < 0 or not _holds(beginning, _IN_PAGES):
            return
        from ..message.marked_up import is_page, text_of  # 2 ms, only for such a page

        if is_page(beginning):
            text = found.holding(partial(text_of, found.chunks))
            result = self._ask(text, head(text, CHUNK))
            yield from self._in_text(text, level) if result is None else (result,)

    def _files_in(self, found: Payload, level: int, size: int) -> Iterator[Result]:
        from ..message.inline import files_at, find_places  # 2 ms

        bounds = self.context.options.bounds
        places = find_places(found.chunks, bounds.archive_members + 1, size)
        blob = self.budget.keep(found.chunks()) if places else None
        for place, open_ in files_at(places[: bounds.archive_members], blob) if blob is not None else ():
            where = f"{found.place} / {place.name or place.encoding}"
            if place.refused:
                yield Problem(found.place, place.refused)
            elif level >= bounds.archive_depth:
                yield Problem(where, f"more files in each other than bounds.archive_depth = {bounds.archive_depth}")
            else:
                yield from self.payloads(Payload(where, place.name, open_), level + 1)
        if len(places) > bounds.archive_members:
            yield Problem(found.place, f"more files than bounds.archive_members = {bounds.archive_members}")

    def _report_behind(self, found: Payload, at: int) -> Iterator[Result]:
        """A report that begins behind more of something else than the kinds look at."""

        def behind() -> Iterator[bytes]:
            left = at
            for piece in found.chunks():
                if left < len(piece):
                    yield piece[left:]
                left = max(left - len(piece), 0)

        late = found.holding(behind)
        result = self._ask(late, head(late, CHUNK))
        if result is not None:
            yield result


def _is_mbox(beginning: bytes) -> bool:
    if not beginning.lstrip(b"\xef\xbb\xbf\0\r\n").startswith(b"From"):
        return False
    from ..message.mbox import is_mbox  # 2 ms, only behind such a line

    return is_mbox(beginning)


def _each_message(file: Payload, blob: Blob, most: int) -> Iterator[tuple[str, Blob]]:
    """The message in a file; of an mbox each one, with its place. Raises OverBound when there are more than `most`."""
    if file.message or not _is_mbox(blob.read(0, CHUNK)):
        yield file.place, blob
        return
    from ..message import mbox  # loaded already

    for number, (start, stop) in enumerate(mbox.messages(chunks(blob)), 1):
        if number > most:
            bound = f"more messages than bounds.archive_members = {most}"
            raise OverBound(f"an mbox with {bound}: unpack it, and name it as a PATH")
        yield f"{file.place} / message {number}", mbox.unquoted(Slice(blob, start, stop))


class _Marks(NamedTuple):
    """What a text may hold."""

    size: int  # bytes that were looked at
    files: bool
    report: int  # where one seems to begin, -1 for nowhere
    json: bool  # it is JSON, which may stand behind other braces


def _find_marks(found: Payload, most: int) -> _Marks:
    """Look at the first `most` bytes of a text. Raises Damaged, OverBound."""
    size, files, report, is_json = 0, False, -1, False
    data = b""
    for piece in found.chunks():
        if size >= most:
            break
        data = data[-_LONGEST_LATE:] + piece
        size += len(piece)
        files = files or _holds(data, TEXT_MARKS)
        if report < 0 and _holds(data, _LATE_MARKS) and (match := _LATE.search(data)):
            report, is_json = size - len(data) + match.start(), match[0].startswith(b"{")
    return _Marks(size, files, report, is_json)


def _holds(data: bytes, marks: tuple[bytes, ...]) -> bool:
    """Whether one of the marks is in the data. `mark in data` takes five times as long: it looks for a number first."""
    return max(map(data.find, marks)) >= 0


def _marks(piece: bytes) -> int:
    """How many comments and the like begin in a piece, in UTF-8 or UTF-16."""
    return sum(map(piece.count, (b"<!", b"<?", b"<\0!", b"<\0?")))


def _is_notification(part: Part) -> bool:
    """A bounce or a receipt (RFC 3464, RFC 8098). What it returns was sent by us, such as a report about others."""
    return part.content_type == "multipart/report" and any(child.content_type in _NOTIFICATIONS for child in part.parts)


def _file_of(part: Part) -> Payload:
    return Payload(_place(part), part.name, part.file_chunks, whole=part.file_whole())


def _place(part: Part) -> str:
    number = f"part {part.place}" if part.place else "message"
    return f"{number} {part.name!r}" if part.name else number
