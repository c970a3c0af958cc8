"""How somebody is told: mail, a webhook, a command, Apprise. A channel takes all that it is owed in one go, or fails.

Each telling has an id that stays the same when it is tried again, so that who got it twice can see that it is one.
"""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from .memory import Note
from .options import AlertOptions

_MOST = 50  # events of one telling that are written out
_LONG = 3000  # characters of a message to a chat


class ChannelError(Exception):
    """A channel did not take it; the text says which, why, and what to do. Never a secret."""


class Telling(NamedTuple):
    """What one channel is told in one go."""

    id: str
    notes: tuple[Note, ...]
    at: datetime


Channel = Callable[[Telling], None]


def telling(channel: str, notes: Sequence[Note], now: datetime) -> Telling:
    """What a channel is owed; its id is that of what is told, not of when."""
    parts = sorted(f"{note.event.key} {note.first} {note.times.get(channel, 0)}" for note in notes)
    digest = sha256("\n".join([channel, *parts]).encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return Telling(digest, tuple(notes), now)


def channels(options: AlertOptions) -> dict[str, Channel]:
    """The channels that are set up, by their names."""
    found: dict[str, Channel] = {}
    if options.mail_to:
        found["mail"] = lambda told: send_mail(mail(told, options), options)
    if options.webhook_file:
        found["webhook"] = lambda told: _webhook(told, options)
    if options.command:
        found["command"] = lambda told: _command(told, options)
    if options.apprise_file:
        found["apprise"] = lambda told: _apprise(told, options)
    return found


# What is said


def subject(told: Telling) -> str:
    """One line."""
    worst = [note for note in told.notes if not note.over]
    if not worst:
        return "E-mail reports: over" if len(told.notes) > 1 else f"Over: {_line(told.notes[0].event.sentence)}"
    first = next((note for note in worst if note.event.level == "critical"), worst[0])
    more = f" (and {len(told.notes) - 1} more)" if len(told.notes) > 1 else ""
    return f"{first.event.level.capitalize()}: {_line(first.event.sentence)}{more}"[:200]


def body(told: Telling) -> str:
    """Plain text, an event a paragraph."""
    parts = []
    for note in told.notes[:_MOST]:
        event = note.event
        if note.over:
            parts.append(f"OVER: {_line(event.sentence)}")
        else:
            parts.append(f"{event.level.upper()}: {_line(event.sentence)}\n  {_line(event.do)}")
    if len(told.notes) > _MOST:
        parts.append(f"… and {len(told.notes) - _MOST} more: email-report-admin check")
    return "\n\n".join(parts) + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())


def harmless(text: str) -> str:
    """Text that no chat takes for markup, a link or a mention."""
    for character in "<>*_~`[]|@#!":
        text = (
            text.replace(character, character + "\u200b")
            if character in "@#!"
            else text.replace(character, f"\\{character}")
        )
    return text.replace("http", "hxxp")


# Mail


def mail(told: Telling, options: AlertOptions) -> EmailMessage:
    """The mail of a telling (RFC 3834: it answers to nobody, and nobody's machine answers to it)."""
    message = EmailMessage()
    sender = options.mail_from or options.mail_to[0]
    message["From"] = sender
    message["To"] = ", ".join(options.mail_to)
    message["Subject"] = subject(told)
    message["Date"] = format_datetime(told.at)
    message["Message-ID"] = f"<alert.{told.id}@{sender.rpartition('@')[2] or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    message["List-Id"] = f"E-mail report alerts <alerts.{sender.rpartition('@')[2] or 'localhost'}>"
    message.set_content(body(told))
    return message


def send_mail(message: EmailMessage, options: AlertOptions) -> None:
    """Give a mail to sendmail or to an SMTP server. Raises ChannelError."""
    recipients = [one.strip() for one in str(message["To"]).split(",")]
    hand_over(bytes(message), options.mail_from or options.mail_to[0], recipients, options)


