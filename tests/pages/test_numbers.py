"""Every number of the page is one that plain loops over the documents give too."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from email_report_processor.documents.document import Document
from email_report_processor.pages.figure import Page
from tests.pages.conftest import SINCE

Fields = dict[str, Any]
OURS = {"own-misconfigured", "broken-signature", "third-party-unaligned"}


@pytest.fixture(scope="session")
def believed(documents: list[Document]) -> dict[str, list[Fields]]:
    """Documents of the time that is asked about, by dataset, without what forged reports say."""
    found: dict[str, list[Fields]] = defaultdict(list)
    for document in documents:
        fields = dict(document.fields)
        if SINCE <= fields["@timestamp"] < "2026-11-22" and fields.get("report.authentication") != "fail":
            found[document.dataset].append(fields)
    return found


def count(some: list[Fields], **values: str) -> int:
    """Messages of the documents that have these values."""
    return sum(one["count"] for one in some if all(one.get(k.replace("__", ".")) == v for k, v in values.items()))


def by(some: list[Fields], name: str, sum_: str = "count") -> Counter[Any]:
    counts: Counter[Any] = Counter()
    for one in some:
        counts[one.get(name)] += one.get(sum_, 0)
    return counts


def test_the_first_answer(page: Page, believed: dict[str, list[Fields]]) -> None:
    mail = believed["dmarc-aggregate"]
    passed, failed = count(mail, dmarc__result="pass"), count(mail, dmarc__result="fail")
    lost = sum(one["count"] for one in mail if one["dmarc.result"] == "fail" and one["class"] in OURS)
    numbers = [int(text.replace(",", "")) for text in re.findall(r"[\d,]*\d(?![\d.%])", page.answers[0].sentence)]
    beside = dict.fromkeys(OURS, "identifiers.header_from") | {"third-party-unaligned": "source.name"}
    things = {
        (one["class"], one["policy_published.domain"], one.get(beside[one["class"]]))
        for one in mail
        if one["class"] in OURS
    }
    assert [passed + failed, passed, lost, len(things)] == [numbers[0], numbers[1], numbers[-2], numbers[-1]]
    assert f"({100 * passed / (passed + failed):.1f}%)" in page.answers[0].sentence
    assert page.answers[2].number == str(len(things))


def test_domains(page: Page, believed: dict[str, list[Fields]]) -> None:
    mail = believed["dmarc-aggregate"]
    for domain, messages, passed, failed, rate, trend in page.figure("domains").rows:
        mine = [one for one in mail if one["policy_published.domain"] == domain]
        assert messages == count(mine)
        assert passed == count(mine, dmarc__result="pass")
        assert failed == count(mine, dmarc__result="fail")
        assert rate == pytest.approx(count(mine, dmarc__result="pass") / count(mine))
        assert isinstance(trend, tuple)
        assert sum(trend) == messages
    assert len(page.figure("domains").rows) == len(by(mail, "policy_published.domain"))


def test_senders_and_hosts(page: Page, believed: dict[str, list[Fields]]) -> None:
    mail = believed["dmarc-aggregate"]
    names = by(mail, "source.name")
    for name, messages, failed, hosts, first, last, trend in page.figure("senders").rows:
        mine = [one for one in mail if one.get("source.name", "(nobody authenticated)") == name]
        days = [one["@timestamp"][:10] for one in mine]
        assert (messages, failed) == (count(mine), count(mine, dmarc__result="fail"))
        assert (hosts, first, last) == (len({one["source.ip"] for one in mine}), min(days), max(days))
        assert sum(trend) == messages  # type: ignore[arg-type]  # a trend is a tuple
    assert len(page.figure("senders").rows) == len(names)
    hosts_ = {row[0]: row for row in page.figure("hosts").rows}
    assert hosts_.keys() == by(mail, "source.ip").keys()
    for address, row in hosts_.items():
        mine = [one for one in mail if one["source.ip"] == address]
        assert row[1:3] == (count(mine, dmarc__result="fail"), count(mine))
    failed_of = [int(str(row[1])) for row in page.figure("hosts").rows]
    assert failed_of == sorted(failed_of, reverse=True)


DAYS: dict[str, Callable[[Fields], str]] = {
    "Authenticated twice": lambda one: "aligned" if one["class"] == "aligned" else "",
    "Authenticated once": lambda one: "x" if one["class"] != "aligned" and one["dmarc.result"] == "pass" else "",
    "Not authenticated, to fix": lambda one: "x" if one["dmarc.result"] == "fail" and one["class"] in OURS else "",
    "Not authenticated, others": lambda one: "x" if one["dmarc.result"] == "fail" and one["class"] not in OURS else "",
}


def test_by_day(page: Page, believed: dict[str, list[Fields]]) -> None:
    figure = page.figure("messages")
    names = [column.name for column in figure.columns]
    assert set(names[1:]) == DAYS.keys()
    for row in figure.rows:
        mine = [one for one in believed["dmarc-aggregate"] if one["@timestamp"][:10] == row[0]]
        for name, value in zip(names[1:], row[1:], strict=True):
            assert value == sum(one["count"] for one in mine if DAYS[name](one)), (row[0], name)
    assert len(figure.rows) == 30
