"""Six months with what goes wrong in them: each is told on the first evaluation after its reports, and little else."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.alerts.evaluate import evaluate
from email_report_processor.alerts.options import AlertOptions
from email_report_processor.stores.kept import Kept
from email_report_processor.values.fields import write_date
from tests.alerts.months import BEGIN, DAYS, REPORTERS, Days, Document, Month, look

OPTIONS = AlertOptions()
# What goes wrong: first day, last day, what it changes in the reports, and the rule that must say so ('' none).
WRONG: list[tuple[int, int, dict[str, Any], str]] = [
    (40, 42, {"failing": 40}, "wanted_fails"),  # a key was withdrawn
    (50, DAYS, {"selector": "s2"}, "changed"),  # a key was changed
    (60, DAYS, {"service": "news.example"}, "new_sender"),
    (70, 71, {"spoofs": {"Big Mail": 900}}, ""),  # a forger with one reporter
    (80, 81, {"spoofs": dict.fromkeys(REPORTERS, 300)}, "spoofing"),
    (90, 99, {"reporters": REPORTERS[:2]}, "silent_reporter"),
    (105, 106, {"result_type": "certificate-expired", "tls": 20}, "tls_failures"),
    (115, DAYS, {"policy": "quarantine"}, "changed"),
    (125, 126, {"tls": 60}, "tls_failures"),
    (135, DAYS, {"mode": "enforce"}, "changed"),
    (150, 152, {"reporters": ()}, "store_stands_still"),
    (165, 167, {"failing": 400}, "pass_rate"),
]
LATE = {"silent_reporter": 3}  # days that a rule waits by its threshold


def documents(month: Month) -> Any:
    def day(number: int) -> Iterator[Document]:
        wrong: dict[str, Any] = {}
        for first, last, more, _ in WRONG:
            if first <= number <= last:
                wrong |= more
        yield from month.day(number, **wrong)

    return day


@pytest.fixture(scope="module")
def told() -> list[dict[str, list[str]]]:
    """For each day the rules that say something new, with what they say."""
    store = Days(documents(Month()))
    found: list[dict[str, list[str]]] = []
    before: set[str] = set()
    for number in range(30, DAYS):
        events = evaluate(look(store, number), OPTIONS)
        new: dict[str, list[str]] = {}
        for event in events:
            if event.key not in before:
                new.setdefault(event.rule, []).append(event.sentence)
        before = (
            {event.key for event in events}
            | {event.key for event in events if not event.lasts}
            | {key for key in before if not key.startswith(("wanted", "pass", "spoof", "tls", "silent", "store"))}
        )
        found.append(new)
    return found


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_it_is_told_with_the_first_reports(told: list[dict[str, list[str]]], number: int) -> None:
    first, _, _, rule = WRONG[number]
    if rule:
        day = first + LATE.get(rule, 0)
        assert rule in told[day - 30], (day, told[day - 32 : day - 26])


def test_hardly_anything_else_is(told: list[dict[str, list[str]]]) -> None:
    expected = Counter(rule for *_, rule in WRONG if rule)
    expected["wanted_fails"] += 1  # what lowers the pass rate is mail of ours that fails
    said: Counter[str] = Counter()
    for new in told:
        for rule, sentences in new.items():
            said[rule] += len(sentences)
    assert (said - expected).total() <= 2, (said, expected)


def test_a_well_kept_month_is_silent() -> None:
    store = Days(Month(5).day)
    assert [event.sentence for number in range(30, 60) for event in evaluate(look(store, number), OPTIONS)] == []


def kept(category: str, days: float, size: int = 1000) -> Kept:
    return Kept(Path("x"), category, "", write_date(BEGIN + timedelta(days=61 - days)), size, 0)


@pytest.mark.parametrize(
    ("messages", "rules"),
    [
        ([kept("unreadable", 0.5)] * 5, {"unreadable"}),
        ([kept("unreadable", 0.5)] * 4, set()),
        ([kept("unreadable", 1.5)] * 50, set()),
        ([kept("no-report", 0.5)] * 50, set()),
        ([kept("no-report", 5)] * 800, {"kept_full"}),
        ([kept("no-report", 5)] * 799, set()),
        ([kept("no-report", 5, 8 * 10**8)], {"kept_full"}),
    ],
)
def test_kept_messages(messages: list[Kept], rules: set[str]) -> None:
    store = Days(Month(5).day)
    assert {event.rule for event in evaluate(look(store, 60, tuple(messages)), OPTIONS)} == rules


@pytest.mark.parametrize("rule", [name for name in AlertOptions._fields if name in {"spoofing", "tls_failures"}])
def test_a_rule_with_the_threshold_0_is_off(rule: str) -> None:
    store = Days(lambda number: Month(5).day(number, spoofs=dict.fromkeys(REPORTERS, 900 * (number == 60)), tls=90))
    found = {event.rule for event in evaluate(look(store, 60), OPTIONS)}
    assert rule in found
    assert found - {rule} == {
        event.rule
        for event in evaluate(
            look(store, 60),
            AlertOptions(**{rule: 0}),  # type: ignore[arg-type]  # a threshold
        )
    }


def test_a_new_domain_is_no_alarm() -> None:
    store = Days(lambda number: Month(5).day(number) if number >= 60 else iter(()))
    assert {event.rule for event in evaluate(look(store, 60), OPTIONS)} <= {"tls_failures"}


def test_a_store_without_any_report_is_no_good_sign() -> None:
    (event,) = evaluate(look(Days(lambda number: iter(())), 60), OPTIONS)
    assert (event.rule, event.level, event.sentence) == (
        "store_stands_still",
        "warning",
        "No report was ever stored here.",
    )


def test_an_import_of_old_mail_is_nothing_to_tell() -> None:
    def day(number: int) -> Iterator[Document]:
        yield from Month(5).day(number)
        old = Month(6).day(number, result_type="certificate-expired", tls=500, failing=500, service="old.example")
        yield from ({**one, "@timestamp": "2016-05-05T12:00:00Z"} for one in (old if number == 60 else ()))

    assert evaluate(look(Days(day), 60), OPTIONS) == []


def test_names_of_strangers_are_one_harmless_line() -> None:
    hostile = "evil\n|x=1 <b>@channel\u202e" + "y" * 5000

    def day(number: int) -> Iterator[Document]:
        yield from Month(5).day(number, **({"service": hostile} if number == 60 else {}))

    (event,) = evaluate(look(Days(day), 60), OPTIONS)
    assert "\n" not in event.sentence
    assert "\u202e" not in event.sentence
    assert len(event.sentence) < 300
