"""HTML of figures: one static page, or parts for a page that is served. Autoescaped; no script, nothing from elsewhere.

Templates stand in `templates/`: `base.html` is the frame, `figures.html` the macros of figures, answers and things to
fix, `style.css` the looks. A served page links the style sheet; a static one holds it, named by its hash in the policy.
"""

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import jinja2  # 60 ms, only for HTML
from markupsafe import Markup

from . import svg, text, words
from .figure import Column, Figure, Page, Value
from .fixing import TURNS
from .worldmap import name_of

_LONGEST = 300  # characters of one text in a table
_ACROSS = frozenset({"countries", "hosts", "reporters", "tls-failures"})  # as wide as the page
_MANY = 7  # columns of a table that is as wide as the page

# The sections of the page: heading, anchor, figures.
SECTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Is my mail authenticated?", "authenticated", ("pass-rate", "messages", "failing", "domains")),
    ("Who sends, and from where?", "senders", ("senders", "countries", "hosts", "networks", "policies")),
    ("TLS of mail to me", "tls", ("tls-sessions", "tls-policies", "tls-failures")),
    ("Failed messages and complaints", "failures", ("failed-messages", "feedback")),
    ("Intake", "intake", ("reporters", "versions", "kept", "warnings")),
)


class Linked(NamedTuple):
    """A page of one domain, as the index names it."""

    href: str
    page: Page


@cache
def stylesheet() -> str:
    """The looks of every page: the file, and the colours of `words.PAINT`."""
    light, dark = (_paint(index) for index in (0, 1))
    paint = "".join(f".s-{key}{{fill:var(--s-{key})}}.l-{key}{{stroke:var(--s-{key})}}" for key in words.PAINT)
    shades = "".join(f".q{n}{{fill:var(--q{n})}}" for n in range(len(words.SHADES[0])))
    variables = f":root{{{light}}}\n@media (prefers-color-scheme:dark){{@media screen{{:root{{{dark}}}}}}}\n"
    return variables + paint + shades + "\n" + files(__package__).joinpath("templates/style.css").read_text("utf-8")


def _paint(index: int) -> str:
    colours = {f"s-{key}": pair[index] for key, pair in words.PAINT.items()}
    colours |= {f"q{n}": colour for n, colour in enumerate(words.SHADES[index])}
    return "".join(f"--{name}:{colour};" for name, colour in colours.items())


def policy() -> str:
    """Content-Security-Policy of a static page: nothing but its own style sheet."""
    digest = base64.b64encode(hashlib.sha256(stylesheet().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def environment() -> jinja2.Environment:
    """The templates, with what they need. Whoever serves pages adds a loader of his own beside this one."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("email_report_processor.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "cell": cell,
        "class": _class,
        "chart": lambda figure, width=svg.WIDE: Markup(svg.chart(figure, width)),  # noqa: S704  # escaped where it is drawn
        "parts": lambda parts: Markup(svg.proportions(parts)),  # noqa: S704  # likewise
        "trend": lambda values: Markup(svg.sparkline(values, 320, 40)),  # noqa: S704  # numbers only
        "series": svg.series,
        "number": words.number,
        "plain": words.plain,
        "day": words.day,
        "period": words.period,
        "minute": words.minute,
    }
    made.globals |= {
        "count": words.count,
        "turns": TURNS,
        "narrow": svg.NARROW,
        "across": across,
        "shades": range(1, len(words.SHADES[0])),
    }
    return made


def across(figure: Figure) -> bool:
    """Whether a figure needs the whole width: half of it would cut the table."""
    return figure.name in _ACROSS or (not figure.chart and len(figure.columns) >= _MANY)


_CLASSES = {"number": "n", "share": "n", "trend": "t", "day": "d", "code": "c"}


def _class(column: Column) -> Markup:
    """The attribute of a cell, '' for text."""
    name = _CLASSES.get(column.kind)
    return Markup(f' class="{name}"' if name else "")  # noqa: S704  # a word of ours


def cell(value: Value, column: Column) -> str:
    """One value of a table; a stranger's text is kept apart from the direction of what stands beside it."""
    if isinstance(value, tuple):
        return Markup(svg.sparkline(value))  # noqa: S704  # numbers only
    if column.kind == "country" and isinstance(value, str) and value != "-":
        return name_of(value)
    if isinstance(value, str) and value:
        said = words.plain(value, _LONGEST)
        return said if said.isascii() else Markup("<bdi>{}</bdi>").format(said)
    return text.cell(column, value)


def render(template: str, **values: Any) -> str:
    """A static page."""
    return environment().get_template(template).render(css=Markup(stylesheet()), policy=policy(), **values)  # noqa: S704  # ours


def overview(page: Page, *, index: str = "") -> str:
    """The whole page. `index`: the address of the page of all domains, for a way back."""
    return render("overview.html", page=page, sections=SECTIONS, index=index, domains=())


def mail(page: Page, title: str, **values: Any) -> str:
    """A page for mail clients: styles in each element. values: events, changes, fixes, figures, pictures."""
    titles = {figure.name: figure.title for figure in page.figures}
    return environment().get_template("mail.html").render(page=page, title=title, titles=titles, **values)


def plain(page: Page) -> str:
    """A page of answers, things to do and figures in their order."""
    return render("plain.html", page=page)


def index(page: Page, domains: Iterable[Linked]) -> str:
    """The page of all domains, with a link to each one's own."""
    return render("overview.html", page=page, sections=SECTIONS, index="", domains=tuple(domains))
