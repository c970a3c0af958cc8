"""Redaction (RFC 6590): no address of a recipient or of a user of ours is left, however it is written."""

import re
from base64 import b64decode, b64encode
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.values.redaction import named_recipients, redact, token
from email_report_processor.values.writings import readings
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


ANNA = "anna@example.net"
OTHERS = ["anna@example.net", "jürgen@example.net", '"anna o"@example.net', "kim@xn--bcher-kva.example"]


def coded(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"=?utf-8?b?{coded('For ' + ANNA + ' now')}?=",
        f"=?iso-8859-1*en?B?{coded(ANNA)}?= and more",
        f"=?utf-8?b?{coded('For anna@exa')}?=\n =?utf-8?q?mple=2Enet!?=",
        "=?utf-8?q?For_anna=40example.net?= =?utf-8?Q?Hi_anna@example.net_!?=",
        f"=?idna?b?{coded(ANNA)}?=",
        f"https://phish.example/#{coded(ANNA)}",
        f"https://phish.example/{coded(ANNA).rstrip('=')}/login?e={coded(ANNA).replace('=', '%3D')}",
        f"X: {coded('Anna <' + ANNA + '>')}",
        "mailto:anna%2540example.net anna&#64;example.net anna&#x40;example.net",
        "https://phish.example/?u=list-anna@example.net&v=u+anna@example.net",
        'jürgen@example.net "anna o"@example.net kim@bücher.example kim@xn--bcher-kva.example',
        "收件人anna@example.net,收件人jürgen@example.net",
    ],
)
def test_other_writings_of_a_recipient(text: str) -> None:
    for header, body in ((f"Subject: {text}\n", ""), ("", text)):
        known = [*OTHERS, "kim@bücher.example"]
        for left in redact(header, body, known, [], KEY, "recipients"):
            found = " ".join([left, *read(left)])
            assert not re.search(r"(?i)anna(?: o\"|@|=40|%40|&)|j\w?rgen|kim@", found), found


@pytest.mark.parametrize(
    "text",
    [
        "a%6ena@example.net %61%6e%6e%61%40%65xample.net %2561nna%2540example.net anna%3Dexample.net@list.example",
        "=61nna@example.net anna@exam=\nple.net anna@exam=\r\nple.net a=6Ena=40example.net",
        "&#97;nna&commat;example&period;net &#x61;n&#110;a&#64;example.net &#x61;n%6ea@example.net",
        "anna\uff20example.net \uff41\uff4e\uff4e\uff41@example.net anna@example\u3002net an\u200bna@exam\u00adple.net",
        "anna@\n example.net x\n\tanna@example\n .net anna @ example.net anna@exam\n ple.net anna\r\n @example.net",
        "\\u0061nna\\x40example.net \\x61\\x6e\\x6e\\x61\\u0040example.net",
        f"https://phish.example/?u={ANNA.encode().hex()}&v={ANNA.encode().hex().upper()}",
        f"https://phish.example/?u={('for ' + ANNA + '!').encode().hex()}",
        "j%C3%BCrgen@example.net j=C3=BCrgen=40example.net",
        f"https://phish.example/?u={coded('a%6ena@example.net')}",
    ],
)
def test_codes_for_characters_of_an_address(text: str) -> None:
    for header, body in ((f"X-Note: {text}\n", ""), ("", text)):
        left = "".join(redact(header, body, OTHERS, [], KEY, "recipients"))
        runs = re.findall(r"\b(?:[0-9a-fA-F]{2}){8,}\b", left)
        digits = "".join(bytes.fromhex(run).decode("latin-1") for run in runs)
        for one in (left, digits, *read(left), *(found.text for found in readings(left))):
            plain = re.sub(r"\s|=$", "", one, flags=re.MULTILINE).lower()
            assert "anna@" not in plain, one
            assert "anna=" not in plain, one
            assert "j\u00fcrgen" not in plain, one


@pytest.mark.parametrize("field", ["anna@\n example.net", "anna\uff20example.net", "a%6ena@example.net"])
def test_a_recipient_that_is_named_in_codes(field: str) -> None:
    assert "anna@example.net" in named_recipients(f"To: {field}\n")


WAYS = ("{}", "%{:02x}", "%{:02X}", "%25{:02x}", "={:02X}", "&#{:d};", "&#x{:x};", "\\x{:02x}", "\\u{:04x}", "wide")


