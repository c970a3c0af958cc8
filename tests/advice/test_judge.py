"""The quick judge against one that was written from the RFC alone."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.advice.judge import applying, judge
from email_report_processor.advice.record import LEVELS, Record, observed, stricter, tried
from tests.advice import reference
from tests.advice.reference import Result

NAMES = ["example.org", "news.example.org", "a.b.example.org", "gone.example.org", "example.net", "mail.example.net"]
AUTHORS = NAMES[:4]
EXISTS = frozenset(NAMES) - {"gone.example.org"}
RESULTS = ["pass", "fail", "none", "temperror"]

records = st.fixed_dictionaries(
    {"p": st.sampled_from(LEVELS)},
    optional={
        "sp": st.sampled_from(LEVELS),
        "np": st.sampled_from(LEVELS),
        "adkim": st.sampled_from("rs"),
        "aspf": st.sampled_from("rs"),
        "t": st.sampled_from("yn"),
    },
)
results = st.lists(st.builds(Result, st.sampled_from(NAMES), st.sampled_from(RESULTS)), max_size=3)


def as_text(record: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in record.items())


def compare(author: str, dkim: list[Result], spf: list[Result], before: dict[str, str], after: dict[str, str]) -> None:
    saw = reference.judge(author, dkim, spf, {"example.org": before}, EXISTS)
    expected = reference.judge(author, dkim, spf, {"example.org": after}, EXISTS)
    row = reference.as_row(author, dkim, spf, saw, before)
    found = judge(row, tried(as_text(after), Record("example.org")), absent={"gone.example.org"})
    assert (found.dkim, found.spf, found.policy, found.sure_results) == (*expected, True)


@given(st.sampled_from(AUTHORS), results, results, records, records)
def test_any_row_under_any_record(
    author: str, dkim: list[Result], spf: list[Result], before: dict[str, str], after: dict[str, str]
) -> None:
    compare(author, dkim, spf, before, after)


def one_of(random_: random.Random) -> dict[str, str]:
    record = {"p": random_.choice(LEVELS)}
    for name, values in (("sp", LEVELS), ("np", LEVELS), ("adkim", "rs"), ("aspf", "rs"), ("t", "yn")):
        if random_.random() < 0.5:
            record[name] = random_.choice(values)
    return record


@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_rows_under_fifty_records(seed: int) -> None:
    """With the other seeds: 100,000 rows under 500 records."""
    random_ = random.Random(seed)

    def some() -> list[Result]:
        return [Result(random_.choice(NAMES), random_.choice(RESULTS)) for _ in range(random_.randint(0, 2))]

    for _ in range(50):
        before, after = one_of(random_), one_of(random_)
        for _ in range(200):
            compare(random_.choice(AUTHORS), some(), some(), before, after)


def row(**more: Any) -> dict[str, Any]:
    return {
        "policy_published.domain": "example.org",
        "policy_published.p": "none",
        "identifiers.header_from": "example.org",
        "policy_evaluated.dkim": "pass",
        "policy_evaluated.spf": "fail",
        **more,
    }


STRICT = Record("example.org", p="reject", adkim="s", aspf="s")


def test_a_reporter_that_leaves_out_its_results_is_not_sure() -> None:
    assert not judge(row(), STRICT).sure
    assert judge(row(), STRICT._replace(adkim="r")).passes
    signed = [{"domain": "news.example.org", "result": "pass"}]
    assert judge(row(**{"auth_results.dkim": signed}), STRICT).sure
    assert not judge(row(**{"auth_results.dkim": signed}), STRICT).passes


def test_helo_never_counts() -> None:
    spf = [{"domain": "example.org", "result": "pass", "scope": "helo"}]
    fields = row(**{"policy_evaluated.dkim": "fail", "auth_results.spf": spf})
    assert not judge(fields, STRICT).passes


def test_an_include_that_would_be_gone() -> None:
    fields = row(**{"policy_evaluated.dkim": "fail", "policy_evaluated.spf": "pass", "source.ip": "192.0.2.1"})
    same = Record("example.org", p="reject")
    assert judge(fields, same).passes
    assert (
        judge(fields, same, loses_spf=lambda address, domain: (address, domain) == ("192.0.2.1", "example.org")).does
        == "reject"
    )


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("p=reject", Record("example.org", p="reject", sp="none")),
        ("v=DMARC1; P=Reject; t=y", Record("example.org", p="reject", sp="none", t="y")),
        ("", Record("example.org", p="quarantine", sp="none")),
        (
            "v=DMARC1; p=reject; rua=mailto:a@example.org; ruf=mailto:a@example.org; fo=1; adkim=s",
            Record("example.org", p="reject", sp="none", adkim="s"),
        ),
    ],
)
def test_a_record_is_tried_over_the_one_before(text: str, record: Record) -> None:
    assert tried(text, Record("example.org", p="quarantine", sp="none")) == record


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("p=block", "no value"),
        ("p=reject; P=none", "p is there twice"),
        ("pct=50", "does not decide"),
        ("reject", "no tag"),
        ("domain=x", "does not decide"),
    ],
)
def test_what_cannot_be_tried(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        tried(text, Record("example.org"))


def test_the_way_to_reject() -> None:
    steps = [Record("example.org", sp="none", t="y")]
    while (following := stricter(steps[-1])) is not None:
        steps.append(following)
    assert [one.text() for one in steps] == [
        "v=DMARC1; p=none; sp=none; t=y",
        "v=DMARC1; p=quarantine; sp=none",
        "v=DMARC1; p=reject; sp=none",
        "v=DMARC1; p=reject; sp=reject",
    ]


def test_what_receivers_saw() -> None:
    fields = {
        "policy_published.domain": "example.org",
        "policy_published.p": "reject",
        "policy_published.testing": True,
    }
    assert observed(fields) == Record("example.org", p="reject", t="y")
    assert applying(observed(fields), "example.org") == "quarantine"
