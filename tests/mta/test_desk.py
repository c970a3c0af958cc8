"""The desk's whole way in a real browser, without any script, through a real Postfix, over OpenSearch and over SQLite.

A failure report arrives by mail; it is found by a query; its campaign becomes drafts, which somebody looks at and
sends; one report lies in a mailbox, the other comes back by the mail server's own bounce; the contact is dead, and the
league shows it.
"""

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.utils import format_datetime

import pytest
from playwright.sync_api import Browser, Locator, Page

from tests.browser import browser

from .box import CONFIG, STATE, Box, free_port, wait_until
from .postfix import WAYS
from .test_abuse import _MAILBOX, _OURS, Ready, admin, failure, rdap, ready, server
from .wires import send

__all__ = ["browser", "rdap", "ready", "server"]

pytestmark = pytest.mark.postfix

_READS, _GONE = "abuse@us-net.example", "abuse@eu-net.example"


@contextlib.contextmanager
def _desk(box: Box) -> Iterator[str]:
    """The page that lets one browser in; the desk ends with the block."""
    port = free_port()
    box.write(CONFIG, box.path(CONFIG).read_text() + f'[web]\nlisten = "127.0.0.1:{port}"\n')
    box.spawn(port, *_OURS, "/opt/email-report-processor/bin/email-report-admin", "desk")
    address = box.path(f"{STATE}/desk-address")
    wait_until(lambda: address.exists() and address.read_text().endswith("\n"), "the desk does not say how to come in")
    try:
        yield address.read_text().strip()
    finally:
        box.end(*box.processes("email-report-admin desk"))


def _today(number: int, address: str) -> bytes:
    """A failure report about a message of this hour."""
    now = format_datetime(datetime.now(UTC) - timedelta(minutes=number))
    return re.sub(rb"Sat, 28 Nov 2026 0\d:\d\d:00 \+0000", now.encode(), failure(number, address))


def test_from_a_failure_report_to_the_league(ready: Ready, browser: Browser) -> None:
    server, box = ready.postfix, ready.postfix.box
    for number in range(1, 5):
        address = f"192.0.2.{number}" if number < 3 else f"198.51.100.{number}"
        send(server.port, _today(number, address), [WAYS["pipe"]])
    server.settle()
    ready.refresh()
    with _desk(box) as entrance:
        context = browser.new_context(java_script_enabled=False, base_url=entrance.partition("/enter/")[0])
        page = context.new_page()
        page.goto(entrance)
        page.get_by_role("button", name="Open the desk").click()
        _find(page)
        tokens = {one: _look_and_send(page, one) for one in _prepare(page)}
        assert tokens.keys() == {_READS, _GONE}
        server.settle()
        (raw,) = [part for part in box.path(_MAILBOX).read_bytes().split(b"\nFrom ") if part]
        report = message_from_bytes(raw.partition(b"\n")[2])
        assert (report["To"], report["Auto-Submitted"]) == (_READS, "auto-generated")
        assert report["Return-Path"] == f"<abuse-reply+{tokens[_READS]}@example.org>"
        assert b"198.51.100." not in raw, "one network does not see the other"
        said = admin(box, "abuse", "answers")  # as the timer does
        assert "bounced: dead" in said, said
        ready.refresh()
        _sees_the_bounce(page, tokens[_GONE])
        context.close()


def _rows(page: Page) -> Locator:
    return page.locator("table.list tbody tr")


def _find(page: Page) -> None:
    page.get_by_role("link", name="Failures", exact=True).click()
    page.get_by_label("Query").fill('class:spoof subject:"wire transfer" url:*mail.htm -reported')
    page.get_by_role("button", name="Find").click()
    assert _rows(page).count() == 4
    _rows(page).first.get_by_role("link").first.click()
    assert "hxxps://pay[.]phish.example/mail.htm" in page.inner_text("main")


def _prepare(page: Page) -> list[str]:
    """Drafts about the one campaign; whom they go to."""
    page.get_by_role("link", name="Campaigns", exact=True).click()
    assert _rows(page).count() == 1
    assert "4" in _rows(page).first.inner_text().split("\t")
    _rows(page).first.get_by_role("link").click()
    page.get_by_role("button", name="Prepare reports").click()
    return [_rows(page).nth(number).locator("td").first.inner_text() for number in range(_rows(page).count())]


def _look_and_send(page: Page, contact: str) -> str:
    """The draft for a contact; returns the token of its report."""
    page.goto("/drafts")
    _rows(page).filter(has_text=contact).get_by_role("link").click()
    assert "Feedback-Type: fraud" in page.inner_text("main")
    found = re.search(r"[a-z2-7]{20}", page.get_by_role("heading", level=1).inner_text())
    assert found
    page.get_by_role("button", name="I looked at it: send it").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Sent"
    return found[0]


def _sees_the_bounce(page: Page, token: str) -> None:
    page.goto(f"/reports/{token}")
    assert page.get_by_role("heading", level=2).first.inner_text() == "Bounced"
    page.goto("/league")
    lines = page.get_by_role("row")
    names = lines.first.inner_text().split("\t")
    for network, bounced in (("192.0.2.0/24", "0"), ("198.51.100.0/24", "1")):
        line = dict(zip(names, lines.filter(has_text=network).inner_text().split("\t"), strict=True))
        assert (line["Reports"], line["Messages"], line["Bounced"]) == ("1", "2", bounced), line
    page.goto('/failures?q=subject:"wire transfer" -reported')
    assert _rows(page).count() == 2, "what bounced told nobody"
    page.goto("/campaigns?q=class:spoof")
    _rows(page).first.get_by_role("link").click()
    page.get_by_role("button", name="Prepare reports").click()
    assert "0 reports prepared" in page.get_by_role("heading", level=1).inner_text()
    assert f"{_GONE} cannot be reached" in page.inner_text("main"), "the contact is dead"
