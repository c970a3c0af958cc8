"""Chromium, as a person has it: pages are loaded, looked at by axe-core, and drawn."""

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import missing

# As root, and on a machine without the Internet: nothing is looked up and nothing is fetched.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def executable() -> str:
    """The system's Chromium, '' when there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""


_RUNNING: list[Browser] = []  # at most one: Playwright starts once in a process


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> Browser:
    """Chromium, without a window; the same in each module that imports this, until the end of the run."""
    path = executable()
    if not path:
        missing("needs Chromium; on Debian: apt-get install chromium")
    if not _RUNNING:
        driver = sync_playwright().start()
        _RUNNING.append(driver.chromium.launch(executable_path=path, args=list(FLAGS)))
        request.config.add_cleanup(driver.stop)
        request.config.add_cleanup(_RUNNING[0].close)  # the last one that was added goes first
    return _RUNNING[0]


def load(
    browser: Browser, url: str, width: int = 1500, scheme: Literal["light", "dark"] = "light", **context: Any
) -> tuple[Page, list[str]]:
    """A page that is loaded, and what Chromium complained about or asked the network for."""
    page = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme, **context).new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: told.append(request.url) if request.url != url else None)
    page.goto(url)
    return page, told


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong; the page was loaded with bypass_csp=True."""
    page.add_script_tag(path=Path(str(files("axe_playwright_python") / "axe.min.js")))
    found = page.evaluate("async () => (await axe.run()).violations")
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in found]
