"""URLs in the text of a stranger: found in linear time, bounded, never opened."""

import html
import ipaddress
import re
from urllib.parse import unquote

from .fields import read_domain

MAX_CHARS = 4096  # of one URL; a longer one is cut
MAX_URLS = 100  # of one message
_TRIED = 10_000  # places looked at: the same URL again and again costs time, too

# One alternative per start and one run of characters: nothing to backtrack into.
_START = re.compile(r"(?:https?|ftp)://|(?<![\w@./:-])www\.", re.IGNORECASE)
_RUN = re.compile(r"[^\s<>\"`{}|\\^\x00-\x20\x7f-\x9f]+")
_SOFT_BREAK = "\u00ad\u200b\u200c\u200d\u2060"  # invisible characters that split a URL for filters, not for people
_INVISIBLE = str.maketrans("", "", _SOFT_BREAK)
_TRAILING = ".,;:!?'*_~"
_PAIRS = {")": "(", "]": "[", "}": "{"}


def find_urls(text: str, limit: int = MAX_URLS) -> list[str]:
    """URLs with http, https or ftp, or that begin with `www.`, in the order of the text, each once.

    Works on plain text and on HTML alike: attribute values end at their quotes, entities are undone. Punctuation that
    ends a sentence and brackets that were never opened are trimmed. At most `limit`, each at most 4 KiB, found among
    the first 10,000 places that look like one; linear time.
    """
    found: dict[str, None] = {}
    text = text.translate(_INVISIBLE)
    place = tried = 0
    while len(found) < limit and tried < _TRIED and (start := _START.search(text, place)) is not None:
        tried += 1
        run = _RUN.match(text, start.end())
        place = run.end() if run is not None else start.end()
        if run is None:
            continue
        url = _trim(html.unescape(text[start.start() : min(place, start.start() + MAX_CHARS)]))
        if host_of(url):
            found[url] = None
    return list(found)


def host_of(url: str) -> str:
    """The host of a URL: lower case, A-labels, without user and port; an IPv6 address without its brackets.

    '' when there is none. `www.example.org/…` without a scheme and `mailto:` are understood.
    """
    _, slashes, rest = url.partition("://")
    authority = re.split(r"[/?#\\]", rest if slashes else url.removeprefix("mailto:"), maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        return _ip(host[1:].partition("]")[0])
    host, _, port = host.partition(":")
    if port and not port.isdigit():  # another scheme: tel:…, data:…
        return ""
    return _name(unquote(host, errors="replace"))


def _trim(url: str) -> str:
    """The URL without what belongs to the sentence around it; linear: each bracket is counted once."""
    run = _RUN.match(url[:MAX_CHARS])  # again: entities may have hidden a quote or a blank
    url = run.group() if run is not None else ""
    opened = {bracket: url.count(bracket) for bracket in "()[]{}"}
    end = len(url)
    while end:
        last = url[end - 1]
        unopened = last in _PAIRS and opened[last] > opened[_PAIRS[last]]
        if last not in _TRAILING and not unopened:
            break
        if unopened:
            opened[last] -= 1
        end -= 1
    return url[:end]


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.split("%", 1)[0]))
    except ValueError:
        return ""


def _name(text: str) -> str:
    name = read_domain(text)
    if not name or len(name) > 253 or re.search(r"[\s<>\"'()]", name) or not re.search(r"\w", name):
        return ""
    return name
