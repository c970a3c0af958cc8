"""The record that was meant: everything that can be told is in the proposal, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_report_processor.checking.dns import check_tags
from email_report_processor.checking.meant import addresses, first_record, for_subdomain, proposed, proposed_tlsrpt
from email_report_processor.checking.record import parse, uris

RIGHT = "v=DMARC1; p=reject; rua=mailto:dmarc@example.org"


def _text(record: str) -> str:
    return proposed(parse("example.org", record)).text


# What must be left alone


@pytest.mark.parametrize(
    "record",
    [
        RIGHT,
        (
            "v=DMARC1; p=none; sp=reject; np=quarantine; adkim=s; aspf=r; t=y; psd=n; "
            "rua=mailto:a@example.org,mailto:b@example.net; ruf=mailto:c@example.org; fo=1:d:s"
        ),
        "v=DMARC1; p=quarantine; rua=mailto:a%2Cb@example.org,mailto:o'brien@example.org",
        "v=DMARC1; p=quarantine; rua=mailto:a+b=c@example.org?subject=x",
    ],
)
def test_a_record_that_is_well_stays(record: str) -> None:
    proposal = proposed(parse("example.org", record))
    assert (proposal.text, proposal.asked) == (record, ())


# What is typed and pasted


@pytest.mark.parametrize(
    "record",
    [
        "v=DMARC1\\; p=reject\\; rua=mailto:dmarc@example.org",
        "v=DMARC1, p=reject, rua=mailto:dmarc@example.org",
        "v=DMARC1 p=reject rua=mailto:dmarc@example.org",
        "v=DMARC1 p=reject; rua=mailto:dmarc@example.org",
        "v=DMARC1; p=reject rua=mailto:dmarc@example.org",
        "v=DMARC1p=reject;rua=mailto:dmarc@example.org",
        "v=DMARC1; p=rejectrua=mailto:dmarc@example.org",
        "v:DMARC1; p:reject; rua:mailto:dmarc@example.org",
        "v: DMARC1; p: reject; rua: mailto:dmarc@example.org",
        "v=DMARC1; p=reject; rua=dmarc@example.org",
        "v=DMARC1; p=reject; rua=mailto: dmarc@example.org",
        "v=DMARC1; p=reject; rua=mailto:<dmarc@example.org>",
        "v=DMARC1; p=reject; rua=<mailto:dmarc@example.org>",
        "v=DMARC1; p=reject; rua=mailto://dmarc@example.org",
        "v=DMARC1; p=reject; rua=mailto=dmarc@example.org",
        "v=DMARC1; p=reject; rua=mailto:dmarc@example.org.",
        "v=DMARC1; p=reject; rua=mailto:dmarc@example.org!10m",
        "v=DMARC1; p=reject; rua=Mail:dmarc@example.org",
        "\u201cv=DMARC1; p=reject; rua=mailto:dmarc@example.org\u201d",
        "v=DMARC1; p=\u201creject\u201d; rua=\u2018mailto:dmarc@example.org\u2019",
        "'v=DMARC1; p=reject; rua=mailto:dmarc@example.org'",
        "v=DMARC1; p='reject'; rua='mailto:dmarc@example.org'",
        '"v=DMARC1; p=reject; rua=mailto:dmarc@example.org"',
        "\ufeffv=DMARC1; p=reject; rua=mailto:dmarc@example.org",
        "v=DMARC1;\u00a0p=\u00a0reject;\u2003rua=\u00a0mailto:dmarc@example.org",
        "v\uff1dDMARC1\uff1b p\uff1dreject\uff1b rua\uff1dmailto:dmarc@example.org",
        "v=DMARC1; p=re ject; rua=mailto:dmarc@example.org",
        "V=dmarc1; P=Reject; RUA=mailto:dmarc@example.org",
        "p=reject; v=DMARC1; rua=mailto:dmarc@example.org",
        "DMARC1; p=reject; rua=mailto:dmarc@example.org",
        "v=DMARC 1; p=reject; rua=mailto:dmarc@example.org",
        "v=DMARC1;; p=reject;; rua=mailto:dmarc@example.org;;",
        "v=DMARC1 | p=reject | rua=mailto:dmarc@example.org",
        "v=DMARC1; p=reject; p=reject; rua=mailto:dmarc@example.org",
        "v=DMARC1; p=reject; rua=mailto:dmarc@example.org; rua=mailto:dmarc@example.org",
        "v=DMARC1; p=reject; rua=mailto:dmarc@example.org; pct=100; ri=86400; x=y",
        "v=DMARC1:p=reject:rua=mailto:dmarc@example.org",
        "v=DMARC1/p=reject/rua=mailto:dmarc@example.org",
        "v=DMARC1 - p=reject - rua=mailto:dmarc@example.org",
        "v=DMARC1%3B p=reject%3B rua=mailto:dmarc@example.org",
        "v=DMARC1&#59; p=reject&semi; rua=mailto:dmarc@example.org",
        "v==DMARC1; p==reject; rua==mailto:dmarc@example.org",
        "v=DMARC1; p=reject; rua mailto:dmarc@example.org",
        "v=DMARC1; p reject; rua=mailto:dmarc@example.org",
        "v=DMARC1; policy=reject; rua=mailto:dmarc@example.org",
        "v=DMARC1; p=reject; rua=mailto:dmarc[at]example.org",
        "v=DMARC1; p=reject; rua=dmarc (at) example.org",
    ],
)
def test_what_can_be_told(record: str) -> None:
    proposal = proposed(parse("example.org", record))
    assert (proposal.text, proposal.asked) == (RIGHT, ())


@pytest.mark.parametrize(
    "record",
    [
        "v=DMARC1; p=reject; rua=mailto:a@example.org; mailto:b@example.org",
        "v=DMARC1; p=reject; rua=mailto:a@example.org mailto:b@example.org",
        "v=DMARC1; p=reject; rua=a@example.org, b@example.org",
        "v=DMARC1; p=reject; rua=mailto:a@example.org,b@example.org",
        "v=DMARC1; p=reject; rua=mailto:a@example.org; rua=mailto:b@example.org",
        "v=DMARC1, p=reject, rua=mailto:a@example.org, mailto:b@example.org",
        "v=DMARC1; p=reject; rua=mailto:a@example.org; b@example.org",
        "v=DMARC1; p=reject; rua=mailto:a@example.org,https://r.test/x,mailto:b@example.org!5m",
    ],
)
def test_a_second_address(record: str) -> None:
    assert _text(record) == "v=DMARC1; p=reject; rua=mailto:a@example.org,mailto:b@example.org"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=DMARC1, p=none, adkim=strict, aspf=relaxed, rua=a@x.test", "adkim=s; aspf=r; rua=mailto:a@x.test"),
        (
            "v=DMARC1: p=none, sp=reject, rua=a@x.test, ruf=b@x.test, fo=1",
            "sp=reject; rua=mailto:a@x.test; ruf=mailto:b@x.test; fo=1",
        ),
        ("v=DMARC1; p=none; t=yes; psd=u; rua=mailto:a@x.test", "t=y; psd=u; rua=mailto:a@x.test"),
        ("v=DMARC1; p=none; pct=0; rua=mailto:a@x.test", "t=y; rua=mailto:a@x.test"),
        ("v=DMARC1; p=none; rua=mailto:a@bücher.test", "rua=mailto:a@xn--bcher-kva.test"),
        ("v=DMARC1; p=none; rua=mailto:a@x.test; ruf=mailto:b@x.test; fo=1,d s", "ruf=mailto:b@x.test; fo=1:d:s"),
        ("v=DMARC1; p=none; sp=none; sp=reject; rua=mailto:a@x.test", "p=none; rua=mailto:a@x.test"),
        ("v=DMARC1; p=none; fo=1; rua=mailto:a@x.test", "p=none; rua=mailto:a@x.test"),
    ],
)
def test_other_tags(record: str, expected: str) -> None:
    assert _text(record).endswith(f"; {expected}") or _text(record).endswith(expected)


# What cannot be told


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("v=DMARC1; p=rejekt; rua=mailto:a@x.test", "which policy: none, quarantine or reject"),
        ("v=DMARC1; rua=mailto:a@x.test", "which policy: none, quarantine or reject"),
        ("v=DMARC1; p=none; p=reject; rua=mailto:a@x.test", "which policy you mean: none or reject"),
        ("v=DMARC1; p=; rua=mailto:a@x.test", "which policy"),
        ("v=DMARC1; p=none, reject; rua=mailto:a@x.test", "which policy you mean: none or reject"),
    ],
)
def test_a_policy_is_asked_for(record: str, words: str) -> None:
    proposal = proposed(parse("x.test", record))
    assert proposal.text == "v=DMARC1; p=POLICY; rua=mailto:a@x.test"
    assert words in proposal.at("_dmarc.x.test")


@pytest.mark.parametrize(
    "rua", ["", "; rua=", "; rua=mailto:", "; rua=mailto:x.test", "; rua=https://x.test/r", "; rua=mailto:a@x,test"]
)
def test_an_address_is_asked_for(rua: str) -> None:
    proposal = proposed(parse("x.test", f"v=DMARC1; p=reject{rua}"))
    assert proposal.text == "v=DMARC1; p=reject; rua=mailto:ADDRESS"
    assert proposal.at("_dmarc.x.test").endswith("(in the place of ADDRESS write a mailbox for reports that exists)")


def test_a_tag_that_is_there_twice_is_asked_for() -> None:
    (asked,) = proposed(parse("x.test", "v=DMARC1; p=none; sp=none; sp=reject; rua=mailto:a@x.test")).asked
    assert asked == "sp is there several times: add the one that you mean, none or reject"


def test_nothing_is_invented_for_a_domain_without_a_record() -> None:
    assert first_record("x.test").text == "v=DMARC1; p=none; rua=mailto:ADDRESS"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=TLSRPTv1; rua=mailto:a@x.test", "v=TLSRPTv1; rua=mailto:a@x.test"),
        ("v=TLSRPTv1, rua=a@x.test", "v=TLSRPTv1; rua=mailto:a@x.test"),
        ("v=TLSRPT1; mailto:a@x.test", "v=TLSRPTv1; rua=mailto:a@x.test"),
        ("v=TLSRPTv1\\; rua=https://x.test/r", "v=TLSRPTv1; rua=https://x.test/r"),
        ("v=TLSRPTv1; rua:mailto:a@x.test; mailto:b@x.test", "v=TLSRPTv1; rua=mailto:a@x.test,mailto:b@x.test"),
        ("v=TLSRPTv1;", "v=TLSRPTv1; rua=mailto:ADDRESS"),
    ],
)
def test_tlsrpt(record: str, expected: str) -> None:
    assert proposed_tlsrpt(record).text == expected


def test_a_subdomain() -> None:
    policy = parse("x.test", "v=DMARC1; p=none; sp=reject; psd=n; rua=mailto:a@x.test")
    assert for_subdomain(policy).text == "v=DMARC1; p=reject; sp=reject; rua=mailto:a@x.test"
    assert for_subdomain(parse("x.test", RIGHT)).text == RIGHT


# Any text

TAGS = st.sampled_from(["v", "p", "sp", "np", "rua", "ruf", "fo", "adkim", "t", "psd", "pct", "x", ""])
VALUES = st.text(max_size=20) | st.sampled_from(
    ["none", "r", "y", "1:d", "mailto:a@b.test", "a@b.test!1m", "https://x"]
)
JOINTS = st.sampled_from(["=", ":", " = ", "\u00a0=", ""])
RECORDS = st.lists(st.tuples(TAGS, JOINTS, VALUES).map("".join), max_size=8).flatmap(
    lambda parts: st.sampled_from([";", ",", " ", "\\;", "; "]).map(lambda joint: joint.join(parts))
)


@settings(max_examples=150)
@given(RECORDS | st.text(max_size=80))
def test_any_record_has_a_proposal(text: str) -> None:
    """It is well-formed but for what is asked for, and proposing it again changes nothing."""
    proposal = proposed(parse("example.org", text))
    again = parse("example.org", proposal.text)
    assert proposed(again).text == proposal.text
    wrong = [one for one in check_tags(again, "x dmarc") if one.result != "ok"]
    assert not wrong or proposal.asked
    assert all(not uri.fault for uri in uris(again.get("rua"))) or any("ADDRESS" in one for one in proposal.asked)
    for part in proposal.text.split("; ")[1:]:
        name, _, value = part.partition("=")
        told = (
            value.removeprefix("mailto:").lower() in text.lower()
            or "," in value
            or name in {"t", "adkim", "aspf", "fo"}
        )
        assert told or value in {"POLICY", "mailto:ADDRESS"} or not text.isascii() or name in {"p", "sp", "np", "psd"}


@given(st.text(max_size=60))
def test_any_text_has_addresses_that_are_right(text: str) -> None:
    for one in addresses([text]):
        (uri,) = uris(one)
        assert not uri.fault


WSP = st.text(" \t", max_size=2)


@given(st.sampled_from(["none", "quarantine", "reject"]), st.lists(WSP, min_size=6, max_size=6))
def test_white_space_that_is_allowed_changes_nothing(policy: str, blanks: list[str]) -> None:
    """Between tags, and around `=` (RFC 9989 §4.8)."""
    one, two, three, four, five, six = blanks
    record = f"v{one}={two}DMARC1{three};{four}p{five}={six}{policy};{one}rua{two}={three}mailto:a@x.test{four}"
    parsed = parse("x.test", record)
    assert parsed.broken == ()
    assert parsed.get("p") == policy
    assert parsed.get("rua") == "mailto:a@x.test"
