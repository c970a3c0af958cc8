"""The advice of the page and of the terminal is that of the rule that found a row, not of its class alone."""

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.documents.classify import AGGREGATE_RULES, CLASSES, Site, advice, classify
from email_report_processor.documents.document import Document
from email_report_processor.pages import fixing, html, mail, sources, text
from email_report_processor.pages.asking import Scope
from email_report_processor.pages.figure import Fix, Page
from email_report_processor.pages.fixing import TURNS, fixes, how
from email_report_processor.pages.overview import overview
from email_report_processor.stores.client import OpenSearchOptions
from email_report_processor.stores.opensearch import OpenSearchStore
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Question, Store, Total
from email_report_processor.stores.totals import check
from email_report_processor.stores.totals_sqlite import holding
from tests import nodes
from tests.pages.conftest import NOW, SCOPE, rows

DOMAIN = "example.org"
SUB = "bounce.example.org"
OTHERWISE = {rule.name: rule for rule in AGGREGATE_RULES if rule.do}
# Rule -> verdicts on DKIM and SPF, domain and result of the signature, and of SPF's check.
MAIL: dict[str, tuple[str, str, tuple[str, str], tuple[str, str]]] = {
    "A2s": ("fail", "pass", (SUB, "pass"), (DOMAIN, "pass")),
    "A2t": ("fail", "pass", (DOMAIN, "temperror"), (DOMAIN, "pass")),
    "A2": ("fail", "pass", ("crm.example", "pass"), (DOMAIN, "pass")),
    "A3s": ("pass", "fail", (DOMAIN, "pass"), (SUB, "pass")),
    "A3t": ("pass", "fail", (DOMAIN, "pass"), (DOMAIN, "temperror")),
    "A3n": ("pass", "fail", (DOMAIN, "pass"), (DOMAIN, "none")),
    "A3": ("pass", "fail", (DOMAIN, "pass"), ("list.example", "pass")),
    "A12": ("fail", "fail", ("crm.example", "fail"), (SUB, "pass")),
    "A13": ("fail", "fail", (DOMAIN, "pass"), ("crm.example", "fail")),
    "A14": ("fail", "fail", ("crm.example", "fail"), ("example.net", "pass")),
}
COUNTS = {rule: 3 * 2**number for number, rule in enumerate(MAIL)}  # sums of any of them differ


def row(rule: str, number: int, raw: bool = False) -> Document:
    """A row of a report about the day before yesterday, one third of what its rule has found."""
    dkim, spf, signature, check = MAIL[rule]
    fields: dict[str, Any] = {
        "@timestamp": "2026-11-19T12:00:00Z",
        "event.dataset": "dmarc-aggregate",
        "report.org_name": f"Reporter {number % 2}",
        "source.ip": f"192.0.2.{number}",
        "count": COUNTS[rule] // 3,
        "policy_published.domain": DOMAIN,
        "policy_published.adkim": "r" if rule == "A13" else "s",
        "policy_published.aspf": "r" if rule == "A13" else "s",
        "policy_evaluated.dkim": dkim,
        "policy_evaluated.spf": spf,
        "identifiers.header_from": DOMAIN,
        "auth_results.dkim": [{"domain": signature[0], "result": signature[1]}],
        "auth_results.spf": [{"domain": check[0], "result": check[1]}],
    }
    if raw:
        del fields["policy_evaluated.spf"]
    found = classify(fields, Site(own_domains=("example.net",)))
    assert found is not None
    assert found[1] == rule + ("-raw" if raw else "")
    return Document("dmarc-aggregate", f"{rule}-{number}-{raw}", fields | {"class": found[0], "class_rule": found[1]})


def documents() -> Iterator[Document]:
    """Three rows of each rule, from two hosts; one is without a verdict where the rule would be the same."""
    for place, rule in enumerate(MAIL):
        first = 10 * place + 1
        yield row(rule, first)
        yield row(rule, first + 1)
        yield row(rule, first, raw=True) if rule != "A13" else row(rule, first + 2)


