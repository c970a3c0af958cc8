"""The record that was meant by a broken one: what can be told is kept, what cannot is asked for and never invented.

Records are typed into forms and pasted from pages: semicolons become `\\;`, commas or blanks, `=` becomes a colon,
quotes are curly, blanks are U+00A0. A proposal that forgets the policy or the address would be pasted all the same.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from ..values.fields import read_domain
from .record import VALUES, Policy, is_valid_fo, publish, read_uri, uris

POLICY = "POLICY"  # in the place of a value that a person has to say; no reader of records takes these for one
ADDRESS = "ADDRESS"

_NAMES = ("rua", "ruf", "adkim", "aspf", "pct", "psd", "sp", "np", "fo", "rf", "ri", "p", "t", "v")
_QUOTES = re.compile(r"[\"`´\u2018-\u201f\u00ab\u00bb\u2039\u203a\\\u200b-\u200f\u2060\ufeff]")
# `name=`, where one may begin: `:` stands for `=` only behind a name that is known, and not in mailto:.
# Where even that is missing, what follows tells.
_TAG = re.compile(
    rf"(?<![\w.%+@:!?&=-])(?:({'|'.join(_NAMES)})\s*[=:]+|([a-z]+)\s*=+"
    r"|(ru[af])\s+(?=mailto:|[^\s@]+@)|([sn]?p)\s+(?=none|quarantine|reject))\s*",
    re.IGNORECASE,
)
_GLUED = re.compile(  # a semicolon that is missing where no blank is either, or is something else
    rf"(?<![a-z])(DMARC1|none|quarantine|reject)\s*[:/|–—-]?\s*(?=(?:{'|'.join(_NAMES)})\s*[=:])", re.IGNORECASE
)
_SEMICOLON = re.compile(r"%3b|&#0?59;|&#x3b;|&semi;", re.IGNORECASE)
_AT = re.compile(r"\s*[\[({]\s*at\s*[\])}]\s*", re.IGNORECASE)
_MAILBOX = re.compile(r"([^\s,;:<>()/=!@]+)@([^\s,;:<>()/=!@]+)")
_WORDS = {"strict": "s", "relaxed": "r", "yes": "y", "no": "n"}


class Proposal(NamedTuple):
    """A record to publish, and what has to be put into it first."""

    text: str
    asked: tuple[str, ...] = ()  # sentences without an end

    def at(self, name: str) -> str:
        """The line of a zone file, below it what is asked for."""
        return "\n".join((publish(name, self.text), *(f"({one})" for one in self.asked)))


def proposed(policy: Policy) -> Proposal:
    """The record with everything in it that can be told."""
    said = _said(policy.text)
    tags: dict[str, str] = {"v": "DMARC1"}
    asked: list[str] = []
    for name in ("p", "sp", "np", "adkim", "aspf", "t", "psd"):
        values = _values(name, said.get(name, ()))
        if len(values) == 1:
            tags[name] = values[0]
        elif name == "p":
            tags[name] = POLICY
            which = f" you mean: {' or '.join(values)}" if values else ": none, quarantine or reject"
            asked.append(f"in the place of {POLICY} write which policy{which}")
        elif values:
            asked.append(f"{name} is there several times: add the one that you mean, {' or '.join(values)}")
    if "t" not in tags and said.get("pct") == ["0"]:
        tags["t"] = "y"  # RFC 9989 Appendix C.5.2: what pct=0 was used for
    tags["rua"] = ",".join(addresses(said.get("rua", ()))) or _asked_address(asked)
    if ruf := ",".join(addresses(said.get("ruf", ()))):
        tags["ruf"] = ruf
        options = ":".join(re.findall(r"[01ds]", "".join(said.get("fo", ()))))
        if options and is_valid_fo(options):
            tags["fo"] = options
    return Proposal("; ".join(f"{name}={value}" for name, value in tags.items()), tuple(asked))


def first_record(domain: str) -> Proposal:
    """For a domain that has none: p=none changes nothing for anybody's mail."""
    asked: list[str] = []
    text = f"v=DMARC1; p=none; rua={_asked_address(asked, domain)}"
    return Proposal(text, tuple(asked))


def proposed_tlsrpt(text: str) -> Proposal:
    """The same for a TLSRPT record (RFC 8460 §3), which knows https: too."""
    said = _said(text)
    found = [
        *re.findall(r"https://[^\s,;!]+", ",".join(said.get("rua", (text,)))),
        *addresses(said.get("rua", (text,))),
    ]
    asked: list[str] = []
    rua = ",".join(dict.fromkeys(found)) or _asked_address(asked)
    return Proposal(f"v=TLSRPTv1; rua={rua}", tuple(asked))


def _asked_address(asked: list[str], domain: str = "") -> str:
    example = f", such as dmarc-reports@{domain} if you make it" if domain else ""
    asked.append(f"in the place of {ADDRESS} write a mailbox for reports that exists{example}")
    return f"mailto:{ADDRESS}"


def _said(text: str) -> dict[str, list[str]]:
    """Name of a tag, in lower case -> the texts behind it, whatever stands between."""
    plain = _SEMICOLON.sub(";", _QUOTES.sub("", unicodedata.normalize("NFKC", text)))
    plain = _GLUED.sub(r"\1;", _AT.sub("@", plain))
    found = list(_TAG.finditer(plain))
    ends = [*(one.start() for one in found), len(plain)][1:]
    said: dict[str, list[str]] = {}
    for one, end in zip(found, ends, strict=True):
        name = next(filter(None, one.groups())).lower()
        name = "p" if name == "policy" else name
        said.setdefault(name, []).append(plain[one.end() : end].strip(" \t\r\n;,|'"))
    return said


def _values(name: str, texts: Iterable[str]) -> list[str]:
    """The values that a tag may have, of those that were written; several where they contradict each other."""
    pieces = (piece for text in texts for piece in re.split("[;,|]", text))
    plain = [re.sub(r"\s+", "", piece).lower().strip(".") for piece in pieces]
    values = [_WORDS.get(text, text) for text in plain]
    return list(dict.fromkeys(value for value in values if VALUES[name][0].fullmatch(value)))


def addresses(texts: Iterable[str]) -> list[str]:
    """The mailto: URIs in some texts: as they are where they are right, else made of what looks like an address."""
    found: list[str] = []
    for text in texts:
        for piece in (piece.rstrip(".") for piece in re.split(r"[,;\s]+", text)):
            uri = read_uri(piece)
            whole = not uri.fault and "." in uri.host  # else a comma stands where a dot was meant
            found += [piece.partition("!")[0]] if whole else _mailboxes(piece)
    return list(dict.fromkeys(found))


def _mailboxes(text: str) -> list[str]:
    made = [f"mailto:{local}@{_host(host)}" for local, host in _MAILBOX.findall(text) if "." in host]
    return [one for one in made if not any(uri.fault for uri in uris(one))]


def _host(text: str) -> str:
    return read_domain(text.strip("."))


def for_subdomain(policy: Policy) -> Proposal:
    """What a subdomain would publish so that the policy which holds for it now goes on to hold."""
    proposal = proposed(policy)
    tags = dict(part.split("=", 1) for part in proposal.text.split("; "))
    tags.pop("psd", "")
    if "sp" in tags:
        tags["p"] = tags["sp"]
    asked = tuple(one for one in proposal.asked if POLICY not in one or tags["p"] == POLICY)
    return Proposal("; ".join(f"{name}={value}" for name, value in tags.items()), asked)
