"""A message that is no report, from a feed of messages: a spam trap, or what our own server refused or sorted out.

It becomes the same document as a failure report about it, by the same code: the feedback part, which nobody wrote, is
what the Received fields of our own servers say (`way`), and the sample is the message itself.

Its id is made of what its author wrote and of who sent it, and not of what servers add on the way: the copy in a
mailbox, the one that was kept back and the one that a user complains about are one message. Subject is not part of it
unless Message-ID is missing: filters put `[SPAM]` in front of it.
"""

import hashlib
from collections.abc import Sequence

from ..message.bounds import Problem
from ..message.mail import Part, domain_of
from ..values import authres
from ..values.fields import read_domain
from .feedback_documents import Raw, Text, report_of
from .report import Context, Envelope, Report
from .sample import Sample, author, decode, read_fields
from .way import Way, read_way

# RFC 5322 §3.6.1 to §3.6.4, RFC 2045 §5: the author's, and left alone on the way.
_WRITTEN = ("date", "from", "sender", "reply-to", "to", "cc", "message-id", "in-reply-to", "references", "content-type")


def read_raw(mail: Part, context: Context, problems: Sequence[Problem]) -> Report:
    """The report that nobody wrote. problems: what in the message could not be opened."""
    header = decode(mail.headers.raw)
    sample = Sample(mail, header, read_fields(header), cut=False)
    way = read_way(sample.fields, context.options.ours.networks)
    raw = Raw(
        context.options.feed_kinds[context.options.feed],
        _domains(sample, context.options.ours.domains),
        tuple(f"{problem.place}: {problem.reason}" for problem in problems[:5]),
    )
    text = Text(_fields(sample, way, context), _canonical(sample, way), sample, False, _sha256(mail), raw=raw)
    # What the mail says of itself is said of the sample: nobody reports.
    envelope = Envelope(received=context.envelope.received, date=context.envelope.date)
    return report_of([text], Context(envelope, context.options))


def _fields(sample: Sample, way: Way, context: Context) -> list[list[str]]:
    """The fields that a feedback part about it would have (RFC 5965 §3)."""
    found = [["Source-IP", way.client], ["Arrival-Date", way.arrival]]
    if way.mail_from is not None:
        found.append(["Original-Mail-From", way.mail_from])
    found += [["Original-Rcpt-To", one] for one in way.recipients]
    found += [["Authentication-Results", value] for value in _trusted(sample, context.options.authserv_ids)]
    return [field for field in found if field[1] or field[0] == "Original-Mail-From"]


def _trusted(sample: Sample, authserv_ids: Sequence[str]) -> list[str]:
    """The Authentication-Results of our own server; of those about one method the topmost (RFC 8601 §5)."""
    ids = {one.strip().lower() for one in authserv_ids}
    told: set[str] = set()
    found = []
    for name, value in sample.fields:
        parsed = authres.parse(value) if name.lower() == "authentication-results" else None
        if parsed is None or parsed.authserv_id not in ids or told & {one.method for one in parsed.results}:
            continue
        told |= {one.method for one in parsed.results}
        found.append(value)
    return found


def _canonical(sample: Sample, way: Way) -> object:
    """What the id is made of; every copy of the message has it."""
    names = _WRITTEN if sample.get("message-id") else (*_WRITTEN, "subject")
    written = [[name.lower(), value] for name, value in sample.fields if name.lower() in names]
    arrival = "" if sample.get("message-id") else way.arrival
    return ["message", way.client, arrival, sorted(written)]


def _domains(sample: Sample, own: Sequence[str]) -> tuple[str, ...]:
    """The domain of ours in From; what a stranger writes there would else stand among our domains on every page."""
    domain = read_domain(domain_of(author(sample)))
    ours = any(domain == one or domain.endswith(f".{one}") for one in (name.lower().strip(".") for name in own))
    return (domain,) if domain and ours else ()


def _sha256(mail: Part) -> str:
    digest = hashlib.sha256(mail.headers.raw)
    for piece in mail.raw_chunks():
        digest.update(piece)
    return digest.hexdigest()
