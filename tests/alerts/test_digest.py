"""The digest: what it says, when it is silent, and that it is a mail which mail clients can show."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
import resvg_py

from email_report_processor.alerts import digest
from email_report_processor.alerts.digest import Digest, compose
from email_report_processor.alerts.event import Event
from email_report_processor.pages import svg
from email_report_processor.pages.figure import Answer, Column, Figure, Fix, Page, Period
from tests.conftest import Program, missing

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
HOSTILE = '<img src=x onerror=alert(1)> "quoted" \u202e'


def page(domains: list[tuple[Any, ...]], senders: list[tuple[Any, ...]], *fixes: Fix) -> Page:
    counts = (Column("Domain"), Column("Messages", "number"), Column("Pass", "number"), Column("Fail", "number"))
    shares = (*counts, Column("Pass rate", "share"))
    figures = (
        Figure("domains", "By domain", shares, tuple(domains)),
        Figure("senders", "By sender", (Column("Sender"), Column("Messages", "number")), tuple(senders)),
    )
    answers = (Answer("Is my mail authenticated?", "99%", "Of 100 messages 99 were authenticated.", "ok"),)
    period = Period("2026-11-21T00:00:00Z", "2026-11-28T00:00:00Z")
    return Page("All domains", "store", "", period, "2026-11-28T09:00:00Z", answers, fixes, figures)


QUIET = page([("example.org", 100, 99, 1, 0.99)], [("example.org", 100)])
EVENT = Event("wanted_fails", "a", "critical", "12 messages failed.", "Look at it.")


def changes(now: Page) -> list[str]:
    return Digest(now, QUIET, ()).changes()


def test_nothing_to_say() -> None:
    assert not Digest(QUIET, QUIET, ()).says_something()
    assert Digest(QUIET, QUIET, (EVENT,)).says_something()


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (page([("example.org", 100, 96, 4, 0.96)], [("example.org", 100)]), ["example.org: 96% passed, 99% before."]),
        (page([("example.org", 100, 98, 2, 0.98)], [("example.org", 100)]), []),
        (
            page([("example.org", 300, 297, 3, 0.99)], [("example.org", 300)]),
            ["example.org: 300 messages, 100 before."],
        ),
        (page([("example.org", 33, 33, 0, 0.99)], [("example.org", 33)]), ["example.org: 33 messages, 100 before."]),
        (page([("example.org", 290, 287, 3, 0.99)], [("example.org", 290)]), []),
        (
            page([("example.org", 100, 99, 1, 0.99), ("new.example", 5, 5, 0, 1.0)], [("crm.example", 5)]),
            ["new.example is new: 5 messages.", "crm.example sends for the first time: 5 messages."],
        ),
    ],
)
def test_what_changed(now: Page, said: list[str]) -> None:
    assert [one.replace(".0%", "%") for one in changes(now)] == said


def mail(now: Page, *, pictures: bool = False) -> EmailMessage:
    made = compose(Digest(now, QUIET, (EVENT,)), ["a@example.org"], "r@example.org", "Week", NOW, pictures=pictures)
    read = message_from_bytes(bytes(made), policy=default)
    assert isinstance(read, EmailMessage)
    return read


def content(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_its_form() -> None:
    message = mail(QUIET)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Id"] == "E-mail report digest <digest.example.org>"
    assert message["Subject"] == "Week: 1 thing wrong now, 99% authenticated, nothing to fix"
    assert message["Message-ID"] == mail(QUIET)["Message-ID"]
    assert "12 messages failed." in content(message, "plain")
    html = content(message, "html")
    for word in ("<script", "<link", "http://", "https://", "class="):
        assert word not in html, word


def test_names_are_text() -> None:
    fix = Fix("fix", "broken-signature", HOSTILE, 5, 1, 2, "5 messages.", "Mend it.")
    message = mail(page([(HOSTILE, 5, 0, 5, 0.0)], [(HOSTILE, 5)], fix))
    html, plain = content(message, "html"), content(message, "plain")
    assert "<img" not in html
    assert "&lt;img" in html
    assert "\u202e" not in html + plain
    assert max(len(line) for line in plain.splitlines()) <= 120


def drawn(text: str, families: str) -> str:
    """A picture of one word."""
    style = f"font:12px {families}"
    word = f'<text y="15" style="{style}">{text}</text>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="20">{word}</svg>'


def png(image: str) -> bytes:
    return bytes(resvg_py.svg_to_bytes(svg_string=image, zoom=2))


@pytest.fixture
def font() -> None:
    """One of those that pictures are drawn with."""
    if png(drawn("Mail", digest.FAMILIES)) == png(drawn("", digest.FAMILIES)):
        missing("needs a font; on Debian: apt-get install fonts-dejavu-core")


def test_pictures_have_words(font: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen in Chromium: they had none. resvg leaves out words whose font is missing; then bars say more."""
    some = QUIET._replace(figures=(QUIET.figures[0]._replace(name="pass-rate"),))
    monkeypatch.setattr(svg, "standalone", lambda _figure: drawn("Mail", "sans-serif"))
    ((_, picture),) = digest._pictures(some)
    assert picture != png(drawn("", "sans-serif"))
    monkeypatch.setattr(digest, "FAMILIES", "no such font")
    assert list(digest._pictures(some)) == []


def test_over_the_real_figures(run_admin: Program, font: None) -> None:
    store = f"sqlite:{run_admin.state / 'demo.sqlite'}"
    assert run_admin(b"", "demo", "--weeks", "3", store=store).status == 0
    settings = '[store]\nindex_prefix = "demo-email-report-"\n'
    found = run_admin(b"", "digest", "--to", "a@example.org", "--print", store=store, settings=settings)
    assert found.status == 0, found.stderr
    message = message_from_bytes(found.stdout.encode(), policy=default)
    assert isinstance(message, EmailMessage)
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "image/png",
    ]
    for part in message.walk():
        if part.get_content_type() == "image/png":
            assert part.get_content().startswith(b"\x89PNG")
            assert f"cid:{part['Content-ID'].strip('<>')}" in content(message, "html")
    alone = run_admin(b"", "digest", "--to", "a@example.org", "--print", "--no-pictures", store=store)
    assert "image/png" not in alone.stdout


def test_nobody_gets_it(run_admin: Program) -> None:
    found = run_admin(b"", "digest")
    assert (found.status, "nobody gets it" in found.stderr) == (2, True)
