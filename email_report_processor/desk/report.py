"""The report that goes to a network's abuse desk: a feedback report (ARF, RFC 5965), one for each network and incident.

A sentence for people, the fields for machines, and of the sample as much as the site wants. Nothing is copied into a
header field without its line breaks; what a person reads is ASCII, so that nobody gets it as base64.
"""

import re
from base64 import encodebytes
from collections.abc import Sequence
from datetime import datetime
from email.message import Message as MimePart
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.parser import BytesParser
from email.policy import compat32
from email.utils import format_datetime
from textwrap import wrap
from typing import Literal, NamedTuple

from .. import __version__
from ..values.urls import host_of
from .message import Message

MOST_URLS = 20  # in one report; the others stand in the blocking list
_WIRE = compat32.clone(linesep="\r\n", max_line_length=None)  # our own header fields; a sample stays as it is
_SAFE = re.compile(r"[^\x20-\x7e]+")
_OF_THE_PART = frozenset({"content-type", "mime-version", "content-transfer-encoding"})
_TYPED = re.compile(
    r"^(?:MIME-Version|Content-Type|Content-Transfer-Encoding)(?=[ \t]*:)", re.IGNORECASE | re.MULTILINE
)


class ReportOptions(NamedTuple):
    """How the desk writes its reports."""

    sender: str = ""  # address that reports come from, such as abuse@example.org; without it nothing is prepared
    sender_name: str = "Abuse desk"
    reply_to: str = ""  # address for answers; `+TOKEN` is added before its @. '' is the sender's
    sample: Literal["none", "headers", "full"] = "headers"  # of the message, as far as it is stored
    redact: Literal["none", "recipients", "strict"] = "recipients"  # what becomes of addresses (RFC 6590)
    xarf: bool = False  # beside it the same in X-ARF v4, where the failure reports say what its schema demands
    signature: str = ""  # lines below the text: who we are and how to call us


class Draft(NamedTuple):
    """A report before anybody looked at it."""

    token: str  # of the incident: the answer brings it back
    to: str  # one abuse contact
    messages: tuple[Message, ...]  # of one network and one incident, the oldest first
    domains: tuple[str, ...]  # ours, that the messages claimed to be from
    urls: tuple[str, ...] = ()  # none of ours
    kind: Literal["fraud", "abuse"] = "fraud"


def compose(draft: Draft, options: ReportOptions, now: datetime, sample: bytes = b"") -> bytes:
    """The message, ready for sendmail, with CRLF. sample: redacted already, the header or the whole message."""
    whole = MIMEMultipart("report")
    whole.set_param("report-type", "feedback-report")
    whole["From"] = f'"{one_line(options.sender_name)}" <{one_line(options.sender)}>'
    whole["To"] = one_line(draft.to)
    whole["Reply-To"] = reply_address(options, draft.token)
    whole["Subject"] = _subject(draft)
    whole["Date"] = format_datetime(now)
    whole["Message-ID"] = message_id(options, draft.token)
    whole["Auto-Submitted"] = "auto-generated"
    whole.attach(MIMEText(_sentence(draft, options), "plain", "us-ascii"))
    whole.attach(_fields(draft))
    if sample and options.sample != "none":
        whole.attach(_sample(sample, headers_only=options.sample == "headers"))
    return whole.as_bytes(policy=_WIRE)


def beside(message: bytes, name: str, content: bytes) -> bytes:
    """The message with a file beside the report: RFC 6522 §3 has no room for it within."""
    report = BytesParser(policy=_WIRE).parsebytes(message.replace(b"\r\n", b"\n"))
    whole = MIMEMultipart("mixed")
    for field in [one for one in report.keys() if one.lower() not in _OF_THE_PART]:  # noqa: SIM118  # a Message is no dict
        whole[field] = report[field]
        del report[field]
    whole.attach(report)
    file = MIMEBase("application", "json", name=name)
    file.set_payload(encodebytes(content).decode())
    file["Content-Transfer-Encoding"] = "base64"
    file["Content-Disposition"] = f'attachment; filename="{name}"'
    whole.attach(file)
    return whole.as_bytes(policy=_WIRE)


def reply_address(options: ReportOptions, token: str) -> str:
    """Where answers go: the token says which incident they are about (RFC 5233 subaddress)."""
    local, _, domain = one_line(options.reply_to or options.sender).rpartition("@")
    return f"{local}+{token}@{domain}"


def message_id(options: ReportOptions, token: str) -> str:
    """The same for every attempt to send the same report: who gets it twice sees it once."""
    return f"<abuse.{token}@{one_line(options.sender).rpartition('@')[2]}>"


def _subject(draft: Draft) -> str:
    first = draft.messages[0]
    what = "Fraud" if draft.kind == "fraud" else "Abuse"
    return f"{what} report: {one_line(first.source_ip)} ({draft.token})"


