"""A command for each event, and mails: to the postmaster, and to the user who is asked."""

import json
import subprocess
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any

from ..values.fields import clean, write_date
from .lines.times import write_time
from .options import LoginOptions
from .rules import describe
from .state import Event

_SECONDS = 30.0  # for sendmail, which only takes the mail over


def run_command(event: Event, options: LoginOptions) -> str:
    """Run the command of the settings with the event as JSON on standard input; what went wrong, '' if nothing."""
    if not options.command:
        return ""
    return _run(options.command, json.dumps(as_json(event)).encode(), options.command_seconds)


def as_json(event: Event) -> dict[str, Any]:
    """An event for programs."""
    finding = event.finding
    return {
        "id": event.id,
        "rule": finding.rule,
        "severity": finding.severity,
        "account": finding.account,
        "time": write_date(write_time(finding.time)),
        "sentence": finding.sentence,
        "address": finding.address,
        "country": finding.country,
        "system": finding.system,
        "lines": [line.decode("utf-8", "replace") for line in finding.lines],
    }


def tell_postmaster(event: Event, options: LoginOptions) -> str:
    """Mail an alarm to the postmaster, with its evidence; what went wrong, '' if nothing."""
    if not options.postmaster or event.finding.severity != "alarm":
        return ""
    finding = event.finding
    lines = "\n".join(clean(line.decode("utf-8", "replace")) for line in finding.lines)
    stopped = "The account is stopped" if options.mode == "stop" else "Nothing was stopped (mode = observe)"
    text = f"""{describe(finding)}

{stopped}.

    email-report-admin logins {"release" if options.mode == "stop" else "stop"} {finding.account}

The lines that say so:

{lines}
"""
    return send(options, options.postmaster, f"[logins] {finding.rule}: {finding.account}", text, event.id)


def send(options: LoginOptions, to: str, subject: str, text: str, id_: str, reply_to: str = "") -> str:
    """Hand a mail to sendmail; what went wrong, '' if nothing."""
    message = EmailMessage()
    sender = options.mail_from or options.postmaster
    try:
        message["From"] = sender
        message["To"] = clean(to)
        message["Subject"] = clean(subject)
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = make_msgid(idstring=id_[:16], domain=sender.rpartition("@")[2] or "localhost")
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5
        if reply_to:
            message["Reply-To"] = reply_to
        message.set_content(text)
    except (ValueError, UnicodeError, IndexError) as error:
        return f"{to!r}: no mail can be made to this address ({error})"
    # -i: a line with a dot does not end the mail; -t is not used, so that no header field names a recipient.
    return _run((options.sendmail, "-i", "-f", sender, "--", clean(to)), message.as_bytes(), _SECONDS)


def _run(command: tuple[str, ...], text: bytes, seconds: float) -> str:
    """Without a shell; what went wrong, '' if nothing."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, timeout=seconds or None, check=False)  # noqa: S603  # the site's own
    except subprocess.TimeoutExpired:
        return f"{command[0]}: did not end within {seconds:g} s and was ended"
    except OSError as error:
        return f"{command[0]}: cannot be run ({error.strerror}): check its path and that it may be executed"
    if done.returncode:
        said = clean((done.stderr or done.stdout).decode("utf-8", "replace"))[:200]
        return f"{command[0]}: ended with status {done.returncode}" + (f" ({said})" if said else "")
    return ""
