"""Documents of thirteen months of a large site: made by the program from some thousand reports, then moved in time.

60 domains, 300 reporters, 20,000 source addresses in 300 networks. What a row says, and how often, is as the corpus of
real messages has it (the share of each rule of docs/classification.md); few reporters write most of the rows. A day
takes for each reporter and domain one of three reports that the program read, with other dates, ids and strangers. The
same arguments make the same documents.
"""

import bisect
import gzip
import hashlib
import itertools
import json
import random
import re
import tempfile
from base64 import encodebytes
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from email_report_processor.documents.classify import Site
from email_report_processor.documents.enrich import open_databases
from email_report_processor.message.blob import Memory
from email_report_processor.process import Job, Outcome, read
from email_report_processor.reports.report import Options
from email_report_processor.stores.store import Row, Store
from tests import mmdb

_DOMAINS = tuple(f"brand{number:02}.example" for number in range(60))
_REPORTERS = tuple(f"mx{number:03}.example" for number in range(300))
_ADDRESSES, _NETWORKS = 20_000, 300
_PAIRS = 2_550  # of a reporter and a domain, each a report a day
_VARIANTS = 3
_SENT = 0.97  # of a day's reports come
_DAY, _NEXT = "2026-01-10", "2026-01-11"  # of the reports that the program reads
_BEGIN = 1768003200  # _DAY, in seconds
_SITE = Site(own_networks=("198.18.0.0/15",))
_COUNTRIES = (
    ("US", 39.0, -77.5), ("DE", 50.1, 8.7), ("BR", -23.5, -46.6), ("VN", 21.0, 105.8), ("IN", 19.1, 72.9),
    ("CN", 31.2, 121.5), ("RU", 55.8, 37.6), ("FR", 48.9, 2.3), ("GB", 51.5, -0.1), ("ID", -6.2, 106.8),
    ("NL", 52.4, 4.9), ("SG", 1.3, 103.8), ("IE", 53.3, -6.3), ("JP", 35.7, 139.7), ("TR", 41.0, 29.0),
    ("ZA", -26.2, 28.0), ("UA", 50.5, 30.5), ("AR", -34.6, -58.4), ("NG", 6.5, 3.4), ("PL", 52.2, 21.0),
)  # fmt: skip


class Kind(NamedTuple):
    """What a row says. `@` is its domain; the raw results are domain, selector or scope, result."""

    weight: float
    who: str  # own, service, relay, stranger
    dkim: str  # DMARC's verdicts
    spf: str
    signature: tuple[str, str, str] = ("", "", "")
    check: tuple[str, str] = ("", "")
    reason: str = ""
    from_: str = "@"


_KINDS = (
    Kind(24, "own", "pass", "pass", ("@", "2026a", "pass"), ("@", "pass")),
    Kind(8, "own", "pass", "pass", ("@", "2026a", "pass"), ("bounce.@", "pass"), from_="news.@"),
    Kind(8, "service", "pass", "pass", ("@", "k1", "pass"), ("mail.@", "pass")),
    Kind(15.5, "service", "pass", "fail", ("@", "s1", "pass"), ("SERVICE", "pass")),
    Kind(8, "own", "pass", "fail", ("@", "2026a", "pass"), ("bounce.@", "pass")),
    Kind(3.2, "service", "pass", "fail", ("@", "k1", "pass"), ("mail.@", "none")),
    Kind(0.8, "own", "pass", "fail", ("@", "2026a", "pass"), ("@", "temperror")),
    Kind(4, "own", "fail", "pass", ("", "", ""), ("@", "pass")),
    Kind(0.4, "own", "fail", "pass", ("@", "2026a", "temperror"), ("@", "pass")),
    Kind(3.2, "relay", "pass", "fail", ("@", "2026a", "pass"), ("@", "fail")),
    Kind(1.6, "relay", "fail", "fail", ("@", "2026a", "fail"), ("@", "softfail"), "trusted_forwarder"),
    Kind(1, "relay", "fail", "fail", ("@", "2026a", "fail"), ("lists.example", "pass"), "mailing_list"),
    Kind(6, "relay", "fail", "fail", ("@", "2026a", "fail"), ("@", "softfail")),
    Kind(4, "service", "fail", "fail", ("mail.@", "k1", "pass"), ("SERVICE", "pass")),
    Kind(1, "own", "fail", "fail", ("", "", ""), ("", "none")),
    Kind(0.5, "stranger", "fail", "fail", ("", "", ""), ("@", "temperror")),
    Kind(3.6, "stranger", "fail", "fail", ("SPAM", "x", "pass"), ("SPAM", "pass")),
    Kind(7, "stranger", "fail", "fail", ("", "", ""), ("@", "softfail")),
    Kind(3, "stranger", "fail", "fail", ("", "", ""), ("SPAM", "none"), from_="billing.@"),
)


