"""The sums that the advice asks for say what every row says, over both stores, whatever record is tried."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.advice.asking import rows
from email_report_processor.advice.cost import Cost, Site, reckon
from email_report_processor.advice.record import Record
from email_report_processor.documents.document import make_id
from email_report_processor.documents.encode import encode
from email_report_processor.documents.senders import read_senders
from email_report_processor.pages.figure import Period
from email_report_processor.stores.kinds import Asked, of_rows
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.store import Row, Selection, Store
from tests.nodes import Node

SENDERS = read_senders(
    {},
    [
        {"network": "192.0.2.0/24", "verdict": "stranger"},
        {"network": "192.0.2.0/26", "verdict": "mine"},
        {"network": "192.0.2.8/29", "verdict": "ignore", "until": "2026-12-31"},
        {"network": "2001:db8::/48", "verdict": "forwarder"},
        {"network": "198.51.100.0/24", "verdict": "service", "until": "2026-01-01"},
        {"domain": "service.example", "verdict": "service"},
        {"as": 64500, "verdict": "forwarder"},
        {"sender": "old", "verdict": "ignore", "until": "2026-12-31"},
    ],
)
SITES = {
    "no verdicts": Site(),
    "verdicts": Site(SENDERS, "2026-11-28"),
    "an include gone": Site(SENDERS, "2026-11-28", loses_spf=lambda address, _: address.endswith("1")),
}
RECORDS = [
    Record("example.org"),
    Record("example.org", p="reject"),
    Record("example.org", p="quarantine", sp="none", adkim="s"),
    Record("example.org", p="reject", aspf="s", t="y"),
]
NAMES = ["example.org", "news.example.org", "service.example", "example.net"]
ADDRESSES = [f"192.0.2.{last}" for last in (1, 9, 33, 70, 101, 200)] + ["198.51.100.1", "2001:db8::1", "2001:db8:1::1"]


def results(dice: random.Random, **more: str) -> list[dict[str, str]]:
    return [
        {"domain": dice.choice(NAMES), "result": dice.choice(["pass", "fail"]), **more}
        for _ in range(dice.randint(0, 2))
    ]


def document(dice: random.Random, number: int, prefix: str) -> Row:
    """Any row at all, now and then of another domain or of a forged report."""
    dkim, spf = results(dice, selector="a"), results(dice, scope=dice.choice(["mfrom", "helo"]))
    fields: dict[str, Any] = {
        "@timestamp": f"2026-11-{dice.randint(1, 28):02d}T12:00:00Z",
        "event.dataset": "dmarc-aggregate",
        "report.org_name": dice.choice(["Big", "Small", ""]),
        "report.authentication": dice.choice(["pass", "pass", "unchecked", "fail"]),
        "count": dice.randint(0, 9),
        "class": dice.choice(["aligned", "spoof", "forwarded", "own-unaligned"]),
        "source.ip": dice.choice(ADDRESSES),
        "source.name": dice.choice(["Old", "service.example", None]),
        "source.as.number": dice.choice([64500, 64501, None]),
        "source.as.organization.name": dice.choice(["Network", None]),
        "identifiers.header_from": dice.choice(["example.org", "news.example.org", None]),
        "policy_published.domain": dice.choice(["example.org"] * 9 + ["example.net"]),
        "policy_published.adkim": dice.choice(["r", "s", None]),
        "policy_published.aspf": dice.choice(["r", "s", None]),
        "policy_evaluated.dkim": dice.choice(["pass", "fail", None]),
        "policy_evaluated.spf": dice.choice(["pass", "fail", None]),
        "policy_evaluated.disposition": dice.choice(["none", "none", "none", "reject", None]),
        "auth_results.dkim": dkim,
        "auth_results.spf": spf,
        "dkim.signatures": [f"{one['domain']} / a / {one['result']}" for one in dkim],
        "spf.checks": [f"{one['domain']} / {one['scope']} / {one['result']}" for one in spf],
    }
    flat = {name: value for name, value in fields.items() if value not in (None, [])}
    return Row(f"{prefix}dmarc-aggregate-2026.11", make_id(prefix, number), encode(flat))


@pytest.fixture(scope="module", params=["sqlite", "node"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """800 rows."""
    prefix = "erp-test-asking-"
    dice = random.Random(17)
    made = [document(dice, number, prefix) for number in range(800)]
    if request.param == "node":
        node: Node = request.getfixturevalue("node")
        node.wipe(prefix)
        opened = open_store(node.url, prefix=prefix)
    else:
        path: Path = tmp_path_factory.mktemp("asking") / "reports.sqlite"
        opened = open_store(f"sqlite:{path}", prefix=prefix)
    opened.write(made)
    if request.param == "node":
        node.ask("POST", f"/{prefix}*/_refresh")
    yield opened
    opened.close()
    if request.param == "node":
        node.wipe(prefix)


def said(cost: Cost) -> dict[str, Any]:
    """All sums that are not 0."""
    return {
        "fates": dict(+cost.fates),
        "groups": dict(+cost.groups),
        "reporters": {name: dict(+one) for name, one in cost.reporters.items() if +one},
        "days": {name: dict(+one) for name, one in cost.days.items() if +one},
        "addresses": {group: dict(+one) for group, one in cost.addresses.items() if +one},
        "unsure": cost.unsure,
    }


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("record", RECORDS, ids=lambda one: one.text())
@pytest.mark.parametrize("since", ["", "2026-11-15T00:00:00Z", "2026-11-15T06:00:00Z"])
def test_sums_say_what_rows_say(store: Store, record: Record, site: str, since: str) -> None:
    period = Period(since, "2026-11-25T00:00:00Z" if since else "")
    asked = Asked("example.org", period.since, period.until)
    every = of_rows(one.row for one in store.select(Selection(asked.node, ("dmarc-aggregate",))))
    expected = said(reckon(every, record, SITES[site]))
    assert sum(expected["fates"].values()) > 0
    assert said(reckon(rows(store, period, record, SITES[site]), record, SITES[site])) == expected
