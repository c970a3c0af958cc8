"""What the site says of senders: what an entry may name, which counts, and until when."""

from typing import Any

import pytest

from email_report_processor.documents.enrich import source_name
from email_report_processor.documents.senders import Senders, read_senders, verdict


def senders(*entries: dict[str, Any]) -> Senders:
    found = read_senders({}, entries)
    assert found is not None
    return found


def row(**more: Any) -> dict[str, Any]:
    dkim = [{"domain": "mail.crm.example", "selector": "K2", "result": "pass"}]
    return {
        "source.ip": "192.0.2.7",
        "source.as.number": 64500,
        "source.name": "CRM",
        "auth_results.dkim": dkim,
        **more,
    }


DAY = "2026-11-28"
EVERYTHING: list[dict[str, Any]] = [
    {"sender": "crm", "verdict": "stranger", "comment": "7"},
    {"domain": "crm.example", "verdict": "stranger", "comment": "6"},
    {"as": 64500, "verdict": "stranger", "comment": "5"},
    {"dkim": "mail.crm.example", "verdict": "stranger", "comment": "4"},
    {"dkim": "mail.crm.example", "selector": "k2", "verdict": "stranger", "comment": "3"},
    {"network": "192.0.2.0/24", "verdict": "stranger", "comment": "2"},
    {"network": "192.0.2.7", "verdict": "stranger", "comment": "1"},
]


@pytest.mark.parametrize("number", range(len(EVERYTHING)))
def test_the_most_special_counts(number: int) -> None:
    found = verdict(row(), senders(*EVERYTHING[: number + 1]), DAY)
    assert found is not None
    assert found.comment == EVERYTHING[number]["comment"]


@pytest.mark.parametrize(
    "fields",
    [
        {"source.ip": "198.51.100.1", "source.as.number": 1, "source.name": "x", "auth_results.dkim": []},
        {"source.ip": "2001:db8::1"},
        {},
    ],
)
def test_nobody_is_named(fields: dict[str, Any]) -> None:
    assert verdict(fields, senders(*EVERYTHING), DAY) is None
    assert verdict(fields, None, DAY) is None


def test_a_key_that_failed_says_nothing() -> None:
    failed = row(**{"auth_results.dkim": [{"domain": "mail.crm.example", "selector": "k2", "result": "fail"}]})
    assert verdict(failed, senders(*EVERYTHING[1:2], *EVERYTHING[3:5]), DAY) is None


def test_later_entries_replace_earlier_ones() -> None:
    found = senders({"as": 64500, "verdict": "stranger"}, {"as": "AS64500", "verdict": "mine"})
    assert verdict(row(), found, DAY) == found.systems[64500]
    assert found.systems[64500].verdict == "mine"


@pytest.mark.parametrize(("day", "counts"), [("2026-12-31", True), ("2027-01-01", False)])
def test_until_its_last_day(day: str, counts: bool) -> None:
    found = senders({"as": 64500, "verdict": "ignore", "until": "2026-12-31"}, {"sender": "CRM", "verdict": "service"})
    said = verdict(row(), found, day)
    assert said is not None
    assert said.verdict == ("ignore" if counts else "service")


def test_a_name_without_a_verdict_and_a_verdict_without_a_name() -> None:
    found = senders({"network": "192.0.2.7", "verdict": "mine"}, {"as": 64500, "name": "Hosting"})
    assert source_name(row(), found) == "Hosting"
    said = verdict(row(), found, DAY)
    assert said is not None
    assert said.verdict == "mine"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"verdict": "mine"}, "it names nothing; name one of network, as, domain, dkim, sender"),
        ({"as": 1, "domain": "a.example", "verdict": "mine"}, "it names as and domain"),
        ({"as": 1}, "it says nothing; write a verdict, a name, or both"),
        ({"as": 1, "verdict": "good"}, "verdict = 'good'; write one of mine, service"),
        ({"as": "x1", "verdict": "mine"}, "is no network, AS number or domain"),
        ({"network": "300.1.1.1", "verdict": "mine"}, "is neither a network"),
        ({"domain": "192.0.2.1", "verdict": "mine"}, "is no domain"),
        ({"as": 1, "verdict": "ignore"}, "write until"),
        ({"as": 1, "verdict": "mine", "until": "soon"}, "'soon' is no day; write it as"),
        ({"as": 1, "verdict": "mine", "who": "me"}, "there is no key 'who'"),
        ("as 1", "it is no table"),
    ],
)
def test_what_is_refused_is_named(entry: Any, reason: str) -> None:
    with pytest.raises(ValueError, match="entry 2: ") as caught:
        read_senders({}, [{"as": 1, "verdict": "mine"}, entry])
    assert reason in str(caught.value)
