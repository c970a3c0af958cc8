"""How numbers, names and classes are said to people. Names are a stranger's: they come out as one harmless line."""

from datetime import datetime

from ..documents.classify import CLASSES
from ..values.fields import clean
from .figure import Period

_IRREGULAR = {"is": "are", "was": "were", "has": "have", "this": "these", "it": "them", "host": "hosts"}

# What is drawn together has colours that differ in lightness too; the keys are those of `figure.Column.series`.
# Light and dark are the colours of Okabe and Ito ("Color Universal Design", 2008), adapted for their background.
PAINT: dict[str, tuple[str, str]] = {
    "pass": ("#0b6aa8", "#4aa3df"),
    "aligned": ("#0b6aa8", "#4aa3df"),
    "partly": ("#7cc0ea", "#1f5f8b"),
    "fix": ("#d1490c", "#ff8f4d"),
    "stranger": ("#6b6b76", "#a3a3ae"),
    "own-unaligned": ("#f0764a", "#ffb08f"),
    "own-misconfigured": ("#d1490c", "#ff7a33"),
    "broken-signature": ("#e69f00", "#ffc54d"),
    "third-party-unaligned": ("#a23b72", "#f08fc4"),
    "spoof": ("#55555f", "#9a9aa6"),
    "forwarded": ("#7cc0ea", "#2f7fb5"),
    "mailing-list": ("#00916b", "#2fc79b"),
    "temperror": ("#b8a800", "#f0e442"),
    "incident": ("#5d2a6e", "#c79ad6"),
    "complaint": ("#a23b72", "#f08fc4"),
    "other": ("#b9b9c2", "#6f6f7a"),
    "ok": ("#0b6aa8", "#4aa3df"),
    "failed": ("#d1490c", "#ff8f4d"),
}

# Countries by how much mail comes from them, light and dark; 0 is none.
SHADES = (
    ("#e4e4ea", "#c6e1f5", "#93c6ea", "#5ba7da", "#2a84c0", "#0b5f99"),
    ("#2a2d35", "#17405f", "#1f5f8b", "#2c80b8", "#4aa3df", "#8ccbf5"),
)


def number(value: float) -> str:
    """47,902."""
    return f"{value:,}"


def count(value: int, noun: str, plural: str = "") -> str:
    """`1 message`, `2 messages`."""
    return f"{value:,} {noun if value == 1 else plural or plural_of(noun)}"


def plural_of(noun: str) -> str:
    """The regular plural of a noun, or of the verbs and pronouns that sentences here need."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeiou" else noun + "s"


def verb(value: int, one: str) -> str:
    """`is` for one, `are` for others."""
    return one if value == 1 else plural_of(one)


def share(fraction: float | None) -> str:
    """A fraction as a percentage that never rounds up to 100%, nor down to 0%."""
    if fraction is None:
        return "-"
    if 0 < fraction < 0.0005:
        return "<0.1%"
    return "99.9%" if 0.9995 <= fraction < 1 else f"{100 * fraction:.1f}%"


def part(some: int, all_: int) -> float | None:
    """A fraction; None of nothing."""
    return some / all_ if all_ else None


def plain(text: object, longest: int = 200) -> str:
    """A stranger's text on one line: without control and direction characters, cut visibly."""
    line = clean(str(text))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def day(moment: str) -> str:
    """The day of a date."""
    return moment[:10]


def period(asked: Period) -> str:
    """`since 2026-10-22, before 2026-11-21`; `of all time`."""
    since = f"since {day(asked.since)}" if asked.since else "of all time"
    return since + (f", before {day(asked.until)}" if asked.until else "")


def listed(names: list[str], most: int = 4) -> str:
    """`a, b and c`; `a, b and 7 more`."""
    shown = names if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1:,} more"]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1] if shown else ""


def what(class_: str) -> str:
    """What a class is, as a sentence; the class itself where it is not ours."""
    return CLASSES[class_].what if class_ in CLASSES else plain(class_)


def minute(moment: str) -> str:
    """`2026-11-21 06:12 UTC`."""
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M UTC")
