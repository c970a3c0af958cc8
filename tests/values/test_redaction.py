"""Redaction (RFC 6590): no address of a recipient or of a user of ours is left, however it is written."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.values.redaction import named_recipients, redact, token
from tests.linear import assert_linear

KEY = b"k" * 32
HEADER = """\
Return-Path: <bounce-anna=example.net@list.example>
Received: from a.example by mx.example.net with ESMTP
\tfor <anna@example.net>; Thu, 19 Nov 2026 08:00:00 +0000
From: "The Boss" <boss@example.org>
To: "Anna A. Nobody" <Anna@Example.net>,
\tbert@example.net
Cc: Carla <carla@other.example>
Reply-To: helper@example.org
Message-ID: <4711@attacker.example>
Subject: for anna@example.net
"""
BODY = "Dear anna@example.net: https://phish.example/?u=anna%40example.net&v=1\n=3Danna=40example.net boss@example.org"


def hidden(mode: str = "recipients", **more: object) -> tuple[str, str]:
    return redact(HEADER, BODY, ["<dora@example.net>"], ["example.org"], KEY, mode, **more)  # type: ignore[arg-type]  # a mode


@pytest.mark.parametrize("mode", ["recipients", "strict"])
def test_no_recipient_is_left(mode: str) -> None:
    for text in hidden(mode):
        assert not re.search(r"(?i)(anna|bert|carla|nobody)(?![a-z2-7])", text)


def test_what_a_report_needs_stays() -> None:
    header, body = hidden()
    for text in ('From: "The Boss" <boss@example.org>', "<4711@attacker.example>", "from a.example by mx.example.net"):
        assert text in header
    assert "https://phish.example/?u=" in body
    assert "boss@example.org" in body


def test_users_of_ours_are_hidden_but_for_the_forged_from() -> None:
    assert "helper@" not in hidden()[0]


def test_an_address_is_one_token_everywhere() -> None:
    local = token("anna@example.net", KEY).partition("@")[0]
    header, body = hidden()
    assert header.count(local) == 4  # VERP, Received, To, Subject
    assert body.count(local) == 3
    assert f"{local}%40example.net" in body
    assert f"{local}=40example.net" in body


def test_another_key_is_another_token() -> None:
    assert token("anna@example.net", KEY) != token("anna@example.net", b"x")
    assert token("Anna@Example.NET", KEY) == token("anna@example.net", KEY)
    assert token("anna@example.org", KEY).partition("@")[0] != token("anna@example.net", KEY).partition("@")[0]


def test_none_changes_nothing() -> None:
    assert hidden("none") == (HEADER, BODY)


def test_two_digits_of_a_name_are_no_code() -> None:
    text = redact("", "?u=adam@example.net or u=3Dadam@example.net", ["adam@example.net"], [], KEY, "recipients")[1]
    local = token("adam@example.net", KEY).partition("@")[0]
    assert text == f"?u={local}@example.net or u=3D{local}@example.net"


def test_what_a_header_names() -> None:
    assert named_recipients(HEADER) == {"anna@example.net", "bert@example.net", "carla@other.example"}


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text(header: str, body: str) -> None:
    redact(header, body, ["a@example.net"], ["example.org"], KEY, "strict")


@pytest.mark.parametrize("piece", ["a@b.c ", "a" * 64, "a=b.c", "%40", "To: a\n b", "a.", "received: for a@b.c\n"])
def test_it_is_linear(piece: str) -> None:
    assert_linear(lambda text: redact(text, "", [], [], KEY, "strict"), lambda size: piece * size, 500)
