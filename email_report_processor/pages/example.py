"""Some weeks of reports, made up: for `email-report-admin demo`, for tests, and for the pictures in the docs.

Documents as the kinds make them (flat, dotted names), with places as a look-up would add them. The same arguments make
the same documents. Names and addresses are those for examples (RFC 2606, 5737, 3849; AS numbers of RFC 5398).
"""

# ruff: noqa: E501 - one source a line is the table

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from email_report_processor.documents.classify import Site, classify
from email_report_processor.documents.document import Document, make_id
from email_report_processor.values.fields import Fields, write_date

SITE = Site(own_networks=("192.0.2.0/27",))


class Source(NamedTuple):
    """Somebody who sends mail in our name."""

    name: str  # as a look-up says, '' unknown
    addresses: tuple[str, ...]
    system: tuple[int, str]
    place: tuple[str, float, float]
    from_domain: str
    signer: str  # d= of its signature, '' unsigned
    envelope: str
    dkim: str  # raw result of the signature
    spf: str
    messages: int  # a day and reporter
    reason: tuple[str, str] = ("", "")
    days: tuple[int, int] = (0, 10_000)  # counted back from the last day: sends only between these


_NET = (64496, "Example Hosting")
SOURCES = (
    Source("example.org", ("192.0.2.10", "192.0.2.11", "2001:db8::10"), _NET, ("DE", 50.1, 8.7), "example.org", "example.org", "example.org", "pass", "pass", 420),
    Source("example.net", ("192.0.2.12",), _NET, ("DE", 50.1, 8.7), "example.net", "example.net", "example.net", "pass", "pass", 90),
    Source("", ("192.0.2.20",), _NET, ("DE", 50.1, 8.7), "billing.example.org", "", "", "none", "none", 14),
    Source("mailer.example", ("198.51.100.5", "198.51.100.6", "198.51.100.7"), (64500, "Mailer Example Inc"), ("US", 39.0, -77.5), "news.example.org", "news.example.org", "bounce.mailer.example", "pass", "pass", 160),
    Source("crm.example", ("198.51.100.77", "198.51.100.78"), (64501, "CRM Example GmbH"), ("IE", 53.3, -6.3), "example.org", "crm.example", "crm.example", "pass", "pass", 36, days=(0, 13)),
    Source("shop.example", ("198.51.100.120",), (64502, "Shop Example BV"), ("NL", 52.4, 4.9), "shop.example.net", "", "shop.example.net", "none", "pass", 45),
    Source("", ("203.0.113.5", "203.0.113.6", "203.0.113.7", "203.0.113.8"), (64503, "University Example"), ("FR", 48.9, 2.3), "example.org", "example.org", "example.org", "pass", "fail", 22),
    Source("", ("203.0.113.20",), (64504, "Lists Example e.V."), ("CH", 47.4, 8.5), "example.org", "example.org", "lists.example", "fail", "pass", 9, reason=("mailing_list", "")),
    Source("", ("203.0.113.30", "2001:db8:30::1"), (64505, "Forward Example"), ("GB", 51.5, -0.1), "example.net", "example.net", "fwd.example", "fail", "pass", 6, reason=("trusted_forwarder", "arc=pass as.1.forward.example=pass")),
    Source("", ("192.0.2.13",), _NET, ("DE", 50.1, 8.7), "example.org", "example.org", "gateway.example", "fail", "none", 60, days=(20, 23)),
    Source("", ("203.0.113.40",), (64506, "Office Example"), ("AT", 48.2, 16.4), "example.net", "example.net", "office.example", "fail", "fail", 7),
    Source("", tuple(f"203.0.113.{n}" for n in range(100, 160)), (65536, "Bulletproof Example"), ("BR", -23.5, -46.6), "example.org", "", "spam.example", "none", "fail", 5),
    Source("", tuple(f"198.51.100.{n}" for n in range(200, 240)), (65537, "Cable Example"), ("VN", 21.0, 105.8), "example.org", "", "", "none", "none", 3),
    Source("", tuple(f"203.0.113.{n}" for n in range(200, 220)), (65538, "Cloud Example"), ("IN", 19.1, 72.9), "example.net", "", "phish.example", "none", "softfail", 40, days=(5, 7)),
    Source("", ("203.0.113.250",), (65539, "Dial-up Example"), ("ID", -6.2, 106.8), "old.example.org", "", "old.example.org", "none", "temperror", 2),
)  # fmt: skip


