"""Text as mdoc(7), the language of manual pages: escaped, a sentence to a line, no line above 80 bytes."""

import re
import textwrap
from collections.abc import Iterable

WIDTH = 78
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)")
_SPECIAL = str.maketrans(
    {
        "\\": "\\e", "-": "\\-", "~": "\\(ti", "^": "\\(ha", "`": "\\(ga", "…": "\\&...", "‑": "\\-",
        "–": "\\(en", "—": "\\(em", "→": "\\(->", "≤": "\\(<=", "≥": "\\(>=", "×": "\\(mu", "§": "\\(sc", "’": "\\(cq",
    }
)  # fmt: skip
# Words that a line of mdoc takes for macros or for punctuation.
_PUNCTUATION = frozenset(".,:;()[]?!|")
_MACRO = re.compile(r"[%A-Z][a-z0-9A-Z]{1,2}|Nm|Op|No")


def plain(text: str) -> str:
    """A word or a text, escaped."""
    return text.translate(_SPECIAL)


def paragraph(text: str) -> list[str]:
    """Lines of a text; what stands in backticks becomes bold."""
    lines = []
    for sentence in _SENTENCE.split(" ".join(text.split())):
        marked = re.sub(r"`([^`]+)`", lambda found: f"\\fB{plain(found[1])}\\fP", _outside(sentence))
        wrapped = textwrap.wrap(marked, WIDTH, break_long_words=False, break_on_hyphens=False)
        lines += [f"\\&{line}" if line[:1] in {".", "'"} else line for line in wrapped]
    return lines


def _outside(sentence: str) -> str:
    """Escape what stands outside of backticks."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:  # one of them is alone
        return plain(sentence)
    return "`".join(part if number % 2 else plain(part) for number, part in enumerate(parts))


def macro(name: str, *words: str) -> str:
    """A line with a macro and its arguments, none of which is taken for another macro."""
    return " ".join([f".{name}", *map(argument, words)])


def argument(word: str) -> str:
    """One argument of a macro: quoted when it has blanks, and never itself a macro."""
    escaped = plain(word).replace('"', "\\(dq")
    guarded = f"\\&{escaped}" if word in _PUNCTUATION or _MACRO.fullmatch(word) else escaped
    return f'"{guarded}"' if re.search(r"\s", word) or not word else guarded


def example(lines: Iterable[str]) -> list[str]:
    """Lines that are shown as they are."""
    shown = [plain(line) for line in lines]
    return [".Bd -literal -offset indent", *(f"\\&{one}" if one[:1] in {".", "'"} else one for one in shown), ".Ed"]
