"""What the receiver's own fields in a sample say, and what a sender cannot make them say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.reports.receiver import passed
from email_report_processor.reports.sample import read_fields

OURS = ["mx.reporter.example; dmarc=fail header.from=example.org"]
SPF = "Authentication-Results: mx.reporter.example; spf=pass smtp.mailfrom=b@esp.example\n"
DKIM = "Authentication-Results: mx.reporter.example; dkim=fail header.d=x.example; dkim=pass header.d=esp.example\n"
RECEIVED = "Received: from out.esp.example\n\tby mx.reporter.example; Thu, 19 Nov 2026 09:12:29 +0000\n"
MESSAGE = "From: a@example.org\nTo: b@reporter.example\nSubject: s\n"
RECEIVED_SPF = "Received-SPF: pass (mx.reporter.example: domain of b@esp.example …) client-ip=192.0.2.1; {}\n"


def found(header: str, reported: list[str] = OURS) -> list[str]:
    return passed(read_fields(header), reported)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (SPF + RECEIVED + MESSAGE, ["esp.example"]),
        (DKIM + SPF + RECEIVED + MESSAGE, ["esp.example", "esp.example"]),
        ("DKIM-Filter: OpenDKIM\n" + DKIM + MESSAGE, ["esp.example"]),  # a milter does not see its server's Received
        ("Authentication-Results: MX.Reporter.Example 1; spf=Pass\n" + RECEIVED + MESSAGE, [""]),
        (RECEIVED_SPF.format("envelope-from=b@esp.example; helo=h.example") + RECEIVED, ["esp.example"]),
        (RECEIVED_SPF.format('envelope-from=""; helo=h.example') + RECEIVED, ["h.example"]),
        ("Received-SPF: Pass (mailfrom) identity=helo; helo=h.example; envelope-from=<b@esp.example>\n", ["h.example"]),
    ],
)
def test_what_the_receiver_says(header: str, expected: list[str]) -> None:
    assert found(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        RECEIVED + SPF + DKIM + MESSAGE,  # below: the sender's, whoever it claims to be from
        MESSAGE + SPF,
        SPF.replace("mx.reporter", "mx.other") + RECEIVED + MESSAGE,
        # the topmost counts
        SPF.replace("=pass", "=fail") + SPF + RECEIVED,
        DKIM.replace("=pass", "=permerror") + DKIM + RECEIVED,
        SPF.replace("=pass", "=softfail") + RECEIVED_SPF.format("envelope-from=b@esp.example") + RECEIVED,
        "DKIM-Signature: v=1; d=esp.example\n" + DKIM + MESSAGE,
        "Received-SPF: fail (mx.reporter.example: pass)\n" + RECEIVED,
        "Received-SPF: (pass) pass\n" + RECEIVED,
        "",
    ],
)
def test_what_proves_nothing(header: str) -> None:
    assert found(header) == []


def test_the_report_s_own_word_counts() -> None:
    assert found(SPF + DKIM + RECEIVED, ["mx.reporter.example; spf=fail"]) == ["esp.example"]
    assert found(SPF + DKIM + RECEIVED, [*OURS, "mx.reporter.example; spf=fail; dkim=none"]) == []


NOTICE = ["SPF Alignment: no; DKIM Alignment: no; DMARC Results: None, Accept"]


@pytest.mark.parametrize("reported", [NOTICE, []])
def test_where_the_report_names_no_server(reported: list[str]) -> None:
    assert found(RECEIVED + MESSAGE + SPF, reported) == ["esp.example"]  # Exim appends
    assert found(SPF + RECEIVED, reported) == ["esp.example"]
    assert found(RECEIVED + MESSAGE + SPF.replace("mx.rep", "mx2.rep"), reported) == []
    assert found(RECEIVED + SPF + MESSAGE + SPF.replace("=pass", "=fail"), reported) == []  # one of them was forged
    assert found(MESSAGE + SPF, reported) == []
    assert found("Received: (nothing)\n" + SPF, reported) == []


@given(st.lists(st.tuples(st.sampled_from(["Received", "Received-SPF", "Authentication-Results", "To"]), st.text())))
def test_any_header(header: list[tuple[str, str]]) -> None:
    for reported in (OURS, NOTICE, []):
        assert all(isinstance(one, str) for one in passed(header, reported))
