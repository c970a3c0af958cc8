"""Draw the page of made-up weeks, as docs/images/ shows it: wide and light, wide and dark, on a phone.

make pictures        (needs Chromium; on Debian: apt-get install chromium)
"""

import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, sync_playwright

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
        browser.close()
    return 0


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
