"""Messages that are no reports, from feeds of messages: what is made of them, and what must be left alone."""

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.documents.classify import Site, classify
from email_report_processor.documents.datasets import BY_NAME
from email_report_processor.reports.reading import read_message
from email_report_processor.reports.report import Options, Ours
from email_report_processor.reports.way import Way, read_way
from tests.conftest import Program
from tests.linear import assert_linear
from tests.places import GOLDEN

SITE = Site(own_networks=("192.0.2.0/24",), own_domains=("example.org",))
OPTIONS = Options(feed="own-mx", authserv_ids=("mx.example.org",), ours=Ours(SITE.own_networks, SITE.own_domains))
SPOOF = (GOLDEN / "raw-message/spoof.eml").read_bytes()
REPORT = (GOLDEN / "dmarc-aggregate/rfc9990.eml").read_bytes()
ENTRY = "Received: from bot.example.net (unknown [203.0.113.9]) by mx.example.org; Thu, 19 Nov 2026 09:12:05 +0000\n"


def mail(header: str, *, above: str = ENTRY, from_: str = "ceo@example.org", body: str = "Hello") -> bytes:
    message_id = "" if "Message-ID" in header else "Message-ID: <1@bot.example.net>\n"
    return f"{above}From: {from_}\nTo: u@example.org\nSubject: x\n{message_id}{header}\n{body}\n".encode()


def row(raw: bytes, options: Options = OPTIONS) -> dict[str, Any]:
    (report,) = read_message(raw, options).reports
    document, last = report.documents()
    assert (document.dataset, last.dataset) == ("dmarc-failure", "report")
    return document.fields


def class_of(raw: bytes, options: Options = OPTIONS) -> tuple[str, str] | None:
    return classify(row(raw, options), SITE)


def ids(raw: bytes, options: Options = OPTIONS) -> list[str]:
    return [one.id for report in read_message(raw, options).reports for one in report.documents()]


# What must be left alone


@pytest.mark.parametrize("feed", ["", "rua", "spam-trap"])
def test_without_a_kind_a_message_is_no_report(feed: str) -> None:
    reading = read_message(SPOOF, Options(feed=feed))
    assert (reading.reports, reading.problems) == ((), ())


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("[adsx]*/*.eml")), ids=lambda path: path.stem)
def test_a_report_is_a_report_in_every_feed(path: Path) -> None:
    raw = path.read_bytes()
    assert ids(raw) == ids(raw, OPTIONS._replace(feed="rua"))


