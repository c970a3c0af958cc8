"""BIMI: records, pictures and certificates of anybody's making."""

import ssl
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.checking import mark as mark_module
from email_report_processor.checking.bimi import check_bimi, svg_faults
from email_report_processor.checking.der import pem, validity
from email_report_processor.checking.reach import Page, Reach
from email_report_processor.checking.resolver import Records
from tests.certificates import MARK, Made
from tests.certificates import certificate as made

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" version="1.2" baseProfile="tiny-ps" viewBox="0 0 8 8">'
    '<title>Example</title><rect width="8" height="8" fill="#123456"/></svg>'
)


class Served(Reach):
    """Pages by their path."""

    def __init__(self, pages: dict[str, Page]) -> None:
        super().__init__(lambda name, kind: Records())
        self.pages = pages

    def get(self, name: str, path: str) -> Page:
        assert name == "example.org"
        return self.pages.get(path, Page(404))


@pytest.fixture(scope="module")
def authorities() -> tuple[Made, Made]:
    """The root of a test's own authority for marks, and one below it."""
    root = made("Marks of the test", days=(-1, 900))
    return root, made("Issues marks", root, days=(-1, 800))


def mark_of(issuer: Made, **more: Any) -> Made:
    """The certificate of the picture, valid for 100 days."""
    usual: dict[str, Any] = {"names": ["example.org"], "purposes": [MARK], "picture": SVG.encode()}
    return made("Example Ltd.", issuer, **usual | more)


def now() -> datetime:
    """Behind the making of the certificate."""
    return datetime.now(UTC) + timedelta(minutes=5)


def check(
    record: tuple[str, ...],
    *,
    policy: str = "reject",
    svg: Page | None = None,
    mark: Page | None = None,
    days: int = 0,
    roots: Sequence[bytes] = (),
) -> list[tuple[str, str]]:
    texts = {"default._bimi.example.org": record, "_dmarc.example.org": (f"v=DMARC1; p={policy}",)}
    pages = {"/a.svg": svg or Page(200, "image/svg+xml", SVG), "/a.pem": mark or Page(404)}
    found = check_bimi(
        "example.org",
        lambda name, kind: Records(texts.get(name, ())),
        Served(pages),
        now() + timedelta(days=days),
        roots,
    )
    return [(one.result, one.text) for one in found]


RECORD = "v=BIMI1; l=https://example.org/a.svg; a=https://example.org/a.pem"


def pem_of(*some: Made) -> Page:
    return Page(200, "application/pem-certificate-chain", "".join(one.pem for one in some))


@pytest.mark.parametrize(("days", "result"), [(0, "ok"), (80, "warning"), (101, "failure"), (-2, "failure")])
def test_until_when_the_certificate_holds(authorities: tuple[Made, Made], days: int, result: str) -> None:
    root, below = authorities
    mark = mark_of(below)
    found = check((RECORD,), mark=pem_of(mark, below), days=days, roots=[root.der])
    assert found[0] == ("ok", "https://example.org/a.svg: SVG Tiny PS")
    assert [one for one, _ in found[1:]] == [result]
    assert "2 certificates, the mark's holds until" in found[1][1]
    assert ("Marks of the test vouches for it" in found[1][1]) == (result == "ok")
    begin, end = validity(pem(mark.pem)[0])
    assert end - begin == timedelta(days=101)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"names": ["example.net"]}, "it is for example.net"),
        ({"purposes": []}, "it is not made for marks"),
        ({"purposes": [ExtendedKeyUsageOID.SERVER_AUTH]}, "it is not made for marks"),
        ({"picture": b""}, "it has no picture"),
        ({"picture": SVG.replace("#123456", "#654321").encode()}, "its picture is another one than that of l="),
    ],
)
def test_certificates_that_receivers_do_not_take(
    authorities: tuple[Made, Made], more: dict[str, Any], fault: str
) -> None:
    root, below = authorities
    found = check((RECORD,), mark=pem_of(mark_of(below, **more), below), roots=[root.der])
    assert [(one, fault in text) for one, text in found if one != "ok"] == [("failure", True)]


def test_names_that_a_mark_may_have(authorities: tuple[Made, Made]) -> None:
    root, below = authorities
    for name in ("example.org", "default._bimi.example.org", "EXAMPLE.org"):
        mark = mark_of(below, names=["other.example", name])
        assert [one for one, _ in check((RECORD,), mark=pem_of(mark, below), roots=[root.der])] == ["ok", "ok"]


