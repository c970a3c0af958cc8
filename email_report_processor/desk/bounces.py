"""Bounces: delivery status notifications (RFC 3464), and what Exim and qmail write instead. Pure."""

import re
from collections.abc import Iterable, Iterator
from email.message import Message as Mail
from typing import NamedTuple

from ..message.headers import address
from ..values.fields import clean
from . import mailtext


class Recipient(NamedTuple):
    """What a bounce says of one recipient (RFC 3464 §2.3)."""

    address: str  # whose delivery it is, after aliases and forwarding (Final-Recipient); '' unknown
    action: str  # failed, delayed, delivered, relayed, expanded
    status: str  # 5.1.1; '' unknown
    reason: str  # in the words of a mail server


_FAILED_WORDS = re.compile(
    r"(?i)delivery (?:status notification|failure|has failed|to the following)|undeliver|mail delivery failed|"
    r"returned mail|failure notice|could not be delivered|unzustellbar|non remis"
)
_QMAIL = re.compile(r"(?m)^<([^<>\s@]+@[^<>\s]+)>:[ \t]*\n?(.{0,500})", re.DOTALL)
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_CODE = re.compile(r"\b5\d\d\b")


def is_notice(parts: Iterable[Mail]) -> bool:
    """Whether a message is a notice about a delivery, which answers nothing."""
    return any(part.get_content_type() == "message/delivery-status" for part in parts)


def recipients(mail: Mail, parts: Iterable[Mail]) -> list[Recipient]:
    """What a message says of its recipients; nothing when it is no bounce."""
    return list(_standard(parts)) or list(_old_forms(mail))


def _standard(parts: Iterable[Mail]) -> Iterator[Recipient]:
    """The standard library reads each block of message/delivery-status as a message of its own."""
    for part in parts:
        blocks = part.get_payload() if part.get_content_type() == "message/delivery-status" else ()
        for block in blocks if isinstance(blocks, list) else ():
            if not isinstance(block, Mail):
                continue
            if words := mailtext.header(block, "action").lower().split():
                whom = _typed(block, "final-recipient") or _typed(block, "original-recipient")
                status = _status(mailtext.header(block, "status"))
                yield Recipient(whom, words[0], status, _typed(block, "diagnostic-code"))


def _typed(block: Mail, name: str) -> str:
    """The value behind `rfc822;` or `smtp;`."""
    value = mailtext.header(block, name)
    return value.partition(";")[2].strip() or value


def _status(text: str) -> str:
    return next(iter(_STATUS.findall(text)), "")


def _old_forms(mail: Mail) -> Iterator[Recipient]:
    """Exim names the recipient in a field, qmail writes a paragraph about it; both come from the null sender."""
    text = mailtext.text(mail)
    named = address(mailtext.header(mail, "x-failed-recipients"))
    if named:
        reason = next((line for line in text.splitlines() if _STATUS.search(line) or _CODE.search(line)), text[:300])
        yield Recipient(named, "failed", _status(reason), clean(reason))
    elif _from_a_machine(mail) and (
        _FAILED_WORDS.search(mailtext.header(mail, "subject")) or "qmail-send" in text[:2000]
    ):
        paragraph = _QMAIL.search(text[:20_000])
        reason = clean(paragraph[2] if paragraph else text[:300])
        yield Recipient(paragraph[1] if paragraph else "", "failed", _status(reason), reason)


def _from_a_machine(mail: Mail) -> bool:
    null = str(mail.get("return-path", "")).strip() == "<>"
    return null or address(mailtext.header(mail, "from")).lower().startswith(("mailer-daemon@", "postmaster@"))


_FULL = re.compile(r"(?i)(?:mailbox|quota).{0,30}(?:full|exceed)|over ?quota|insufficient.{0,10}storage")
_REFUSED = re.compile(
    r"(?i)spam|blacklist|block ?list|blocked|virus|malware|polic(?:y|ies)|denied|reject.{0,20}content"
)
_UNREACHABLE = re.compile(r"(?i)timed? ?out|unreachable|host not found|connection refused|no route|expired")


def outcome(one: Recipient) -> str:
    """dead: nobody is there; full, refused: somebody is; unreachable: their server was away for days (RFC 3463)."""
    subject = one.status[2:]
    if subject == "2.2" or _FULL.search(one.reason):
        return "full"
    if subject.startswith("1.") or subject == "2.1":
        return "dead"
    if subject.startswith(("6.", "7.")) or subject in {"2.3", "3.4"}:
        return "refused"
    if one.status.startswith("4") or subject.startswith("4.") or _UNREACHABLE.search(one.reason):
        return "unreachable"
    return "refused" if _REFUSED.search(one.reason) else "dead"
