"""URLs and hosts of fraud for those who block: plain, CSV, hosts, RPZ, MISP, STIX 2.1. Pure.

Nothing of our own, nothing of a sender that the site trusts, nothing that stands in fewer messages than asked.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from ..values.domains import organizational_domain
from ..values.fields import read_domain, write_date
from ..values.urls import host_of
from .message import Message
from .report import is_own

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)+\Z")
_ADDRESS = re.compile(r"[\d.]+\Z")
_STIX = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")  # the namespace of deterministic ids (STIX 2.1 §2.9)


class Listed(NamedTuple):
    """One URL, in how many messages, and when."""

    url: str
    host: str  # A-labels; '' for an address
    messages: int
    first: str  # RFC 3339
    last: str


class Zone(NamedTuple):
    """What a response policy zone needs of its own."""

    name: str = "rpz.example.org"
    server: str = "localhost."
    mail: str = "hostmaster"  # the local part of who is responsible for it
    ttl: int = 3600  # seconds


def collect(
    messages: Iterable[Message], *, own: Iterable[str], trusted: Iterable[str] = (), least: int = 2
) -> list[Listed]:
    """URLs of the messages, the most frequent first.

    own: domains of the site. trusted: domains of senders with the verdict `mine` or `service`. least: messages.
    """
    left_out = [read_domain(one) for one in (*own, *trusted)]
    found: dict[str, list[Message]] = {}
    for one in messages:
        for url in dict.fromkeys(one.urls):
            found.setdefault(url, []).append(one)
    listed = [_listed(url, seen) for url, seen in found.items()]
    wanted = [one for one in listed if one.messages >= least and one.host and not is_own(one.host, left_out)]
    return sorted(wanted, key=lambda one: (-one.messages, one.url))


def _listed(url: str, messages: Sequence[Message]) -> Listed:
    times = sorted(one.at for one in messages)
    return Listed(url, _host(url), sum(one.count for one in messages), times[0], times[-1])


@lru_cache(maxsize=3000)
def _host(url: str) -> str:
    """The host by its name, '' when it is an address or nothing that a resolver could be asked for."""
    name = host_of(url)
    return name if len(name) <= 253 and _NAME.match(name) and not _ADDRESS.match(name) else ""


def _hosts(listed: Iterable[Listed]) -> list[str]:
    return sorted({one.host for one in listed})


def as_plain(listed: Sequence[Listed], now: datetime, zone: Zone) -> str:
    """One URL a line."""
    return "".join(f"{one.url}\n" for one in listed)


def as_csv(listed: Sequence[Listed], now: datetime, zone: Zone) -> str:
    """With messages, first and last seen. No URL begins like a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(Listed._fields)
    writer.writerows(listed)
    return out.getvalue()


def as_hosts(listed: Sequence[Listed], now: datetime, zone: Zone) -> str:
    """For /etc/hosts and what reads its form."""
    return "".join(f"0.0.0.0 {host}\n" for host in _hosts(listed))


def as_rpz(listed: Sequence[Listed], now: datetime, zone: Zone) -> str:
    """A response policy zone: NXDOMAIN for each host and all below it; below a public suffix is everybody else.

    A zone needs SOA and NS. A name and its wildcard are two entries, and one below a listed one is no third.
    """
    serial = int(now.timestamp())  # grows with the time, and fits into 32 bits until 2106
    origin = f"{zone.name.rstrip('.')}."
    head = (
        f"$TTL {zone.ttl}\n$ORIGIN {origin}\n"
        f"@ IN SOA {zone.server} {zone.mail}.{origin} {serial} {zone.ttl} 900 604800 {zone.ttl}\n"
        f"@ IN NS {zone.server}\n"
    )
    hosts = _hosts(listed)
    suffixes = [host for host in hosts if _is_suffix(host)]
    whole = set(hosts).difference(suffixes)
    names = [
        *suffixes,
        *(host for host in hosts if host in whole and not any(host.endswith(f".{one}") for one in whole)),
    ]
    return head + "".join(f"{host} CNAME .\n" + (f"*.{host} CNAME .\n" if host in whole else "") for host in names)


def _is_suffix(host: str) -> bool:
    """Whether strangers register names below it: `https://co.uk/` in two spams would block a country."""
    return organizational_domain(f"x.{host}") == f"x.{host}"


def as_misp(listed: Sequence[Listed], now: datetime, zone: Zone) -> str:
    """An event of MISP with one attribute for each URL."""
    attributes = [
        {
            "type": "url",
            "category": "Network activity",
            "to_ids": True,
            "value": one.url,
            "comment": f"{one.messages} messages",
            "first_seen": one.first,
            "last_seen": one.last,
            "uuid": str(uuid5(NAMESPACE_URL, one.url)),
        }
        for one in listed
    ]
    event = {
        "info": "URLs of reported fraud",
        "date": now.astimezone(UTC).strftime("%Y-%m-%d"),
        "threat_level_id": "2",
        "analysis": "2",
        "distribution": "0",
        "Attribute": attributes,
    }
    return json.dumps({"Event": event}, indent=1) + "\n"


def as_stix(listed: Sequence[Listed], now: datetime, zone: Zone) -> str:
    """A bundle of indicators (STIX 2.1 §4.7), each with the same id as long as the URL is the same."""
    at = _stix_date(write_date(now))
    indicators = [
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": f"indicator--{uuid5(_STIX, one.url)}",
            "created": _stix_date(one.first),
            "modified": at,
            "name": f"Fraud: {organizational_domain(one.host)}",
            "indicator_types": ["malicious-activity"],
            "pattern": f"[url:value = '{_stix_text(one.url)}']",
            "pattern_type": "stix",
            "valid_from": _stix_date(one.first),
        }
        for one in listed
    ]
    bundle = {"type": "bundle", "id": f"bundle--{uuid5(_STIX, at)}"}
    some = {"objects": indicators} if indicators else {}  # no list is empty (STIX 2.1 §2.9)
    return json.dumps({**bundle, **some}, indent=1) + "\n"


def _stix_date(text: str) -> str:
    """With milliseconds, as `created` must have them (STIX 2.1 §3.2)."""
    return text if "." in text else text.replace("Z", ".000Z")


def _stix_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


FORMATS: Mapping[str, Callable[[Sequence[Listed], datetime, Zone], str]] = {
    "plain": as_plain,
    "csv": as_csv,
    "hosts": as_hosts,
    "rpz": as_rpz,
    "misp": as_misp,
    "stix": as_stix,
}