class Form(NamedTuple):
    """A document of a report that the program read, with holes for the day, the next day, the place and the id."""

    dataset: str
    id: str
    source: bytes
    stranger: bool


class Pool(NamedTuple):
    """What days are made of."""

    reports: tuple[tuple[tuple[Form, ...], ...], ...]  # of each pair the variants
    others: tuple[tuple[Form, ...], ...]  # TLS and failure reports
    rows: float  # of aggregate reports in a day
    places: tuple[bytes, ...]  # of strangers: the members of `source` that the program makes of an address


# Who sends


class World(NamedTuple):
    """Addresses, and how often each is met."""

    strangers: tuple[str, ...]
    relays: tuple[str, ...]
    services: tuple[tuple[str, tuple[str, ...]], ...]


def _world(dice: random.Random) -> tuple[World, dict[str, object]]:
    """Addresses, and the database that tells their networks."""
    networks = dice.sample([f"{a}.{b}" for a in range(11, 192) if a != 127 for b in range(256)], _NETWORKS)
    table: dict[str, object] = {}
    for number, network in enumerate([*networks, "198.18"]):
        country, latitude, longitude = dice.choice(_COUNTRIES)
        table[f"{network}.0.0/16"] = {
            "country": {"iso_code": country},
            "location": {"latitude": latitude, "longitude": longitude},
            "autonomous_system_number": 4_200_000_000 + number,  # RFC 6996: private
            "autonomous_system_organization": f"Network {number}",
        }
    every = dice.sample([f"{one}.{c}.{d}" for one in networks for c in range(256) for d in range(1, 256)], _ADDRESSES)
    services = tuple((f"mailer{number:02}.example", tuple(every[number * 15 :][:15])) for number in range(40))
    return World(tuple(every[1_600:]), tuple(every[600:1_600]), services), table


