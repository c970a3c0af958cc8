"""What a record would have cost: no wanted message that would be lost is ever overlooked."""

import random
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.advice import answer
from email_report_processor.advice import cost as costs
from email_report_processor.advice.cost import FATES, Cost, Site
from email_report_processor.advice.judge import applying
from email_report_processor.advice.record import LEVELS, Record
from email_report_processor.desk.verdicts import make_entry
from email_report_processor.documents.senders import read_senders
from email_report_processor.pages import text
from email_report_processor.pages.figure import Period
from email_report_processor.stores.kinds import of_document

AUTHORS = ["example.org", "news.example.org", "gone.example.org"]
REJECT = Record("example.org", p="reject")
SENDERS = read_senders(
    {},
    [
        {"network": "192.0.2.0/25", "verdict": "mine"},
        {"domain": "service.example", "verdict": "service"},
        {"network": "203.0.113.0/24", "verdict": "stranger"},
        {"as": 64500, "verdict": "forwarder"},
        {"sender": "old", "verdict": "ignore", "until": "2026-12-31"},
    ],
)
SITE = Site(SENDERS, "2026-11-28")


def row(**more: Any) -> dict[str, Any]:
    """A row that fails, of somebody unknown, delivered."""
    fields = {
        "@timestamp": "2026-11-20T12:00:00Z",
        "report.org_name": "Big Mail",
        "count": 1,
        "class": "spoof",
        "source.ip": "198.51.100.1",
        "identifiers.header_from": "example.org",
        "policy_published.domain": "example.org",
        "policy_published.p": "none",
        "policy_evaluated.dkim": "fail",
        "policy_evaluated.spf": "fail",
        "policy_evaluated.disposition": "none",
    }
    return fields | {name.replace("__", "."): value for name, value in more.items()}


def reckon(rows: list[dict[str, Any]], record: Record, site: Site) -> Cost:
    return costs.reckon(map(of_document, rows), record, site)


def passed(domain: str) -> list[dict[str, str]]:
    return [{"domain": domain, "result": "pass"}]


@pytest.mark.parametrize(
    ("fields", "fate"),
    [
        (row(policy_evaluated__dkim="pass"), "kept"),
        (row(), "unknown"),
        (row(source__ip="192.0.2.1"), "lost"),
        (row(auth_results__dkim=passed("mail.service.example")), "lost"),
        ({**row(), "class": "own-misconfigured"}, "lost"),
        (row(source__ip="203.0.113.5"), "stopped"),
        ({**row(), "source.as.number": 64500}, "forwarded"),
        ({**row(), "class": "mailing-list"}, "forwarded"),
        ({**row(), "class": "forwarded"}, "forwarded"),
        ({**row(), "source.name": "Old"}, "ignored"),
        (row(source__ip="192.0.2.1", policy_evaluated__disposition="reject"), "refused"),
    ],
)
def test_fates(fields: dict[str, Any], fate: str) -> None:
    cost = reckon([fields], REJECT, SITE)
    assert +cost.fates == {fate: 1}
    assert cost.loses_nothing == (fate in {"kept", "stopped", "ignored", "refused"})


def test_own_mail_that_strict_alignment_would_break() -> None:
    fields = row(policy_evaluated__spf="pass", auth_results__spf=passed("bounce.example.org"))
    assert +reckon([fields], REJECT, SITE).fates == {"kept": 1}
    assert +reckon([fields], REJECT._replace(aspf="s"), SITE).fates == {"lost": 1}


def test_the_strictest_record_that_loses_nothing() -> None:
    """It is held against trying each of them."""
    dice = random.Random(5)
    every = [Record("example.org", p, sp, np) for p in LEVELS[::2] for sp in LEVELS[::2] for np in LEVELS[::2]]
    site = SITE._replace(absent={"gone.example.org"})
    answers = set()
    for _ in range(100):
        rows = [
            row(
                source__ip=dice.choice(["192.0.2.1", "203.0.113.5"]),
                identifiers__header_from=dice.choice(AUTHORS),
                policy_evaluated__dkim=dice.choice(["pass"] * 5 + ["fail"]),
            )
            for _ in range(4)
        ]
        good = [step for step in every if reckon(rows, step, site).loses_nothing]
        found = reckon(rows, dice.choice(every), site).strictest(site.absent)
        assert found is not None
        assert all(
            applying(found, author, site.absent) == applying(good[-1], author, site.absent) for author in AUTHORS
        )
        answers.add(found)
    assert len(answers) > 4


def test_nothing_is_nothing_to_rely_on() -> None:
    assert not reckon([], REJECT, SITE).loses_nothing


def test_a_policy_of_none_loses_nothing() -> None:
    assert +reckon([row(), row(source__ip="192.0.2.1")], Record("example.org"), SITE).fates == {"kept": 2}


