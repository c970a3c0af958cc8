"""Dates as reporters write them: RFC 5322 in mail and feedback reports, RFC 3339 in TLS reports.

Every reader returns an aware datetime in UTC of the years 1970 to 9999, or raises ValueError. Nothing is filled in
from the clock: a date without a day, or without a time, is none.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from .patterns import pattern

MAX_CHARS = 500  # comments make dates long, nothing honest makes them longer

# What nearly every mail has, after comments are gone and white space is collapsed.
_RFC5322 = pattern(
    r"(?:[A-Za-z]{3}, ?)?(\d{1,2}) ([A-Za-z]{3}) ([1-9]\d{3}) (\d\d):(\d\d)(?::(\d\d))? ([+-]\d{4}|[A-Za-z]{1,4})",
    re.ASCII,
)
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
# asctime, as many programs write it, and date(1), which has a zone in front of the year
_ASCTIME = pattern(
    r"[A-Za-z]{3},? ([A-Za-z]{3}) (\d{1,2}) (\d\d:\d\d(?::\d\d)?) (?:([+-]\d{4}|[A-Za-z]{1,4}) )?([1-9]\d{3})", re.ASCII
)
_EPOCH = pattern(r"[1-9]\d{8,9}(?:\.\d{1,9})?", re.ASCII)  # 1973 to 2286
_RFC3339 = pattern(
    r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,12}))?)?[ ]?([Zz]|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
_A_DAY = timedelta(days=1)
_ZONE = pattern(r"([+-])(\d{2}):?(\d{2})", re.ASCII)
_FROM_GREENWICH = pattern(r"(?:GMT|UTC?)([+-])(\d{1,2})(?::?(\d{2}))?", re.ASCII)
_HALF_DAY = pattern(r"\d ?[ap]\.?m\b", re.IGNORECASE)
# Zone names, hours: those of RFC 5322 §4.3, and others that logs are full of and that mean one thing only.
_NAMED_ZONES = {
    "UT": 0, "UTC": 0, "GMT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7,
    "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MET": 1, "MEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "JST": 9, "KST": 9, "HKT": 8, "SGT": 8, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip


def read_rfc5322(text: str) -> datetime:
    """A date as mail has it (RFC 5322 §3.3), also in its obsolete forms (§4.3) and as people write it by hand.

    Comments, a wrong weekday, a missing zone (UTC), missing seconds, two-digit years, RFC 3339, asctime and Unix
    seconds are accepted.
    Raises ValueError.
    """
    plain = without_comments(_bounded(text))
    if (match := _RFC5322.fullmatch(plain)) and (value := _read_ordinary(*match.groups())):
        return value
    if _RFC3339.fullmatch(plain):
        return read_rfc3339(plain)
    if _EPOCH.fullmatch(plain):
        return datetime.fromtimestamp(int(plain.partition(".")[0]), UTC)
    if match := _ASCTIME.fullmatch(plain):
        month, day, time, zone, year = match.groups()
        plain = f"{day} {month} {year} {time} {zone or '+0000'}"
        if (match := _RFC5322.fullmatch(plain)) and (value := _read_ordinary(*match.groups())):
            return value
    if _HALF_DAY.search(plain):  # the standard library takes PM for an unknown zone
        return _read_by_hand(plain)
    try:
        return _read_standard(plain)
    except ValueError:
        return _read_by_hand(plain)


def read_rfc3339(text: str) -> datetime:
    """A date of RFC 3339 §5.6; a blank for the T, lower case, missing seconds and a missing offset (UTC) are accepted.

    A leap second becomes the second before it. Raises ValueError.
    """
    match = _RFC3339.fullmatch(_bounded(text))
    if match is None:
        raise ValueError(f"not a date: {text[:40]!r}")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    microsecond = int((fraction or "")[:6].ljust(6, "0"))
    fields = (int(year), int(month), int(day), int(hour), int(minute), int(second or 0))
    return _in_utc(fields, _offset(zone or "Z"), microsecond)


def lacks_offset(text: str) -> bool:
    """Whether a date that `read_rfc3339` reads says no offset, so that UTC was assumed."""
    match = _RFC3339.fullmatch(text.strip())
    return match is not None and match.group(8) is None


def without_comments(text: str) -> str:
    """The text without its comments in parentheses, nested ones too (RFC 5322 §3.2.2); linear time."""
    if "(" not in text and ")" not in text:
        return " ".join(text.split())
    depth = 0
    kept = []
    for piece in re.split(r"([()])", text):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
        elif depth == 0:
            kept.append(piece)
    return " ".join(" ".join(kept).split())


def _bounded(text: str) -> str:
    if len(text) > MAX_CHARS:
        raise ValueError(f"a date of more than {MAX_CHARS} characters")
    return text.strip()


def _read_ordinary(
    day: str, name: str, year: str, hour: str, minute: str, second: str | None, zone: str
) -> datetime | None:
    """The one form of RFC 5322 §3.3; None for a month or a zone that is none."""
    month = _MONTHS.get(name.lower(), 0)
    if not month or (zone.isalpha() and zone.upper() not in _NAMED_ZONES):
        return None
    offset = timedelta(hours=_NAMED_ZONES[zone.upper()]) if zone.isalpha() else _offset(zone)
    return _in_utc((int(year), month, int(day), int(hour), int(minute), int(second or 0)), offset)


def _read_standard(text: str) -> datetime:
    from email.utils import parsedate_tz  # 9 ms, only for obsolete and odd forms

    text, offset = _split_named_zone(text)
    try:
        parsed = parsedate_tz(text)
    except (IndexError, TypeError) as error:  # seen for odd blanks and commas in several releases of Python
        raise ValueError(f"not a date: {text[:40]!r}") from error
    if parsed is None or abs(parsed[9] or 0) > 86400:  # any number of digits is an offset to parsedate_tz
        raise ValueError(f"not a date: {text[:40]!r}")
    year = parsed[0] + 1900 if 100 <= parsed[0] < 1000 else parsed[0]  # three digits: RFC 5322 §4.3
    return _in_utc((year, *parsed[1:6]), timedelta(seconds=parsed[9] or 0) if offset is None else offset)


def _split_named_zone(text: str) -> tuple[str, timedelta | None]:
    before, _, last = text.rpartition(" ")
    last = last.upper()
    if last in _NAMED_ZONES:
        return f"{before} +0000", timedelta(hours=_NAMED_ZONES[last])
    match = _FROM_GREENWICH.fullmatch(last)
    if match is not None:
        sign, hours, minutes = match.groups()
        return f"{before} +0000", _offset(f"{sign}{hours:0>2}{minutes or '00'}")
    return text, None


def _read_by_hand(text: str) -> datetime:
    """Whatever dateutil reads without guessing: two readings with other defaults and orders must agree."""
    from dateutil.parser import parse  # 26 ms, only for what the standard library refuses

    if len(text) > 100:
        raise ValueError(f"not a date: {text[:40]!r}")
    year_first, dotted = re.match(r"\d{4}", text, re.ASCII), re.match(r"\d\d?\.\d\d?\.\d{4}", text, re.ASCII)
    orders = (False, False) if year_first else (True, True) if dotted else (False, True)  # 2026/04/07, 7.4.2026
    defaults = (datetime(1972, 1, 1, 1, 1, tzinfo=UTC), datetime(1976, 2, 2, 2, 2, tzinfo=UTC))
    try:
        one, other = (
            parse(text, default=default, dayfirst=order, tzinfos=_zone_of)
            for default, order in zip(defaults, orders, strict=True)
        )
        agreed, offset = one == other, one.utcoffset() or timedelta(0)
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError) as error:
        raise ValueError(f"not a date: {text[:40]!r}") from error  # dateutil raises all of these for odd texts
    if not agreed:
        raise ValueError(f"not a whole date, or one with two readings: {text[:40]!r}")
    return _in_utc((one.year, one.month, one.day, one.hour, one.minute, one.second), offset, one.microsecond)


def _zone_of(name: str | None, seconds: int | None) -> int:
    """Seconds east of UTC for dateutil: never the zone of this machine, UTC for unknown names."""
    if seconds is not None:
        return seconds
    return 3600 * _NAMED_ZONES.get((name or "").upper(), 0)


@lru_cache(maxsize=64)
def _offset(zone: str) -> timedelta:
    match = _ZONE.fullmatch(zone)
    if match is None:
        return timedelta(0)
    sign, hours, minutes = match.groups()
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError(f"not an offset: {zone}")
    east = timedelta(hours=int(hours), minutes=int(minutes))
    return -east if sign == "-" else east


def _in_utc(fields: tuple[int, ...], offset: timedelta, microsecond: int = 0) -> datetime:
    year, month, day, hour, minute, second = fields
    if not -_A_DAY < offset < _A_DAY:
        raise ValueError(f"not an offset: {offset}")
    second = 59 if second == 60 else second  # a leap second (RFC 3339 §5.7)
    try:
        value = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC)
        value = value - offset if offset else value
    except (ValueError, OverflowError) as error:
        raise ValueError(f"a date out of range: {error}") from error
    if value.year < 1970:
        raise ValueError(f"a date before 1970, in the year {value.year}")
    return value
