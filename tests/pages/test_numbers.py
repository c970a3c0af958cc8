"""Every number of the page is one that plain loops over the documents give too: made-up weeks, and the real corpus."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from email_report_processor.documents.document import Document
from email_report_processor.documents.encode import decode
from email_report_processor.pages.asking import Scope
from email_report_processor.pages.figure import Page, Period
from email_report_processor.pages.overview import overview
from email_report_processor.stores.client import OpenSearchOptions
from email_report_processor.stores.opensearch import OpenSearchStore
from email_report_processor.stores.sqlite import SqliteStore
from tests import nodes
from tests.conftest import Program
from tests.pages.conftest import NOW, SCOPE, SINCE, rows

Fields = dict[str, Any]
OURS = {"own-misconfigured", "broken-signature", "third-party-unaligned", "own-unaligned"}
UNTIL = "2026-11-22"


class Case(NamedTuple):
    """Documents that count, by dataset, and the page of the store that holds them."""

    documents: dict[str, list[Fields]]
    page: Page

    @property
    def mail(self) -> list[Fields]:
        return self.documents["dmarc-aggregate"]

    def table(self, name: str) -> list[tuple[Any, ...]]:
        return list(self.page.figure(name).rows)


def believed(documents: Iterable[Fields], since: str) -> dict[str, list[Fields]]:
    """Those of the time that is asked about, without what forged reports say."""
    found: dict[str, list[Fields]] = defaultdict(list)
    for fields in documents:
        if since <= fields["@timestamp"] < UNTIL and fields.get("report.authentication") != "fail":
            found[fields["event.dataset"]].append(fields)
    return found


@pytest.fixture(scope="module", params=["weeks", "corpus"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """What is looked at."""
    if request.param == "weeks":
        documents: list[Document] = request.getfixturevalue("documents")
        page: Page = request.getfixturevalue("page")
        return Case(believed((dict(one.fields) for one in documents), SINCE), page)
    corpus: Path = request.getfixturevalue("corpus")
    folder = tmp_path_factory.mktemp("corpus")
    done = Program("email-report-processor", folder, folder / "state")(
        b"", str(corpus), store=f"sqlite:{folder}/reports.sqlite"
    )
    assert done.status in {0, 1}, done.stderr  # 1: some of it cannot be read
    store = SqliteStore(f"{folder}/reports.sqlite")
    stored = [dict(decode(row.source)) for row in store.scan()]
    page = overview(store, Scope(Period(), top=100_000), [], NOW)
    store.close()
    return Case(believed(stored, ""), page)


def count(some: Iterable[Fields]) -> int:
    return sum(one.get("count", 0) for one in some)


def failed(some: Iterable[Fields]) -> int:
    return count(one for one in some if one.get("dmarc.result") == "fail")


def passed(some: Iterable[Fields]) -> int:
    return count(one for one in some if one.get("dmarc.result") == "pass")


def grouped(some: Iterable[Fields], *names: str) -> dict[tuple[Any, ...], list[Fields]]:
    groups: dict[tuple[Any, ...], list[Fields]] = defaultdict(list)
    for one in some:
        groups[tuple(one.get(name) for name in names)].append(one)
    return groups


def day(one: Fields) -> str:
    return str(one["@timestamp"][:10])


def is_long(one: Fields) -> bool:
    return bool(one.get("report.duration", 0) > 26 * 3600)


def test_the_first_and_the_third_answer(case: Case) -> None:
    good, bad = passed(case.mail), failed(case.mail)
    lost = count(one for one in case.mail if one.get("dmarc.result") == "fail" and one.get("class") in OURS)
    said = [int(one.replace(",", "")) for one in re.findall(r"[\d,]*\d(?![\d.%])", case.page.answers[0].sentence)]
    if unjudged := count(case.mail) - good - bad:
        assert said.pop() == unjudged
    assert [good + bad, good, lost] == [*said[:2], said[-2]]
    assert case.page.answers[0].number == f"{100 * good / (good + bad):.1f}%"
    assert sum(part.amount for part in case.page.answers[0].parts) == count(case.mail)
    assert sum(case.page.answers[1].trend) == count(case.mail)
    assert sum(part.amount for part in case.page.answers[2].parts) == bad
    things = [fix for fix in case.page.fixes if fix.turn == "fix"]
    assert said[-1] == sum(fix.things for fix in things) == int(case.page.answers[2].number)


def test_things_to_fix(case: Case) -> None:
    """Each with its messages, hosts and reporters; together they are all messages of their class."""
    by_class = grouped(case.mail, "class")
    totals: Counter[str] = Counter()
    for fix in case.page.fixes:
        totals[fix.class_] += fix.messages
        addresses = {host.address: host.messages for host in fix.shown}
        mine = [one for one in by_class[(fix.class_,)] if one.get("source.ip", "-") in addresses]
        for address, messages in addresses.items():
            assert 0 < messages <= count(one for one in mine if one.get("source.ip", "-") == address)
        if fix.subject in DOMAINS:
            mine = [one for one in by_class[(fix.class_,)] if one["policy_published.domain"] == fix.subject]
            if fix.class_ in {"spoof", "temperror"}:
                assert fix.messages == count(mine)
                assert fix.hosts == len({one["source.ip"] for one in mine})
                assert fix.reporters == len({one["report.org_name"] for one in mine})
    classes = {class_: count(some) for (class_,), some in by_class.items() if class_ is not None}
    assert {name: number for name, number in totals.items() if number} == {k: v for k, v in classes.items() if v}
    ranks = ["fix", "decide", "improve", "watch", "none"]
    order = [(ranks.index(fix.turn), fix.things > 1, -fix.messages) for fix in case.page.fixes]
    assert order == sorted(order)


DOMAINS = {"example.org", "example.net"}


def test_domains(case: Case) -> None:
    groups = grouped(case.mail, "policy_published.domain")
    assert len(case.table("domains")) == len(groups)
    for domain, messages, good, bad, rate, trend in case.table("domains"):
        mine = groups[(None if domain == "-" else domain,)]
        assert (messages, good, bad) == (count(mine), passed(mine), failed(mine))
        assert rate == (pytest.approx(good / (good + bad)) if good + bad else None)
        assert sum(trend) == messages


def test_senders(case: Case) -> None:
    groups = grouped(case.mail, "source.name")
    assert len(case.table("senders")) == len(groups)
    for name, messages, bad, hosts, first, last, trend in case.table("senders"):
        mine = groups[(None if name == "(nobody authenticated)" else name,)]
        assert (messages, bad) == (count(mine), failed(mine))
        addresses = {one["source.ip"] for one in mine if "source.ip" in one}
        assert (hosts, first, last) == (len(addresses), min(map(day, mine)), max(map(day, mine)))
        assert sum(trend) == messages


def test_hosts(case: Case) -> None:
    groups = grouped(case.mail, "source.ip")
    assert len(case.table("hosts")) == len(groups)
    for address, bad, messages, *_ in case.table("hosts"):
        mine = groups[(None if address == "-" else address,)]
        assert (bad, messages) == (failed(mine), count(mine))
    order = [row[1] for row in case.table("hosts")]
    assert order == sorted(order, reverse=True)


def test_places(case: Case) -> None:
    for figure, names in (
        ("countries", ("source.geo.country_iso_code",)),
        ("networks", ("source.as.organization.name", "source.as.number")),
    ):
        groups = {key: some for key, some in grouped(case.mail, *names).items() if any(key)}
        assert len(case.table(figure)) == len(groups)
        found = {(row[0],): row[-2:] for row in case.table(figure)}
        for key, some in groups.items():
            assert found[(key[0],)] == (count(some), failed(some))


def test_policies(case: Case) -> None:
    groups = grouped(case.mail, *(f"policy_published.{name}" for name in ("domain", "p", "sp", "np")))
    assert len(case.table("policies")) == len(groups)
    for *key, first, last, messages in case.table("policies"):
        mine = groups[tuple(None if value == "-" else value for value in key)]
        assert (first, last, messages) == (min(map(day, mine)), max(map(day, mine)), count(mine))


BARS: dict[str, Callable[[Fields], bool]] = {
    "Authenticated twice": lambda one: one.get("class") == "aligned",
    "Authenticated once": lambda one: one.get("class") != "aligned" and one.get("dmarc.result") != "fail",
    "Not authenticated, to fix": lambda one: one.get("dmarc.result") == "fail" and one.get("class") in OURS,
    "Not authenticated, others": lambda one: one.get("dmarc.result") == "fail" and one.get("class") not in OURS,
}


def test_by_day(case: Case) -> None:
    """Bars of a day, or of weeks where the time is long; a report about weeks is on none of them."""
    short = [one for one in case.mail if not is_long(one)]
    figure = case.page.figure("messages")
    marks = [str(row[0]) for row in figure.rows]
    assert len(marks) <= 100
    for names, row in ((figure.columns[1:], row) for row in figure.rows):
        mine = [one for one in short if _mark(day(one), marks) == row[0]]
        assert row[1:] == tuple(count(filter(BARS[column.name], mine)) for column in names)
    assert sum(sum(row[1:]) for row in case.table("messages")) == count(short)
    for row in case.table("pass-rate"):
        mine = [one for one in short if _mark(day(one), marks) == row[0]]
        assert row[1:3] == (count(mine), passed(mine))
    failing = sum(sum(row[1:]) for row in case.table("failing"))
    assert failing == failed(short)
    long = count(case.mail) - count(short)
    assert bool(figure.left_out) == bool(long)
    assert not long or f"{long:,} message" in figure.left_out[0]


def _mark(day: str, marks: list[str]) -> str:
    return max(mark for mark in marks if mark <= day)


def test_tls(case: Case) -> None:
    policies = [one for one in case.documents["smtp-tls"] if one["tls.record"] == "policy"]
    kinds = {"sts": "MTA-STS", "tlsa": "DANE", "no-policy-found": "no policy found"}
    groups: dict[tuple[Any, ...], list[Fields]] = defaultdict(list)
    for one in policies:
        type_ = one.get("policy.type", "-")
        groups[one.get("policy.domain", "-"), kinds.get(type_, type_)].append(one)
    assert len(case.table("tls-policies")) == len(groups)
    for domain, kind, good, bad, _ in case.table("tls-policies"):
        mine = groups[domain, kind]
        assert good == sum(one.get("sessions.successful", 0) for one in mine)
        assert bad == sum(one.get("sessions.failed", 0) for one in mine)
    short = [one for one in policies if not is_long(one)]
    drawn = [sum(row[number] for row in case.table("tls-sessions")) for number in (1, 2)]
    assert drawn == [sum(one.get(f"sessions.{name}", 0) for one in short) for name in ("successful", "failed")]
    failures = [one for one in case.documents["smtp-tls"] if one["tls.record"] == "failure"]
    names = ("failure.result_type", "failure.receiving_mx_hostname", "policy.domain")
    by_failure = grouped(failures, *names)
    assert len(case.table("tls-failures")) == len(by_failure)
    for *key, sessions, _ in case.table("tls-failures"):
        mine = by_failure[tuple(None if value == "-" else value for value in key)]
        assert sessions == sum(one.get("failure.failed_session_count", 0) for one in mine)


def test_feedback(case: Case) -> None:
    feedback = [*case.documents["dmarc-failure"], *case.documents["arf"]]
    groups = grouped(feedback, "feedback.type", "class")
    assert len(case.table("feedback")) == len(groups)
    for kind, class_, messages, delivered, _ in case.table("feedback"):
        mine = groups[None if kind == "-" else kind, None if class_ == "-" else class_]
        assert messages == count(mine)
        assert delivered == count(one for one in mine if one.get("feedback.delivery_result") == "delivered")
    assert sum(sum(row[1:]) for row in case.table("failed-messages")) == count(feedback)


def test_intake(case: Case) -> None:
    reports = case.documents["report"]
    groups = grouped([one for one in reports if one["report.dataset"] == "dmarc-aggregate"], "report.org_name")
    assert len(case.table("reporters")) == len(groups)
    for name, _, number, messages, last, trend in case.table("reporters"):
        mine = groups[(None if name == "-" else name,)]
        assert (number, last) == (len(mine), max(map(day, mine)))
        assert messages == sum(one["messages"] for one in mine)
        assert sum(trend) == number
    warnings: Counter[tuple[str, str]] = Counter()
    for dataset, some in case.documents.items():
        warnings.update((warning, dataset) for one in some for warning in set(one.get("warnings", ())))
    for warning, dataset in [key for key in warnings if ", column " in key[0]]:  # told together, wherever it was
        warnings[re.sub(r": line \d+, column \d+", "", warning), dataset] += warnings.pop((warning, dataset))
    assert {row[:2]: row[2] for row in case.table("warnings")} == warnings


def test_versions(case: Case) -> None:
    """Reports under one identity: what they say together, and what the rows of their id, day and domain hold."""
    several = {key: some for key, some in grouped(case.documents["report"], "report.identity").items() if some[1:]}
    figure = case.page.figure("versions")
    assert len(figure.rows) + figure.more == len(several)
    for reporter, id_, domain, when, number, said, stored, difference in case.table("versions"):
        key = (reporter, id_, domain, when)
        mine = [some for some in several.values() if _report_key(some[0]) == key]
        assert any((len(some), sum(one["messages"] for one in some)) == (number, said) for some in mine)
        mail = [one for one in case.mail if _row_key(one, "policy_published.domain") == key]
        sessions = [one for one in case.documents["smtp-tls"] if _row_key(one, "policy.domain") == key]
        held = [one.get(f"sessions.{name}", 0) for one in sessions for name in ("successful", "failed")]
        assert (stored, difference) == (count(mail) + sum(held), said - stored)


def _report_key(one: Fields) -> tuple[str, ...]:
    return one.get("report.org_name", "-"), one["report.id"], one["report.domain"][0], day(one)


def _row_key(one: Fields, domain: str) -> tuple[str, ...]:
    return one.get("report.org_name", "-"), one["report.id"], one.get(domain, ""), day(one)


@pytest.fixture
def real(node: nodes.Node, prefix: str, documents: list[Document]) -> Iterator[OpenSearchStore]:
    """The weeks on the node."""
    store = OpenSearchStore((node.url,), OpenSearchOptions(), prefix=prefix)
    store.write(rows(documents, prefix))
    node.request("POST", f"/{prefix}*/_refresh")
    yield store
    store.close()


def test_opensearch_shows_the_same_page(real: OpenSearchStore, page: Page, store: SqliteStore) -> None:
    found = overview(real, SCOPE, [], NOW)
    for figure, other in zip(found.figures, page.figures, strict=True):
        assert figure == other
    assert found._replace(store=page.store) == page
    narrow = SCOPE._replace(domain="example.net")
    assert overview(real, narrow, [], NOW)._replace(store="") == overview(store, narrow, [], NOW)._replace(store="")
