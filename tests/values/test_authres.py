"""Authentication-Results by RFC 8601, whom it lets us believe, and whom not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.values.authres import AuthenticationResults, Property, Result, parse, reporter, verdict
from tests.linear import assert_linear

PASSED = "mx.example.org; dkim=pass header.d=reports.example.com header.s=a; spf=pass smtp.mailfrom=b@example.net"


def test_field_with_everything() -> None:
    assert parse(
        'mx.Example.org 1; dkim=pass (2048-bit key; "x") reason="good\\"one" header.d=example.com'
        '\r\n\theader.b="ab=c/d"; spf=Fail smtp.mailfrom="a b;c"@example.com'
    ) == AuthenticationResults(
        "mx.example.org",
        "1",
        (
            Result(
                "dkim",
                "",
                "pass",
                'good"one',
                (Property("header", "d", "example.com"), Property("header", "b", "ab=c/d")),
            ),
            Result("spf", "", "fail", "", (Property("smtp", "mailfrom", "a b;c@example.com"),)),
        ),
    )


def test_appendix_b7() -> None:
    """RFC 8601 appendix B.7: comments wherever they may stand."""
    value = (
        "foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) fail "
        "policy (A dot can go here) . (like that) expired (this surprised me) = (as I wasn't expecting it) 1362471462"
    )
    expected = Result("dkim", "1", "fail", "", (Property("policy", "expired", "1362471462"),))
    assert parse(value) == AuthenticationResults("foo.example.net", "1", (expected,))


@pytest.mark.parametrize(
    ("value", "authserv_id", "methods"),
    [
        ("", "", []),
        ("mx.example.org; none", "mx.example.org", []),
        ("mx.example.org", "mx.example.org", []),
        ("mx.example.org;", "mx.example.org", []),
        ('"mx.example.org"; spf=none', "mx.example.org", ["spf"]),
        ("spf=pass smtp.mailfrom=a.example; dkim=none", "", ["spf", "dkim"]),  # no authserv-id
        ("mx.example.org from=a.example; dkim=pass", "mx.example.org", ["dkim"]),  # Yahoo
        ("mx.example.org; dkim=pass (never closed; spf=pass", "mx.example.org", ["dkim"]),
        ("mx.example.org; dkim=pass (a (b) c; d) x; spf=fail", "mx.example.org", ["dkim", "spf"]),
        ('mx.example.org; dkim="pass; spf=pass', "mx.example.org", ["dkim"]),
        ("mx.example.org; =pass; spf=fail", "mx.example.org", ["spf"]),
        ("mx.example.org; dkim=pass ) x; spf=fail", "mx.example.org", ["dkim", "spf"]),
    ],
)
def test_forms(value: str, authserv_id: str, methods: list[str]) -> None:
    parsed = parse(value)
    assert (parsed.authserv_id, [one.method for one in parsed.results]) == (authserv_id, methods)


@pytest.mark.parametrize(
    ("segment", "properties"),
    [
        ("spf=pass smtp.mailfrom= smtp.helo=mx.example.com", {"smtp.mailfrom": "", "smtp.helo": "mx.example.com"}),
        ("dkim=pass header.b = ab=", {"header.b": "ab="}),
        ("dkim=pass a 1024-bit key header.d=example.com", {"header.d": "example.com"}),
        ("dmarc=fail action=none header.from=example.com", {".action": "none", "header.from": "example.com"}),
        ("dkim=pass HEADER.D=Example.COM", {"header.d": "Example.COM"}),
        ("spf=pass smtp.mailfrom=", {"smtp.mailfrom": ""}),
    ],
)
def test_properties(segment: str, properties: dict[str, str]) -> None:
    (result,) = parse(f"mx.example.org; {segment}").results
    assert {f"{one.ptype}.{one.property}": one.value for one in result.properties} == properties


@pytest.mark.parametrize(
    ("fields", "ids", "expected"),
    [
        ([PASSED], (), None),
        ([PASSED], ("",), None),
        ([], ("mx.example.org",), None),
        ([PASSED], ("mx.example.net",), None),
        ([PASSED], ("MX.example.ORG",), {"dkim": ("reports.example.com",), "spf": ("example.net",)}),
        (["mx.example.org; none"], ("mx.example.org",), None),
        (["mx.example.org; iprev=pass"], ("mx.example.org",), None),
        (["mx.example.org; dkim=temperror header.d=a.example"], ("mx.example.org",), None),
        (["mx.example.org; dkim=none; spf=temperror"], ("mx.example.org",), {}),
        (["mx.example.org; dkim=fail header.d=a.example"], ("mx.example.org",), {}),
        (["mx.example.org; dkim=pass header.i=@B.example"], ("mx.example.org",), {"dkim": ("b.example",)}),
        (["mx.example.org; dkim=pass"], ("mx.example.org",), {}),
        (["mx.example.org; spf=pass smtp.helo=c.example"], ("mx.example.org",), {"spf": ("c.example",)}),
        (
            ["mx.example.org; spf=pass smtp.mailfrom=<> smtp.helo=c.example"],
            ("mx.example.org",),
            {"spf": ("c.example",)},
        ),
        (["mx.example.org; dmarc=pass header.from=d.example"], ("mx.example.org",), {"dmarc": ("d.example",)}),
        (
            ["mx.example.org; dkim=pass header.d=a.example;dkim=pass header.d=b.example;dkim=pass header.i=@a.example"],
            ("mx.example.org",),
            {"dkim": ("a.example", "b.example")},
        ),
        # one field for each method (OpenDKIM and OpenDMARC side by side)
        (
            ["mx.example.org; dmarc=pass header.from=a.example", "mx.example.org; dkim=pass header.d=b.example"],
            ("mx.example.org",),
            {"dmarc": ("a.example",), "dkim": ("b.example",)},
        ),
        # somebody else's above ours is passed over, ours below somebody else's is forged
        (
            ["scanner.example; spf=pass smtp.mailfrom=x.example", PASSED],
            ("mx.example.org",),
            {"dkim": ("reports.example.com",), "spf": ("example.net",)},
        ),
        (
            ["mx.example.org; dkim=none", "other.example; spf=pass", PASSED],
            ("mx.example.org",),
            {},
        ),
        # our server checked nothing: what follows is not its own
        (["mx.example.org; none", PASSED], ("mx.example.org",), None),
        # a forged one right below our own
        (["mx.example.org; dkim=fail header.d=a.example; spf=fail", PASSED], ("mx.example.org",), {}),
        # a sender's local part is no result
        (
            ['mx.example.org; spf=fail smtp.mailfrom="; dkim=pass header.d=a.example"@b.example'],
            ("mx.example.org",),
            {},
        ),
    ],
)
def test_reporter(fields: list[str], ids: tuple[str, ...], expected: dict[str, tuple[str, ...]] | None) -> None:
    assert reporter(fields, ids) == expected


@pytest.mark.parametrize(
    ("authentication", "domains", "expected"),
    [
        (None, ("example.com",), "unchecked"),
        ({}, ("example.com",), "fail"),
        ({"dkim": ("reports.example.com",)}, ("example.com",), "pass"),
        ({"dkim": ("example.net",), "spf": ("example.com",)}, ("mail.example.com",), "pass"),
        ({"dkim": ("example.net",)}, ("example.com",), "fail"),
        ({"dkim": ("example.net",)}, ("example.com", "example.net"), "pass"),
        ({"dkim": ("example.net",)}, ("",), "fail"),
        ({"dkim": ("example.net",)}, (), "fail"),
    ],
)
def test_verdict(authentication: dict[str, tuple[str, ...]] | None, domains: tuple[str, ...], expected: str) -> None:
    assert verdict(authentication, domains) == expected


@given(st.text(max_size=200) | st.text(alphabet='ab.;=/()"\\ @\n', max_size=60))
def test_any_text(value: str) -> None:
    parsed = parse(value)
    assert parsed.authserv_id == parsed.authserv_id.lower()
    assert all(one.method for one in parsed.results)
    reporter([value, PASSED], ("mx.example.org",))


@given(
    st.from_regex(r"\A[a-z0-9.-]{1,20}\Z"),
    st.lists(
        st.tuples(st.sampled_from(["dkim", "spf", "dmarc"]), st.sampled_from(["pass", "fail"]), st.text(max_size=20))
    ),
)
def test_what_is_written_is_read(authserv_id: str, results: list[tuple[str, str, str]]) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    value = "; ".join(
        [authserv_id, *(f"{method} (c) = {result} policy.x={quoted(text)}" for method, result, text in results)]
    )
    expected = tuple(
        Result(method, "", result, "", (Property("policy", "x", text),)) for method, result, text in results
    )
    assert parse(value) == AuthenticationResults(authserv_id, "", expected)


@pytest.mark.parametrize("pattern", ["(", ")", '"', "=", "a=b ", "a ", ";", "\\", "x.", "a= b.c", "(\\", '"\\'])
def test_time_is_linear(pattern: str) -> None:
    assert_linear(parse, lambda size: "mx; " + pattern * (size // len(pattern)), 16_000)  # 64 KiB of a field are read