def hand_over(raw: bytes, sender: str, recipients: Sequence[str], options: AlertOptions) -> None:
    """Give a message to sendmail or to an SMTP server. sender: of the envelope. Raises ChannelError."""
    lines = raw.replace(b"\r\n", b"\n")
    if options.sendmail and not options.smtp:
        _run((options.sendmail, "-i", "-f", sender, "--", *recipients), lines, options, "mail")
        return
    import smtplib  # 20 ms, only without sendmail

    host, _, port = options.smtp.rpartition(":")
    try:
        with smtplib.SMTP(host, int(port), timeout=options.timeout) as client:
            client.ehlo_or_helo_if_needed()
            eight_bit = ["BODY=8BITMIME"] if not raw.isascii() and client.has_extn("8bitmime") else []
            refused = client.sendmail(sender, recipients, lines.replace(b"\n", b"\r\n"), eight_bit)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise ChannelError(f"mail: {options.smtp} did not take it ({error}): see [alerts] smtp and its log") from error
    if refused:
        raise ChannelError(f"mail: {options.smtp} refused {', '.join(refused)}: see its log")


# The others


def as_json(note: Note) -> dict[str, Any]:
    """An event for machines."""
    return {**note.event._asdict(), "key": note.event.key, "first": note.first, "over": note.over}


def _command(told: Telling, options: AlertOptions) -> None:
    content = {"id": told.id, "events": [as_json(note) for note in told.notes]}
    _run(options.command, json.dumps(content, ensure_ascii=False).encode(), options, "command")


def _run(command: Sequence[str], stdin: bytes, options: AlertOptions, channel: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603  # the site's own command, without a shell
            command, input=stdin, capture_output=True, timeout=options.timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ChannelError(f"{channel}: {command[0]} did not end within {options.timeout:g} s") from error
    except OSError as error:
        raise ChannelError(f"{channel}: {command[0]} cannot be run ({error.strerror}): see [alerts]") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0][:200]
        raise ChannelError(f"{channel}: {command[0]} ended with {done.returncode}{f' ({said})' if said else ''}")


def _webhook(told: Telling, options: AlertOptions) -> None:
    url = _secret(options.webhook_file)[0]
    data = json.dumps(_FORMS[options.webhook_form](told), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "X-Event-Id": told.id}
    if not url.startswith(("https://", "http://")):
        raise ChannelError(f"webhook: the first line of {options.webhook_file} is no http or https URL")
    request = urllib.request.Request(url, data, headers)  # noqa: S310  # checked above
    try:
        with urllib.request.urlopen(request, timeout=options.timeout):  # noqa: S310  # checked above
            return
    except urllib.error.HTTPError as error:
        error.close()  # it is the answer, with its connection
        raise ChannelError(f"webhook: it answered {error.code}: see the URL in {options.webhook_file}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise ChannelError(f"webhook: it cannot be reached ({reason}): see {options.webhook_file}") from error


def _for_machines(told: Telling) -> dict[str, Any]:
    return {"id": told.id, "subject": subject(told), "events": [as_json(note) for note in told.notes]}


def _for_chat(told: Telling) -> dict[str, Any]:
    """Slack's and Mattermost's incoming webhooks: text, and no mention becomes one."""
    return {"text": harmless(body(told))[:_LONG], "link_names": 0, "parse": "none", "unfurl_links": False}


def _for_teams(told: Telling) -> dict[str, Any]:
    """An Adaptive Card, as the workflows of Microsoft Teams take it."""
    blocks = [{"type": "TextBlock", "text": harmless(part), "wrap": True} for part in body(told)[:_LONG].split("\n\n")]
    head = {"type": "TextBlock", "text": harmless(subject(told)), "weight": "bolder", "size": "medium", "wrap": True}
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [head, *blocks],
    }
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }


_FORMS: Mapping[str, Callable[[Telling], dict[str, Any]]] = {
    "json": _for_machines,
    "slack": _for_chat,
    "mattermost": _for_chat,
    "teams": _for_teams,
}


def _apprise(told: Telling, options: AlertOptions) -> None:
    try:
        import apprise  # 300 ms, extra [notify]
    except ImportError as error:
        raise ChannelError("apprise: install email-report-processor[notify]") from error
    service = apprise.Apprise()
    for url in _secret(options.apprise_file):
        service.add(url)
    if not service.notify(title=subject(told), body=body(told), body_format=apprise.NotifyFormat.TEXT):
        raise ChannelError(f"apprise: a service of {options.apprise_file} did not take it: see its log")


def _secret(file: str) -> list[str]:
    """The lines of a file with secrets."""
    try:
        lines = [line.strip() for line in Path(file).read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ChannelError(f"{file} cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8'})") from error
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise ChannelError(f"{file} has no line")
    return found
