"""BIMI: records, pictures and certificates of anybody's making."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.checking.bimi import check_bimi, svg_faults
from email_report_processor.checking.der import pem, validity
from email_report_processor.checking.reach import Page, Reach
from email_report_processor.checking.resolver import Records
from tests.conftest import missing

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
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Valid for 100 days."""
    if not shutil.which("openssl"):
        missing("needs openssl for a certificate; on Debian: apt-get install openssl")
    path: Path = tmp_path_factory.mktemp("bimi") / "mark.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "100", "-subj", "/CN=test", "-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path.read_text()


def now() -> datetime:
    """Behind the making of the certificate."""
    return datetime.now(UTC) + timedelta(minutes=5)


def check(
    record: tuple[str, ...], *, policy: str = "reject", svg: Page | None = None, mark: Page | None = None, days: int = 0
) -> list[tuple[str, str]]:
    texts = {"default._bimi.example.org": record, "_dmarc.example.org": (f"v=DMARC1; p={policy}",)}
    pages = {"/a.svg": svg or Page(200, "image/svg+xml", SVG), "/a.pem": mark or Page(404)}
    found = check_bimi(
        "example.org", lambda name, kind: Records(texts.get(name, ())), Served(pages), now() + timedelta(days=days)
    )
    return [(one.result, one.text) for one in found]


RECORD = "v=BIMI1; l=https://example.org/a.svg; a=https://example.org/a.pem"


@pytest.mark.parametrize(("days", "result"), [(0, "ok"), (80, "warning"), (101, "failure"), (-2, "failure")])
def test_until_when_the_certificate_holds(certificate: str, days: int, result: str) -> None:
    found = check((RECORD,), mark=Page(200, "application/pem-certificate-chain", certificate * 2), days=days)
    assert found[0] == ("ok", "https://example.org/a.svg: SVG Tiny PS")
    assert found[1][0] == result
    assert "2 certificates, the mark's holds until" in found[1][1]
    begin, end = validity(pem(certificate)[0])
    assert end - begin == timedelta(days=100)


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
