"""Postfix's smtpd: logins with SASL, failed ones, and messages refused because their sender is over a quota.

`client=` and what follows come from smtpd_sasl_proto.c's and smtpd.c's own words; the account is what the client sent,
which may hold blanks and commas, and therefore text that looks like more fields.
"""

import re
from base64 import b64decode
from functools import lru_cache

from ...values.networks import is_in, read_network
from .login import Login
from .texts import read_account, read_client, read_text
from .times import Clock, Head, read_head

# `client=NAME[ADDRESS]:PORT, sasl_method=…, sasl_username=…`, then what stands there only sometimes, in this order.
_SUCCESS = re.compile(rb"([0-9A-Za-z]+): (client=.*)", re.DOTALL)
_FIELDS = re.compile(
    rb"client=(?P<client>[^\[\]]*\[[^\]]*\](?::\d+)?), sasl_method=(?P<method>[^,]*), sasl_username=(?P<account>.*?)"
    rb"(?:, sasl_sender=(?P<sender>[^,]*))?(?:, orig_queue_id=(?P<queue>[0-9A-Za-z]+))?"
    rb"(?:, orig_client=(?P<original>[^\[\]]*\[[^\]]*\](?::\d+)?))?",
    re.DOTALL,
)
_FAILURE = re.compile(
    rb"warning: (?P<client>[^\[\]]*\[[^\]]*\](?::\d+)?): SASL (?P<method>\S+) authentication failed: (?P<reason>.*?)"
    rb"(?:, sasl_username=(?P<account>.*))?",
    re.DOTALL,
)
_REJECT = re.compile(
    rb"(?P<queue>[0-9A-Za-z]+): reject: [A-Z-]+ from (?P<client>[^\[\]]*\[[^\]]*\](?::\d+)?): (?P<reason>\d{3} .*?)"
    rb"; from=<(?P<sender>[^>]*)>",
    re.DOTALL,
)
# Whose XFORWARD is believed: Postfix logs `orig_client=` behind the account, which a client chose.
_OURS = tuple(
    read_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)


def read_success(line: bytes, clock: Clock) -> Login | None:
    """A message of somebody who logged in."""
    head = _smtpd(line, clock)
    whole = _SUCCESS.fullmatch(line, head.end) if head else None
    fields = _read_fields(whole[2]) if whole else None
    if head is None or whole is None or fields is None:
        return None
    name, address, port, method, account, sender, relay = fields
    return Login(
        line, head.time, head.host, "postfix", service_of(head.program), "success", account, address, port, name,
        method, whole[1].decode("ascii"), sender, "", 1, relay,
    )  # fmt: skip


@lru_cache(maxsize=16384)  # the same person from the same place
def _read_fields(raw: bytes) -> tuple[str, str, int, str, str, str, str] | None:
    fields = _FIELDS.fullmatch(raw)
    if fields is None:
        return None
    name, address, port = read_client(fields["client"])
    account, relay = fields["account"], ""
    if fields["original"]:
        if address and is_in(address, _OURS):
            relay = address
            name, address, port = read_client(fields["original"])
        else:
            account = raw[fields.start("account") :]
    method, sender = read_text(fields["method"]), read_text(fields["sender"] or b"")
    return name, address, port, method, read_account(account), sender, relay


def read_failure(line: bytes, clock: Clock) -> Login | None:
    """A login that failed; older releases do not log the account."""
    head = _smtpd(line, clock)
    fields = _FAILURE.fullmatch(line, head.end) if head else None
    if head is None or fields is None:
        return None
    name, address, port = read_client(fields["client"])
    return Login(
        line, head.time, head.host, "postfix", service_of(head.program), "failure",
        read_account(fields["account"] or b""), address, port, name, read_text(fields["method"]),
        reason="" if _is_challenge(fields["reason"]) else read_text(fields["reason"]),
    )  # fmt: skip


def _is_challenge(reason: bytes) -> bool:
    """Postfix gives the last challenge of the server as the reason where it has no other: `Password:` in base64."""
    try:
        text = b64decode(reason, validate=True)
    except ValueError:
        return False
    return text.endswith(b":") or (text.startswith(b"<") and text.endswith(b">"))


def read_refusal(line: bytes, clock: Clock, messages: tuple[bytes, ...]) -> Login | None:
    """A message refused with one of these texts; the account is the envelope's sender."""
    if not any(message in line for message in messages):
        return None
    head = _smtpd(line, clock)
    fields = _REJECT.match(line, head.end) if head else None
    if head is None or fields is None or not any(message in fields["reason"] for message in messages):
        return None
    name, address, port = read_client(fields["client"])
    return Login(
        line, head.time, head.host, "postfix", service_of(head.program), "quota", read_account(fields["sender"]),
        address, port, name, sender=read_text(fields["sender"]), reason=read_text(fields["reason"]),
    )  # fmt: skip


def _smtpd(line: bytes, clock: Clock) -> Head | None:
    """The head of a line that smtpd wrote: other programs quote what strangers sent."""
    head = read_head(line, clock)
    return head if head is not None and head.program.endswith("smtpd") else None


@lru_cache(maxsize=64)
def service_of(program: str) -> str:
    """`postfix/submission/smtpd` is submission (syslog_name in master.cf), `postfix/smtpd` smtp."""
    parts = program.split("/")
    return parts[-2] if len(parts) > 2 else "smtp"
