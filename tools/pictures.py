"""Draw the page of made-up weeks and those of the desk, as docs/images/ shows them: light, dark, on a phone.

make pictures        (needs Chromium; on Debian: apt-get install chromium)
"""

import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, sync_playwright

from email_report_processor.desk.events import to_row
from email_report_processor.desk.example import events
from email_report_processor.documents.encode import encode
from email_report_processor.pages import html
from email_report_processor.pages.asking import Scope
from email_report_processor.pages.example import weeks
from email_report_processor.pages.figure import Period
from email_report_processor.pages.overview import overview
from email_report_processor.process import Layout, index
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Row
from tests.browser import FLAGS, executable
from tests.desk.web.server import running

IMAGES = Path(__file__).parents[1] / "docs/images"
LAST = datetime(2026, 11, 20, tzinfo=UTC)  # the same pictures every time
SCOPE = Scope(Period("2026-10-22T00:00:00Z"))
NOW = "2026-11-21T06:00:00Z"
STORE = "the weeks of email-report-admin demo"


class Picture(NamedTuple):
    """One picture of a part of the page."""

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"] = "light"
    at: str = ""  # the element at its top


PICTURES = (
    Picture("page", 1400, 1010),
    Picture("page-charts", 1400, 1230, "dark", "#s-authenticated"),
    Picture("page-phone", 400, 860),
)


def main() -> int:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page = Path(folder) / "page.html"
        page.write_text(made(Path(folder)), "utf-8")
        browser = driver.chromium.launch(executable_path=executable(), args=list(FLAGS))
        for picture in PICTURES:
            path = IMAGES / f"{picture.name}.png"
            draw(browser, page, picture, path)
            print(f"{path.name}: {path.stat().st_size:,} bytes")
        draw_desk(browser, Path(folder))
        browser.close()
    return 0


class View(NamedTuple):
    """One page of the desk."""

    picture: Picture
    path: str


_SINCE = "class:spoof+since:2026-10-22"
VIEWS = (
    View(Picture("desk-failures", 1400, 900), f"/failures?q={_SINCE}"),
    View(Picture("desk-networks", 1400, 950, "dark"), "/networks?q=since:2026-10-22"),
    View(Picture("desk-message", 1400, 1000), "/message/{id}"),
    View(Picture("desk-phone", 400, 860), f"/campaigns?q={_SINCE}"),
)


def draw_desk(browser: Browser, folder: Path) -> None:
    """The pages of the desk over the same weeks, with what became of some reports."""
    store = SqliteStore(str(folder / "reports.sqlite"))
    store.write(to_row(event, now=NOW, layout=Layout()) for event in events(list(weeks(LAST)), LAST))
    store.close()
    with running(folder, "sqlite:reports.sqlite") as server:  # a path that is the same every time
        context = browser.new_context(base_url=server.url)
        page = context.new_page()
        page.goto(server.entrance)
        page.get_by_role("button", name="Open the desk").click()
        page.goto(VIEWS[0].path)
        id_ = str(page.locator("tr.delivered a").first.get_attribute("href")).removeprefix("/message/")
        for view in VIEWS:
            path = IMAGES / f"{view.picture.name}.png"
            page.set_viewport_size({"width": view.picture.width, "height": view.picture.height})
            page.emulate_media(color_scheme=view.picture.scheme)
            page.goto(view.path.format(id=id_))
            page.screenshot(path=path)
            print(f"{path.name}: {path.stat().st_size:,} bytes")
        context.close()


def made(folder: Path) -> str:
    """The page."""
    store = SqliteStore(str(folder / "reports.sqlite"))
    store.write(rows())
    try:
        return html.overview(overview(store, SCOPE, [], NOW)._replace(store=STORE))
    finally:
        store.close()


def rows() -> Iterator[Row]:
    """The weeks as they are stored."""
    for dataset, id_, fields, *_ in weeks(LAST):
        begin = str(fields.get("report.begin", fields["@timestamp"]))
        yield Row(index(dataset, begin, NOW, Layout()), id_, encode(fields))


def draw(browser: Browser, file: Path, picture: Picture, path: Path) -> None:
    """A part of the page as a person sees it."""
    view = {"width": picture.width, "height": picture.height}
    page = browser.new_context(viewport=view, color_scheme=picture.scheme).new_page()  # type: ignore[arg-type]  # a ViewportSize
    page.goto(file.as_uri())
    if picture.at:
        page.evaluate("at => scrollTo(0, document.querySelector(at).getBoundingClientRect().top - 20)", picture.at)
    page.screenshot(path=path)
    page.context.close()


if __name__ == "__main__":
    sys.exit(main())
