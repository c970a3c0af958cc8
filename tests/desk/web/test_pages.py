"""The pages in a real browser: they can be read by everybody, run nothing, and show strangers' names as text."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from email_report_processor.documents.document import Document
from email_report_processor.stores.sqlite import SqliteStore
from tests.browser import browser, violations
from tests.desk.web.server import Server, running
from tests.pages.conftest import rows
from tests.pages.test_page import hostile

__all__ = ["browser"]

PATHS = (
    "/",
    "/senders",
    "/failures",
    "/message/{id}",
    "/campaigns",
    "/networks",
    "/hosts/203.0.113.0/24",
    "/urls?q=since:1y",
    "/policy?domain=example.org",
    "/reports",
    "/drafts",
    "/league",
    "/logins",
    "/logins/alice",
    "/kept",
    "/paste",
    "/upload",
)


@pytest.fixture(scope="module")
def server(recent_store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The desk over the weeks."""
    with running(tmp_path_factory.mktemp("server"), recent_store) as started:
        yield started


@pytest.fixture(scope="module")
def inside(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """A browser in which the owner came in; scripts that axe needs may run."""
    context = browser.new_context(bypass_csp=True, base_url=server.url)
    enter(context.new_page(), server)
    yield context
    context.close()


def enter(page: Page, server: Server) -> None:
    """Come in, as a person does."""
    page.goto(server.entrance)
    page.get_by_role("button", name="Open the desk").click()
    assert page.get_by_role("heading", level=1).inner_text() == "All domains"


def first_id(page: Page) -> str:
    """The id of a message."""
    page.goto("/failures")
    href = page.locator("table.list a").first.get_attribute("href")
    assert href
    return href.removeprefix("/message/")


LOOKS = list(product((1500, 400), ("light", "dark")))


@pytest.mark.parametrize("place", range(1, len(PATHS)), ids=PATHS[1:])  # the overview is that of tests/pages
def test_everybody_can_read_every_page(inside: BrowserContext, place: int) -> None:
    """Each page in one look and one size, in turn; in all of them by the long test below."""
    readable(inside, PATHS[place], *LOOKS[place % len(LOOKS)])


@pytest.mark.long
@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("path", PATHS)
def test_everybody_can_read_every_page_in_every_look(inside: BrowserContext, path: str, look: tuple[int, str]) -> None:
    readable(inside, path, *look)


def readable(inside: BrowserContext, path: str, width: int, scheme: str) -> None:
    """No complaint of axe or of Chromium, and nothing that is wider than the screen."""
    page = inside.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 1000})
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    answer = page.goto(path.format(id=first_id(page)) if "{id}" in path else path)
    assert answer is not None
    assert answer.status == 200
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 400, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.set_viewport_size({"width": width, "height": 1000})
    assert violations(page) == []
    assert told == []
    page.close()


def test_a_day_of_clicks_without_any_script(browser: Browser, recent_store: str, tmp_path: Path) -> None:
    with running(tmp_path, recent_store) as server:
        context = browser.new_context(java_script_enabled=False, base_url=server.url)
        page = context.new_page()
        enter(page, server)
        page.get_by_role("link", name="Senders", exact=True).click()
        row = page.get_by_role("row").filter(has_text="crm.example")
        row.locator("summary").click()
        row.get_by_label("Verdict").select_option("service")
        row.get_by_label("Why").fill("our customers")
        row.get_by_role("button", name="Say so").click()
        assert "service" in page.get_by_role("row").filter(has_text="crm.example").inner_text()
        assert '"our customers"' in (server.state / "senders.toml").read_text()
        page.get_by_role("link", name="Failures", exact=True).click()
        page.get_by_label("Query").fill("since:30d")
        page.get_by_role("button", name="Find").click()
        page.get_by_text("By fields").click()
        page.get_by_label("Subject has").fill("wire transfer")
        page.get_by_label("Class").select_option("spoof")
        page.get_by_role("button", name="Narrow down").click()
        assert page.get_by_label("Query").input_value() == 'since:30d class:spoof subject:"wire transfer"'
        subjects = page.locator("table.list tbody th").all_inner_texts()
        assert subjects
        assert all("wire transfer" in one for one in subjects)
        page.locator("table.list a").first.click()
        assert "wire transfer" in page.get_by_role("heading", level=1).inner_text()
        assert page.locator("main a[href^=http]").count() == 0
        page.get_by_role("button", name="Log out").click()
        assert "desk-address" not in page.content()
        context.close()


def test_every_list_has_pages(inside: BrowserContext) -> None:
    page = inside.new_page()
    page.goto("/failures?q=since:1y")
    seen: list[str] = []
    while True:
        shown = page.locator("table.list tbody th a")
        seen += [str(one.get_attribute("href")) for one in shown.all()]
        if not page.get_by_role("link", name="Older").count():
            break
        page.get_by_role("link", name="Older").click()
    assert len(seen) == len(set(seen)) > 100
    page.close()


_LINKS = "[...document.links].map(one => one.getAttribute('href')).filter(one => !/^[/#]/.test(one))"
HIDDEN = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"


def test_hostile_names_are_text(browser: Browser, recent: list[Document], tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "hostile.sqlite"))
    store.write(rows(attacked(recent[-1500:])))
    store.close()
    with running(tmp_path, f"sqlite:{tmp_path / 'hostile.sqlite'}") as server:
        context = browser.new_context(base_url=server.url)
        page = context.new_page()
        enter(page, server)
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        id_ = first_id(page)
        shown = ""
        for path in PATHS[1:]:  # the overview is that of tests/pages
            page.goto(path.format(id=id_))
            assert page.locator("script, img, iframe, object, embed, [onload], [onerror], [style]").count() == 0
            assert not re.search(HIDDEN, page.inner_text("body")), path
            assert not [
                one for one in page.locator("a").all() if not str(one.get_attribute("href")).startswith(("/", "#"))
            ]
            shown += page.content()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
        assert {one for one in asked if not one.startswith(server.url)} == set()
        context.close()


def attacked(recent: list[Document]) -> Iterator[Document]:
    """The weeks with strangers' names everywhere, and samples that a browser would like."""
    evil = "Subject: <script>alert(1)</script>\nX-Evil: <img src=http://evil.example/x.png>\u202e\x1b[31m"
    for document in hostile(recent):
        fields = dict(document.own)
        if document.dataset in {"dmarc-failure", "arf"}:
            fields["sample.subject"] = "<script>alert(1)</script>"
            fields["sample.from"] = '"><svg onload=alert(1)>@evil.example'
            fields["sample.headers"] = evil
            fields["sample.body"] = "<html><body onload=alert(1)><a href='http://evil.example/'>here</a>"
            fields["url.full"] = ["http://evil.example/<script>", "javascript:alert(1)"]
            fields["file"] = [{"name": "</style><img src=x onerror=alert(1)>", "type": "text/html", "size": 3}]
        yield document._replace(own=fields)
