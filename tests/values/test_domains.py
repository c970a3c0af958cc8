"""Organizational domains against the package's own reading of its list, and alignment."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import publicsuffixlist
import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.values import domains
from email_report_processor.values.domains import ListMissingError, aligned, organizational_domain
from tests.places import ROOT

LIST = Path(publicsuffixlist.PSLFILE)


def rules() -> list[str]:
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("//")]


def a_labels(name: str) -> str:
    return name.encode("idna").decode("ascii")


@pytest.fixture(scope="module")
def package() -> publicsuffixlist.PublicSuffixList:
    return publicsuffixlist.PublicSuffixList()


@pytest.fixture
def no_cache() -> Iterator[None]:
    domains._rules.cache_clear()
    domains._organizational_domain.cache_clear()
    yield
    domains._rules.cache_clear()
    domains._organizational_domain.cache_clear()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("MAIL.Example.COM.", "example.com"),
        ("mail.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),  # a suffix is its own
        ("com", "com"),
        ("localhost", "localhost"),
        ("mail.example.unknown-tld", "example.unknown-tld"),  # the rule `*`
        ("a.b.c.ck", "b.c.ck"),  # *.ck
        ("a.www.ck", "www.ck"),  # !www.ck
        ("ck", "ck"),
        ("x.tenant.github.io", "tenant.github.io"),  # the private section counts
        ("mail.example.xn--p1ai", "example.xn--p1ai"),
        ("mail.example.рф", "example.xn--p1ai"),
        ("a.xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("_dmarc.example.org", "example.org"),
        ("xn--\xff.example", "xn--\xff.example"),  # IDNA refuses it
        ("x.xn--99999999999.com", "xn--99999999999.com"),  # no punycode
        ("", ""),
        (".", ""),
        ("a..example.com", ""),
        (".example.com", ""),
        ("192.0.2.1", ""),
        ("[192.0.2.1]", ""),
        ("2001:db8::1", ""),
        (f"{'a' * 60}." * 5 + "example.com", ""),  # longer than a name can be
    ],
)
def test_organizational_domain(name: str, expected: str) -> None:
    assert organizational_domain(name) == expected


def test_every_rule_as_the_package_reads_it(package: publicsuffixlist.PublicSuffixList) -> None:
    wrong = []
    for rule in rules():
        name = a_labels(rule.removeprefix("!").replace("*", "wild"))
        for prefix in ("", "one.", "two.one.", "three.two.one."):
            expected = package.privatesuffix(prefix + name) or prefix + name
            if domains._organizational_domain.__wrapped__(prefix + name) != expected:
                wrong.append(prefix + name)
    assert wrong == []


def test_the_list_has_no_deeper_rule() -> None:
    assert max(rule.count(".") + 1 for rule in rules()) < domains._DEEPEST


def test_vectors_of_the_list(package: publicsuffixlist.PublicSuffixList) -> None:
    """The vectors that publicsuffix.org publishes beside the list; the package ships them."""
    vectors = 0
    for line in LIST.with_name("test_psl.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("checkPublicSuffix('"):
            continue
        name, expected = [part.strip(" '") for part in line[len("checkPublicSuffix(") : line.index(")")].split(",")]
        if name.startswith("."):
            assert organizational_domain(name) == ""
        elif expected == "null":
            assert organizational_domain(name) == a_labels(name).lower()
        else:
            assert organizational_domain(name) == a_labels(expected)
        vectors += 1
    assert vectors > 70


@pytest.mark.parametrize(
    ("one", "other", "relaxed", "strict"),
    [
        ("example.org", "EXAMPLE.org.", True, True),
        ("news.example.org", "example.org", True, False),
        ("a.example.org", "b.example.org", True, False),
        ("example.org", "example.net", False, False),
        ("a.co.uk", "b.co.uk", False, False),
        ("a.github.io", "b.github.io", False, False),
        ("example.рф", "example.xn--p1ai", True, True),
        ("", "", False, False),
        ("", "example.org", False, False),
        ("192.0.2.1", "192.0.2.1", True, True),
        ("192.0.2.1", "192.0.2.2", False, False),
        ("a..example.org", "b..example.org", False, False),
    ],
)
def test_aligned(one: str, other: str, relaxed: bool, strict: bool) -> None:
    assert aligned(one, other) is relaxed
    assert aligned(other, one) is relaxed
    assert aligned(one, other, strict=True) is strict


@given(st.text(max_size=300) | st.from_regex(r"\A[a-z0-9.\-]{1,40}\Z"))
def test_any_text(name: str) -> None:
    domain = organizational_domain(name)
    assert domain == "" or organizational_domain(domain) == domain
    assert aligned(name, name, strict=True) or domains._normal(name) == ""


@pytest.mark.usefixtures("no_cache")
def test_a_missing_list_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "publicsuffixlist").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(ListMissingError, match="publicsuffixlist"):
        organizational_domain("example.org")


def test_the_package_is_not_imported() -> None:
    code = (
        "import sys; from email_report_processor.values.domains import organizational_domain as o; o('a.example.org');"
        "print(sorted({'publicsuffixlist', 'pathlib', 'importlib.util'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join([str(ROOT), str(LIST.parents[1])])},
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
