"""Dovecot's *-login services, 2.3 (`Login:`, `Disconnected:`) and 2.4 (`Logged in:`, `Login aborted:`), and proxies."""

import re

from .login import Login, Outcome
from .texts import read_account, read_address, read_text
from .times import Clock, read_head

# The account is what the client sent: the last `>, method=` ends it.
_LINE = re.compile(
    rb"(?P<service>[a-z0-9]+)-login: (?:(?:Info|Warning|Error): )?(?P<event>.*?): user=<(?P<account>.*)>, "
    rb"method=(?P<method>[^,\s]*), rip=(?P<address>[^,\s]+)(?P<rest>.*)",
    re.DOTALL,
)
_FAILED = re.compile(rb"\(auth failed, (?P<attempts>\d{1,6}) attempts")
# 2.3: `proxy(user): Started proxying to HOST`; 2.4: `proxy(user,HOST:PORT): Started proxying to remote host`.
_PROXY = re.compile(rb"proxy\(.*?(?:,(?P<new>[^,()]+:\d+))?\): [Ss]tarted proxying to (?P<old>\S+)", re.DOTALL)
_SESSION = re.compile(rb"session=<([^>]{1,100})>")


def read(line: bytes, clock: Clock) -> Login | None:
    """A login, or one or more that failed within one connection."""
    head = read_head(line, clock)
    if head is None or head.program not in {"", "dovecot"}:
        return None
    fields = _LINE.fullmatch(line, head.end)
    if fields is None:
        return None
    event = fields["event"]
    outcome, attempts, relay = _outcome(event)
    if outcome is None:
        return None
    session = _SESSION.search(fields["rest"])
    return Login(
        line, head.time, head.host, "dovecot", fields["service"].decode("ascii"), outcome,
        read_account(fields["account"]), read_address(fields["address"]), 0, "", read_text(fields["method"]),
        session[1].decode("utf-8", "replace") if session else "", "",
        read_text(event) if outcome == "failure" else "", attempts, relay,
    )  # fmt: skip


def _outcome(event: bytes) -> tuple[Outcome | None, int, str]:
    """What happened, how often, and the host that a proxy went on to."""
    if event in {b"Login", b"Logged in"}:
        return "success", 1, ""
    failed = _FAILED.search(event)
    if failed is not None:
        return "failure", max(1, int(failed["attempts"])), ""
    proxy = _PROXY.match(event)
    if proxy is not None:
        return "success", 1, read_text(proxy["new"] or proxy["old"])
    return None, 0, ""
