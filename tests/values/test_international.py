"""IDNA 2008 behind UTS 46: names beyond ASCII, in every shape in which they are written."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.values.domains import aligned
from email_report_processor.values.fields import read_domain
from email_report_processor.values.urls import host_of
from tests.places import ROOT


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("straße.example", "xn--strae-oqa.example"),  # IDNA 2003 has strasse.example, another domain
        ("STRAẞE.example", "xn--strae-oqa.example"),
        ("Straße。Example．", "xn--strae-oqa.example"),  # dots of East Asia (UTS 46 §2.3)
        ("ΠΑΣΑΣ.example", "xn--mxaa7bnb.example"),  # str.lower() would make a final sigma of the last letter
        ("πασας.example", "xn--mxaa7bkd.example"),  # which is a letter of its own in IDNA 2008
        ("bu\u0308cher.example", "xn--bcher-kva.example"),  # NFC
        ("bü\u00adcher.example", "xn--bcher-kva.example"),  # a soft hyphen is nothing
        ("ﬁrma.example", "firma.example"),
        ("_dmarc.Bücher.example", "_dmarc.xn--bcher-kva.example"),
        ("xn--bcher-kva.bücher.EXAMPLE", "xn--bcher-kva.xn--bcher-kva.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        # Refused by IDNA 2008, in use all the same: what UTS 46 and every browser ask the DNS for.
        ("☃.example", "xn--n3h.example"),
        ("ü_x.example", "xn--_x-wka.example"),
    ],
)
def test_a_labels(name: str, expected: str) -> None:
    assert read_domain(name) == expected
    assert read_domain(expected) == expected
    assert aligned(name, expected, strict=True)
    assert aligned(f"mail.{name}", f"news.{expected}")


@pytest.mark.parametrize(
    "name",
    [
        "bücher example.org",  # two things in one element
        "sturla.dëv<<<",
        "ex\ufffdample.org",  # what is left of another charset
        "xn--\xff.example",  # neither an A-label nor a U-label
        f"{'ü' * 64}.example",
        f"{'ü' * 250}.example.org",
        "\u2e2e" * 4097,
    ],
)
def test_what_has_no_name_in_the_dns_stays(name: str) -> None:
    assert read_domain(name) == name.lower()


def test_different_names_stay_apart() -> None:
    assert not aligned("straße.example.de", "strasse.example.de", strict=True)
    assert not aligned("straße.de", "strasse.de")
    assert aligned("mail.straße.de", "xn--strae-oqa.de")


def test_hosts_of_urls() -> None:
    assert host_of("https://Straße.example/login") == "xn--strae-oqa.example"


@given(st.text(max_size=300) | st.text("üßａ。.-_ x\u200d\u0301", max_size=80))
def test_any_text(name: str) -> None:
    domain = read_domain(name)
    assert read_domain(domain) == domain
    assert len(domain) <= 253 or not domain.isascii() or name.isascii()


def test_names_in_ascii_load_nothing() -> None:
    code = (
        "import sys; from email_report_processor.values.fields import read_domain; read_domain('_a.xn--tda.example');"
        "print('idna' in sys.modules, read_domain('ß.example'), 'idna' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout.split(), done.stderr) == (["False", "xn--zca.example", "True"], "")
