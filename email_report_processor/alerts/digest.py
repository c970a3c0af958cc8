"""The mail of a week or a month: what changed, what to do, and the figures, as text and as HTML.

HTML for mail clients: tables, styles in each element, nothing from elsewhere, bars that need no picture. With the extra
[pictures] the charts of the page are PNG beside it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from typing import NamedTuple

from ..pages import html, svg, text, words
from ..pages.columns import wrap
from ..pages.figure import Figure, Page
from .event import Event

_TURNS = frozenset({"fix", "decide"})  # of what stands in the mail
_PICTURES = ("pass-rate", "messages")  # figures whose charts are shown
_FIGURES = ("domains", "senders", "tls-policies", "kept")  # whose tables are shown
_CHANGE = 0.02  # of a pass rate: less is no news
_TIMES = 3  # as much mail, or a third of it, is news


class Digest(NamedTuple):
    """What one mail says."""

    page: Page  # of the period
    before: Page  # of the period before
    events: tuple[Event, ...]  # what is wrong now

    def changes(self) -> list[str]:
        """What is other than in the period before, a sentence each."""
        return [*_mail(self.before, self.page), *_senders(self.before, self.page)]

    def says_something(self) -> bool:
        """Whether anybody has to do anything, or something changed."""
        return bool(self.events or self.changes() or any(one.turn == "fix" for one in self.page.fixes))


def _mail(before: Page, now: Page) -> Iterator[str]:
    old = {str(row[0]): row for row in before.figure("domains").rows}
    for row in now.figure("domains").rows:
        domain, messages, rate = str(row[0]), _number(row[1]), row[4]
        then = old.get(domain)
        if then is None:
            yield f"{words.plain(domain, 80)} is new: {words.count(int(messages), 'message')}."
            continue
        if isinstance(rate, float) and isinstance(then[4], float) and abs(rate - then[4]) >= _CHANGE:
            yield f"{words.plain(domain, 80)}: {words.share(rate)} passed, {words.share(then[4])} before."
        if messages >= _TIMES * _number(then[1]) or _TIMES * messages <= _number(then[1]):
            many = words.count(int(messages), "message")
            yield f"{words.plain(domain, 80)}: {many}, {words.number(int(_number(then[1])))} before."


def _senders(before: Page, now: Page) -> Iterator[str]:
    old = {str(row[0]) for row in before.figure("senders").rows}
    for row in now.figure("senders").rows:
        if before.figure("senders").rows and str(row[0]) not in old and not before.figure("senders").more:
            yield f"{words.plain(row[0], 80)} sends for the first time: {words.count(int(_number(row[1])), 'message')}."


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def compose(
    digest: Digest, to: Sequence[str], sender: str, title: str, now: datetime, *, pictures: bool = True
) -> EmailMessage:
    """The mail. title: such as `E-mail reports, week 48`. pictures: with PNG charts, where resvg is installed."""
    drawn = dict(_pictures(digest.page)) if pictures else {}
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = _subject(digest, title)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = _message_id(digest, to, sender)
    message["Auto-Submitted"] = "auto-generated"
    message["List-Id"] = f"E-mail report digest <digest.{sender.rpartition('@')[2] or 'localhost'}>"
    message.set_content(_plain(digest, title))
    message.add_alternative(_html(digest, title, drawn), "html")
    parts = list(message.iter_parts())
    for name, data in drawn.items():
        parts[-1].add_related(data, "image", "png", cid=f"<{name}>", disposition="inline")
    return message


def _html(digest: Digest, title: str, drawn: Mapping[str, bytes]) -> str:
    return html.mail(
        digest.page,
        title,
        events=digest.events,
        changes=digest.changes(),
        fixes=[one for one in digest.page.fixes if one.turn in _TURNS],
        figures=list(_shown(digest)),
        pictures=list(drawn),
    )


def _subject(digest: Digest, title: str) -> str:
    things = sum(one.turn == "fix" for one in digest.page.fixes)
    rate = digest.page.answers[0].number
    parts = [
        f"{words.count(len(digest.events), 'thing')} wrong now" if digest.events else "",
        f"{rate} authenticated" if rate != "-" else "no reports",
        f"{words.count(things, 'thing')} to fix" if things else "nothing to fix",
    ]
    return f"{title}: {', '.join(part for part in parts if part)}"


def _message_id(digest: Digest, to: Sequence[str], sender: str) -> str:
    """The same for the same digest: who gets it twice sees it once."""
    parts = [*digest.page.period, digest.page.made[:10], *to]
    return f"<digest.{sha256(' '.join(parts).encode()).hexdigest()[:24]}@{sender.rpartition('@')[2] or 'localhost'}>"


def _plain(digest: Digest, title: str) -> str:
    parts = [f"{title}\n{words.period(digest.page.period)}"]
    parts += [f"{one.question}\n{wrap(one.sentence, 76, '  ')}" for one in digest.page.answers]
    if digest.events:
        parts.append("Wrong now\n" + "\n".join(_item(f"{one.level}: {one.sentence} {one.do}") for one in digest.events))
    if changes := digest.changes():
        parts.append("What changed\n" + "\n".join(_item(one) for one in changes))
    parts += text.fixes((one for one in digest.page.fixes if one.turn in _TURNS), 76)
    parts += [text.figure(one, 76) for one in _shown(digest) if one.rows]
    return "\n\n".join(parts) + "\n"


def _item(sentence: str) -> str:
    return wrap(f"- {sentence}", 76, "  ")


def _shown(digest: Digest) -> Iterable[Figure]:
    names = {one.name: one for one in digest.page.figures}
    return (names[name] for name in _FIGURES if name in names)


def _pictures(page: Page) -> Iterator[tuple[str, bytes]]:
    try:
        import resvg_py  # 10 ms, extra [pictures]
    except ImportError:
        return

    def draw(image: str) -> bytes:
        return bytes(resvg_py.svg_to_bytes(svg_string=image.replace("sans-serif", FAMILIES), zoom=2))

    if draw(_WORD.format("Mail")) == draw(_WORD.format("")):
        return  # no font on this machine: bars say more than a chart without words
    for figure in page.figures:
        if figure.name in _PICTURES and figure.rows and (drawn := svg.standalone(figure)):
            yield figure.name, draw(drawn)


# To resvg sans-serif is Arial, and where there is none it leaves the words out without a word.
FAMILIES = "DejaVu Sans, Liberation Sans, Noto Sans, Open Sans, Ubuntu, Arial, Helvetica, sans-serif"
_WORD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20">'
    '<text x="1" y="15" style="font:12px sans-serif">{}</text></svg>'
)
