"""From the bytes of a message to its reports: `read_message` walks the tree and asks each kind.

This is the library's entry point. Nothing here or left of here knows a clock, a network or the settings.
"""

from collections.abc import Iterator
from functools import cache

from ..message.blob import CHUNK, Blob, Damaged, Memory, Scratch, chunks
from ..message.bounds import Problem
from ..message.headers import address, domain_of, read_value
from ..message.mail import Part, looks_like_mail, read_mail
from ..message.payload import OverBound, Payload, find_payloads, head
from ..values import authres
from ..values.dates import read_rfc5322
from ..values.fields import read_domain, read_identifier, write_date
from ..values.remembered import remembered
from . import feedback
from .report import Context, Envelope, Kind, Options, Reading, Report
from .sample import begins_with_header

# Asked in this order. A kind that says anything but None has claimed the node and what is below it.
KINDS_OF_PARTS = (feedback.KIND,)

_HEADER = 8 * 1024  # bytes of a file that tell a message
_NOTIFICATIONS = ("message/delivery-status", "message/global-delivery-status", "message/disposition-notification")

Result = Report | Problem


def read_message(raw: bytes | Blob, options: Options | None = None) -> Reading:
    """Read one e-mail message, or one bare report, and say what reports it holds.

    `raw` is the message as it came (any bytes; CRLF or LF; a leading mbox `From ` line is fine). Returns a Reading:
    `reports`, each with its `report` document's fields in `head`, the number of its `rows` and `documents()`, which
    streams Documents (dataset, id, flat fields); and `problems`, what claims to be a report and cannot be read. Both
    empty means that the message is no report mail. Nothing in the message makes this raise, nor `documents()`.

    Formats: RFC 7489 App. C, RFC 9990 (DMARC aggregate); RFC 5965, 6591, 9991 (feedback); RFC 8460 (SMTP TLS).
    """
    blob = Memory(raw) if isinstance(raw, bytes) else raw
    options = options or Options()
    bounds = options.bounds
    if blob.size > bounds.message_bytes:
        limit = f"the message has {blob.size} bytes, more than bounds.message_bytes = {bounds.message_bytes}"
        return Reading(Envelope(), (), (Problem("message", limit),))
    if looks_like_mail(blob.read(0, CHUNK)):
        mail = read_mail(blob, mime_depth=bounds.mime_depth, mime_parts=bounds.mime_parts)
        envelope = read_envelope(mail, options)
        results = list(_Search(Context(envelope, options)).message(mail))
    else:
        envelope = Envelope(bare=True)
        results = list(_Search(Context(envelope, options)).payloads(Payload("input", "", lambda: chunks(blob))))
    return Reading(
        envelope,
        tuple(result for result in results if isinstance(result, Report)),
        tuple(result for result in results if isinstance(result, Problem)),
    )