class Reporter(NamedTuple):
    """Somebody who reports."""

    name: str
    domain: str
    share: float  # of the messages
    authentication: str
    hours: float  # from the end of the period to the arrival


REPORTERS = (
    Reporter("bigmail.example", "bigmail.example", 1.0, "pass", 6),
    Reporter("Outlook Example", "outlook.example", 0.7, "pass", 9),
    Reporter("Yeehaw", "yeehaw.example", 0.25, "pass", 4),
    Reporter("provider.example", "provider.example", 0.2, "unchecked", 14),
    Reporter("Fast Mail Example", "fastmail.example", 0.08, "pass", 2),
    Reporter("University Example", "mx.university.example", 0.03, "unchecked", 31),
)
FORGER = Reporter("bigmail.example", "bigmail.example", 0.4, "fail", 5)


def organization(name: str) -> str:
    """The domain whose policy holds."""
    return ".".join(name.split(".")[-2:])


def weeks(last: datetime, days: int = 35) -> Iterator[Document]:
    """All documents of the days up to the one that begins at `last` (midnight, UTC)."""
    dice = random.Random(20261121)  # noqa: S311  # no secret: the same every time
    for back in reversed(range(days)):
        begin = last - timedelta(days=back)
        for reporter in REPORTERS:
            yield from _aggregate(dice, reporter, begin, back)
        if back in {6, 5}:
            yield from _aggregate(dice, FORGER, begin, back)
        for reporter in REPORTERS[:3]:
            yield from _tls(dice, reporter, begin, back)
        for _ in range(dice.choice((1, 2, 4, 5, 6, 14 if 4 < back < 8 else 7))):
            yield from _feedback(dice, begin)
    yield from _oddities(last)


def _weekday(begin: datetime) -> float:
    return (1.0, 1.1, 1.05, 1.0, 0.95, 0.35, 0.25)[begin.weekday()]


def _common(dataset: str, reporter: Reporter, moment: datetime, arrival: datetime) -> Fields:
    fields = {
        "@timestamp": write_date(moment),
        "event.dataset": dataset,
        "event.ingested": write_date(arrival + timedelta(seconds=2)),
        "schema_version": 1,
        "report.from_domain": reporter.domain,
        "report.message_id": make_id(reporter.name, write_date(moment))[:16] + "@" + reporter.domain,
        "report.received": write_date(arrival),
        "report.feed": "rua" if dataset not in {"dmarc-failure", "arf"} else "ruf",
    }
    return fields | {"report.authentication": reporter.authentication}


def _period(dataset: str, reporter: Reporter, begin: datetime, about: str, hours: float) -> Fields:
    end = begin + timedelta(days=1)
    common = _common(dataset, reporter, begin + timedelta(hours=12), end + timedelta(hours=hours))
    return common | {
        "report.id": make_id(dataset, *reporter, write_date(begin), about)[:20],
        "report.org_name": reporter.name,
        "report.email": f"noreply@{reporter.domain}",
        "report.begin": write_date(begin),
        "report.end": write_date(end),
        "report.duration": 86400,
        "report.format": "rfc8460" if dataset == "smtp-tls" else "rfc7489",
    }


def _report(
    rows: list[Document], head: Fields, hours: float, messages: int, about: str, version: int = 1, **more: Any
) -> Document:
    fields = {
        name: value for name, value in head.items() if name.partition(".")[0] not in {"policy", "policy_published"}
    }
    identity = make_id("identity", head.get("report.id", head["report.message_id"]))
    fields |= {
        "event.dataset": "report",
        "report.dataset": head["event.dataset"],
        "report.domain": [about],
        "report.identity": identity,
        "report.delay": int(hours * 3600),
        "report.sha256": make_id(identity, "sha", version) + "0" * 24,
        "rows": len(rows),
        "messages": messages,
        **more,
    }
    return Document("report", make_id("report", identity, version), fields)


# Aggregate reports