@pytest.mark.parametrize(
    "raw",
    [
        REPORT[: len(REPORT) // 3],
        b"From: a@example.net\nSubject: Report domain: example.org Submitter: a.example\n\nIt was removed.\n",
        b"From: a@example.net\nContent-Type: text/xml\n\n<feedback><report_metadata>",
        b'From: a@b.example\nContent-Type: application/zip; name="a.example!b.example!1700000000!1700086400.zip"\n\nPK',
    ],
)
def test_a_broken_report_is_no_message(raw: bytes) -> None:
    """It is kept, as everywhere, and somebody asks for it again."""
    reading = read_message(raw, OPTIONS)
    assert reading == read_message(raw, OPTIONS._replace(feed="rua"))
    assert reading.problems or reading.reports


def test_bare_files_and_what_is_too_big_are_no_messages() -> None:
    assert read_message(b"PK\x03\x04 nothing", OPTIONS).reports == ()
    small = OPTIONS._replace(bounds=OPTIONS.bounds._replace(message_bytes=100))
    reading = read_message(SPOOF, small)
    assert reading.reports == ()
    assert "bounds.message_bytes" in reading.problems[0].reason


# What is made of a message


def test_an_attachment_that_cannot_be_opened_is_said() -> None:
    archive = "Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n"
    fields = row(mail(archive, body="H4sIAAAAAAAAA/////8="))
    assert any(one.startswith("sample: ") for one in fields["warnings"])


def test_the_kind_is_what_the_settings_say() -> None:
    options = OPTIONS._replace(feed="honey", feed_kinds={"honey": "spamtrap"})
    assert row(SPOOF, options)["report.feed_kind"] == "spamtrap"
    assert row(SPOOF, options)["report.feed"] == "honey"


def test_a_strangers_domain_is_none_of_ours() -> None:
    fields = row(mail("", from_="a@notexample.org"))
    assert "feedback.reported_domain" not in fields
    (report,) = read_message(mail("", from_="a@notexample.org"), OPTIONS).reports
    assert "report.domain" not in report.head
    assert row(mail("", from_="a@sub.example.org"))["feedback.reported_domain"] == ["sub.example.org"]


def test_nothing_is_stored_of_the_sample_when_the_site_says_so() -> None:
    fields = row(SPOOF, OPTIONS._replace(sample="none"))
    assert not {name for name in fields if name.startswith(("sample.", "url.", "file"))} - {
        "sample.signals",
        "sample.headers_only",
    }
    assert "feedback.original_rcpt_to" not in fields
    assert b"trap@" not in json.dumps(fields).encode()


CLASSES = {
    "nothing passes": (mail(""), ("spoof", "F9")),
    "our server says fail": (mail("Authentication-Results: mx.example.org; dmarc=fail\n"), ("spoof", "F9")),
    "a stranger says pass": (mail("Authentication-Results: mx.example.net; dmarc=pass\n"), ("spoof", "F9")),
    "our server says pass": (
        mail("Authentication-Results: mx.example.org; dmarc=pass header.from=a.example\n", from_="x@a.example"),
        ("dmarc-pass", "F1r"),
    ),
    "ours says fail, and a forged one below says pass": (
        mail(
            "Authentication-Results: mx.example.org; dmarc=fail\nAuthentication-Results: mx.example.org; dmarc=pass\n"
        ),
        ("spoof", "F9"),
    ),
    "another domain passes": (
        mail("Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=b.example\n"),
        ("third-party-unaligned", "F8b"),
    ),
    "strict alignment": (
        mail("Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=b.example.org; dmarc=fail\n"),
        ("own-unaligned", "F12"),
    ),
    "a bounce": (
        mail("Content-Type: multipart/report; report-type=delivery-status; boundary=b\n", above="Return-Path: <>\n"),
        ("bounce", "F3"),
    ),
    "a bounce that is signed": (
        mail(
            "Authentication-Results: mx.example.org; dmarc=pass\n",
            above=f"Return-Path: <>\n{ENTRY}",
            from_="mailer-daemon@example.org",
        ),
        ("bounce", "F3"),
    ),
    "an auto-reply": (mail("Auto-Submitted: auto-replied\n"), ("auto-reply", "F4")),
    "a list": (mail("List-Id: <l.example.net>\n"), ("mailing-list", "F5")),
    "our own host": (
        mail(
            "", above="Received: from www.example.org (www [192.0.2.80]) by mx.example.org; 19 Nov 2026 09:00 +0000\n"
        ),
        ("own-misconfigured", "F2"),
    ),
}


@pytest.mark.parametrize("name", CLASSES)
def test_classes(name: str) -> None:
    raw, expected = CLASSES[name]
    assert class_of(raw) == expected


# Ids


COPIES = {
    "the mailbox": b"X-Spam-Flag: YES\r\nDelivered-To: other@example.org\r\nX-Sieve: 2.4\r\n" + SPOOF,
    "another relay of ours": b"Received: from a (b [192.0.2.7]) by c; Fri, 20 Nov 2026 01:00:00 +0000\n" + SPOOF,
    "a filter": SPOOF.replace(b"Subject: ", b"Subject: [SPAM] "),
    "another verdict": SPOOF.replace(b"dmarc=fail", b"dmarc=none"),
    "line ends": SPOOF.replace(b"\n", b"\r\n"),
    "mbox": b"From bounce Thu Nov 19 09:12:07 2026\n" + SPOOF,
}


@pytest.mark.parametrize("way", COPIES)
def test_every_copy_of_a_message_is_the_same(way: str) -> None:
    assert ids(COPIES[way]) == ids(SPOOF)


@pytest.mark.parametrize("feed", ["spamtrap", "own-mx"])
def test_the_feed_is_no_part_of_the_id(feed: str) -> None:
    assert ids(SPOOF, OPTIONS._replace(feed=feed)) == ids(SPOOF)


def test_other_messages_are_others() -> None:
    others = [
        SPOOF.replace(b"203.0.113.9", b"203.0.113.10"),  # the bots of a net send the same message
        SPOOF.replace(b"77.1@", b"77.2@"),
        SPOOF.replace(b"Trap <trap@", b"Trap <other@"),
        SPOOF.replace(b"Message-ID", b"X-Id").replace(b"wire", b"bank"),
        SPOOF.replace(b"Message-ID", b"X-Id").replace(b"09:12:05", b"09:12:06"),
        SPOOF.replace(b"Message-ID", b"X-Id"),
    ]
    assert len({tuple(ids(one)) for one in [SPOOF, *others]}) == 7


def test_the_whole_program_stores_each_message_once(run_filter: Program, state: Path) -> None:
    """Through two feeds, three times, and beside a report; a plain message of no such feed is kept as ever."""
    settings = '[read]\nfeed_kinds = {junk = "own-mx"}\n[site]\nown_domains = ["example.org"]\n'
    assert run_filter(SPOOF, "--feed", "junk", settings=settings).status == 0
    assert run_filter(COPIES["the mailbox"], "--feed", "junk", settings=settings).status == 0
    assert run_filter(COPIES["a filter"], "--feed", "spamtrap", settings=settings).status == 0
    assert run_filter(REPORT, "--feed", "spamtrap", settings=settings).status == 0
    kept = state / "kept/new"
    assert not kept.exists() or not list(kept.iterdir())
    assert run_filter(SPOOF, "--feed", "rua", settings=settings).status == 0
    assert len(list(kept.iterdir())) == 1
    with contextlib.closing(sqlite3.connect(state / "reports.sqlite")) as connection:
        query = "SELECT source->>'$.event.dataset', source->>'$.report.feed', count(*) FROM documents GROUP BY 1, 2"
        found = set(connection.execute(query))
    assert ("dmarc-failure", "junk", 1) in found
    assert ("dmarc-failure", "spamtrap", 0) not in found
    assert {feed for dataset, feed, _ in found if dataset == "dmarc-failure"} == {"junk"}
    assert ("dmarc-aggregate", "spamtrap", 2) in found


def test_a_kind_that_is_none_is_said(run_filter: Program) -> None:
    outcome = run_filter(SPOOF, "--feed", "x", "--log", "stderr", settings='[read]\nfeed_kinds = {x = "spam"}\n')
    assert outcome.status == 75
    assert "write one of 'spamtrap', 'own-mx'" in outcome.stderr


# The way of a message


INSIDE = "from mail.example.org (localhost [127.0.0.1]) by mail.example.org with ESMTP; Thu, 19 Nov 2026 09:12:07 +0000"
CLIENTS = {
    "from a.example (b.example [203.0.113.9]) by mx": "203.0.113.9",
    "from [198.51.100.1] (unknown [203.0.113.9]) by mx": "203.0.113.9",  # Postfix: HELO first
    "from [203.0.113.9] (helo=[198.51.100.1]) by mx": "203.0.113.9",  # Exim
    "from a.example ([203.0.113.9] helo=[198.51.100.1]) by mx": "203.0.113.9",
    "from a.example ([203.0.113.9]:2525 helo=x) by mx": "203.0.113.9",
    "from unknown (HELO 198.51.100.1) (203.0.113.9) by mx": "203.0.113.9",  # qmail
    "from a.example (b [IPv6:2001:db8::9]) by mx": "2001:db8::9",
    "from a.example (2001:db8::9) by b.example (2001:db8::1) with Microsoft SMTP Server": "2001:db8::9",
    "from a.example (b.example. [203.0.113.9]) (may be forged) by mx": "203.0.113.9",
    "from a.example (b [::ffff:203.0.113.9]) by mx": "203.0.113.9",
    "from a.example by mx.example.org with LMTP id 1": "",
    "by mx.example.org (Postfix, from userid 33) id 1": "",
    "from x (999.1.1.1) by mx": "",
}


@pytest.mark.parametrize("line", CLIENTS)
def test_who_sent_it(line: str) -> None:
    assert read_way([["Received", f"{line}; Thu, 19 Nov 2026 09:12:05 +0000"]], ()).client == CLIENTS[line]


def test_hosts_of_ours_are_passed_by_and_nobody_else_is_believed() -> None:
    fields = [
        ["Received", INSIDE],
        ["Received", "from relay (relay [192.0.2.1]) by mail.example.org; Thu, 19 Nov 2026 09:12:06 +0000"],
        ["Received", "from bot (unknown [203.0.113.9]) by relay for <a@example.org>; Thu, 19 Nov 2026 09:12:05 +0000"],
        ["Delivered-To", "forged@example.org"],
        ["Return-Path", "<forged@example.org>"],
        ["Received", "from forged (forged [198.51.100.7]) by bot; Thu, 19 Nov 2026 01:00:00 +0000"],
    ]
    arrival = "Thu, 19 Nov 2026 09:12:05 +0000"
    assert read_way(fields, ("192.0.2.0/24",)) == Way("203.0.113.9", arrival, None, ("a@example.org",))
    assert read_way(fields, ()).client == "192.0.2.1"
    assert read_way(fields[:2], ("192.0.2.0/24",)).client == "192.0.2.1"
    assert read_way(fields[:1], ()).client == ""
    assert read_way([], ()) == Way()


def test_recipients_are_those_that_our_servers_name() -> None:
    fields = [
        ["Return-Path", "<>"],
        ["X-Original-To", "trap@example.org"],
        ["Delivered-To", "filter@email-report.invalid"],
        ["Received", "from a (b [203.0.113.9]) by c for <trap@example.org>; Thu, 19 Nov 2026 09:12:05 +0000"],
    ]
    assert read_way(fields, ()) == Way("203.0.113.9", "Thu, 19 Nov 2026 09:12:05 +0000", "", ("trap@example.org",))


@pytest.mark.parametrize(
    ("above", "inside", "expected"),
    [
        ("<a@example.net>", "", "a@example.net"),
        ("<MAILER-DAEMON>", "", ""),  # Postfix's pipe(8)
        ("<MAILER-DAEMON>", "(envelope-from <a@example.net>)", "a@example.net"),  # handed on by a filter
        ("<a@example.net>", "(envelope-from <>)", ""),
    ],
)
def test_the_envelope_sender(above: str, inside: str, expected: str) -> None:
    fields = [
        ["Return-Path", above],
        ["Received", f"from a (b [203.0.113.9]) by c {inside}; Thu, 19 Nov 2026 09:12:05"],
    ]
    assert read_way(fields, ()).mail_from == expected


TOKENS = st.sampled_from(["from ", " by ", "(", ")", "[", "]", "203.0.113.9", "helo=", "HELO ", ";", " for ", "@", "a"])


@given(st.lists(st.lists(TOKENS | st.text(max_size=5), max_size=20).map("".join), max_size=5))
def test_no_header_makes_it_raise(lines: list[str]) -> None:
    read_way([["Received", line] for line in lines], ("192.0.2.0/24",))
    raw = "".join(f"Received: {' '.join(line.split())}\n" for line in lines) + "From: a@example.org\n\nx\n"
    for report in read_message(raw.encode("utf-8", "replace"), OPTIONS).reports:
        for document in report.documents():
            assert document.fields.keys() <= {*BY_NAME[document.dataset].by_name, "file"} | {
                name for name in document.fields if name.startswith("raw.")
            }


@pytest.mark.parametrize("part", ["helo=", "(", "[1", " by", " for <a@", "from ("])
def test_linear(part: str) -> None:
    assert_linear(
        lambda line: read_way([["Received", line]], ()), lambda size: "from " + part * (size // len(part)), 900
    )
    assert_linear(lambda lines: read_way(lines, ()), lambda size: [["Received", INSIDE]] * size, 500)
