"""The page in a real browser: nothing is fetched, nothing is run, and strangers' names are text."""

import csv
import io
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser

from email_report_processor.documents.document import Document
from email_report_processor.pages import html, svg, text, words
from email_report_processor.pages.asking import Scope
from email_report_processor.pages.data import to_csv, to_json
from email_report_processor.pages.figure import Column, Figure, Page
from email_report_processor.pages.html import Linked
from email_report_processor.pages.overview import overview
from email_report_processor.stores.sqlite import SqliteStore
from tests.browser import browser, load, violations
from tests.pages.conftest import NOW, SCOPE, rows

__all__ = ["browser"]

LIMIT = 300_000  # bytes of a page


@pytest.fixture(scope="module")
def file(store: SqliteStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as `summary --html` writes it."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(html.overview(overview(store, SCOPE._replace(top=15), [], NOW)), "utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1500, 400])
def test_everybody_can_read_it(browser: Browser, file: Path, width: int, scheme: str) -> None:
    page, _ = load(browser, file.as_uri(), width, "dark" if scheme == "dark" else "light", bypass_csp=True)
    assert violations(page) == []
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()


def test_no_table_is_cut_and_no_place_is_empty_on_a_wide_screen(browser: Browser, file: Path) -> None:
    page, _ = load(browser, file.as_uri(), 1500)
    folded = "one => !one.closest('details') && one.scrollWidth > one.clientWidth"
    wide = f"[...document.querySelectorAll('.scroll')].filter({folded}).map(one => one.ariaLabel)"
    assert page.evaluate(wide) == []
    short = """[...document.querySelectorAll('.figures')].filter(grid => {
      const edge = Math.max(...[...grid.children].map(one => one.getBoundingClientRect().right))
      const last = grid.lastElementChild.getBoundingClientRect()
      return last.right < edge - 1 }).length"""
    assert page.evaluate(short) == 0
    page.context.close()


def test_a_page_without_navigation_has_room_below_its_heading(browser: Browser, page: Page, tmp_path: Path) -> None:
    path = tmp_path / "plain.html"
    policies = page.figure("policies")
    path.write_text(html.plain(page._replace(figures=(policies,))), "utf-8")
    shown, _ = load(browser, path.as_uri(), 1500)
    box = "document.querySelector('%s').getBoundingClientRect()"
    assert shown.evaluate(f"{box % '.answers'}.top - {box % '.about'}.bottom") >= 10
    names = "[...document.querySelectorAll('tbody th')].every(one => one.getBoundingClientRect().height < 40)"
    assert shown.evaluate(names), "no name breaks"
    shown.context.close()


def test_it_is_one_small_file_that_asks_for_nothing(browser: Browser, file: Path) -> None:
    page, told = load(browser, file.as_uri())
    assert told == []
    assert page.evaluate("getComputedStyle(document.body).fontSize") == "15px", "its style sheet is let in"
    assert page.locator("script").count() == page.locator("[style]").count() == 0
    assert len(file.read_bytes()) < LIMIT
    assert not re.search(r'(?:src|href)="(?!#)', file.read_text("utf-8"))
    page.context.close()


def test_every_chart_has_its_table(browser: Browser, file: Path) -> None:
    page, _ = load(browser, file.as_uri())
    charts = page.locator("section.figure:has(svg.chart)")
    assert charts.count() == 6
    for number in range(charts.count()):
        assert charts.nth(number).locator("table").count() == 1
        assert charts.nth(number).locator("svg.chart[aria-hidden=true]").count() >= 1
    page.context.close()


