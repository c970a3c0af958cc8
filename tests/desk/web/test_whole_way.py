"""The whole way in a real browser, without any script: a failure report by mail, found by a query, a campaign, a draft
that is looked at, a report that leaves, its bounce, the contact that is dead, and the league that shows it.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser import browser
from tests.conftest import Program
from tests.desk.test_replies import dsn
from tests.desk.web.server import running
from tests.desk.web.test_reports import NETWORK, outbox

__all__ = ["browser", "outbox"]

_REPORT = """From: reporter@receiver.example
Date: {date}
Message-ID: <report{number}@receiver.example>
Subject: a failure
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

It failed.
--b
Content-Type: message/feedback-report

Feedback-Type: auth-failure
User-Agent: Reporter/1
Version: 1
Auth-Failure: dmarc
Source-IP: 203.0.113.{number}
Arrival-Date: {date}
Reported-Domain: example.org
Delivery-Result: delivered
--b
Content-Type: message/rfc822

From: ceo@example.org
To: user{number}@receiver.example
Date: {date}
Message-ID: <m{number}@bad.example>
Subject: Wire transfer of today
Content-Type: text/plain

Pay at http://pay.phish.example/{number}
--b--
"""


def test_from_a_report_by_mail_to_the_league(
    browser: Browser, run_filter: Program, run_admin: Program, outbox: Path, tmp_path: Path
) -> None:
    settings = f"""[read]
sample = "full"
[site]
own_domains = ["example.org"]
[abuse]
sender = "abuse@example.org"
lookup = []
[contacts]
"203.0.113.0/24" = "{NETWORK}"
[alerts]
sendmail = "{tmp_path / "sendmail"}"
"""
    store = f"sqlite:{tmp_path / 'r.sqlite'}"
    for number in (1, 2, 3):
        date = format_datetime(datetime.now(UTC) - timedelta(hours=number))
        report = _REPORT.format(number=number, date=date).encode()
        assert run_filter(report, store=store, settings=settings).status == 0
    with running(tmp_path, store, settings=settings) as server:
        context = browser.new_context(java_script_enabled=False, base_url=server.url)
        page = context.new_page()
        page.goto(server.entrance)
        page.get_by_role("button", name="Open the desk").click()
        token = reported(page)
        (mail,) = outbox.iterdir()
        assert mail.read_text().partition("\n")[0].endswith(NETWORK)
        bounce = tmp_path / "bounce.eml"
        bounce.write_bytes(dsn("5.1.1", "550 no such user", final=NETWORK, to=f"abuse+{token}@example.org"))
        taken = run_admin(b"", "abuse", "answers", f"--store={store}", f"--state={server.state}", str(bounce))
        assert "bounced: dead" in taken.stdout, taken
        page.goto(f"/reports/{token}")
        assert page.get_by_role("heading", level=2).first.inner_text() == "Bounced"
        page.get_by_role("link", name="Reports sent").click()
        page.get_by_role("link", name="The league of networks that react").click()
        row = page.get_by_role("row").filter(has_text="203.0.113").inner_text().split("\t")
        assert "1" in row
        page.goto("/campaigns?q=class:spoof")
        page.locator("table.list a").first.click()
        page.get_by_role("button", name="Prepare reports").click()
        assert "0 reports prepared" in page.get_by_role("heading", level=1).inner_text(), "the contact is dead"
        context.close()


def reported(page: Page) -> str:
    """Find the messages, prepare a report about their campaign, look at it and send it. Returns its token."""
    page.get_by_role("link", name="Failures", exact=True).click()
    page.get_by_label("Query").fill('subject:"wire transfer" delivered -reported')
    page.get_by_role("button", name="Find").click()
    assert page.locator("table.list tbody tr").count() == 3
    page.locator("table.list a").first.click()
    assert "hxxp://pay[.]phish.example/1" in page.inner_text("main")
    page.get_by_role("link", name="Campaigns", exact=True).click()
    page.locator("table.list a").first.click()
    page.get_by_role("button", name="Prepare reports").click()
    page.locator("table.list a").first.click()
    assert "Feedback-Type: fraud" in page.inner_text("main")
    found = re.search(r"[a-z2-7]{20}", page.get_by_role("heading", level=1).inner_text())
    assert found
    page.get_by_role("button", name="I looked at it: send it").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Sent"
    return found[0]
