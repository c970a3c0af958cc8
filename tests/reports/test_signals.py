"""Signals: one header that shows each, and headers that must not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.reports.signals import SIGNALS, Evidence, collect, keyword, signals_of, tags

PLAIN = {"from": ["a@example.org"], "subject": ["s"]}


def seen(**changes: Any) -> list[str]:
    return signals_of(Evidence(dict(PLAIN), author="a@example.org")._replace(**changes))


def with_field(name: str, *values: str) -> list[str]:
    return seen(fields=PLAIN | {name: list(values)})


def test_an_ordinary_header_has_none() -> None:
    assert seen() == []
    assert with_field("received", "from a by b") == []


CASES: list[tuple[str, dict[str, Any]]] = [
    ("no-headers", {"fields": {}}),
    ("delivery-status", {"content_type": "multipart/report", "report_type": "delivery-status"}),
    ("disposition-notification", {"content_type": "multipart/report", "report_type": "disposition-notification"}),
    ("null-sender", {"sender": ""}),
    ("from-daemon", {"author": "mailer-daemon@example.org"}),
    ("from-daemon", {"author": "postmaster@example.org"}),
    ("list-sender", {"sender": "talk-bounces@lists.example"}),
    ("list-sender", {"sender": "Owner-talk@lists.example"}),
    ("list-sender", {"sender": "talk-return-12-b=example.net@lists.example"}),
    ("pass-aligned", {"passed": ("mail.example.org",)}),
    ("pass-unaligned", {"passed": ("example.net",)}),
    ("pass-unaligned", {"passed": ("",)}),
    ("srs", {"sender": "SRS0=AbCd=XY=example.org=a@forwarder.example"}),
    ("srs", {"sender": "srs1+AbCd=forwarder.example==XY=example.org=a@other.example"}),
    ("caf", {"sender": "a+caf_=b=example.net@gmail.example"}),
]


@pytest.mark.parametrize(("name", "changes"), CASES)
def test_what_is_known_beside_the_fields(name: str, changes: dict[str, Any]) -> None:
    assert seen(**changes) == [name]


FIELDS: list[tuple[list[str], str, str]] = [
    (["auto-replied", "auto-submitted"], "auto-submitted", "Auto-Replied (vacation); owner-email=x"),
    (["auto-submitted"], "auto-submitted", "auto-generated"),
    ([], "auto-submitted", "no"),
    ([], "auto-submitted", "No (a person)"),
    ([], "auto-submitted", ""),
    (["x-autoreply"], "x-autoreply", "yes"),
    (["x-autoreply"], "x-autorespond", ""),
    (["precedence-auto-reply"], "precedence", "auto_reply"),
    (["precedence-list"], "precedence", "Bulk"),
    (["precedence-list"], "precedence", "list"),
    ([], "precedence", "first-class"),
    (["list-id"], "list-id", "<talk.lists.example>"),
    (["list-software"], "x-beenthere", "talk@lists.example"),
    (["list-software"], "mailing-list", "list talk"),
    ([], "list-unsubscribe", "<https://example.org/leave>"),
    (["forwarded"], "x-forwarded-to", "b@example.net"),
    (["forwarded"], "x-sieve-redirected-from", "b@example.net"),
    (["resent"], "resent-from", "b@example.net"),
    (["arc-pass"], "arc-seal", "i=2; a=rsa-sha256; cv = pass; d=example.net; b=AA"),
    ([], "arc-seal", "i=1; a=rsa-sha256; cv=none; d=example.net; b=cv=pass"),
    (["dkim-signed", "dkim-aligned"], "dkim-signature", "v=1; d=Mail.Example.org.; s=x; b=AA"),
    (["dkim-signed"], "dkim-signature", "v=1; d=example.net; s=x; b=AA"),
    (["dkim-signed"], "dkim-signature", "v=1"),
]


@pytest.mark.parametrize(("names", "field", "value"), FIELDS)
def test_fields(names: list[str], field: str, value: str) -> None:
    assert with_field(field, value) == names


def test_two_list_fields() -> None:
    fields = PLAIN | {"list-post": ["<mailto:talk@lists.example>"], "list-help": ["<mailto:help@lists.example>"]}
    assert seen(fields=fields) == ["list-fields"]


def test_an_unknown_sender_is_no_null_sender() -> None:
    assert seen(sender=None) == []
    assert seen(sender="a@example.org") == []
    assert seen(sender="bounces+7@esp.example") == []


def test_a_signature_of_nobody_is_not_aligned() -> None:
    assert seen(fields=PLAIN | {"dkim-signature": ["v=1; d=; b=AA"]}, author="") == ["dkim-signed"]


def test_every_signal_has_a_case() -> None:
    shown = {name for name, _ in CASES} | {name for names, _, _ in FIELDS for name in names} | {"list-fields"}
    assert {signal.name for signal in SIGNALS} == shown
    assert len(SIGNALS) == len(shown)


def test_collect_ignores_case() -> None:
    assert collect([("To", "a"), ("TO", "b"), ("x", "")]) == {"to": ["a", "b"], "x": [""]}


@given(st.text())
def test_any_value(value: str) -> None:
    assert keyword(value) == keyword(value).lower()
    for name, text in tags(value).items():
        assert name == name.strip()
        assert not any(character.isspace() for character in text)
    for field in ("auto-submitted", "precedence", "arc-seal", "dkim-signature"):
        assert set(with_field(field, value)) <= {signal.name for signal in SIGNALS}