class _Search:
    """The search of one input: its message, and messages that are attached to it as files (`forwarded.eml`)."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.left = context.options.bounds.message_bytes  # of all messages in files, so that archives multiply nothing
        self.scratch = Scratch()

    def message(self, mail: Part, *, file: bool = False) -> Iterator[Result]:
        """The reports of a message."""
        yield from self._walk(mail, file)
        if mail.over:  # what stands behind the bound may be a report
            yield Problem("message", mail.over)

    def _walk(self, part: Part, file: bool, *, seen: bool = False) -> Iterator[Result]:
        """The reports of a part. `seen` says that the kinds have looked at it, among those beside it."""
        for kind in KINDS_OF_PARTS if part.parts or not seen else ():
            result = kind.read(part, self.context)
            if result is not None:
                yield result
                return
        if part.parts:
            seen = part.content_type.startswith("multipart/")
            for child in part.parts if not _is_notification(part) else ():
                yield from self._walk(child, file, seen=seen)
        else:
            yield from self.payloads(Payload(_place(part), part.name, part.chunks), file=file)

    def payloads(self, outer: Payload, *, file: bool = False) -> Iterator[Result]:
        """The reports in a file. `file` says that it lies in a message that is a file itself."""
        for found in find_payloads(outer.place, outer.name, outer.chunks, self.context.options.bounds):
            if isinstance(found, Problem):
                yield found
                continue
            beginning = head(found, CHUNK)
            kinds = (load() for mark, load in KINDS_OF_PAYLOADS if mark in beginning)
            results = (kind.read(found, self.context) for kind in kinds)
            result = next((result for result in results if result is not None), None)
            if result is not None:
                yield result
            elif not file and self.left >= 0 and begins_with_header(beginning[:_HEADER]):
                yield from self._message_in(found)

    def _message_in(self, file: Payload) -> Iterator[Result]:
        """Who forwards a message as a file often labels it application/octet-stream, or puts it into an archive."""
        bounds = self.context.options.bounds
        try:
            blob = self.scratch.keep(self._bounded(file))
        except OverBound as bound:
            yield Problem(file.place, str(bound))
            return
        mail = read_mail(blob, mime_depth=bounds.mime_depth, mime_parts=bounds.mime_parts)
        for result in self.message(mail, file=True):
            yield result._replace(place=f"{file.place} / {result.place}") if isinstance(result, Problem) else result

    def _bounded(self, file: Payload) -> Iterator[bytes]:
        try:
            for piece in file.chunks():
                self.left -= len(piece)
                if self.left < 0:
                    bound = self.context.options.bounds.message_bytes
                    raise OverBound(f"the messages in files have more bytes than bounds.message_bytes = {bound}")
                yield piece
        except Damaged:
            return  # what came before is read


def _is_notification(part: Part) -> bool:
    """A bounce or a receipt (RFC 3464, RFC 8098). What it returns was sent by us, such as a report about others."""
    return part.content_type == "multipart/report" and any(child.content_type in _NOTIFICATIONS for child in part.parts)


def _place(part: Part) -> str:
    number = f"part {part.place}" if part.place else "message"
    return f"{number} {part.name!r}" if part.name else number


@cache
def _dmarc_aggregate() -> Kind:
    from .dmarc_aggregate import KIND  # 7 ms, only for a file that may be one

    return KIND


@cache
def _smtp_tls() -> Kind:
    from .smtp_tls import KIND  # 2 ms, only for a file that may be one

    return KIND


# Without this byte near its beginning a file is not of the kind; each kind then looks closer.
KINDS_OF_PAYLOADS = ((b"<", _dmarc_aggregate), (b"{", _smtp_tls))


def read_envelope(mail: Part, options: Options) -> Envelope:
    """What the report mail itself says: who, when, and what a trusted Authentication-Results field says of it."""
    headers = mail.headers
    return Envelope(
        message_id=read_identifier(headers.get("message-id") or "")[: options.bounds.string_chars],
        from_domain=_domain_of_author(headers.raw_value("from")),
        received=_received(mail),
        authentication=authres.reporter(_as_they_stand(mail, "authentication-results"), options.authserv_ids),
    )


@remembered(most=256, longest=256)  # a mailbox for reports has few authors
def _domain_of_author(value: bytes) -> str:
    return read_domain(domain_of(address(read_value(value))))


def _as_they_stand(mail: Part, name: str) -> list[str]:
    # Undoing RFC 2047 would let a sender write results into a local part: `=?utf-8?q?x=3B_dkim=3Dpass_…?=@a.example`.
    return [value.decode("latin-1") for value in mail.headers.raw_values(name)]


def _received(mail: Part) -> str:
    # The topmost Received field was added by our own mail server (RFC 5321 §4.4); the date is behind its last ';'.
    received = (mail.headers.get("received") or "").rpartition(";")[2]
    return _date(received) or _date(mail.headers.get("date") or "")


def _date(text: str) -> str:
    try:
        return write_date(read_rfc5322(text)) if text else ""
    except ValueError:
        return ""