def month(seed: int) -> tuple[list[dict[str, Any]], bool]:
    """Rows of a generated month, and whether one that is wanted fails."""
    random_ = random.Random(seed)
    rows, wanted = [], False
    for _ in range(40):
        ours = random_.random() < 0.7
        fails = random_.random() < (0.02 if ours else 0.9)
        results = passed("example.org") if not fails else []
        fields = row(
            source__ip=f"192.0.2.{random_.randint(1, 120)}" if ours else f"203.0.113.{random_.randint(1, 250)}",
            policy_evaluated__dkim="fail" if fails else "pass",
            auth_results__dkim=results,
            policy_evaluated__disposition=random_.choice(["none", "none", "none", "reject"]) if fails else "none",
        )
        wanted |= ours and fails and fields["policy_evaluated.disposition"] == "none"
        rows.append(
            fields | {"class": random_.choice(["spoof", "forwarded", "broken-signature"]) if fails else "aligned"}
        )
    return rows, wanted


def test_it_never_says_nothing_is_lost_where_something_wanted_is() -> None:
    said = set()
    for seed in range(1000):
        rows, wanted = month(seed)
        cost = reckon(rows, REJECT, SITE)
        assert cost.loses_nothing != wanted or cost.fates["forwarded"], seed
        assert not (wanted and cost.loses_nothing), seed
        said.add(cost.loses_nothing)
    assert said == {True, False}


def test_nor_where_it_comes_from_subdomains_that_may_not_exist() -> None:
    """A record of any levels, mail of any of the domains; whichever of them exist, what is wanted is not lost."""
    said = set()
    for seed in range(1000):
        dice = random.Random(seed)
        record = Record("example.org", dice.choice(LEVELS), dice.choice(["", *LEVELS]), dice.choice(["", *LEVELS]))
        rows, _ = month(seed)
        rows = [one | {"identifiers.header_from": dice.choice(AUTHORS)} for one in rows]
        wanted = [
            str(one["identifiers.header_from"])
            for one in rows
            if one["source.ip"].startswith("192.0.2.")
            and (one["policy_evaluated.dkim"], one["policy_evaluated.disposition"]) == ("fail", "none")
        ]
        worlds: list[Collection[str]] = [[], AUTHORS[1:2], AUTHORS[2:], AUTHORS[1:]]
        lost = any(applying(record, author, absent) != "none" for author in wanted for absent in worlds)
        cost = reckon(rows, record, SITE)
        assert not (lost and cost.loses_nothing), seed
        strict = cost.strictest()
        assert strict is not None
        assert not any(applying(strict, author, absent) != "none" for author in wanted for absent in worlds), seed
        said.add(cost.loses_nothing)
    assert said == {True, False}


def shown(cost: Cost) -> str:
    return " ".join(text.page(answer.page(cost, Period(), "reports.sqlite", "2026-11-28T09:00:00Z")).split())


def test_the_answer_in_words() -> None:
    lost = shown(
        reckon([row(source__ip="192.0.2.1", count=7), row(policy_evaluated__dkim="pass", count=93)], REJECT, SITE)
    )
    assert "Of 100 messages, 93 would still be delivered. 7 messages that you want would be lost" in lost
    assert "192.0.2.1" in lost
    unknown = shown(reckon([row(count=3)], REJECT, SITE))
    assert "nobody has said whose 3 messages are" in unknown
    assert "email-report-admin verdict 198.51.100.1 stranger" in unknown
    passes = row(policy_evaluated__dkim="pass", count=5)
    alone = shown(reckon([passes], REJECT, SITE))
    assert "Nothing of it is lost; but that is the word of one reporter." in alone
    assert "One reporter alone says all of this." in alone
    assert "It loses nothing." in shown(reckon([passes, passes | {"report.org_name": "Other"}], REJECT, SITE))


def test_one_reporter_alone_moves_no_answer() -> None:
    """Neither to the better; nor, without being named, to the worse."""
    passes = [row(policy_evaluated__dkim="pass", report__org_name=name, count=500) for name in ("Here", "There")]
    cost = reckon(passes[:1], REJECT, SITE)
    assert (cost.loses_nothing, answer.is_safe(cost)) == (True, False)
    assert answer.is_safe(reckon(passes, REJECT, SITE))
    assert answer.is_safe(reckon(passes[:1], Record("example.org"), SITE))  # p=none asks for nothing
    fails = row(source__ip="192.0.2.1", report__org_name="Odd")
    assert "Odd alone says so: it may be its fault." in answer.verdict(reckon([*passes, fails], REJECT, SITE)).sentence
    both = reckon([*passes, fails, row(source__ip="192.0.2.1", report__org_name="Here")], REJECT, SITE)
    assert "alone says so" not in answer.verdict(both).sentence


