"""How a message came to us, by the Received fields of our own servers (RFC 5321 §4.4).

The topmost one was written by our own server. As long as it says that the client was a host of ours, that host wrote
the one below, too; the first client that is none of ours is who sent the message. What stands below is the sender's.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..message.headers import address
from ..values.fields import read_ip
from ..values.networks import Network, is_in, read_network
from ..values.patterns import pattern

_CHARS = 4096  # read of a field
_BY = pattern(r"\sby\s", re.IGNORECASE)
_HELO = pattern(r"\b[he][he]lo[ =]\S{0,300}", re.IGNORECASE)  # the client's word: Exim `helo=…`, qmail `(HELO …)`
_ADDRESS = pattern(r"[\[(]((?:IPv6:)?[0-9A-Fa-f.:]{2,45})[\])]", re.IGNORECASE)
_FOR = pattern(r"\sfor\s+<?([^\s<>;]{1,320}@[^\s<>;]{1,255})", re.IGNORECASE)
_FROM = pattern(r"\(envelope-from <([^<>\s]{0,320})>\)")  # Exim, Dovecot, and rspamd as our example has it
_NULL = "MAILER-DAEMON"  # what Postfix's pipe(8) writes for the null reverse-path unless null_sender is set
# Fields that our servers put on top when they deliver.
_ENVELOPE_TO = frozenset({"x-original-to", "envelope-to", "x-envelope-to", "delivered-to", "x-rcpt-to"})
# Hosts within a machine or a site (RFC 1122, 1918, 3927, 4193, 4291).
_INSIDE = tuple(
    read_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        *("::1/128", "fe80::/10", "fc00::/7"),
    )
)
_LOOPBACK = (read_network("127.0.0.0/8"), read_network("::1/128"))


class Way(NamedTuple):
    """What our own servers say of a message. '' for what they do not say."""

    client: str = ""  # address of the host that sent it to us
    arrival: str = ""  # date of that line, as it stands
    mail_from: str | None = None  # without <>; '' is the null reverse-path
    recipients: tuple[str, ...] = ()


def read_way(fields: Sequence[Sequence[str]], own_networks: Sequence[str]) -> Way:
    """The way of a message. fields: [name, value] of its header, unfolded. Raises ValueError for a network of ours."""
    place, client = _entry(fields, (*_INSIDE, *map(read_network, own_networks)))
    if place < 0:
        return Way()
    line = fields[place][1][:_CHARS]
    above = [(name.lower(), value) for name, value in fields[:place]]
    named = [address(value) for name, value in above if name in _ENVELOPE_TO]
    named += [found[1] for found in _FOR.finditer(line)]
    # RFC 2606 §2: what the examples of a pipe call themselves is no recipient.
    recipients = tuple(dict.fromkeys(one for one in named if "@" in one and not one.endswith(".invalid")))
    return Way(client, line.rpartition(";")[2].strip(), _mail_from(line, above), recipients)


def _mail_from(line: str, above: Sequence[tuple[str, str]]) -> str | None:
    """Whom the client named, by the line that says so, else by the Return-Path of the delivery."""
    found = _FROM.search(line)
    senders = [found[1]] if found else [value.strip("<> ") for name, value in above if name == "return-path"]
    if not senders:
        return None
    return "" if senders[0].upper() == _NULL else senders[0]


def _entry(fields: Sequence[Sequence[str]], ours: tuple[Network, ...]) -> tuple[int, str]:
    """The place of the line that says who came from outside, else of the lowest that names a host of ours; (-1, '')."""
    lowest = (-1, "")
    for place, client in _clients(fields):
        if not is_in(client, ours):
            return place, client
        lowest = (place, "" if is_in(client, _LOOPBACK) else client)
    return lowest


def _clients(fields: Sequence[Sequence[str]]) -> Iterator[tuple[int, str]]:
    for place, (name, value) in enumerate(fields):
        client = _client(value[:_CHARS]) if name.lower() == "received" else ""
        if client:  # lines without one are of programs that hand mail on within a machine
            yield place, client


def _client(line: str) -> str:
    """The address of the client in a Received field: in parentheses the server's word, before them the client's."""
    said = _BY.split(line, maxsplit=1)[0]
    if said[:5].lower() != "from ":
        return ""
    said = _HELO.sub(" ", said)
    before, bracket, behind = said.partition("(")
    for text in (bracket + behind, before):
        for found in _ADDRESS.finditer(text):
            try:
                return read_ip(found[1])
            except ValueError:
                continue
    return ""
