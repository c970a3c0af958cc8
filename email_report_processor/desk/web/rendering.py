"""The templates of the desk: those of `pages`, and its own beside them. Autoescaped, no script, one style sheet."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import jinja2

from ...pages import html, words
from ...pages.worldmap import name_of
from ...values.fields import clean_lines
from ..report import defang

# Every page: nothing but its own style sheet, forms that go nowhere else, and no frame around it.
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


@cache
def stylesheet() -> str:
    """The looks of every page."""
    return html.stylesheet() + files(__package__).joinpath("templates/desk.css").read_text("utf-8")


@cache
def stylesheet_url() -> str:
    """Its address, another one when it changes: browsers keep it."""
    return f"/style.css?{hashlib.sha256(stylesheet().encode()).hexdigest()[:12]}"


@cache
def environment() -> jinja2.Environment:
    """The templates of both places."""
    base = html.environment()
    assert base.loader is not None
    made = base.overlay(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader("email_report_processor.desk.web"), base.loader])
    )
    made.filters = {**base.filters, "defang": defang, "lines": clean_lines, "moment": moment, "country": name_of}
    made.globals = {**base.globals, "link": link, "views": VIEWS}
    return made


def page(template: str, **values: Any) -> str:
    """A page, by the name of its template."""
    return environment().get_template(template).render(stylesheet=stylesheet_url(), **values)


def link(path: str, **arguments: Any) -> str:
    """A path with its arguments, without those that are None: an empty query is one, too."""
    given = {name: value for name, value in arguments.items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def moment(text: str) -> str:
    """`2026-11-21 06:12 UTC`; what is no date is said as it is."""
    try:
        return words.minute(text)
    except ValueError:
        return words.plain(text)


# The navigation: path, name, and the role that sees it.
VIEWS: tuple[tuple[str, str, str], ...] = (
    ("/", "Overview", "reader"),
    ("/senders", "Senders", "reader"),
    ("/failures", "Failures", "reader"),
    ("/campaigns", "Campaigns", "reader"),
    ("/networks", "Networks", "reader"),
    ("/urls", "URLs", "reader"),
    ("/reports", "Reports sent", "reader"),
    ("/policy", "Policy", "reader"),
    ("/logins", "Logins", "analyst"),
    ("/kept", "Kept", "analyst"),
    ("/paste", "Paste", "analyst"),
    ("/upload", "Upload", "analyst"),
)
