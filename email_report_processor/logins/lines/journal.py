"""Journald's JSON (`journalctl -o json`): an entry as the line that syslog would have had."""

import json
from typing import Any

from ...values.fields import write_date
from .times import write_time


def read_cursor(raw: bytes) -> str:
    """The cursor behind which to go on after an entry, '' when it has none."""
    try:
        return str(json.loads(raw)["__CURSOR"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def read_entry(raw: bytes) -> bytes | None:
    """An entry as a line with an ISO date; None when it is no JSON object with a message and a time."""
    try:
        entry = json.loads(raw)
        time = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        message = _bytes(entry["MESSAGE"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    stamp = write_date(write_time(time)).encode()
    host = _word(entry.get("_HOSTNAME")) or b"-"
    program = _word(entry.get("SYSLOG_IDENTIFIER")) or _word(entry.get("_COMM")) or b"-"
    pid = _word(entry.get("SYSLOG_PID")) or _word(entry.get("_PID"))
    tag = program + (b"[" + pid + b"]" if pid.isdigit() else b"")
    return b"%b %b %b: %b" % (stamp, host, tag, message.replace(b"\n", b" "))


def _bytes(message: Any) -> bytes:
    """A message that is not UTF-8, or has control characters, is an array of numbers (systemd.journal-fields(7))."""
    if isinstance(message, list):
        return bytes(message)
    if not isinstance(message, str):
        raise ValueError("no message")  # null: it was too long for journalctl without --all
    return message.encode("utf-8", "surrogatepass")


def _word(value: Any) -> bytes:
    return value.encode("utf-8", "surrogatepass").replace(b" ", b"_") if isinstance(value, str) else b""
