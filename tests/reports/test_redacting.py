"""`[read] redact`: no address that is nobody's business is in a document, and nothing else changes."""

import contextlib
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.documents.classify import Site, classify
from email_report_processor.reports.reading import read_message
from email_report_processor.reports.report import Options, Ours
from email_report_processor.values.hiding import Redaction
from tests.conftest import Program
from tests.places import GOLDEN

KEY = b"k" * 32
PAIRS = sorted([*GOLDEN.glob("dmarc-failure/*.eml"), *GOLDEN.glob("arf/*.eml"), *GOLDEN.glob("raw-message/*.eml")])
FULL = Options(sample="full", authserv_ids=("mail.example.org",), feed="own-mx", ours=Ours((), ("example.org",)))
RECIPIENTS = FULL._replace(redaction=Redaction("recipients", KEY, ("example.org",)))
STRICT = FULL._replace(redaction=Redaction("strict", KEY, ("example.org",)))
ADDRESS = re.compile(r"[\w.!#$&'*+/^`{|}~-]+@[\w-]+(?:\.[\w-]+)+")
TOKEN = re.compile(r"[a-z2-7]{10}@")

COMPLAINT = b"""\
From: fbl@example.com
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: auth-failure
User-Agent: x/1
Version: 1
Original-Mail-From: <bounce+anna=example.net@example.org>
Original-Rcpt-To: <anna@example.net>
Arrival-Date: Thu, 19 Nov 2026 08:00:00 +0000
Authentication-Results: mx.example.com; spf=fail smtp.mailfrom=clerk@example.org
Reported-URI: https://phish.example/?to=anna@example.net

--b
Content-Type: message/rfc822

From: Boss <boss@example.org>
To: "Anna A." <anna@example.net>, carla@other.example
Cc: clerk@example.org
Subject: for anna@example.net
Message-ID: <1@example.com>
Content-Type: multipart/mixed; boundary=c

--c
Content-Type: text/plain

Dear anna@example.net, ask helper@example.com: https://phish.example/?u=anna%40example.net
--c
Content-Type: application/pdf; name="anna@example.net.pdf"

x
--c--
--b--
"""


def rows(raw: bytes, options: Options) -> list[dict[str, Any]]:
    return [document.fields for report in read_message(raw, options).reports for document in report.documents()]


def ids(raw: bytes, options: Options) -> list[str]:
    return [document.id for report in read_message(raw, options).reports for document in report.documents()]


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: f"{path.parent.name}/{path.stem}")
@pytest.mark.parametrize("options", [RECIPIENTS, STRICT], ids=["recipients", "strict"])
def test_ids_classes_and_what_is_no_address_stay(path: Path, options: Options) -> None:
    raw = path.read_bytes()
    assert ids(raw, options) == ids(raw, FULL)
    for hidden, plain in zip(rows(raw, options), rows(raw, FULL), strict=True):
        assert hidden.keys() == plain.keys()
        assert classify(hidden, Site()) == classify(plain, Site())
        for name in ("source.ip", "url.domain", "sample.signals", "@timestamp", "feedback.reported_domain"):
            assert hidden.get(name) == plain.get(name)


def test_none_changes_nothing() -> None:
    assert rows(COMPLAINT, FULL._replace(redaction=Redaction("none", KEY))) == rows(COMPLAINT, FULL)


@pytest.mark.parametrize("sample", ["none", "headers", "full"])
def test_recipients_and_users_of_ours_are_hidden(sample: Any) -> None:
    (fields, _) = rows(COMPLAINT, RECIPIENTS._replace(sample=sample))
    text = json.dumps(fields)
    assert not re.search(r"anna|carla|clerk", text, re.IGNORECASE), text
    if sample != "none":
        assert fields["sample.from"] == "boss@example.org"
    assert ("helper@example.com" in text) == (sample == "full")


def test_strict_leaves_the_address_in_from_alone() -> None:
    (fields, _) = rows(COMPLAINT, STRICT)
    left = {one for one in ADDRESS.findall(json.dumps(fields)) if not TOKEN.match(one)}
    assert left == {"boss@example.org"}


def test_an_address_is_one_token_in_every_field_and_report() -> None:
    (fields, _) = rows(COMPLAINT, RECIPIENTS)
    token = fields["feedback.original_rcpt_to"][0]
    assert token == fields["sample.to"][0]
    for name in ("sample.subject", "sample.body", "sample.headers"):
        assert token in fields[name], name
    assert f"{token}.pdf" == fields["file"][0]["name"]
    other = COMPLAINT.replace(b"<1@", b"<2@").replace(b"anna@", b"ANNA@")
    assert rows(other, RECIPIENTS)[0]["sample.to"] == fields["sample.to"]
    assert rows(COMPLAINT, FULL._replace(redaction=Redaction("recipients", b"x" * 32)))[0]["sample.to"] != [token]


def test_who_is_forged_to_write_to_himself_is_hidden() -> None:
    raw = COMPLAINT.replace(b"boss@example.org", b"anna@example.net")
    assert rows(raw, RECIPIENTS)[0]["sample.from"] == rows(raw, RECIPIENTS)[0]["sample.to"][0]


def stored(state: Path) -> str:
    with contextlib.closing(sqlite3.connect(state / "reports.sqlite")) as connection:
        return "".join(source for (source,) in connection.execute("SELECT source FROM documents"))


def test_the_key_is_made_once_and_used_by_every_process(run_filter: Program, state: Path) -> None:
    settings = '[read]\nsample = "full"\nredact = "recipients"\n'
    assert run_filter(COMPLAINT, settings=settings).status == 0
    key = state / "redaction.key"
    assert key.stat().st_mode & 0o777 == 0o600
    first = key.read_bytes()
    assert run_filter(COMPLAINT.replace(b"<1@", b"<2@"), settings=settings).status == 0
    assert key.read_bytes() == first
    text = stored(state)
    assert "anna" not in text.lower()
    assert len(set(re.findall(r"[a-z2-7]{10}@example\.net", text))) == 1
    assert [one.name for one in state.iterdir() if one.name.startswith("redaction.key.")] == []


def test_a_key_of_the_sites_own(run_filter: Program, state: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a secret of ours\n")
    settings = f'[read]\nredact = "strict"\nredact_key_file = "{tmp_path / "key"}"\n'
    assert run_filter(COMPLAINT, settings=settings).status == 0
    assert not (state / "redaction.key").exists()


@pytest.mark.parametrize("content", ["", "short", "zz" * 32])
def test_a_damaged_key_stops_mail_instead_of_making_other_tokens(
    run_filter: Program, state: Path, content: str
) -> None:
    state.mkdir(exist_ok=True)
    (state / "redaction.key").write_text(content)
    outcome = run_filter(COMPLAINT, "--log", "stderr", settings='[read]\nredact = "recipients"\n')
    assert outcome.status == 75
    assert "redaction.key: is no key of 32 bytes" in outcome.stderr


def test_without_redaction_there_is_no_key(run_filter: Program, state: Path) -> None:
    assert run_filter(COMPLAINT, settings="").status == 0
    assert not (state / "redaction.key").exists()