class Writer:
    """Writes reports."""

    def __init__(self, dice: random.Random, world: World) -> None:
        self.dice = dice
        self.world = world
        self.kinds = list(itertools.accumulate(kind.weight for kind in _KINDS))

    def aggregate(self, reporter: int, domain: int) -> bytes:
        """The message with a report; large reporters say more."""
        size = max(1, round(min(60, 2 + 46 * (reporter + 1) ** -0.55) * self.dice.uniform(0.5, 1.5)))
        records = "".join(self._record(reporter, domain) for _ in range(size))
        name, about = _REPORTERS[reporter], _DOMAINS[domain]
        policy = ("none", "quarantine", "reject")[domain % 3]
        strict = "s" if domain % 10 == 9 else "r"
        text = (
            f'<?xml version="1.0"?><feedback><report_metadata><org_name>{name}</org_name>'
            f"<email>dmarc@{name}</email><report_id>{reporter}.{domain}.{_DAY}</report_id><date_range>"
            f"<begin>{_BEGIN}</begin><end>{_BEGIN + 86399}</end></date_range></report_metadata><policy_published>"
            f"<domain>{about}</domain><adkim>r</adkim><aspf>{strict}</aspf><p>{policy}</p><sp>{policy}</sp>"
            f"<pct>100</pct></policy_published>{records}</feedback>"
        )
        return _mail(name, f"{reporter}.{domain}", "application/gzip", gzip.compress(text.encode(), 1, mtime=0))

    def tls(self, reporter: int, domain: int) -> bytes:
        """The message with an SMTP TLS report."""
        name, about, failed = _REPORTERS[reporter], _DOMAINS[domain], self.dice.choice((0, 0, 0, 2, 7))
        detail = {
            "result-type": "certificate-expired" if domain == 7 else "starttls-not-supported",
            "sending-mta-ip": self.dice.choice(self.world.relays),
            "receiving-mx-hostname": f"mx.{about}",
            "failed-session-count": failed,
        }
        policy = {
            "policy": {
                "policy-type": "sts",
                "policy-string": ["version: STSv1", "mode: enforce", f"mx: mx.{about}", "max_age: 86400"],
                "policy-domain": about,
                "mx-host": [f"mx.{about}"],
            },
            "summary": {"total-successful-session-count": 900 // (reporter + 1), "total-failure-session-count": failed},
            **({"failure-details": [detail]} if failed else {}),
        }
        whole = {
            "organization-name": name,
            "date-range": {"start-datetime": f"{_DAY}T00:00:00Z", "end-datetime": f"{_DAY}T23:59:59Z"},
            "contact-info": f"tls@{name}",
            "report-id": f"{_DAY}-{reporter}-{domain}",
            "policies": [policy],
        }
        data = gzip.compress(json.dumps(whole).encode(), 1, mtime=0)
        return _mail(name, f"tls.{reporter}.{domain}", "application/tlsrpt+gzip", data)

    def failure(self, number: int) -> bytes:
        """The message with a failure report."""
        domain, host = _DOMAINS[number % 60], self.dice.choice(self.world.strangers)
        name = _REPORTERS[number % 7]
        return (
            f"From: <ruf@{name}>\r\nTo: ruf@brand00.example\r\nDate: {_written(_NEXT)}\r\n"
            f"Message-ID: <{number}.{_DAY}@{name}>\r\nSubject: FW: {number}\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n--b\r\n\r\nA failure.\r\n'
            "--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: auth-failure\r\nVersion: 1\r\n"
            f"User-Agent: Reporter/1\r\nAuth-Failure: dmarc\r\nReported-Domain: {domain}\r\nSource-IP: {host}\r\n"
            f"Arrival-Date: {_written(_DAY)}\r\nDelivery-Result: delivered\r\n--b\r\n"
            f"Content-Type: text/rfc822-headers\r\n\r\nFrom: <billing@{domain}>\r\nSubject: Invoice {number}\r\n"
            f"Message-ID: <{number}.{_DAY}@{domain}>\r\nDate: {_written(_DAY)}\r\n\r\n--b--\r\n"
        ).encode()

    def _record(self, reporter: int, domain: int) -> str:
        kind = _KINDS[bisect.bisect(self.kinds, self.dice.random() * self.kinds[-1])]
        about = _DOMAINS[domain]
        service, addresses = self.world.services[(domain + self.dice.randrange(4)) % 40]
        names = {"SERVICE": service, "SPAM": f"spam{self.dice.randrange(400)}.example"}
        signer, selector, verified = kind.signature
        envelope, checked = kind.check
        signature = _result("dkim", _named(signer, names, about), f"<selector>{selector}</selector>", verified)
        check = _result("spf", _named(envelope, names, about) or about, "<scope>mfrom</scope>", checked)
        failed = "fail" if kind.dkim == kind.spf == "fail" else "pass"
        disposition = ("none", "quarantine", "reject")[domain % 3] if failed == "fail" and not kind.reason else "none"
        reason = f"<reason><type>{kind.reason}</type><comment></comment></reason>" if kind.reason else ""
        count = self._count(kind, reporter, domain)
        return (
            f"<record><row><source_ip>{self._address(kind, domain, addresses)}</source_ip><count>{count}</count>"
            f"<policy_evaluated><disposition>{disposition}</disposition><dkim>{kind.dkim}</dkim><spf>{kind.spf}</spf>"
            f"{reason}</policy_evaluated></row><identifiers><header_from>{kind.from_.replace('@', about)}</header_from>"
            f"<envelope_from>{_named(envelope, names, about)}</envelope_from></identifiers>"
            f"<auth_results>{signature}{check}</auth_results></record>"
        )

    def _address(self, kind: Kind, domain: int, service: Sequence[str]) -> str:
        if kind.who == "own":
            return f"198.18.{domain}.{1 + self.dice.randrange(6)}"
        if kind.who == "service":
            return self.dice.choice(service)
        pool = self.world.relays if kind.who == "relay" else self.world.strangers
        return pool[int(len(pool) * self.dice.random() ** 3)]

    def _count(self, kind: Kind, reporter: int, domain: int) -> int:
        if kind.who in {"stranger", "relay"}:
            return 1 + int(3 * self.dice.random() ** 4)
        return 1 + int(4_000 / (2 + domain) / (1 + reporter) ** 0.7 * self.dice.random())


def _named(text: str, names: dict[str, str], domain: str) -> str:
    return names.get(text, text.replace("@", domain))


def _result(method: str, domain: str, more: str, result: str) -> str:
    return f"<{method}><domain>{domain}</domain>{more}<result>{result}</result></{method}>" if result else ""


def _written(day: str) -> str:
    """A fixed moment as RFC 5322 writes it; the program writes it as RFC 3339, which the days replace."""
    return {_DAY: "Sat, 10 Jan 2026 09:20:00 +0000", _NEXT: "Sun, 11 Jan 2026 04:30:00 +0000"}[day]


def _mail(reporter: str, id_: str, media_type: str, data: bytes) -> bytes:
    return (
        f"Received: from mx.{reporter} (192.0.2.1) by mx.brand00.example; {_written(_NEXT)}\r\n"
        "Authentication-Results: mx.brand00.example; dkim=pass header.d="
        f"{reporter}\r\nFrom: <dmarc@{reporter}>\r\nTo: rua@brand00.example\r\nDate: {_written(_NEXT)}\r\n"
        f"Message-ID: <{id_}.{_DAY}@{reporter}>\r\nMIME-Version: 1.0\r\nContent-Type: {media_type}\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n"
    ).encode() + encodebytes(data)


# What the program makes of it


def pool(seed: int = 20261128) -> Pool:
    """Write the reports and have the program read them: some ten seconds."""
    dice = random.Random(seed)
    world, table = _world(dice)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "networks.mmdb"
        path.write_bytes(mmdb.write(table))
        databases, faults = open_databases([str(path)])
        assert databases is not None, faults
        options = Options(authserv_ids=("mx.brand00.example",))
        job = Job(_unopened, lambda: f"{_NEXT}T04:30:02Z", folder, options, site=_SITE, databases=databases)
        places = {address: _place(databases.look_up(address), address) for address in world.strangers}
        writer = Writer(dice, world)
        reports = [
            tuple(_forms(writer.aggregate(*pair), job, places) for _ in range(_VARIANTS)) for pair in _pairs(dice)
        ]
        others = [_forms(writer.tls(reporter, domain), job, places) for reporter in range(5) for domain in range(60)]
        others += [_forms(writer.failure(number), job, places) for number in range(40)]
    rows = sum(form.dataset == "dmarc-aggregate" for variants in reports for forms in variants for form in forms)
    return Pool(tuple(reports), tuple(others), rows / _VARIANTS * _SENT, tuple(places.values()))


def _unopened() -> Store:
    raise AssertionError("nothing is stored here")


def _pairs(dice: random.Random) -> list[tuple[int, int]]:
    """Who reports about whom: the largest reporters about all domains."""
    found = {(reporter, domain) for reporter in range(12) for domain in range(60)}
    while len(found) < _PAIRS:
        found.add((int(300 * dice.random() ** 1.5), int(60 * dice.random() ** 1.3)))
    return sorted(found)


_SOURCE = re.compile(rb'"ip":"([0-9.]+)"((?:,"(?:geo|as)":\{(?:[^{}]|\{[^{}]*\})*\})*)')


def _place(found: object, address: str) -> bytes:
    """What stands in `source` of a document with this address."""
    assert isinstance(found, dict)
    location = found["source.geo.location"]
    geo = {"country_iso_code": found["source.geo.country_iso_code"], "location": location}
    system = {"number": found["source.as.number"], "organization": {"name": found["source.as.organization.name"]}}
    return json.dumps({"ip": address, "geo": geo, "as": system}, separators=(",", ":")).encode()[1:-1]


def _forms(message: bytes, job: Job, places: dict[str, bytes]) -> tuple[Form, ...]:
    work = read(Memory(message), job)
    assert not isinstance(work, Outcome), work
    return tuple(_form(row, places) for row in work.rows)


def _form(row: Row, places: dict[str, bytes]) -> Form:
    dataset = row.index.removeprefix("email-report-").rpartition("-")[0]
    source = row.source.replace(_DAY.encode(), b"\x01").replace(_NEXT.encode(), b"\x02")
    found = _SOURCE.search(source)
    stranger = found is not None and found[1].decode() in places and dataset == "dmarc-aggregate"
    if stranger and found is not None:
        source = source[: found.start()] + b"\x03" + source[found.end() :]
    if dataset == "report":
        source = re.sub(rb'("identity":")[0-9a-f]{40}', b"\\1\x04", source)
        source = re.sub(rb'("sha256":")[0-9a-f]{40}', b"\\1\x04", source)
    return Form(dataset, row.id, source, stranger)


# The days


def day(pool: Pool, when: date, prefix: str = "email-report-", *, seed: int = 0) -> Iterator[Row]:
    """All documents of the reports about one day."""
    dice = random.Random(f"{seed} {when}")
    text, following = when.isoformat().encode(), (when + timedelta(days=1)).isoformat().encode()
    month = f"{when:%Y.%m}"
    chosen = [dice.choice(variants) for variants in pool.reports if dice.random() < _SENT]
    for form in itertools.chain.from_iterable([*chosen, *pool.others]):
        id_ = hashlib.sha1(form.id.encode() + text).hexdigest()  # forty characters, as ours have
        source = form.source.replace(b"\x01", text).replace(b"\x02", following)
        if form.stranger:
            source = source.replace(b"\x03", pool.places[int(len(pool.places) * dice.random() ** 3)])
        if form.dataset == "report":
            source = source.replace(b"\x04", id_.encode())
        yield Row(f"{prefix}{form.dataset}-{month}", id_, source)