def test_whoever_vouches_for_a_mark(authorities: tuple[Made, Made]) -> None:
    """The chain up to a root that receivers take: in whatever order it is shown, and nobody else's signature."""
    root, below = authorities
    mark = mark_of(below)
    for shown in ((mark, below), (mark, below, root), (mark, root, below)):
        assert check((RECORD,), mark=pem_of(*shown), roots=[root.der])[1][0] == "ok"
    forged = mark_of(made("Issues marks", made("Marks of the test")))  # the same names, other keys
    shown_: tuple[Made, ...]
    for shown_ in ((mark,), (forged, below), (mark_of(made("Marks of the test")),)):
        (_, text) = check((RECORD,), mark=pem_of(*shown_), roots=[root.der])[1]
        assert "no authority that receivers take vouches for it" in text
    (_, text) = check((RECORD,), mark=pem_of(mark, below))[1]  # the authorities of the world do not know this one
    assert "its issuer says it is Issues marks" in text


def test_the_roots_of_the_world_are_there() -> None:
    found = [one.subject.rfc4514_string() for one in mark_module._roots()]
    assert any("DigiCert Verified Mark Root" in one for one in found)
    assert any("GlobalSign Verified Mark Root" in one for one in found)


def test_without_the_extra_it_says_so(authorities: tuple[Made, Made], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    found = check((RECORD,), mark=pem_of(mark_of(authorities[1]), authorities[1]))
    assert found[1][0] == "warning"
    assert "pip install 'email-report-processor[marks]'" in found[1][1]


@given(st.binary(max_size=80))
def test_any_bytes_are_a_certificate_or_are_not(data: bytes) -> None:
    found = check((RECORD,), mark=Page(200, "x", ssl.DER_cert_to_PEM_cert(data)))
    assert found[-1][0] == "failure"


@pytest.mark.parametrize(
    ("record", "result", "words"),
    [
        ((), "ok", "none"),
        (("v=BIMI1; l=; a=",), "ok", "there is no mark"),
        (("v=BIMI1; l=https://example.org/a.svg",), "warning", "no a="),
        (("v=BIMI1; l=http://example.org/a.svg",), "failure", "no https: URL"),
        (("v=BIMI1; l=https://[x/a.svg",), "failure", "it is no URL"),
        (("v=BIMI1; l=https://example.org/b.svg",), "failure", "status 404"),
        ((RECORD,), "failure", "a.pem: status 404"),
        (("v=BIMI1; l=", "v=BIMI1; l="), "failure", "2 records"),
        (("bimi",), "failure", "does not begin with v=BIMI1;"),
    ],
)
def test_records(record: tuple[str, ...], result: str, words: str) -> None:
    assert any(one == result and words in text for one, text in check(record))


def test_a_mark_needs_a_policy_and_its_type() -> None:
    assert ("failure", "p=none: receivers show a mark only where DMARC is enforced") in check((RECORD,), policy="none")
    found = check((RECORD,), svg=Page(200, "text/xml", SVG))
    assert ("warning", "https://example.org/a.svg: it is served as text/xml") in found
    assert any("holds no certificate" in text for _, text in check((RECORD,), mark=Page(200, "text/plain", "x")))


@pytest.mark.parametrize(
    ("svg", "fault"),
    [
        (SVG.replace("tiny-ps", "full"), "the root has not version"),
        (SVG.replace("<svg ", '<svg x="1" '), "the root has x="),
        (SVG.replace("<title>Example</title>", ""), "it has no title"),
        (SVG.replace("<rect", "<script/><rect"), "it has the element script"),
        (SVG.replace("<rect", '<use href="https://example.net/x"/><rect'), "outside of itself"),
        (SVG.replace("</svg>", " " * 40000 + "</svg>"), "larger than 32768 bytes"),
        ("<!DOCTYPE svg []>" + SVG, "it has a DOCTYPE"),
        ("<html/>", "its root is another element"),
        ("nothing", "it is no SVG"),
    ],
)
def test_pictures(svg: str, fault: str) -> None:
    assert any(fault in one for one in svg_faults(svg))


def test_a_picture_may_refer_to_itself() -> None:
    assert svg_faults(SVG.replace("<rect", '<use href="#a"/><rect')) == []


@given(st.text(max_size=100) | st.text(alphabet="<>/svgtile=\"' &#;!", max_size=100))
def test_any_text_is_a_picture_or_is_not(text: str) -> None:
    assert svg_faults(text)
