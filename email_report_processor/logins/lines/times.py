"""The head of a line: when, which host, which program. Classic syslog, ISO 8601, Exim's and Dovecot's own files.

Classic syslog (RFC 3164 §4.1.2) has neither a year nor a zone. The zone is that of this machine, or the one given; the
year is the latest that puts the line before the moment the log ends (the file's own time), with a day of grace.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

_MONTHS = {
    month: number
    for number, month in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_GRACE = 86400.0  # seconds that a clock or a zone may be ahead of the file's own time
_BACK = 8  # years to go back for a 29 February
_FRACTION = re.compile(rb"[.,](\d{1,9})")

# `<22>` is a priority that some receivers keep (RFC 3164 §4.1.1).
_HEAD = re.compile(
    rb"(?:<\d{1,3}>)?(?:1 )?"
    rb"(?:(?P<classic>[A-Za-z]{3} [ \d]\d \d\d:\d\d:\d\d)"
    rb"|(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d))?)) "
)
# `host program[pid]: `; Dovecot's and Exim's own files have neither host nor program.
_TAG = re.compile(rb"(?P<host>[^\s:\[]+) (?P<program>[^\s:\[]+)(?:\[\d+\])?: ")


class Head(NamedTuple):
    """What stands before the message of a line."""

    time: float  # Unix seconds
    host: str
    program: str  # `postfix/submission/smtpd`, `dovecot`; '' in a program's own file
    end: int  # where the message begins


class Clock(NamedTuple):
    """What dates are held against that do not say everything: the moment the log ends (Unix seconds), and its zone."""

    end: float
    zone: tzinfo | None = None  # None: the zone of this machine


def read_head(line: bytes, clock: Clock) -> Head | None:
    """The head of a line; None when there is no date that can be read."""
    head = _HEAD.match(line)
    if head is None:
        return None
    stamp = head[1]
    time = _classic(stamp, clock) if stamp is not None else _iso(head[2], clock.zone)
    if time is None:
        return None
    tag = _TAG.match(line, head.end())
    if tag is None or tag[2].endswith(b"-login"):  # `host` and `program` would be Dovecot's `imap-login: Info:`
        return Head(time, "", "", head.end())
    return Head(time, _word(tag[1]), _word(tag[2]), tag.end())


@lru_cache(maxsize=1024)
def _word(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


@lru_cache(maxsize=4096)  # lines of one second come together
def _classic(stamp: bytes, clock: Clock) -> float | None:
    month = _MONTHS.get(stamp[:3].lower())
    if month is None:
        return None
    day, hour, minute, second = int(stamp[4:6]), int(stamp[7:9]), int(stamp[10:12]), int(stamp[13:15])
    latest = datetime.fromtimestamp(clock.end, UTC).year + 1  # the first of January comes earlier in the east
    for year in range(latest, latest - _BACK - 2, -1):
        moment = _moment((year, month, day, hour, minute, second), clock.zone)
        if moment is not None and moment <= clock.end + _GRACE:
            return moment
    return None


def _moment(fields: tuple[int, ...], zone: tzinfo | None) -> float | None:
    year, month, day, hour, minute, second = fields
    try:
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)  # None: this machine's
        return moment.timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _iso(stamp: bytes, zone: tzinfo | None) -> float | None:
    if len(stamp) == 32:  # rsyslog: `2026-11-28T08:29:51.123456+01:00`
        moment, fraction = _iso_second(stamp, stamp[26:], zone), stamp[20:26]
    elif (digits := _FRACTION.match(stamp, 19)) is not None:
        moment, fraction = _iso_second(stamp, stamp[digits.end() :].strip(), zone), digits[1]
    else:
        return _iso_second(stamp, stamp[19:].strip(), zone)
    return None if moment is None else moment + int(fraction) / 10 ** len(fraction)


def _iso_second(stamp: bytes, offset: bytes, zone: tzinfo | None) -> float | None:
    """Unix seconds of a whole second; with an offset all days are alike."""
    hour, minute, second = int(stamp[11:13]), int(stamp[14:16]), int(stamp[17:19])
    if hour > 23 or minute > 59 or second > 60:
        return None
    if not offset:
        return _moment((int(stamp[:4]), int(stamp[5:7]), int(stamp[8:10]), hour, minute, second), zone)
    midnight = _midnight(stamp[:10], offset)
    return None if midnight is None else midnight + hour * 3600 + minute * 60 + second


@lru_cache(maxsize=4096)
def _midnight(day: bytes, offset: bytes) -> float | None:
    try:
        return datetime.fromisoformat((day + b"T00:00:00" + offset).decode("ascii")).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def write_time(time: float) -> datetime:
    """Unix seconds as a date in UTC; what is out of range becomes the nearest that is not."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=min(max(time, 0.0), 253402300799.0))