def test_what_to_do_fits_the_mail() -> None:
    """No command for who has neither name nor address, nothing about no messages, no "Nothing" for lost mail."""
    unnamed = {name: value for name, value in row(count=3).items() if name != "source.ip"}
    nobody = shown(reckon([unnamed], REJECT, SITE))
    assert "3 messages of 1 host" in nobody
    assert "email-report-admin verdict" not in nobody
    assert "To judge" not in shown(reckon([row(count=0)], REJECT, SITE))
    signed = row(**{"class": "aligned", "auth_results.dkim": passed("news.example.org")}, count=3)
    strict = shown(reckon([signed], REJECT._replace(adkim="s"), SITE))
    assert "It passes under the record of today: what is tried breaks it." in strict
    assert "nothing passed" not in strict  # above mail that passes today


def test_every_fate_has_its_column() -> None:
    rows = [row(policy_evaluated__dkim="pass"), row()]
    figures = answer.page(reckon(rows, REJECT, SITE), Period(), "store", "2026-11-28T09:00:00Z").figures
    for figure in figures:
        assert len(figure.columns) == 1 + len(FATES)
        assert sum(cell for cells in figure.rows for cell in cells[1:] if isinstance(cell, int)) == 2


def test_what_was_refused_and_looks_like_ours_is_said() -> None:
    """A domain with p=reject whose own mail fails: nothing more would be lost, and something is lost already."""
    mine = row(source__ip="192.0.2.1", policy_evaluated__disposition="reject", count=4)
    ours = row(auth_results__spf=passed("example.org"), policy_evaluated__disposition="reject", count=2)
    strange = row(policy_evaluated__disposition="reject", count=1)
    cost = reckon([mine, ours, strange], REJECT, SITE)
    assert (cost.fates["refused"], cost.refused_wanted.total()) == (7, 6)
    assert "7 messages were refused already. 6 of those look like yours" in shown(cost)
    assert "with p=quarantine first" not in shown(cost)
    assert "look like yours" not in shown(reckon([strange], REJECT, SITE))


@pytest.mark.parametrize(
    "fields",
    [
        {"source__name": 'It\'s "Ours"; rm -rf $HOME & co.'},
        {"source__name": "x" * 300, "class": "third-party-unaligned"},
        {"source__name": "mail.example"},
        {"source__as__organization__name": "Example Hosting", "source__as__number": 64511},
        {"source__ip": "2001:db8::1"},
        {},
    ],
)
def test_the_command_that_is_shown_gives_the_verdict_that_it_says(fields: dict[str, Any], tmp_path: Path) -> None:
    """Through a shell, as a person pastes it; and with the verdict nothing is left to judge."""
    given = row(**fields)
    (fix,) = answer.page(reckon([given], REJECT, Site()), Period(), "store", "2026-11-28T09:00:00Z").fixes
    assert fix.command in text.fix(fix, 80)
    said = subprocess.run(["sh", "-c", f"printf '%s\\n' {fix.command}"], capture_output=True, text=True, check=True)
    program, command, what, word = said.stdout.splitlines()
    assert (program, command, what) == ("email-report-admin", "verdict", fix.judged_by)
    senders = read_senders({}, [make_entry(what, {"verdict": word, "by": "", "at": ""})])
    assert +reckon([given], REJECT, Site(senders)).fates == {"stopped" if word == "stranger" else "lost": 1}


def test_mail_from_names_that_may_not_exist_is_never_said_to_be_safe() -> None:
    """np is for names that the DNS has not: where nobody knows which these are, the stricter policy counts."""
    fields = row(source__ip="192.0.2.1", identifiers__header_from="gone.example.org")
    cases: list[tuple[Record, Collection[str] | None, str]] = [
        (Record("example.org", "reject", "none", "reject"), None, "lost"),
        (Record("example.org", "reject", "none", "reject"), {"gone.example.org"}, "lost"),
        (Record("example.org", "reject", "none", "reject"), frozenset(), "kept"),
        (Record("example.org", "reject", "reject", "none"), None, "lost"),
        (Record("example.org", "reject", "reject", "none"), {"gone.example.org"}, "kept"),
        (Record("example.org", "reject", "reject", "none"), frozenset(), "lost"),
    ]
    for record, absent, fate in cases:
        site = SITE._replace(absent=absent)
        cost = reckon([fields], record, site)
        assert +cost.fates == {fate: 1}, (record, absent)
        strict = cost.strictest(absent)
        assert strict is not None
        for other in (frozenset(), {"gone.example.org"}) if absent is None else (absent,):
            assert reckon([fields], strict, site._replace(absent=other)).loses_nothing
    said = answer.confidence(reckon([fields], Record("example.org", np="reject"), SITE)).sentence
    assert "Which subdomains exist is not known here" in said


def test_what_keeps_a_record_from_being_stricter() -> None:
    assert "3 messages keep p from being stricter" in shown(reckon([row(count=3)], REJECT, SITE))