def test_it_can_be_printed(browser: Browser, file: Path, tmp_path: Path) -> None:
    page, _ = load(browser, file.as_uri(), scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("nav").is_hidden()
    assert page.locator("details.nothing dl").is_visible()
    page.pdf(path=tmp_path / "page.pdf", format="A4")
    assert (tmp_path / "page.pdf").read_bytes().count(b"/Type /Page\n") <= 8
    page.context.close()


def test_an_index_leads_to_each_domain_and_back(browser: Browser, store: SqliteStore, tmp_path: Path) -> None:
    whole = overview(store, Scope(SCOPE.period), [], NOW)
    one = overview(store, Scope(SCOPE.period, "example.net"), [], NOW)
    (tmp_path / "all.html").write_text(html.index(whole, [Linked("one.html", one)]), "utf-8")
    (tmp_path / "one.html").write_text(html.overview(one, index="all.html"), "utf-8")
    page, _ = load(browser, (tmp_path / "all.html").as_uri())
    page.get_by_role("link", name="example.net").click()
    assert page.get_by_role("heading", level=1).inner_text() == "example.net"
    page.get_by_role("link", name="All domains").click()
    assert page.get_by_role("heading", level=1).inner_text() == "All domains"
    page.context.close()


# Colours


@pytest.mark.parametrize("index", [0, 1])
def test_colours_that_stand_together_differ_in_lightness_or_far_in_hue(index: int) -> None:
    """For those who see two colours of three: simulated after Machado, Oliveira and Fernandes (2009)."""
    for names in (("aligned", "partly", "fix", "stranger"), ("ok", "failed")):
        for one, two in pairwise(names):
            for matrix in BLIND:
                a, b = seen(words.PAINT[one][index], matrix), seen(words.PAINT[two][index], matrix)
                assert sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5 > 40, (one, two)


BLIND = (
    ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
)


def seen(colour: str, matrix: tuple[tuple[float, ...], ...]) -> list[float]:
    values = [int(colour[n : n + 2], 16) for n in (1, 3, 5)]
    return [sum(factor * value for factor, value in zip(row, values, strict=True)) for row in matrix]


# Strangers

HOSTILE = (
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>{{ 7*7 }}{% raw %}',
    "\u202egnp.exe\u2066\u200f\x1b[31m\x07\x00\x9b",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(A1)",
    "-2+3",
    "x" * 4096,
    "\r\n\tnew line",
)


def hostile(documents: list[Document]) -> Iterator[Document]:
    """The same weeks with strangers' names in every text that is shown."""
    names = (
        "source.name",
        "source.as.organization.name",
        "report.org_name",
        "identifiers.header_from",
        "policy_published.domain",
        "policy.domain",
        "failure.result_type",
        "failure.receiving_mx_hostname",
        "class",
        "feedback.type",
        "source.geo.country_iso_code",
        "policy_published.p",
        "policy.type",
    )
    for number, document in enumerate(documents):
        fields = dict(document.fields)
        for place, name in enumerate(name for name in names if name in fields):
            if (number + place) % 3 == 0:
                fields[name] = HOSTILE[(number + place) % len(HOSTILE)]
        if "dkim.signatures" in fields:
            fields["dkim.signatures"] = [f"{one} / {one} / fail" for one in HOSTILE]
        fields["warnings"] = [HOSTILE[number % len(HOSTILE)]]
        yield Document(document.dataset, document.id, fields)


@pytest.fixture(scope="module")
def attacked(documents: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = tmp_path_factory.mktemp("hostile") / "reports.sqlite"
    made = SqliteStore(str(path))
    made.write(rows(hostile(documents)))
    try:
        return overview(made, SCOPE._replace(top=40), [], NOW)
    finally:
        made.close()


def test_a_hostile_name_is_text_in_the_page(browser: Browser, attacked: Page, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(html.overview(attacked), "utf-8")
    page, told = load(browser, path.as_uri(), bypass_csp=True)
    assert told == []
    assert page.locator("script, img, iframe, [onload], [onerror]").count() == 0
    shown = page.inner_text("body")
    assert "<script>alert(1)</script>" in shown
    assert "{{ 7*7 }}" in shown
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown)
    assert "x" * 1000 not in shown
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 1500
    page.context.close()


def test_a_hostile_name_is_text_on_a_terminal(attacked: Page) -> None:
    shown = text.page(attacked)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown)
    assert "<script>alert(1)</script>" in shown
    assert max(map(len, shown.splitlines())) < 400


def test_a_hostile_name_is_no_formula(attacked: Page) -> None:
    found = 0
    for figure in attacked.figures:
        lines = list(csv.reader(io.StringIO(to_csv(figure))))
        assert len(lines) == 1 + len(figure.rows)
        for line in lines[1:]:
            for value in line:
                found += value.startswith("'=cmd")
                assert value == "-" or not value.startswith(("=", "+", "-", "@", "\t", "\r"))
                assert "\x1b" not in value
    assert found


def test_a_hostile_name_gets_into_no_record(attacked: Page) -> None:
    records = [record for fix in attacked.fixes for record in fix.records]
    assert records
    for record in records:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+\.  IN (TXT|CNAME)  [ -~…]+", record.line), record.line


def test_json_says_everything(page: Page) -> None:
    read = json.loads(to_json(page))
    assert [one["name"] for one in read["figures"]] == [one.name for one in page.figures]
    for one, figure in zip(read["figures"], page.figures, strict=True):
        assert [[tuple(v) if isinstance(v, list) else v for v in row] for row in one["rows"]] == [
            list(row) for row in figure.rows
        ]
    assert read["fixes"][0]["records"][0]["line"] == page.fixes[0].records[0].line


# Charts of anything

VALUES = st.integers(0, 10**9)
STACKS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=200)


@given(STACKS)
def test_a_stack_of_anything_can_be_drawn(values: list[tuple[int, int]]) -> None:
    columns = (Column("Day", "day"), Column("One", "number", "ok"), Column("Two", "number", "failed"))
    days = tuple((f"2026-{1 + n // 28 % 12:02}-{1 + n % 28:02}", *pair) for n, pair in enumerate(values))
    figure = Figure("x", "Anything", columns, days, chart="stack")
    for drawn in (svg.chart(figure), svg.chart(figure, svg.NARROW), svg.standalone(figure)):
        heights = [float(y) for y in re.findall(r"V(-?[\d.]+)h", drawn)]
        assert all(0 <= y <= 220 for y in heights)
        assert "nan" not in drawn
    assert text.figure(figure)


@given(st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 500), st.integers(1, 500))), min_size=1, max_size=120))
def test_a_rate_of_anything_can_be_drawn(pairs: list[tuple[int, int] | None]) -> None:
    from email_report_processor.pages.mail import wilson

    rows_: list[tuple[str, int, int, float | None, float | None, float | None]] = []
    for pair in pairs:
        if pair is None:
            rows_.append(("2026-11-20", 0, 0, None, None, None))
            continue
        good, all_ = min(pair), max(pair)
        low, high = wilson(good, all_)
        assert 0 <= low <= good / all_ <= high <= 1
        rows_.append(("2026-11-20", all_, good, good / all_, low, high))
    names = (("Day", "day", ""), ("All", "number", ""), ("Good", "number", ""), ("Rate", "share", "pass"))
    columns = (*(Column(*one) for one in names), Column("Low", "share", "low"), Column("High", "share", "high"))  # type: ignore[arg-type]  # kinds
    drawn = svg.chart(Figure("x", "Anything", columns, tuple(rows_), chart="rate"))
    for y in re.findall(r"[ML][\d.]+ (-?[\d.]+)", drawn):
        assert 9 <= float(y) <= 197