@given(st.lists(st.sampled_from(WAYS), min_size=len(ANNA), max_size=len(ANNA)))
def test_any_mixture_of_codes(ways: list[str]) -> None:
    """Each character in a writing of its own: no reading has the name any more, and the domain is still to be read."""

    def written(way: str, character: str) -> str:
        if way == "wide":
            return chr(ord(character) + 0xFEE0)
        return character if way == "{}" else way.format(ord(character))

    text = " ".join(["see", "".join(map(written, ways, ANNA)), "now"])
    left = redact("", text, OTHERS, [], KEY, "recipients")[1]
    assert not any("anna" in one for one in (left, *(found.text for found in readings(left))))
    whole = [left, *(found.text for found in readings(left))][-1]
    assert token(ANNA, KEY) in whole


def test_codes_that_are_no_address_stay_as_they_are() -> None:
    text = "100%25 =3D &amp; %zz =E &#x110000; \\u12 joanna%40example.net 616e6e61 \uff21\u3002 a@\n b"
    assert redact("", text, OTHERS, [], KEY, "recipients")[1] == text


def read(text: str) -> list[str]:
    """As somebody reads it who decodes whatever can be decoded."""
    words = str(make_header(decode_header(text))) if "=?utf-8" in text else ""
    runs = (run + "=" * (-len(run) % 4) for run in re.findall(r"[A-Za-z0-9]{12,}", text) if len(run) % 4 != 1)
    return [words, *(b64decode(run).decode("latin-1") for run in runs)]


def test_what_is_encoded_without_an_address_stays_as_it_is() -> None:
    text = f"=?utf-8?q?Gr=C3=BC=C3=9Fe?= {coded('nothing of anybody')} =?utf-8?b?!?= =?x?q?=?= joanna@example.net"
    assert redact(f"Subject: {text}\n", text, OTHERS, [], KEY, "recipients") == (f"Subject: {text}\n", text)


def test_the_names_of_recipients_in_encoded_words_go() -> None:
    header = f"To: =?utf-8?b?{coded('Anna Nobody <' + ANNA + '>')}?=,\n jürgen@example.net\n"
    local = token(ANNA, KEY)
    assert redact(header, "", [], [], KEY, "recipients")[0].startswith(f"To: {local}, ")
    assert "rgen" not in redact(header, "jürgen@example.net", [], [], KEY, "recipients")[1]


@pytest.mark.parametrize("mode", ["recipients", "strict"])
def test_a_token_is_no_address_that_is_hidden_again(mode: str) -> None:
    text = f"=?utf-8?b?{coded(ANNA)}?= {coded(ANNA)} jürgen@example.org {ANNA}"
    left = redact("", text, ["jürgen@example.org"], ["example.org", "example.net"], KEY, mode)[1]  # type: ignore[arg-type]  # a mode
    assert token("jürgen@example.org", KEY) in left
    assert b64encode(token(ANNA, KEY).encode()).decode().rstrip("=") in left
    assert left.endswith(token(ANNA, KEY))


@given(
    st.lists(
        st.builds(
            "=?{}?{}?{}?=".format,
            st.sampled_from(["utf-8", "utf-7", "idna", "punycode", "rot13", "iso-2022-jp", "gbk", "\0", "x" * 40]),
            st.sampled_from("bBqQ"),
            st.one_of(
                st.text(max_size=60), st.binary(max_size=60).map(lambda data: b64encode(data + b"a@b.example").decode())
            ),
        )
    ).map(" ".join)
)
def test_any_encoded_words(text: str) -> None:
    redact(f"To: {text}\nSubject: {text}\n", text, ["a@b.example"], ["example.org"], KEY, "strict")


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text(header: str, body: str) -> None:
    redact(header, body, ["a@example.net"], ["example.org"], KEY, "strict")


@pytest.mark.parametrize(
    "piece",
    [
        "a@b.c ",
        "a" * 64,
        "a=b.c",
        "%40",
        "To: a\n b",
        "a.",
        "received: for a@b.c\n",
        "=?x?q?a@b.c?= ",
        "YUBiLmM ",
        "é" * 64,
        '"a"@',
        "%61",
        "=\n",
        "=C3",
        "&#64;",
        "&",
        "\\u0040",
        "\uff20",
        "@\n ",
        " @",
        "61",
        "%25",
    ],
)
def test_it_is_linear(piece: str) -> None:
    assert_linear(lambda text: redact(text, "", [], [], KEY, "strict"), lambda size: piece * size, 500)
