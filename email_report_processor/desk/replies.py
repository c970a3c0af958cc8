"""What comes back to a report: bounces, answers of people, of ticket systems, of machines, and the report itself.

Pure. Whoever got the report can answer for it, with a bounce too: a reply says what the network says of itself, and
nothing of it is believed beyond that one report and its contact.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from email import message_from_bytes
from email.message import Message as Mail
from email.policy import compat32
from hashlib import sha256
from typing import Literal, NamedTuple

from ..message.headers import address
from ..values.domains import aligned
from ..values.fields import clean, read_identifier, write_date
from . import bounces, mailtext
from .events import LONGEST_REASON, LONGEST_TEXT
from .tokens import find

LARGEST = 2 * 1024 * 1024  # bytes of a reply that are looked at; our reports have some kilobytes

_ADDRESSED = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to", "cc", "resent-to")
_THREADED = ("in-reply-to", "references", "subject")


class Reply(NamedTuple):
    """What one message says about a report."""

    token: str
    action: Literal["bounced", "answered"]
    outcome: str  # see the field abuse.outcome
    at: str = ""  # RFC 3339; '' when the message has no date
    sender: str = ""  # who answered, or whom a bounce is about
    message_id: str = ""
    reason: str = ""
    status: str = ""
    form: str = ""
    text: str = ""
    failed: tuple[bounces.Recipient, ...] = ()  # of a bounce: all that it is about


def about(reply: Reply, contact: str) -> Reply:
    """A bounce as what it says of the contact that the report went to; another reply as it is.

    A contact is often an alias. The notice about a member of it names the member (Final-Recipient, RFC 3464 §2.3.2)
    and perhaps the alias (Original-Recipient, §2.3.1), and nobody who got it: so it says nothing of the contact.
    Without any recipient it is about the only one that we sent to.
    """
    if not reply.failed:
        return reply
    own = next((one for one in reply.failed if _is_contact(one.address, contact)), None)
    return reply._replace(outcome="member") if own is None else _of_recipient(own, reply)


def _is_contact(text: str, contact: str) -> bool:
    """Whether a recipient is the contact: `abuse@mail.network.example` is what a server may make of it."""
    local, _, domain = address(text).lower().rpartition("@")
    wanted, _, own = contact.lower().rpartition("@")
    return not domain or (local == wanted and aligned(domain, own))


def read_reply(raw: bytes, key: bytes) -> Reply | None:
    """What a message says about a report of ours; None when it brings no token of ours, or says nothing (a delay)."""
    try:
        mail = message_from_bytes(raw[:LARGEST], policy=compat32)
        parts = list(mailtext.walk(mail))
    except RecursionError:  # parts within each other, some hundred deep
        return None
    addressed = _addressed(mail, key)
    token = addressed or _threaded(mail, parts, key)
    said = _said(mail, parts, key, bounces_count=bool(addressed)) if token else None
    if said is None:
        return None
    id_ = read_identifier(mailtext.header(mail, "message-id"))[:200] or sha256(raw).hexdigest()[:40]
    sender = said.sender or address(mailtext.header(mail, "from"))[:200]
    return said._replace(token=token, at=mailtext.date(mail), message_id=id_, sender=sender)


def _addressed(mail: Mail, key: bytes) -> str:
    """The token of whom the message is for."""
    values = (str(value) for name in _ADDRESSED for value in mail.get_all(name, ()))
    return next(filter(None, (find(value, key) for value in values)), "")


def _threaded(mail: Mail, parts: Iterable[Mail], key: bytes) -> str:
    """The token of the message that this one answers, or has in it."""
    values = [mailtext.header(mail, name) for name in (*_THREADED, "message-id")]
    values += [str(part["message-id"]) for part in parts if part is not mail and part.get("message-id")]
    return next(filter(None, (find(value, key) for value in values)), "")


def _said(mail: Mail, parts: list[Mail], key: bytes, *, bounces_count: bool) -> Reply | None:
    """bounces_count: a bounce comes to the envelope's sender, which has the token; that of a copy does not."""
    if find(mailtext.header(mail, "message-id"), key):
        return Reply("", "bounced", "loop", reason="our own report came back to us")
    failed = [one for one in bounces.recipients(mail, parts) if one.action == "failed"]
    if failed:
        found = Reply("", "bounced", "", failed=tuple(failed))
        return _of_recipient(failed[0], found) if bounces_count else None
    return None if bounces.is_notice(parts) else _answer(mail)


