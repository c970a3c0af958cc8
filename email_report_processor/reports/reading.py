"""From the bytes of a message to its reports: `read_message` walks the tree and asks each kind.

This is the library's entry point. Nothing here or left of here knows a clock, a network or the settings.
"""

from ..message.blob import CHUNK, Blob, Memory, chunks
from ..message.bounds import Problem
from ..message.budget import Budget
from ..message.headers import address, domain_of, read_value
from ..message.line_ends import mended
from ..message.mail import Part, looks_like_mail, read_mail
from ..message.payload import Payload
from ..values import authres
from ..values.dates import read_rfc5322
from ..values.fields import read_domain, read_identifier, write_date
from ..values.remembered import remembered
from .report import Context, Envelope, Options, Reading, Report
from .search import Search


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
    budget = Budget(blob.size, bounds)
    if looks_like_mail(blob.read(0, CHUNK)):
        mail = read_mail(mended(blob), mime_depth=bounds.mime_depth, mime_parts=bounds.mime_parts)
        envelope = read_envelope(mail, options)
        search = Search(Context(envelope, options), budget)
        results = list(search.of_message(mail))
        if options.feed in options.feed_kinds and not search.reported:
            from .raw_message import read_raw  # 4 ms, only for a message that is no report in such a feed

            problems = [result for result in results if isinstance(result, Problem)]
            results = [read_raw(mail, search.context, problems)]
    else:
        envelope = Envelope(bare=True)
        file = Payload("input", "", lambda: chunks(blob))
        results = list(Search(Context(envelope, options), budget).of_file(file))
    return Reading(
        envelope,
        tuple(result for result in results if isinstance(result, Report)),
        tuple(result for result in results if isinstance(result, Problem)),
    )


def read_envelope(mail: Part, options: Options) -> Envelope:
    """What the report mail itself says: who, when, and what a trusted Authentication-Results field says of it."""
    headers = mail.headers
    return Envelope(
        message_id=read_identifier(headers.get("message-id") or "")[: options.bounds.string_chars],
        from_domain=_domain_of_author(headers.raw_value("from")),
        received=_received(mail),
        date=_date(mail.headers.get("date") or ""),
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