def _aggregate(dice: random.Random, reporter: Reporter, begin: datetime, back: int) -> Iterator[Document]:
    for about in ("example.org", "example.net"):
        hours = max(0.2, reporter.hours * dice.uniform(0.6, 1.6))
        head = _period("dmarc-aggregate", reporter, begin, about, hours) | _policy(about, back, reporter)
        rows = [
            Document("dmarc-aggregate", make_id(head["report.id"], place), head | row)
            for place, row in enumerate(_rows(dice, reporter, begin, about, back))
        ]
        yield from rows
        messages = sum(row.fields["count"] for row in rows)
        more: Fields = {}
        if reporter.name == "Yeehaw" and back % 9 == 4:
            more = {"salvaged": True, "warnings": ["the XML ends early: read as far as it goes"]}
        elif reporter.name == "provider.example" and back % 4 == 1:
            more = {"warnings": ["report.id: angle brackets removed", "policy_published.pct: not a count"]}
        yield _report(rows, head, hours, messages, about, **more)


def _policy(about: str, back: int, reporter: Reporter) -> Fields:
    """example.org went from none to quarantine three weeks ago; RFC 9990's reporters say testing and np too."""
    policy = "none" if about == "example.net" or back > 20 else "quarantine"
    fields: Fields = {
        "policy_published.domain": about,
        "policy_published.p": policy,
        "policy_published.sp": "none",
        "policy_published.adkim": "r",
        "policy_published.aspf": "r",
    }
    if reporter.name == "Fast Mail Example":
        return fields | {"policy_published.np": "reject", "policy_published.testing": about == "example.net"}
    return fields | {"policy_published.pct": 100}


def _rows(dice: random.Random, reporter: Reporter, begin: datetime, about: str, back: int) -> Iterator[Fields]:
    for source in SOURCES:
        if organization(source.from_domain) != about or not source.days[0] <= back <= source.days[1]:
            continue
        for address in dice.sample(source.addresses, min(len(source.addresses), 4)):
            mean = source.messages * reporter.share * _weekday(begin) / min(len(source.addresses), 4)
            count = int(dice.gauss(mean, mean / 4) + dice.random())
            if count > 0:
                yield _row(dice, source, address, count, back)


def _row(dice: random.Random, source: Source, address: str, count: int, back: int) -> Fields:
    ours = {source.from_domain, organization(source.from_domain)}
    dkim = "pass" if source.dkim == "pass" and organization(source.signer) in ours else "fail"
    spf = "pass" if source.spf == "pass" and organization(source.envelope) in ours else "fail"
    fields: Fields = {
        "source.ip": address,
        "count": count,
        "policy_evaluated.dkim": dkim,
        "policy_evaluated.spf": spf,
        "policy_evaluated.disposition": _disposition(dice, source, dkim, spf, back),
        "identifiers.header_from": source.from_domain,
        "dmarc.result": "pass" if "pass" in (dkim, spf) else "fail",
        **_place(source),
    }
    if source.envelope:
        fields["identifiers.envelope_from"] = source.envelope
        fields["auth_results.spf"] = [{"domain": source.envelope, "scope": "mfrom", "result": source.spf}]
        fields["spf.checks"] = [f"{source.envelope} / mfrom / {source.spf}"]
    if source.signer:
        signatures = [{"domain": source.signer, "selector": "2026a", "result": source.dkim}]
        if source.name == "mailer.example":
            signatures.append({"domain": "mailer.example", "selector": "s1", "result": "pass"})
        fields["auth_results.dkim"] = signatures
        fields["dkim.signatures"] = [f"{one['domain']} / {one['selector']} / {one['result']}" for one in signatures]
    for name, value in zip(("type", "comment"), source.reason, strict=True):
        if value:
            fields[f"policy_evaluated.reason.{name}"] = [value]
    return fields | _class(fields | {"event.dataset": "dmarc-aggregate"})


def _disposition(dice: random.Random, source: Source, dkim: str, spf: str, back: int) -> str:
    if "pass" in (dkim, spf) or source.reason[0] or organization(source.from_domain) == "example.net" or back > 20:
        return "none"
    return dice.choice(("quarantine", "quarantine", "reject"))


