"""The change journal: what changed, who saw it first, what came of it; the same over both stores."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.advice import journal, journal_page
from email_report_processor.advice.journal import Change, Effect, Entry, changes
from email_report_processor.documents.document import make_id
from email_report_processor.documents.encode import encode
from email_report_processor.pages import text
from email_report_processor.pages.asking import Scope
from email_report_processor.pages.figure import Period
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.store import Row, Store
from tests.nodes import Node

BEGIN = date(2026, 9, 1)


def day(number: int) -> str:
    return (BEGIN + timedelta(days=number)).isoformat()


def test_each_reporter_has_its_own_day() -> None:
    seen = [(day(number), "A", "none" if number < 10 else "reject") for number in range(20)]
    seen += [(day(number), "B", "none" if number < 12 else "reject") for number in range(0, 20, 4)]
    assert changes("p", seen) == [Change("p", "none", "reject", day(10), ((day(10), "A"), (day(12), "B")))]


def test_back_and_again_are_changes_of_their_own() -> None:
    values = ["none"] * 5 + ["reject"] * 5 + ["none"] * 5 + ["reject"] * 5
    found = changes("p", [(day(number), "A", value) for number, value in enumerate(values)])
    assert sorted((one.first, one.before, one.after) for one in found) == [
        (day(5), "none", "reject"),
        (day(10), "reject", "none"),
        (day(15), "none", "reject"),
    ]


def test_what_comes_months_later_is_another_change() -> None:
    seen = [(day(0), "A", "none"), (day(1), "A", "reject"), (day(0), "B", "none"), (day(100), "B", "reject")]
    assert [one.first for one in changes("p", seen)] == [day(1), day(100)]


@given(st.lists(st.tuples(st.integers(0, 60).map(day), st.sampled_from("ABC"), st.sampled_from(["", "r", "s"]))))
def test_every_step_of_every_reporter_is_in_one_change(seen: list[tuple[str, str, str]]) -> None:
    found = changes("aspf", seen)
    steps = 0
    for reporter in "ABC":
        values = [value for _, who, value in sorted(seen) if who == reporter]
        steps += sum(one != other for one, other in pairwise(values))
    assert sum(len(one.reporters) for one in found) == steps
    assert all(one.before != one.after and one.first == one.reporters[0][0] for one in found)


def rows(prefix: str) -> Iterator[Row]:
    """80 days of two reporters: p=reject and a new key after 40, spoofs delivered before it alone."""
    for number in range(80):
        for reporter, delay in (("A", 0), ("B", 2)):
            strict = number >= 40 + delay
            key = [{"domain": "example.org", "selector": "new" if number >= 40 else "old", "result": "pass"}]
            ours = {"policy_evaluated.dkim": "pass", "dmarc.result": "pass", "class": "aligned", "count": 100}
            spoof = {"policy_evaluated.dkim": "fail", "dmarc.result": "fail", "class": "spoof", "count": 10}
            for kind, fields in (("ours", ours), ("spoof", spoof)):
                document: dict[str, Any] = {
                    "@timestamp": f"{day(number)}T12:00:00Z",
                    "event.dataset": "dmarc-aggregate",
                    "report.org_name": reporter,
                    "policy_published.domain": "example.org",
                    "policy_published.p": "reject" if strict else "none",
                    "policy_evaluated.disposition": "reject" if strict and kind == "spoof" else "none",
                    **fields,
                }
                if kind == "ours":
                    document |= {"auth_results.dkim": key, "dkim.signatures": [_joined(key[0])]}
                yield Row(f"{prefix}dmarc-aggregate-2026", make_id(number, reporter, kind), encode(document))


def _joined(one: dict[str, str]) -> str:
    return f"{one['domain']} / {one['selector']} / {one['result']}"


@pytest.fixture(params=["sqlite", "node"])
def store(request: pytest.FixtureRequest, prefix: str, tmp_path: Path) -> Iterator[Store]:
    if request.param == "node":
        node: Node = request.getfixturevalue("node")
        opened = open_store(node.url, prefix=prefix)
    else:
        opened = open_store(f"sqlite:{tmp_path / 'reports.sqlite'}", prefix=prefix)
    opened.write(rows(prefix))
    if request.param == "node":
        node.ask("POST", f"/{prefix}*/_refresh")
    yield opened
    opened.close()
    if request.param == "node":
        node.wipe(prefix)


def test_a_change_and_what_came_of_it(store: Store) -> None:
    entries = journal.read(store, Scope(Period(), "example.org"))
    (policy,) = [one for one in entries if one.change.what == "p"]
    assert policy.change == Change("p", "none", "reject", day(40), ((day(40), "A"), (day(42), "B")))
    assert policy.before == Effect(14 * 220, 14 * 200, 14 * 20, 0)
    assert policy.after == Effect(14 * 220, 14 * 200, 0, 0)
    assert {
        (one.change.before, one.change.after, one.change.first) for one in entries if "DKIM" in one.change.what
    } == {
        ("", "new", day(40)),
        ("old", "", day(39)),
    }
    said = text.page(journal_page.page(entries, "example.org", Period(), "store", "2026-11-28T00:00:00Z"), 200)
    assert f"p went from none to reject on {day(40)}. Spoofs delivered: 280 before, 0 after." in said


def effect(**more: int) -> Effect:
    return Effect(1000, 900, 0, 0)._replace(**more)


@pytest.mark.parametrize(
    ("before", "after", "level", "words"),
    [
        (effect(spoofs=50), effect(), "ok", "is what it was"),
        (effect(), effect(passed=990), "ok", "rose from"),
        (effect(), effect(passed=500), "ok", "fell from"),
        (effect(), effect(refused=3), "bad", "3 after"),
        (effect(), effect(spoofs=3), "warn", "3 after"),
        (effect(), Effect(0, 0, 0, 0), "none", "There are no reports"),
    ],
)
def test_did_it_help(before: Effect, after: Effect, level: str, words: str) -> None:
    answer = journal_page.answer([Entry(Change("p", "none", "reject", day(1), ()), before, after)])
    assert (answer.level, words in answer.sentence) == (level, True)


def test_nothing_changed() -> None:
    assert journal_page.answer([]).sentence == "No reporter saw the policy change in this time."