@pytest.fixture(params=["sqlite", "opensearch"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Both that answer."""
    if request.param == "sqlite":
        embedded = SqliteStore(str(tmp_path / "reports.sqlite"))
        embedded.write(rows(documents()))
        yield embedded
        embedded.close()
        return
    prefix: str = request.getfixturevalue("prefix")
    node: nodes.Node = request.getfixturevalue("node")
    real = OpenSearchStore((node.url,), OpenSearchOptions(), prefix=prefix)
    real.write(rows(documents(), prefix))
    node.request("POST", f"/{prefix}*/_refresh")
    yield real
    real.close()
    node.wipe(prefix)


def things(store: Store, scope: Scope) -> tuple[Fix, ...]:
    return fixes(store, scope, mail.read(store, scope).by_rule(), sources.seen(store, scope))


def of(found: tuple[Fix, ...], rule: str) -> Fix:
    (one,) = [one for one in found if one.messages == COUNTS[rule]]
    return one


def test_each_rule_has_its_own_advice(store: Store) -> None:
    found = things(store, SCOPE)
    assert len(found) == len(MAIL)
    for rule in MAIL:
        one = of(found, rule)
        assert one.how == (OTHERWISE[rule].do if rule in OTHERWISE else how(one.class_))
        assert one.turn == "none" or (one.hosts, one.reporters) == (3 if rule == "A13" else 2, 2)
        assert one.turn == "none" or sum(host.messages for host in one.shown) == COUNTS[rule]
    turns = {rule: of(found, rule).turn for rule in MAIL}
    assert turns == {
        **dict.fromkeys(("A12", "A13", "A14"), "fix"),
        **dict.fromkeys(("A2", "A2s", "A3n"), "improve"),
        **dict.fromkeys(("A2t", "A3t"), "watch"),
        **dict.fromkeys(("A3", "A3s"), "none"),
    }


def test_a_record_is_proposed_where_it_is_the_advice(store: Store) -> None:
    found = things(store, SCOPE)
    proposed = {rule: [record.name for record in of(found, rule).records] for rule in MAIL}
    assert {rule: names for rule, names in proposed.items() if names} == {
        "A2": ["SELECTOR._domainkey.example.org"],
        "A2s": ["_dmarc.example.org"],
        "A12": ["_dmarc.example.org"],
    }


def test_page_and_terminal_say_it(store: Store) -> None:
    page: Page = overview(store, SCOPE, [], NOW)
    said = " ".join(text.page(page, 10_000).split())
    shown = unescape(html.overview(page))
    for rule in set(MAIL) & set(OTHERWISE):
        assert OTHERWISE[rule].do in said
        assert OTHERWISE[rule].do in shown
        assert OTHERWISE[rule].when.replace("`", "") in said


def test_every_rule_with_its_own_advice_is_tried() -> None:
    assert OTHERWISE.keys() <= MAIL.keys()
    assert set(fixing._TURN_OF_RULE) <= OTHERWISE.keys()
    assert set(fixing._TURN_OF_RULE.values()) <= TURNS.keys()
    assert all(advice(rule) == rule.do != CLASSES[rule.class_].do for rule in OTHERWISE.values())


def test_the_embedded_store_answers_from_its_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No question reads every document: neither what rules split nor what they do not."""
    store = SqliteStore(str(tmp_path / "reports.sqlite"))
    store.write(rows(documents()))
    asked: list[Question] = []
    answer = store.totals

    def note(question: Question) -> list[Total]:
        asked.append(question)
        return answer(question)

    monkeypatch.setattr(store, "totals", note)
    for domain in ("", DOMAIN):
        things(store, SCOPE._replace(domain=domain))
    assert any(question.node is not None for question in asked)
    assert [question for question in asked if holding(check(question), question.dataset) is None] == []
    store.close()