def _sentence(draft: Draft, options: ReportOptions) -> str:
    """What a person reads: who sent what, why we say so, and what we ask for. ASCII, lines below 78 columns."""
    whose, stop = ("These hosts are", "them") if _others(draft) else ("This host is", "it")
    what = f"{_what(draft)} {whose} not ours: most such hosts are taken over. Please stop {stop}."
    paragraphs = ["Hello,", what]
    if _others(draft):
        paragraphs.append(f"The others are {_hosts(draft)}.")
    paragraphs = ["\n".join(wrap(_SAFE.sub("?", one), 76)) for one in paragraphs]
    if draft.urls:
        paragraphs.append("They lead to:\n" + "\n".join(f"    {_short(defang(url))}" for url in draft.urls[:MOST_URLS]))
    answers = (
        "The fields for machines are in the part message/feedback-report (RFC 5965). Answers to this message reach a "
        f"person; so does one word to {reply_address(options, draft.token)} when it is solved."
    )
    paragraphs.append("\n".join(wrap(answers, 76)))
    if options.signature:
        paragraphs.append("\n".join(_SAFE.sub("?", line) for line in options.signature.splitlines()))
    return "\n\n".join(paragraphs) + "\n"


def _what(draft: Draft) -> str:
    """The sentence that says what happened."""
    first, last = draft.messages[0], draft.messages[-1]
    messages = sum(one.count for one in draft.messages)
    when = f"at {first.at}" if first.at == last.at else f"between {first.at} and {last.at}"
    others = len(_others(draft))
    hosts = f"The host {first.source_ip}" + (f" and {others} other{'s' if others > 1 else ''}" if others else "")
    sent = f"{hosts} in your network sent {messages} message{'s' if messages > 1 else ''} {when}"
    if draft.kind == "fraud":
        claimed = " and ".join(draft.domains[:3]) or "a domain of ours"
        return f"{sent} that claimed to be from {claimed} and failed every check of it (DMARC)."
    return f"{sent} that {'their recipients' if messages > 1 else 'its recipient'} had not asked for."


def user_agent(token: str) -> str:
    """Our name, and the token as a comment (RFC 5965 §3.1): a report of ours that comes back is known by it."""
    return f"email-report-processor/{__version__} ({token})"


def _short(text: str) -> str:
    """On one line; the part for machines has the whole."""
    plain = _SAFE.sub("?", text)
    return plain if len(plain) <= 72 else f"{plain[:70]}.."


def _others(draft: Draft) -> list[str]:
    return sorted({one.source_ip for one in draft.messages if one.source_ip != draft.messages[0].source_ip})


def _hosts(draft: Draft) -> str:
    others = _others(draft)
    return ", ".join(others[:10]) + (f" and {len(others) - 10} more" if len(others) > 10 else "")


def defang(url: str) -> str:
    """A URL that no program makes a link of."""
    return re.sub(r"\Ahttp", "hxxp", url, count=1, flags=re.IGNORECASE).replace(".", "[.]", 1)


def _fields(draft: Draft) -> MIMEBase:
    """The part for machines (RFC 5965 §3). Source-IP stands once: a report is about one host."""
    first = draft.messages[0]
    fields = MimePart()
    fields["Feedback-Type"] = draft.kind
    fields["User-Agent"] = user_agent(draft.token)
    fields["Version"] = "1"
    fields["Source-IP"] = one_line(first.source_ip)
    fields["Arrival-Date"] = format_datetime(datetime.fromisoformat(first.at))
    fields["Incidents"] = str(sum(one.count for one in draft.messages))
    if first.mail_from:
        fields["Original-Mail-From"] = f"<{one_line(first.mail_from)}>"
    for domain in draft.domains:
        fields["Reported-Domain"] = one_line(domain)
    for url in draft.urls[:MOST_URLS]:
        fields["Reported-URI"] = one_line(url)
    part = MIMEBase("message", "feedback-report")
    part.set_payload([fields])
    return part


def _sample(sample: bytes, *, headers_only: bool) -> MIMEBase:
    """The message as it came, or its header (RFC 6522 §4). It is never decoded: it is evidence."""
    text = sample.replace(b"\r\n", b"\n")
    if not headers_only:
        whole = MIMEBase("message", "rfc822")
        whole.set_payload([BytesParser(policy=_WIRE).parsebytes(text)])
        return whole
    part = MIMEBase("text", "rfc822-headers")
    part.set_payload(text.decode("ascii", "surrogateescape"))
    part["Content-Transfer-Encoding"] = "7bit" if text.isascii() else "8bit"
    return part


def one_line(text: str) -> str:
    """For a header field: no line break, no control character, ASCII (RFC 5322 §2.2)."""
    return _SAFE.sub("", text).strip()


def whole_sample(header: str, body: str) -> bytes:
    """A message of a stored header and the beginning of its text, which says so itself.

    The parts of the message were not stored: its type is that of the text, and the one that it had stands beside it.
    """
    kept = _TYPED.sub(r"X-Original-\g<0>", header.rstrip("\n"))
    note = "X-Email-Report-Processor: the beginning of the first text, without attachments"
    typed = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit"
    return f"{kept}\n{note}\n{typed}\n\n{body}\n".encode("utf-8", "replace")


def draft_urls(messages: Sequence[Message], own: Sequence[str]) -> tuple[str, ...]:
    """URLs of the messages, each once, without those on our own domains: `example.org`, never `evilexample.org`."""
    found = dict.fromkeys(url for one in messages for url in one.urls)
    return tuple(url for url in found if not is_own(host_of(url), own))


def is_own(host: str, own: Sequence[str]) -> bool:
    """Whether a host is one of these domains or below one, with a dot between."""
    name = host.lower().rstrip(".")
    return any(name == domain or name.endswith(f".{domain}") for domain in (one.lower() for one in own))
