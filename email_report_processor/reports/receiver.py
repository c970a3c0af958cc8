"""What the receiver of a failed message wrote into its header about SPF and DKIM, before it reported it.

OpenDMARC puts nothing but `dmarc=` into its feedback part, and Exim's notices say `no` for everything; what passed, and
for whom, stands in the copy: Authentication-Results (RFC 8601) and Received-SPF (RFC 7208 §9.1). The sender may have
written such fields, too. Believed are those of the report's own authserv-id in front of whatever the sender wrote, of
each method the topmost. Where the report names no authserv-id: those in the same place, and those of the host that
wrote the topmost Received field (Exim appends them), as long as they agree.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..values import authres
from ..values.fields import read_domain
from ..values.patterns import pattern

_METHODS = ("dkim", "spf")
_NOT_THE_RECEIVER_S = frozenset(
    {"received", "dkim-signature", "from", "sender", "reply-to", "to", "subject", "date", "message-id", "mime-version"}
)
_BY = pattern(r"\bby\s+([\w.-]{1,253})", re.IGNORECASE)
_RESULT = pattern(r"\s*([a-z]{1,10})\b", re.IGNORECASE)
_WHO = pattern(r"[^(]{0,40}\(([\w.-]{1,253}):")  # `pass (mx.example.com: domain of …`
_PAIR = pattern(r"\b(envelope-from|helo|receiver|identity)\s*=\s*[\"<]*([^\s;\">]{0,320})", re.IGNORECASE)
_CHARS = 4096  # read of a field


class _Said(NamedTuple):
    """What one field says about one method."""

    method: str
    passed: tuple[str, ...]  # domains, '' for one that is not named
    server: str  # who says so, '' when the field does not say
    above: bool  # of everything that the sender may have written


def passed(header: Sequence[Sequence[str]], reported: Sequence[str]) -> list[str]:
    """The domains for which SPF or DKIM passed, '' for one that is not named.

    header: [name, value] of the sample. reported: the Authentication-Results of the report itself, whose word counts
    for the methods that it speaks of.
    """
    ours = [authres.parse(value) for value in reported]
    servers = {one.authserv_id.rstrip(".") for one in ours if one.results or "." in one.authserv_id} - {
        ""
    }  # a notice has words
    told = {result.method for one in ours for result in one.results}
    said = [one for one in _said(header) if one.method not in told]
    found: list[str] = []
    for method in _METHODS:
        fields = [one for one in said if one.method == method]
        found += _of_named(fields, servers) if servers else _of_nameless(fields, _first_host(header))
    return found


def _of_named(fields: Sequence[_Said], servers: set[str]) -> tuple[str, ...]:
    return next((one.passed for one in fields if one.above and one.server.rstrip(".") in {"", *servers}), ())


def _of_nameless(fields: Sequence[_Said], host: str) -> tuple[str, ...]:
    fields = [one for one in fields if one.above or (host and one.server == host)]
    return fields[0].passed if fields and all(one.passed for one in fields) else ()


def _said(header: Sequence[Sequence[str]]) -> Iterator[_Said]:
    above = True
    for name, value in header:
        above = above and name.lower() not in _NOT_THE_RECEIVER_S
        if name.lower() == "authentication-results":
            yield from _results(value, above)
        elif name.lower() == "received-spf":
            yield _received_spf(value[:_CHARS], above)


def _results(value: str, above: bool) -> Iterator[_Said]:
    parsed = authres.parse(value)
    for method in _METHODS:
        results = [one for one in parsed.results if one.method == method]
        if results:
            domains = tuple(authres.domain_of(one) for one in results if one.result == "pass")
            yield _Said(method, domains, parsed.authserv_id, above)


def _received_spf(value: str, above: bool) -> _Said:
    result, who = _RESULT.match(value), _WHO.match(value)
    pairs = {name.lower(): found for name, found in reversed(_PAIR.findall(value))}
    envelope = pairs.get("envelope-from", "").rpartition("@")[2]
    domain = pairs.get("helo", "") if not envelope or pairs.get("identity", "").lower() == "helo" else envelope
    passed_ = result is not None and result.group(1).lower() == "pass"
    server = pairs.get("receiver") or ("" if who is None else who.group(1))
    return _Said("spf", (read_domain(domain),) if passed_ else (), server.lower(), above)


def _first_host(header: Sequence[Sequence[str]]) -> str:
    """The host that wrote the topmost Received field."""
    value = next((value for name, value in header if name.lower() == "received"), "")
    match = _BY.search(value[:_CHARS])
    return match.group(1).lower() if match is not None else ""
