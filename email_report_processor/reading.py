"""From the bytes of a message to its reports: `read_message` walks the tree and asks each kind.

This is the library's entry point. Nothing here or left of here knows a clock, a network or the settings.
"""

from collections.abc import Iterator
from functools import cache

from . import authres, feedback
from .blob import CHUNK, Blob, Memory, chunks
from .dates import read_rfc5322
from .fields import read_domain, read_identifier, write_date
from .mail import Part, address, domain_of, looks_like_mail, read_mail
from .payload import Payload, find_payloads, head
from .report import Bounds, Context, Envelope, Kind, Options, Problem, Reading, Report

# Asked in this order. A kind that says anything but None has claimed the node and what is below it.
KINDS_OF_PARTS = (feedback.KIND,)

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
        results = list(_walk(mail, Context(envelope, options)))
        if mail.over:  # what stands behind the bound may be a report
            results.append(Problem("message", mail.over))
    else:
        envelope = Envelope(bare=True)
        results = list(_payloads(Payload("input", "", lambda: chunks(blob)), Context(envelope, options)))
    return Reading(
        envelope,
        tuple(result for result in results if isinstance(result, Report)),
        tuple(result for result in results if isinstance(result, Problem)),
    )


def _walk(part: Part, context: Context) -> Iterator[Result]:
    for kind in KINDS_OF_PARTS:
        result = kind.read(part, context)
        if result is not None:
            yield result
            return
    if part.parts:
        for child in part.parts if not _is_notification(part) else ():
            yield from _walk(child, context)
    else:
        yield from _payloads(Payload(_place(part), part.name, part.chunks), context)


def _is_notification(part: Part) -> bool:
    """A bounce or a receipt (RFC 3464, RFC 8098). What it returns was sent by us, such as a report about others."""
    return part.content_type == "multipart/report" and any(child.content_type in _NOTIFICATIONS for child in part.parts)


def _place(part: Part) -> str:
    number = f"part {part.place}" if part.place else "message"
    return f"{number} {part.name!r}" if part.name else number


def _payloads(outer: Payload, context: Context) -> Iterator[Result]:
    bounds: Bounds = context.options.bounds
    for found in find_payloads(outer.place, outer.name, outer.chunks, bounds):
        if isinstance(found, Problem):
            yield found
            continue
        for kind in _kinds_of(found):
            result = kind.read(found, context)
            if result is not None:
                yield result
                break


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


def _kinds_of(payload: Payload) -> Iterator[Kind]:
    loaded = all(load.cache_info().currsize for _, load in KINDS_OF_PAYLOADS)
    beginning = b"" if loaded else head(payload, CHUNK)
    for mark, load in KINDS_OF_PAYLOADS:
        if loaded or mark in beginning:
            yield load()


def read_envelope(mail: Part, options: Options) -> Envelope:
    """What the report mail itself says: who, when, and what a trusted Authentication-Results field says of it."""
    headers = mail.headers
    return Envelope(
        message_id=read_identifier(headers.get("message-id") or "")[: options.bounds.string_chars],
        from_domain=read_domain(domain_of(address(headers.get("from") or ""))),
        received=_received(mail),
        authentication=authres.reporter(_as_they_stand(mail, "authentication-results"), options.authserv_ids),
    )


def _as_they_stand(mail: Part, name: str) -> list[str]:
    # Undoing RFC 2047 would let a sender write results into a local part: `=?utf-8?q?x=3B_dkim=3Dpass_…?=@a.example`.
    return [value.decode("latin-1") for value in mail.headers.raw_values(name)]


def _received(mail: Part) -> str:
    # The topmost Received field was added by our own mail server (RFC 5321 §4.4); the date is behind its last ';'.
    received = mail.headers.get_all("received")[:1]
    for text in [*(field.rpartition(";")[2] for field in received), mail.headers.get("date") or ""]:
        try:
            return write_date(read_rfc5322(text))
        except ValueError:
            continue
    return ""