def _place(source: Source) -> Fields:
    fields: Fields = {
        "source.as.number": source.system[0],
        "source.as.organization.name": source.system[1],
        "source.geo.country_iso_code": source.place[0],
        "source.geo.location": {"lat": source.place[1], "lon": source.place[2]},
    }
    return fields | ({"source.name": source.name} if source.name else {})


def _class(fields: Fields) -> Fields:
    found = classify(fields, SITE)
    return {} if found is None else {"class": found[0], "class_rule": found[1]}


# Feedback

_SPOOFS = [source for source in SOURCES if source.signer == "" and len(source.addresses) > 3]
# Bot nets: the host that their messages lead to, what they say, and what they bring.
_NETS = (
    ("login.phish.example", ("Your mailbox is almost full", "Password expires in 24 hours"), ""),
    ("parcel.phish.example", ("Delivery failed: parcel waiting", "Customs fee for your parcel"), "scan.html"),
    ("cdn.files.example", ("Invoice 4711 overdue", "Re: wire transfer today"), "invoice.zip"),
)
# Signals of the header -> Subject; the classes that follow from them.
_HARMLESS = (
    (["list-id", "list-software"], "[members] Minutes of the meeting"),
    (["arc-pass", "srs"], "Your order 10093"),
    (["dkim-aligned"], "Your ticket 5521"),
    (["auto-submitted"], "cron: backup of db1 finished"),
    (["null-sender", "auto-submitted"], "Out of office: back on Monday"),
)


def _feedback(dice: random.Random, begin: datetime) -> Iterator[Document]:
    moment = begin + timedelta(seconds=dice.randrange(86400))
    reporter = dice.choice(REPORTERS[1:4])
    kind = dice.choices(("spoof", "harmless", "complaint"), (6, 3, 1))[0]
    dataset = "arf" if kind == "complaint" else "dmarc-failure"
    arrival = moment + timedelta(minutes=dice.randrange(2, 300))
    fields = _common(dataset, reporter, moment, arrival) | {
        "report.format": "rfc5965" if dataset == "arf" else "rfc6591"
    }
    source = dice.choice(_SPOOFS if kind == "spoof" else SOURCES[6:9] if kind == "harmless" else SOURCES[3:4])
    about = organization(source.from_domain)
    fields |= _place(source) | {
        "source.ip": dice.choice(source.addresses),
        "count": 1,
        "feedback.reported_domain": [about],
        "feedback.user_agent": "Reporter/1.0",
        "sample.headers_only": True,
    }
    fields |= {"spoof": _spoof, "harmless": _harmless, "complaint": _complaint}[kind](dice, about)
    fields |= _class(fields)
    row = Document(dataset, make_id(fields["report.message_id"], fields["source.ip"], fields["@timestamp"]), fields)
    yield row
    head = {
        name: value
        for name, value in fields.items()
        if name.split(".")[0] in {"@timestamp", "event", "report", "schema_version"}
    }
    yield _report([row], head, (arrival - moment).total_seconds() / 3600, 1, about)


def _spoof(dice: random.Random, about: str) -> Fields:
    host, subjects, name = dice.choice(_NETS)
    from_, subject = f"{dice.choice(('ceo', 'billing', 'support'))}@{about}", dice.choice(subjects)
    fields: Fields = {
        "feedback.type": "auth-failure",
        "feedback.auth_failure": ["dmarc"],
        "feedback.delivery_result": dice.choices(("reject", "spam", "delivered"), (5, 3, 2))[0],
        "sample.from": from_,
        "sample.subject": subject,
        "sample.headers": f"From: {from_}\nTo: user@university.example\nSubject: {subject}\nX-Mailer: Mass Example 2\n",
        "url.full": [f"https://{host}/{dice.randrange(6)}"],
        "url.domain": [host],
    }
    if name and dice.random() < 0.5:
        digest = make_id(name) + "0" * 24
        fields["file"] = [{"name": name, "type": "application/zip", "size": 18120, "hash.sha256": digest}]
    return fields


def _harmless(dice: random.Random, about: str) -> Fields:
    signals, subject = dice.choice(_HARMLESS)
    fields: Fields = {
        "feedback.type": "auth-failure",
        "feedback.auth_failure": dice.choice((["bodyhash"], ["signature"], ["dmarc", "spf"])),
        "sample.signals": signals,
        "sample.from": f"info@{about}",
        "sample.subject": subject,
    }
    return fields | dice.choice(({}, {"feedback.delivery_result": "delivered"}))


