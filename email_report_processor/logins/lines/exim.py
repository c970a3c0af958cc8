"""Exim's main log: messages of clients that logged in (`<= … A=authenticator:id`), and authenticators that failed."""

import re

from .login import Login
from .texts import read_account, read_address, read_text, unescape
from .times import Clock, Head, read_head

# Through syslog Exim's own date stands behind syslog's (`syslog_timestamp`); `[pid]` with log_selector = +pid.
_OWN = rb"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})? )?(?:[+-]\d{4} )?(?:\[\d+\] )?"
# The name before the first blank is there only when it leads back to the address; `(…)` is what the client said.
_HOST = rb"(?:(?P<name>[^\s(\[]+) )?(?:\(.*?\) )?\[(?P<address>[0-9A-Fa-f:.]+)\](?::(?P<port>\d{1,5}))?"
_WHERE = rb"(?: I=\[[^\]]*\](?::(?P<to>\d+))?)?(?: U=\S+)?"

# What stands behind S= may be the subject (log_selector = +subject), in a stranger's words.
_SUCCESS = re.compile(
    _OWN + rb"(?P<id>[0-9A-Za-z]{6,11}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}) <= (?P<sender>\S+) H=" + _HOST + _WHERE +
    rb" P=\S+(?:(?! S=\d) \S+)*? A=(?P<method>[^\s:]+)(?::(?P<account>.*?))? S=\d+(?: .*)?",
    re.DOTALL,
)  # fmt: skip
_FAILURE = re.compile(
    _OWN + rb"(?P<method>[\w-]+) authenticator failed for (?:H=)?" + _HOST + _WHERE +
    rb": (?P<reason>.*?)(?: \(set_id=(?P<account>.*)\))?",
    re.DOTALL,
)  # fmt: skip
_SERVICES = {b"465": "smtps", b"587": "submission"}


def read_success(line: bytes, clock: Clock) -> Login | None:
    """A message of somebody who logged in."""
    head = _exim(line, clock)
    fields = _SUCCESS.fullmatch(line, head.end) if head else None
    if head is None or fields is None:
        return None
    return Login(
        line, head.time, head.host, "exim", _SERVICES.get(fields["to"], "smtp"), "success",
        read_account(unescape(fields["account"] or b"")), read_address(fields["address"]), int(fields["port"] or 0),
        read_text(fields["name"] or b"").lower(), read_text(fields["method"]), fields["id"].decode("ascii"),
        read_text(fields["sender"]),
    )  # fmt: skip


def read_failure(line: bytes, clock: Clock) -> Login | None:
    """A login that failed; the account is there when the authenticator has `server_set_id`."""
    head = _exim(line, clock)
    fields = _FAILURE.fullmatch(line, head.end) if head else None
    if head is None or fields is None:
        return None
    return Login(
        line, head.time, head.host, "exim", _SERVICES.get(fields["to"], "smtp"), "failure",
        read_account(unescape(fields["account"] or b"")), read_address(fields["address"]), int(fields["port"] or 0),
        read_text(fields["name"] or b"").lower(), read_text(fields["method"]), reason=read_text(fields["reason"]),
    )  # fmt: skip


def _exim(line: bytes, clock: Clock) -> Head | None:
    head = read_head(line, clock)
    return head if head is not None and head.program in {"", "exim", "exim4"} else None
