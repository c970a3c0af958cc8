"""The user is asked: a mail about one login, a token that only we can make, and what the answer teaches.

The token stands in the subject, which a reply keeps. The desk would put the same token into a link, and call `answer`.
"""

import base64
import hashlib
import hmac
import re
from email import message_from_bytes
from email.policy import compat32
from pathlib import Path
from typing import Literal

from ..keys import own_key
from .lines.times import write_time
from .notify import send
from .options import LoginOptions
from .rules import Finding
from .state import Deed, Event, State, Stop

KEY_FILE = "logins.key"
RULES = frozenset({"new-country", "impossible-travel"})  # a person can say whether that was them
_DAYS = 14  # how long a token is good for
_TOKEN = re.compile(r"\b([0-9a-f]{16})-([a-z2-7]{16})\b")
_WORDS = {"yes": "yes", "no": "no", "ja": "yes", "nein": "no", "oui": "yes", "non": "no", "si": "yes", "sí": "yes"}

Answer = Literal["yes", "no"]


def read_key(directory: Path) -> bytes:
    """The key of all tokens; made when there is none yet. Raises SettingsError for a damaged one, OSError."""
    return own_key(directory / KEY_FILE, "answers to earlier questions are known no more")


def make_token(event: Event, key: bytes) -> str:
    """The token of an event."""
    return f"{event.id[:16]}-{_sign(event.id, key)}"


def read_token(text: str, key: bytes, state: State, now: float) -> Event | None:
    """The event of a token that stands in a text; None when there is none, it is not ours, or it is too old."""
    for beginning, signature in _TOKEN.findall(text):
        event = state.event(beginning)
        if event is None or not hmac.compare_digest(signature, _sign(event.id, key)):
            continue
        return event if now - event.finding.time < _DAYS * 86400 else None
    return None


def _sign(id_: str, key: bytes) -> str:
    digest = hmac.new(key, b"mail-login-answer " + id_.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode("ascii").lower()


def ask(event: Event, options: LoginOptions, key: bytes) -> str:
    """Mail the question; what went wrong, '' if nothing or if there is nothing to ask."""
    finding = event.finding
    if not options.ask or finding.rule not in RULES or finding.severity != "notice":
        return ""
    try:
        to = second_address(options.second_addresses, finding.account) or finding.account
    except OSError as error:
        return (
            f"{options.second_addresses}: cannot be read ({error.strerror}): nobody was asked about {finding.account}"
        )
    if "@" not in to:
        return ""
    return send(options, to, f"Was this you? [{make_token(event, key)}]", _text(finding), event.id)


def _text(finding: Finding) -> str:
    when = write_time(finding.time).strftime("%Y-%m-%d %H:%M UTC")
    return f"""Somebody logged in to your mail account, with your password:

    account   {finding.account}
    when      {when}
    country   {finding.country or "unknown"}
    address   {finding.address} {finding.system}

Was this you? Answer this mail with one word: YES or NO.

YES: you will not be asked about this country again for a while.
NO: your postmaster is told. Change your password now, and do not use the old one anywhere else.

You are asked because {finding.sentence}.
"""


def second_address(path: str, account: str) -> str:
    """Where else an account can be reached: lines `account address`; '' when it is not there. Raises OSError."""
    if not path:
        return ""
    for line in Path(path).read_text("utf-8", "replace").splitlines():
        name, *rest = line.split()[:2] or [""]
        if name.lower() == account and rest:
            return rest[0]
    return ""


def subject_and_text(message: bytes) -> tuple[str, str]:
    """Subject and first text of a mail, whatever it holds."""
    parsed = message_from_bytes(message, policy=compat32)
    for part in parsed.walk():
        if part.get_content_maintype() == "text":
            payload = part.get_payload(decode=True)
            body = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
            return str(parsed.get("Subject", "")), body
    return str(parsed.get("Subject", "")), ""


def read_reply(subject: str, body: str) -> tuple[str, Answer | None]:
    """Where the token may be, and the answer: the first word of what is not quoted."""
    for line in body.splitlines():
        word = line.strip(" \t.!,*_").split(" ")[0].strip(".!,*_").lower()
        if line.lstrip().startswith(">") or not word:
            continue
        answer = _WORDS.get(word)
        return f"{subject}\n{body}", "yes" if answer == "yes" else "no" if answer == "no" else None
    return f"{subject}\n{body}", None


def answer(event: Event, said: Answer, state: State, options: LoginOptions, now: float) -> Finding | None:
    """Write an answer down and learn from it. After "no" there is an alarm, which the caller hands on."""
    finding = event.finding
    state.answer(event, said)
    state.write_down(Deed(now, finding.account, f"answer {said}", finding.account, finding.sentence))
    if said == "yes":
        for kind, value in (("countries", finding.country), ("systems", finding.system)):
            if value:
                state.teach(finding.account, kind, value)
        return None
    denied = finding._replace(
        rule="denied",
        severity="alarm",
        time=now,
        sentence=f"the user says that it was somebody else: {finding.sentence}",
    )
    if options.mode == "stop":
        state.stop(Stop(finding.account, now, finding.account, denied.sentence))
    return denied