def _complaint(_: random.Random, about: str) -> Fields:
    return {"feedback.type": "abuse", "sample.from": f"news@{about}", "sample.subject": "Our autumn offers"}


# SMTP TLS

_MX = {"example.org": ("mx1.example.org", "mx2.example.org"), "example.net": ("mx.example.net",)}


def _tls(dice: random.Random, reporter: Reporter, begin: datetime, back: int) -> Iterator[Document]:
    hours = max(0.3, reporter.hours * dice.uniform(0.7, 1.4))
    for about, mx in _MX.items():
        head = _period("smtp-tls", reporter, begin, about, hours) | {
            "policy.type": "sts" if about == "example.org" else "no-policy-found",
            "policy.domain": about,
        }
        if about == "example.org":
            head |= {
                "policy.string": ["version: STSv1", "mode: enforce", "max_age: 604800", "mx: *.example.org"],
                "policy.mx_host": ["*.example.org"],
            }
        details = list(_failures(dice, about, mx, back))
        failed = sum(one["failure.failed_session_count"] for one in details)
        good = int(reporter.share * _weekday(begin) * dice.gauss(900 if about == "example.org" else 250, 60))
        sums = {"tls.record": "policy", "sessions.successful": max(good - failed, 0), "sessions.failed": failed}
        found = [sums, *({"tls.record": "failure"} | one for one in details)]
        rows = [Document("smtp-tls", make_id(head["report.id"], n), head | one) for n, one in enumerate(found)]
        yield from rows
        yield _report(rows, head, hours, max(good - failed, 0) + failed, about)


def _failures(dice: random.Random, about: str, mx: tuple[str, ...], back: int) -> Iterator[Fields]:
    wanted: list[tuple[str, str, int]] = []
    if about == "example.org" and 8 <= back <= 11:
        wanted.append(("certificate-expired", mx[1], 120))
    if about == "example.org" and back % 11 == 3:
        wanted.append(("sts-policy-fetch-error", "", 30))
    if dice.random() < 0.3:
        wanted.append(("starttls-not-supported", mx[0], 6))
    if about == "example.net" and back < 6:
        wanted.append(("certificate-host-mismatch", mx[0], 15))
    for kind, host, mean in wanted:
        address = f"198.51.100.{dice.choice((9, 10, 11))}"
        yield {
            "failure.result_type": kind,
            "failure.failed_session_count": max(1, int(dice.gauss(mean, mean / 5))),
            "failure.sending_mta_ip": address,
            "source.ip": address,
            "source.as.number": 64500,
            "source.as.organization.name": "Mailer Example Inc",
            "source.geo.country_iso_code": "US",
            **({"failure.receiving_mx_hostname": host, "failure.receiving_ip": "192.0.2.25"} if host else {}),
            **({"failure.reason_code": "X509_V_ERR_CERT_HAS_EXPIRED"} if kind == "certificate-expired" else {}),
        }


# What the intake should notice


def _oddities(last: datetime) -> Iterator[Document]:
    """A revised report, a report of a week, a report from another age; none of them with rows of its own here."""
    revised = _period("dmarc-aggregate", REPORTERS[1], last - timedelta(days=3), "example.org", 30)
    yield _report([], revised, 30, 0, "example.org", version=2)
    weekly = _period("dmarc-aggregate", REPORTERS[5], last - timedelta(days=8), "example.org", 20)
    weekly |= {"report.end": write_date(last - timedelta(days=1)), "report.duration": 7 * 86400, "report.id": "weekly"}
    weekly["report.errors"] = ["DNS timeout for _dmarc.example.org"]
    yield _report([], weekly, 20, 0, "example.org")
    odd = _period("dmarc-aggregate", REPORTERS[5], last - timedelta(days=2), "example.org", 20)
    odd |= {"report.begin": "2037-01-01T00:00:00Z", "report.end": "2037-01-02T00:00:00Z", "report.id": "odd"}
    odd |= {"@timestamp": "2037-01-01T12:00:00Z"}
    yield _report([], odd, 20, 0, "example.org")
