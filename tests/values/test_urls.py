"""URLs in hostile text."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.values.urls import MAX_CHARS, MAX_URLS, find_urls, host_of
from tests.linear import assert_linear


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see http://a.example/x.", ["http://a.example/x"]),
        (
            "HTTPS://A.example, ftp://b.example; www.c.example!",
            ["HTTPS://A.example", "ftp://b.example", "www.c.example"],
        ),
        ("(http://a.example/b_(c)) [http://a.example/d]", ["http://a.example/b_(c)", "http://a.example/d"]),
        ("<http://a.example/>", ["http://a.example/"]),
        ('<a href="http://a.example/?x=1&amp;y=2">www.b.example</a>', ["http://a.example/?x=1&y=2", "www.b.example"]),
        ("<a href='http://a.example/x'>", ["http://a.example/x"]),
        ("<a href=http://a.example/x>y</a>", ["http://a.example/x"]),
        ("&lt;http://a.example/&gt; &quot;http://b.example&quot;", ["http://a.example/", "http://b.example"]),
        ("http&#58;//a.example", []),
        ("http://a.example http://b.example http://a.example", ["http://a.example", "http://b.example"]),
        ("http://user:secret@a.example:8080/x", ["http://user:secret@a.example:8080/x"]),
        ("http://[2001:db8::1]:80/x", ["http://[2001:db8::1]:80/x"]),
        ("http://b\u00fccher.example/\u00fc", ["http://b\u00fccher.example/\u00fc"]),
        ("ht\u00adtp://a.exa\u200bmple/", ["http://a.example/"]),
        ("http:// http://. https://// www.", []),
        ("user@www.example.org xwww.example.org", []),
        ("mailto:user@example.org example.org/x javascript:alert(1)", []),
        ("http://a.example/?u=http://b.example/", ["http://a.example/?u=http://b.example/"]),
    ],
)
def test_found(text: str, expected: list[str]) -> None:
    assert find_urls(text) == expected


def test_number_is_bounded() -> None:
    text = " ".join(f"http://a.example/{number}" for number in range(MAX_URLS + 1))
    assert len(find_urls(text)) == MAX_URLS
    assert find_urls(text, 2) == ["http://a.example/0", "http://a.example/1"]
    assert find_urls(text, 0) == []


def test_length_is_bounded() -> None:
    url = "http://a.example/" + "x" * (MAX_CHARS - 17)
    assert find_urls(url) == [url]
    assert find_urls(url + "y") == [url]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://A.Example./x", "a.example"),
        ("https://user:p@ss@a.example:8443?x#y", "a.example"),
        ("http://b\u00fccher.example/", "xn--bcher-kva.example"),
        ("http://%61.example/", "a.example"),
        ("http://192.0.2.1:80/", "192.0.2.1"),
        ("http://[2001:DB8::0:1]:80/", "2001:db8::1"),
        ("http://[fe80::1%25eth0]/", "fe80::1"),
        ("http://a.example\\@b.example/", "a.example"),
        ("www.a.example/x", "www.a.example"),
        ("www.a.example:8080", "www.a.example"),
        ("mailto:user@a.example?subject=x", "a.example"),
        ("http://", ""),
        ("http:///x", ""),
        ("http://[x]/", ""),
        ("http://./", ""),
        ("tel:+49123", ""),
        ("http://a b/", ""),
        ("http://shop.email/", "shop.email"),
        ("http://" + "a" * 254, ""),
        ("", ""),
    ],
)
def test_host(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    "make",
    [
        lambda size: "http://a.example/" + ")" * size,
        lambda size: "http://a.example/" + "." * size,
        lambda size: "http://" * (size // 7),
        lambda size: "www." * (size // 4),
        lambda size: "&" * size + "http://a.example/" + "&amp" * (size // 4),
        lambda size: "http://a.example/" + "(" * (size // 2) + ")" * (size // 2),
        lambda size: "h" * size + "t" * size,
        lambda size: "http://a.example/ " * (size // 18),
    ],
    ids=range(8),
)
def test_linear_time(make: Callable[[int], str]) -> None:
    assert_linear(find_urls, make, 1_000, 17_000)  # 4096 characters of a URL and 10,000 beginnings are read


@given(st.one_of(st.text(), st.text("htps:/w.@[]()<>&amp;%#?\\\"' \u00fc\u200b1", max_size=200)))
def test_any_text(text: str) -> None:
    for url in find_urls(text):
        assert 0 < len(url) <= MAX_CHARS
        assert host_of(url)
        assert not set(url) & set(' <>"\n')


@given(st.text())
def test_any_host(url: str) -> None:
    assert host_of(url) == host_of(url).strip().lower()