def _of_recipient(one: bounces.Recipient, reply: Reply) -> Reply:
    """The reply as what it says of one recipient."""
    reason = clean(one.reason)[:LONGEST_REASON] or one.status or "the delivery failed"
    said = reply._replace(sender=address(one.address)[:200] or reply.sender, reason=reason, status=one.status)
    if _WEB_FORM.search(reason):
        return said._replace(outcome="form", form=_form(reason))
    return said._replace(outcome=bounces.outcome(one), form="")


_URL = re.compile(r"https?://[^\s<>\"')\]]{4,500}")
_WEB_FORM = re.compile(
    r"(?i)web[ -]?form|online form|abuse form|report(?:ing)? form|contact form|web[ -]?formular|formulaire|formulario|"
    r"(?:use|visit|through|via|fill in|submit\w*)[^.]{0,60}https?://\S{0,200}(?:abuse|report|form)|"
    r"no longer (?:accept|process|monitor)\w*[^.]{0,60}(?:e-?mail|mailbox|address)|"
    r"(?:mailbox|address) is (?:not|un)[ -]?monitored"
)
_TICKET = re.compile(
    r"(?i)ticket|(?:case|reference|tracking|incident|request) ?(?:#|id|no|number|nummer)|\[[a-z ._-]{0,40}#? ?\d{4,}\]|"
    r"(?:have|has been) received|we received your|received your (?:report|message|complaint)|"
    r"thank you for (?:your report|contacting|reporting)|eingegangen|vielen dank"
)
_DONE = (
    r"(?:solved|resolved|fixed|suspended|terminated|disabled|cleaned|shut ?down|taken down|"
    r"blocked|null-?routed|erledigt|behoben|gesperrt|abgeschaltet|r[ée]solu|resuelto)\b"
)
_SOLVED = re.compile(rf"(?i)\b{_DONE}")
_SURELY_SOLVED = re.compile(rf"(?i)\b(?:has been|have been|was|were|is now|we have|we've|wurde|ist) {_DONE}")
_NOT_YET = re.compile(
    r"(?i)\b(?:not|nicht|never|will|can|may|should|when|once|until|if|to be|after|before)\b[^.\n]{0,40}\Z"
)


def _answer(mail: Mail) -> Reply:
    """What somebody wrote, or a machine."""
    text = mailtext.fresh(mailtext.text(mail))
    subject = mailtext.header(mail, "subject")
    said = f"{subject}\n{text}"
    first = next((line for line in text.splitlines() if line.strip()), subject)
    reply = Reply("", "answered", "person", reason=clean(first)[:LONGEST_REASON], text=text[:LONGEST_TEXT])
    if not mailtext.is_automatic(mail):
        return reply._replace(outcome="solved") if _holds(_SOLVED, text) else reply
    if _WEB_FORM.search(said):
        return reply._replace(outcome="form", form=_form(said))
    if _holds(_SURELY_SOLVED, said):
        return reply._replace(outcome="solved")
    return reply._replace(outcome="ticket" if _TICKET.search(said) else "machine")


def _holds(pattern: re.Pattern[str], text: str) -> bool:
    """Whether it says that something was done, and not that it will be, or was not."""
    found = pattern.finditer(text)
    return any(not _NOT_YET.search(text[max(0, one.start() - 60) : one.start()]) for one in found)


def _form(text: str) -> str:
    """The URL of a form: the first that looks like one, else the first, '' when there is none."""
    urls = [one.rstrip(".,;") for one in _URL.findall(text)]
    return next((one for one in urls if re.search(r"(?i)abuse|report|form", one)), next(iter(urls), ""))


def believed(at: str, sent: str, now: datetime) -> str:
    """The time of a reply: its own, where that lies between the report and now. sent: RFC 3339."""
    try:
        when = datetime.fromisoformat(at)
    except ValueError:
        return write_date(now)
    return at if datetime.fromisoformat(sent) <= when <= now else write_date(now)
