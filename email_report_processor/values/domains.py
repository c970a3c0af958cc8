"""Organizational domains by the Public Suffix List, and alignment (RFC 7489 §3.2, §3.1).

The list is the one that the installed package `publicsuffixlist` ships. Its file is read by itself: importing the
package takes 47 ms, cutting the file into a set of lines 2 ms (and searching the bytes for each candidate 0.09 ms a
rule, which is more as soon as a report names four domains).

The whole list counts, its private section too, as in the usual implementations of DMARC: the tenants of a hosting
platform that is listed there do not align with each other.
"""

import errno
import os
from functools import lru_cache

from .fields import read_domain
from .patterns import pattern

_PACKAGE = "publicsuffixlist"
_FILE = "public_suffix_list.dat"
_DEEPEST = 8  # labels looked at from the right; the longest rule of the list has 5 (a test counts them)
_LONGEST = 253  # characters of a domain name (RFC 1035 §2.3.4); a longer one is none, and never fills the cache
_IPV4 = pattern(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")


class ListMissingError(OSError):
    """The Public Suffix List cannot be read: our installation's fault, never the message's."""


def organizational_domain(name: str) -> str:
    """The public suffix of a name and one label more, in lower case and A-labels; '' for what is no domain name.

    A name that is itself a public suffix (`co.uk`, a lone label) is its own organizational domain.
    Raises ListMissingError.
    """
    return _organizational_domain(name) if len(name) <= _LONGEST else ""


def aligned(one: str, other: str, strict: bool = False) -> bool:
    """Whether two names align: equal, or (relaxed) of one organizational domain (RFC 7489 §3.1).

    Raises ListMissingError.
    """
    if strict or len(one) > _LONGEST or len(other) > _LONGEST:
        return _normal(one) == _normal(other) != ""
    return _aligned(one, other)


@lru_cache(maxsize=4096)
def _aligned(one: str, other: str) -> bool:
    one, other = _normal(one), _normal(other)
    if one == other:
        return one != ""
    domain = organizational_domain(one)
    return domain != "" and domain == organizational_domain(other)


@lru_cache(maxsize=4096)
def _organizational_domain(name: str) -> str:
    name = _normal(name)
    labels = name.split(".")
    if "" in labels or ":" in name or name.startswith("[") or _IPV4.match(name):
        return ""
    suffix = _suffix_labels([_unicode_label(label) for label in labels[-_DEEPEST:]])
    return ".".join(labels[-(suffix + 1) :])


def _normal(name: str) -> str:
    """Lower case, without the root's dot, A-labels."""
    return name.rstrip(".").lower() if name.isascii() else read_domain(name)


def _unicode_label(label: str) -> bytes:
    """A label as the list writes it: the list has U-labels in UTF-8, names have A-labels."""
    if not label.startswith("xn--"):
        return label.encode("utf-8", "surrogatepass")
    try:
        return label[4:].encode("ascii").decode("punycode").encode("utf-8", "surrogatepass")
    except UnicodeError:  # then it is no label of the list either
        return label.encode("utf-8", "surrogatepass")


def _suffix_labels(labels: list[bytes]) -> int:
    """How many labels of a name are its public suffix: the longest rule that fits, `*` when there is none.

    `*.ck` makes `ck` a suffix as well (so the list's own test vectors), and an exception (`!www.ck`) takes a label off.
    """
    rules = _rules()
    for length in range(len(labels), 0, -1):
        name = b".".join(labels[-length:])
        if b"!" + name in rules:
            return length - 1
        if b"*." + name in rules:
            return min(length + 1, len(labels))
        if name in rules:
            return length
    return 1


@lru_cache(maxsize=1)
def _rules() -> frozenset[bytes]:
    """Every line of the list. Its comments are among them; no domain name equals one."""
    with open(_list_file(), "rb") as file:
        return frozenset(file.read().split(b"\n"))


def _list_file() -> str:
    from importlib.machinery import PathFinder  # 0.3 ms; importlib.util would be 3, pathlib 14

    found = PathFinder.find_spec(_PACKAGE)
    for place in (found.submodule_search_locations or ()) if found else ():
        path = os.path.join(place, _FILE)
        if os.path.isfile(path):
            return path
    raise ListMissingError(
        errno.ENOENT,
        f"the Public Suffix List is missing: install the Python package {_PACKAGE} (with its file {_FILE}) again",
    )
