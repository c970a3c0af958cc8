"""BIMI: the record, the picture that it names, and until when the mark's certificate holds.

draft-brand-indicators-for-message-identification; the profile of the picture is SVG Tiny PS (draft-svg-tiny-ps).
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from xml.parsers import expat

from ..values.domains import organizational_domain
from .der import pem, validity
from .finding import Finding, failure, ok, warning
from .mark import check_mark
from .reach import Page, Reach
from .record import WSP, parse, publish
from .resolver import Look

_VERSION = re.compile(rf"v[{WSP}]*=[{WSP}]*BIMI1[{WSP}]*(;|\Z)")
_SVG = "http://www.w3.org/2000/svg"
_LARGE = 32 * 1024  # bytes that receivers take
_FORBIDDEN = frozenset(
    {"script", "image", "foreignObject", "a", "animate", "animateTransform", "set", "iframe", "audio", "video"}
)
_SOON = timedelta(days=30)


def check_bimi(domain: str, look: Look, reach: Reach, now: datetime, roots: Sequence[bytes] = ()) -> Iterator[Finding]:
    """The default selector; nobody has to have one. roots: see check_mark."""
    about, name = f"{domain} bimi", f"default._bimi.{domain}"
    answer = look(name, "TXT")
    records = [text for text in answer.texts if _VERSION.match(text)]
    if answer.fault:
        yield warning(about, f"{name}: {answer.fault}", "ask again later")
    elif len(records) > 1:
        yield failure(about, f"{name}: {len(records)} records, so receivers take none", "keep one of them")
    elif records:
        yield from _check_record(about, domain, records[0], look, reach, _Trusted(now, roots))
    elif answer.texts:
        example = publish(name, "v=BIMI1; l=https://…/mark.svg; a=")
        yield failure(about, f"{name}: {answer.texts[0]!r} does not begin with v=BIMI1;", example)
    else:
        yield ok(about, f"{name}: none")


class _Trusted(NamedTuple):
    """What certificates are held against."""

    now: datetime
    roots: Sequence[bytes]


def _check_record(
    about: str, domain: str, record: str, look: Look, reach: Reach, trusted: _Trusted
) -> Iterator[Finding]:
    tags = parse(domain, record)
    picture, authority = tags.get("l"), tags.get("a")
    if not picture:
        yield ok(about, "the record says that there is no mark")
        return
    yield from _check_policy(about, domain, look)
    page = _get(picture, reach)
    if page.fault or page.status != 200:
        yield failure(about, f"{picture}: {page.fault or f'status {page.status}'}", "serve the picture over HTTPS")
    else:
        faults = svg_faults(page.text)
        for fault in faults:
            yield failure(about, f"{picture}: {fault}", "write it in the profile SVG Tiny PS")
        if page.type != "image/svg+xml":
            yield warning(about, f"{picture}: it is served as {page.type}", "serve it as image/svg+xml")
        if not faults:
            yield ok(about, f"{picture}: SVG Tiny PS")
    if not authority:
        yield warning(
            about, "no a=: large receivers show a mark only with a certificate for it", "ask for a VMC or CMC"
        )
    else:
        svg = "" if page.fault or page.status != 200 else page.text
        yield from _check_authority(about, authority, _get(authority, reach), _Own(domain, svg), trusted)


def _check_policy(about: str, domain: str, look: Look) -> Iterator[Finding]:
    policies = [parse(domain, text) for text in look(f"_dmarc.{domain}", "TXT").texts if text.startswith("v=DMARC1")]
    if policies and policies[0].get("p").lower() not in {"quarantine", "reject"}:
        text = f"p={policies[0].get('p') or 'none'}: receivers show a mark only where DMARC is enforced"
        yield failure(about, text, "see email-report-admin policy for the way to p=quarantine")


def _get(url: str, reach: Reach) -> Page:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return Page(fault="it is no URL")
    if parts.scheme.lower() != "https" or not parts.hostname or port not in {None, 443}:
        return Page(fault="it is no https: URL")
    return reach.get(parts.hostname, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def svg_faults(text: str) -> list[str]:
    """Why a picture is not SVG Tiny PS; what only a drawing program can see is not looked at."""
    elements: list[tuple[str, dict[str, str]]] = []
    faults: list[str] = []
    parser = expat.ParserCreate(namespace_separator=" ")

    def refuse(*_: Any) -> None:
        raise ValueError("it has a DOCTYPE")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda name, attributes: elements.append((name, attributes))
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError) as error:
        return [f"it is no SVG: {error}"]
    root, attributes = elements[0]
    if root != f"{_SVG} svg":
        return ["it is no SVG: its root is another element"]
    if attributes.get("version") != "1.2" or attributes.get("baseProfile") != "tiny-ps":
        faults.append('the root has not version="1.2" baseProfile="tiny-ps"')
    faults += [f"the root has {name}=" for name in ("x", "y") if name in attributes]
    names = [name.rpartition(" ")[2] for name, _ in elements]
    if "title" not in names:
        faults.append("it has no title")
    faults += [f"it has the element {name}" for name in sorted(_FORBIDDEN & set(names))]
    links = [value for _, one in elements for key, value in one.items() if key.endswith("href")]
    faults += ["it refers to something outside of itself"] if any(not link.startswith("#") for link in links) else []
    faults += [f"it is larger than {_LARGE} bytes"] if len(text.encode()) > _LARGE else []
    return faults


class _Own(NamedTuple):
    """What a certificate of a mark is for."""

    domain: str
    picture: str  # '' for none

    @property
    def names(self) -> set[str]:
        """Any of which it may name."""
        home = organizational_domain(self.domain)
        return {self.domain, home, f"default._bimi.{self.domain}", f"default._bimi.{home}"}


def _check_authority(about: str, url: str, page: Page, own: _Own, trusted: _Trusted) -> Iterator[Finding]:
    remedy = "serve the PEM that the authority gave, over HTTPS"
    if page.fault or page.status != 200:
        yield failure(about, f"{url}: {page.fault or f'status {page.status}'}", remedy)
        return
    try:
        certificates = pem(page.text)
        begin, end = validity(certificates[0])
        mark = check_mark(certificates, own.names, own.picture, trusted.now, trusted.roots)
    except (ValueError, IndexError):
        yield failure(about, f"{url}: it holds no certificate", remedy)
        return
    said = f"{url}: {_number(certificates)}, the mark's holds until {end:%Y-%m-%d}"
    if not begin <= trusted.now < end:
        yield failure(about, f"{said}, and not now", "renew it")
        return
    for fault in mark.faults:
        yield failure(about, f"{url}: {fault}", f"ask the authority for one for {own.domain} and its picture")
    if mark.missing:
        yield warning(about, f"{said}; {mark.missing}", "install it, and ask again")
    elif end - trusted.now < _SOON:
        yield warning(about, said, "renew it in time")
    elif not mark.faults:
        yield ok(about, f"{said}; {mark.authority} vouches for it")


def _number(certificates: Sequence[bytes]) -> str:
    """How many."""
    return f"{len(certificates)} certificate{'s' * (len(certificates) != 1)}"
