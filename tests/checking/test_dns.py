"""`email-report-admin dns`: against a DNS server of the test's own, and pure for what needs none."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_report_processor.admin.command import main
from email_report_processor.checking import dns as dnscheck
from email_report_processor.checking import finding
from email_report_processor.checking.dns import discovered, walk
from email_report_processor.checking.finding import Finding
from email_report_processor.checking.record import parse, publish, uris
from email_report_processor.checking.resolver import Records, Resolver, read_server
from tests import dns_server
from tests.conftest import Program
from tests.dns_server import GARBLED, REFUSED, SERVFAIL, SILENT, TRUNCATED, DnsServer

GOOD = (
    "v=DMARC1; p=reject; sp=quarantine; np=reject; rua=mailto:dmarc@example.org; ruf=mailto:dmarc@example.org; fo=1:d:s"
)


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with dns_server.running() as server:
        server.records["example.org", "MX"] = ["10 mail.example.org."]
        server.txt("_dmarc.example.org", GOOD)
        server.txt("_smtp._tls.example.org", "v=TLSRPTv1; rua=mailto:tls@example.org")
        yield server


class Check(Protocol):
    """Runs the command in this process: status and findings."""

    def __call__(self, *arguments: str) -> tuple[int, list[Finding]]: ...


@pytest.fixture
def check(server: DnsServer, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Check:
    config = tmp_path / "settings.toml"
    config.touch()

    def run(*arguments: str) -> tuple[int, list[Finding]]:
        more = [f"--config={config}", "--json", f"--server={server.address}", "--timeout=0.4"]
        status = main(["dns", *more, *arguments])
        found = [Finding(**one) for one in json.loads(capsys.readouterr().out)]
        assert status == finding.status(found)
        assert all(bool(one.remedy) == (one.result != "ok") for one in found)
        return status, found

    return run


def _of(found: list[Finding], about: str) -> list[Finding]:
    return [one for one in found if one.about.endswith(about)]


def _wrong(found: list[Finding]) -> list[Finding]:
    return [one for one in found if one.result != "ok"]


# What must be left alone


def test_a_domain_that_has_everything(server: DnsServer, check: Check) -> None:
    server.txt("_mta-sts.example.org", "v=STSv1; id=20261121T000000;")
    status, found = check("Example.ORG.")
    assert (status, _wrong(found)) == (0, [])
    assert [one.about for one in found] == [
        "example.org dmarc",
        "example.org destination",
        "example.org tlsrpt",
        "example.org destination",
        "example.org mta-sts",
    ]
    assert found[0].text == "_dmarc.example.org: p=reject, reject for those that do not exist"
    assert len(server.seen) == len(set(server.seen)), "each question once"


@pytest.mark.parametrize(
    "record",
    [
        "v=DMARC1;p=none;rua=mailto:a@example.org",
        "v = DMARC1 ; p = none ; rua = mailto:a@example.org ;",
        "v=DMARC1; P=None; RUA=MAILTO:a@Example.org; psd=n; adkim=S; aspf=r; t=y",
        "v=DMARC1; p=none; rua=mailto:a%2Cb@example.org",
        "v=DMARC1; p=none; rua=mailto:a@example.org , mailto:b@sub.example.org; fo=0",
        "v=DMARC1; p=none; rua=mailto:a@example.org; fo=1",
    ],
)
def test_records_that_are_well(server: DnsServer, check: Check, record: str) -> None:
    server.txt("_dmarc.example.org", record)
    server.records["sub.example.org", "A"] = ["192.0.2.1"]
    assert _wrong(check("example.org")[1]) == []


def test_strings_of_a_record_are_joined_without_anything_between(server: DnsServer, check: Check) -> None:
    server.records["_dmarc.example.org", "TXT"] = ['"v=DMARC1; p=rej" "ect; rua=mailto:a@exam" "ple.org"']
    assert _wrong(check("example.org")[1]) == []


def test_other_records_beside_it_do_not_matter(server: DnsServer, check: Check) -> None:
    server.txt("_dmarc.example.org", "google-site-verification=x", GOOD)
    server.txt("_smtp._tls.example.org", "v=spf1 -all", "v=TLSRPTv1; rua=mailto:tls@example.org")
    assert _wrong(check("example.org")[1]) == []


# Records and tags


@pytest.mark.parametrize(
    ("record", "result", "words"),
    [
        ("v=DMARC1; p=rejekt; rua=mailto:a@example.org", "warning", "p=rejekt is ignored; write none, quarantine"),
        ("v=DMARC1; p=rejekt", "failure", "without a valid p and without rua the record counts for nothing"),
        ("v=DMARC1; rua=mailto:a@example.org", "warning", "no valid p: taken for p=none"),
        ("v=DMARC1; p=none; sp=x", "failure", "without a valid sp and without rua"),
        ("v=DMARC1; p=none; sp=x; rua=mailto:a@example.org", "warning", "sp=x is ignored"),
        ("v=DMARC1; p=none", "failure", "no rua: no aggregate reports are asked for"),
        ("v=DMARC1; p=none; rua=a@example.org", "failure", "write mailto:a@example.org"),
        ("v=DMARC1; p=none; rua=https://example.org/r", "failure", "know mailto: alone"),
        ("v=DMARC1; p=none; rua=mailto:example.org", "failure", "has no local part"),
        ("v=DMARC1; p=none; rua=mailto:a@", "failure", "is no mail address"),
        ("v=DMARC1; p=none; rua=mailto:a@b@c..d", "failure", "is no mail address"),
        ("v=DMARC1; p=none; rua=mailto:a!b@example.org", "failure", "written %21"),
        ("v=DMARC1; p=none; rua=mailto:a@example.org!10m", "warning", "the limit of size is ignored"),
        ("v=DMARC1; p=none; rua=mailto:a@example.org,", "failure", "rua: ''"),
        ("v=DMARC1; p=none; rua=mailto:a@example.org; pct=50", "warning", "pct is no longer part of DMARC"),
        ("v=DMARC1; p=none; rua=mailto:a@example.org; ri=3600", "warning", "ri is no longer part of DMARC"),
        ("v=DMARC1; p=none; rua=mailto:a@example.org; rau=x", "warning", "rau is no tag of DMARC"),
        ("v=DMARC1; p=none; rua=mailto:a@example.org; p=reject", "warning", "p is there 2 times"),
        ("v=DMARC1; p=none; rua=mailto:a@example.org; reject", "warning", "'reject' is no tag"),
        (
            "v=DMARC1; p=none; rua=mailto:a@example.org; adkim=strict",
            "warning",
            "adkim=strict is ignored; write r or s",
        ),
        ("v=DMARC1; p=none; rua=mailto:a@example.org; t=1", "warning", "t=1 is ignored; write y or n"),
        ("v=DMARC1; p=none; rua=mailto:a@example.org; psd=x", "warning", "psd=x is ignored; write y, n or u"),
        ("v=DMARC1; p=none; rua=mailto:a@example.org; fo=0:1", "warning", "0 and 1 exclude each other"),
        ("v=DMARC1; p=none; rua=mailto:a@example.org; fo=all", "warning", "fo=all: write some of 0, 1, d and s"),
        (
            "v=DMARC1; p=none; rua=mailto:a@example.org,mailto:b@example.org,mailto:c@example.org",
            "warning",
            "3 addresses; a reporter need not serve more than 2",
        ),
        ("v=dmarc1; p=none; rua=mailto:a@example.org", "failure", "does not begin with v=DMARC1;"),
        ("p=none; v=DMARC1", "failure", "does not begin with v=DMARC1;"),
        ("something else", "ok", ""),
        ("DMARC1; p=none", "failure", "does not begin with v=DMARC1;"),
    ],
)
def test_what_is_wrong_with_a_record(server: DnsServer, check: Check, record: str, result: str, words: str) -> None:
    server.txt("_dmarc.example.org", record)
    found = _of(check("example.org")[1], "dmarc")
    if result == "ok":  # it is no DMARC record at all: as if there were none
        assert "no record, also none above it" in found[0].text
        return
    said = [one for one in found if words in one.text]
    assert [one.result for one in said] == [result], found
    assert '_dmarc.example.org. IN TXT "v=DMARC1; ' in said[0].remedy or "let the first" in said[0].remedy


def test_several_records(server: DnsServer, check: Check) -> None:
    server.txt("_dmarc.example.org", GOOD, "v=DMARC1; p=none")
    status, found = check("example.org")
    assert status == 2
    assert "2 records, so reporters take none" in found[0].text
    assert found[0].remedy.count("_dmarc.example.org. IN TXT") == 2
    assert len(_of(found, "dmarc")) == 1


def test_bytes_that_are_no_text(server: DnsServer, check: Check) -> None:
    server.records["_dmarc.example.org", "TXT"] = [r'"v=DMARC1; p=none; rua=mailto:a@example.org; \255=x"']
    assert any("is no tag" in one.text for one in check("example.org")[1])


# Inheritance


def test_a_subdomain_inherits(server: DnsServer, check: Check) -> None:
    _, found = check("a.b.example.org")
    policy = found[0]
    assert policy.result == "ok"
    assert "that of example.org applies: quarantine for subdomains, reject for those that do not exist" in policy.text
    asked = [name for name, kind, _ in server.seen if name.startswith("_dmarc.")]
    assert asked == [
        *("_dmarc.a.b.example.org", "_dmarc.b.example.org", "_dmarc.example.org", "_dmarc.org"),
        *("_dmarc.a.b.example.org.a.b.example.org", "_dmarc.a.b.example.org.example.org"),  # where a form puts it
    ]


def test_nothing_is_published(server: DnsServer, check: Check) -> None:
    status, found = check("nothing.test")
    assert status == 2
    assert _of(found, "dmarc") == [
        finding.failure(
            "nothing.test dmarc",
            "_dmarc.nothing.test: no record, also none above it: no DMARC reports",
            (
                '_dmarc.nothing.test. IN TXT "v=DMARC1; p=none; rua=mailto:ADDRESS"\n'
                "(in the place of ADDRESS write a mailbox for reports that exists, such as "
                "dmarc-reports@nothing.test if you make it)"
            ),
        )
    ]
    (tls,) = _of(found, "tlsrpt")
    assert (tls.result, tls.remedy) == (
        "warning",
        (
            '_smtp._tls.nothing.test. IN TXT "v=TLSRPTv1; rua=mailto:ADDRESS"\n'
            "(in the place of ADDRESS write a mailbox for reports that exists)"
        ),
    )


def test_both_ways_of_inheritance_differ(server: DnsServer, check: Check) -> None:
    """A zone of its own below the registered domain, by psd=n: reporters of RFC 7489 know nothing of that."""
    server.txt("_dmarc.dept.example.org", "v=DMARC1; p=none; psd=n; rua=mailto:dmarc@example.org")
    _, found = check("mail.dept.example.org")
    assert found[0].result == "warning"
    assert (
        "by tree walk (RFC 9989) the one of dept.example.org, by public suffix (RFC 7489) example.org" in found[0].text
    )
    assert found[0].remedy.startswith("_dmarc.dept.example.org. IN TXT") or "_dmarc.mail" in found[0].remedy


@pytest.mark.parametrize(
    ("domain", "names"),
    [
        ("example.com", ["com"]),
        ("a.mail.example.com", ["mail.example.com", "example.com", "com"]),
        # RFC 9989 §4.10: eight queries in all, the first for the domain itself
        (
            "a.b.c.d.e.f.g.h.i.j.mail.example.com",
            [
                "g.h.i.j.mail.example.com",
                "h.i.j.mail.example.com",
                "i.j.mail.example.com",
                "j.mail.example.com",
                "mail.example.com",
                "example.com",
                "com",
            ],
        ),
        (
            "a.b.c.d.e.f.g.com",
            ["b.c.d.e.f.g.com", "c.d.e.f.g.com", "d.e.f.g.com", "e.f.g.com", "f.g.com", "g.com", "com"],
        ),
    ],
)
def test_tree_walk(domain: str, names: list[str]) -> None:
    assert walk(domain) == names
    assert len(names) < 8


@pytest.mark.parametrize(
    ("domain", "records", "applies"),
    [
        # The examples of RFC 9989 §4.10.2
        ("a.mail.example.com", {"mail.example.com": "", "example.com": ""}, "example.com"),
        ("a.mail.example.com", {"mail.example.com": "psd=n"}, "mail.example.com"),
        ("a.mail.example.com", {"com": "psd=y"}, "com"),
        ("a.mail.example.com", {"example.com": "", "com": "psd=y"}, "example.com"),
        ("a.mail.example.com", {"mail.example.com": "", "com": "psd=y"}, "com"),
        ("a.mail.example.com", {"example.com": "psd=u"}, "example.com"),
        ("a.mail.example.com", {}, None),
    ],
)
def test_the_record_that_applies(domain: str, records: dict[str, str], applies: str | None) -> None:
    policies = {name: parse(name, f"v=DMARC1; {tags}") for name, tags in records.items()}
    found = discovered(domain, policies)
    assert (found.domain if found else None) == applies


# Consent and destinations


def test_a_foreign_destination_without_consent(server: DnsServer, check: Check) -> None:
    server.txt("_dmarc.example.org", "v=DMARC1; p=none; rua=mailto:example@reports.test")
    server.records["reports.test", "MX"] = ["10 mx.reports.test."]
    status, found = check("example.org")
    (consent,) = _of(found, "consent")
    assert (status, consent.result) == (2, "failure")
    assert "example.org._report._dmarc.reports.test: no record: reporters send nothing to reports.test" in consent.text
    assert consent.remedy.startswith('example.org._report._dmarc.reports.test. IN TXT "v=DMARC1;"\n')


@pytest.mark.parametrize(
    ("texts", "result"),
    [
        (["v=DMARC1"], "ok"),
        (["v=DMARC1;"], "ok"),
        (["v=DMARC1; rua=mailto:other@reports.test"], "ok"),
        (["v=DMARC1; rua=mailto:other@elsewhere.test"], "warning"),
        (["something else", "v=DMARC1;"], "ok"),
        (["v=DMARC"], "failure"),
        (["v=dmarc1;"], "failure"),
    ],
)
def test_consent(server: DnsServer, check: Check, texts: list[str], result: str) -> None:
    server.txt("_dmarc.example.org", "v=DMARC1; p=none; ruf=mailto:x@reports.test; rua=mailto:a@example.org")
    server.records["reports.test", "MX"] = ["10 mx.reports.test."]
    server.txt("example.org._report._dmarc.reports.test", *texts)
    assert [one.result for one in _of(check("example.org")[1], "consent")] == [result]


def test_consent_for_what_is_inherited(server: DnsServer, check: Check) -> None:
    """It is asked for by the domain that has the record (RFC 7489 §7.1)."""
    server.txt("_dmarc.example.org", "v=DMARC1; p=none; rua=mailto:x@reports.test")
    server.txt("example.org._report._dmarc.reports.test", "v=DMARC1;")
    assert [one.result for one in _of(check("sub.example.org")[1], "consent")] == ["ok"]


def test_consent_of_a_name_that_is_too_long() -> None:
    domain = ".".join(["a" * 60] * 4)
    found = dnscheck.check_consent(domain, "reports.test", lambda name, kind: Records())
    assert (found.result, "longer than a name may be" in found.text) == ("failure", True)


@pytest.mark.parametrize(
    ("records", "result", "words"),
    [
        ({("h.test", "MX"): ["0 ."]}, "failure", "takes no mail (null MX)"),
        ({("h.test", "A"): ["192.0.2.1"]}, "ok", "receives mail itself"),
        ({("h.test", "AAAA"): ["2001:db8::1"]}, "ok", "receives mail itself"),
        ({("h.test", "MX"): ["10 a.test.", "20 b.test."]}, "ok", "receives mail at "),
        ({}, "failure", "neither MX nor address"),
        ({("h.test", "MX"): [SERVFAIL]}, "warning", "SERVFAIL"),
        ({("h.test", "TXT"): ['"x"'], ("h.test", "A"): [SERVFAIL]}, "warning", "SERVFAIL"),
    ],
)
def test_whether_a_destination_receives_mail(
    server: DnsServer, records: dict[tuple[str, str], list[str]], result: str, words: str
) -> None:
    server.records.update(records)
    (found,) = dnscheck.check_mail("example.org", "h.test", Resolver(server.address, 0.4))
    assert found.result == result
    assert words in found.text


# SMTP TLS reports, MTA-STS


@pytest.mark.parametrize(
    ("texts", "result", "words"),
    [
        (["v=TLSRPTv1;rua=mailto:a@example.org"], "ok", "mailto:a@example.org"),
        (["v=TLSRPTv1; rua=mailto:a@example.org,https://r.test/x"], "warning", "go there and not to a mailbox"),
        (["v=TLSRPTv1; rua=mailto:a@other.test"], "ok", "mailto:a@other.test"),  # nobody's consent is needed
        (["v=TLSRPTv1;"], "failure", "no rua"),
        (["v=TLSRPTv1; rua="], "failure", "empty rua"),
        (["v=TLSRPTv1; rua=a@example.org"], "failure", "write mailto:a@example.org"),
        (["v=TLSRPTv1; rua=mailto:a@example.org", "v=TLSRPTv1; rua=mailto:b@example.org"], "failure", "2 records"),
        (["v=TLSRPT1; rua=mailto:a@example.org"], "failure", "does not begin with v=TLSRPTv1;"),
        (["v=tlsrptv1; rua=mailto:a@example.org"], "failure", "does not begin with v=TLSRPTv1;"),
    ],
)
def test_tlsrpt(server: DnsServer, check: Check, texts: list[str], result: str, words: str) -> None:
    server.records["other.test", "MX"] = ["10 mx.other.test."]
    server.txt("_smtp._tls.example.org", *texts)
    found = _of(check("example.org")[1], "tlsrpt")
    assert finding.RESULTS[finding.status(found)] == result
    assert any(words in one.text for one in found)
    assert not [name for name, _, _ in server.seen if "_report" in name]


def test_tlsrpt_is_not_inherited(server: DnsServer, check: Check) -> None:
    (found,) = _of(check("sub.example.org")[1], "tlsrpt")
    assert (found.result, "no record" in found.text) == ("warning", True)


@pytest.mark.parametrize(
    ("texts", "result"),
    [
        ([], "ok"),
        (["v=STSv1; id=1"], "ok"),
        (["v=STSv1; id=1;"], "ok"),
        (["v=STSv1;"], "failure"),
        (["v=STSv1; id=a-b"], "failure"),
        (["v=STSv1; id=1", "v=STSv1; id=2"], "failure"),
        (["v=STS1; id=1"], "failure"),
    ],
)
def test_sts(server: DnsServer, check: Check, texts: list[str], result: str) -> None:
    if texts:
        server.txt("_mta-sts.example.org", *texts)
    (found,) = _of(check("example.org")[1], "mta-sts")
    assert found.result == result


# The DNS itself


@pytest.mark.parametrize(
    ("fault", "words"),
    [(SERVFAIL, "SERVFAIL"), (REFUSED, "REFUSED"), (SILENT, "no answer within 0.4 s"), (GARBLED, "")],
)
def test_a_dns_that_does_not_answer(server: DnsServer, check: Check, fault: str, words: str) -> None:
    """Nothing is known then: a warning, and never «no record»."""
    for name in ("_dmarc.example.org", "_smtp._tls.example.org", "_mta-sts.example.org"):
        server.records[name, "TXT"] = [fault]
    status, found = check("example.org")
    assert status >= 1
    for about in ("dmarc", "tlsrpt", "mta-sts"):
        first = _of(found, about)[0]
        assert first.result == "warning", first
        assert words in first.text
        assert "--server" in first.remedy


def test_a_dns_that_fails_is_not_taken_for_no_record(server: DnsServer, check: Check) -> None:
    server.records["_dmarc.sub.example.org", "TXT"] = [SERVFAIL]
    _, found = check("sub.example.org")
    assert [one.result for one in _of(found, "dmarc")] == ["warning"]
    assert "no record, also none above" not in str(found)


def test_consent_that_cannot_be_asked_for(server: DnsServer, check: Check) -> None:
    server.txt("_dmarc.example.org", "v=DMARC1; p=none; rua=mailto:x@reports.test")
    server.records["example.org._report._dmarc.reports.test", "TXT"] = [SERVFAIL]
    assert [one.result for one in _of(check("example.org")[1], "consent")] == ["warning"]


def test_a_long_answer_comes_by_tcp(server: DnsServer, check: Check) -> None:
    server.records["_dmarc.example.org", "TXT"] = [TRUNCATED, f'"{GOOD}"']
    assert _wrong(check("example.org")[1]) == []
    assert ("_dmarc.example.org", "TXT", "udp") in server.seen
    assert ("_dmarc.example.org", "TXT", "tcp") in server.seen


def test_a_port_on_which_nobody_listens() -> None:
    found = Resolver(f"127.0.0.1:{dns_server.closed_port()}", 0.4)("example.org", "TXT")
    assert found.texts == ()
    assert found.fault


def test_names_that_the_dns_does_not_take(server: DnsServer) -> None:
    found = Resolver(server.address, 0.4)("a" * 64 + ".test", "TXT")
    assert (found.texts, "no question that the DNS takes" in found.fault) == ((), True)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
    ],
)
def test_servers(text: str, server: tuple[str, int]) -> None:
    assert read_server(text) == server


@pytest.mark.parametrize(
    "text", ["ns.example.org", "192.0.2.53:x", "192.0.2.53:0", "192.0.2.53:99999", "[::1]:", ":53"]
)
def test_servers_that_are_none(text: str) -> None:
    if text == "[::1]:":
        assert read_server(text) == ("::1", 53)
        return
    with pytest.raises(ValueError, match=r"is no server: write 192\.0\.2\.53"):
        read_server(text)


# White space, and records that stand elsewhere


@pytest.mark.parametrize(
    ("blank", "name"), [(" ", "a blank"), ("\t", "a tab"), ("\u00a0", "U+00A0"), ("\u2003", "U+2003")]
)
def test_a_record_that_begins_with_white_space_is_none(server: DnsServer, check: Check, blank: str, name: str) -> None:
    """A receiver sees no policy (RFC 9989 §4.7, RFC 8460 §3, RFC 8461 §3.1)."""
    server.txt("_dmarc.example.org", blank + GOOD)
    server.txt("_smtp._tls.example.org", f"{blank}v=TLSRPTv1; rua=mailto:tls@example.org")
    server.txt("_mta-sts.example.org", f"{blank}v=STSv1; id=1")
    server.txt("example.org._report._dmarc.reports.test", f"{blank}v=DMARC1;")
    server.records["reports.test", "MX"] = ["10 mx.reports.test."]
    found = check("example.org")[1]
    (dmarc,), (tls,) = _of(found, "dmarc"), _of(found, "tlsrpt")
    for one in (dmarc, tls, *_of(found, "mta-sts")):
        assert one.result == "failure"
        assert f"it begins with {name}" in one.text
    assert dmarc.remedy == publish("_dmarc.example.org", GOOD)
    assert tls.remedy == publish("_smtp._tls.example.org", "v=TLSRPTv1; rua=mailto:tls@example.org")
    server.txt("_dmarc.example.org", GOOD.replace("@example.org", "@reports.test"))
    (consent,) = _of(check("example.org")[1], "consent")
    assert consent.result == "failure"
    assert f"is no consent: it begins with {name}" in consent.text


@pytest.mark.parametrize("blank", ["\u00a0", "\u2003", "\n", "\u200b"])
@pytest.mark.parametrize("record", ["v=DMARC1; p={}reject; {}", "v=DMARC1; p=reject{}; {}", "v=DMARC1;{}p=reject; {}"])
def test_white_space_that_is_none_within_a_record(server: DnsServer, check: Check, record: str, blank: str) -> None:
    rua = "rua=mailto:dmarc@example.org"
    server.records["_dmarc.example.org", "TXT"] = ['"' + _escaped(record.format(blank, rua)) + '"']
    (found, *_) = _wrong(_of(check("example.org")[1], "dmarc"))
    assert found.remedy == publish("_dmarc.example.org", f"v=DMARC1; p=reject; {rua}")
    assert blank not in found.text


def _escaped(text: str) -> str:
    """As a zone file has bytes beyond ASCII (RFC 1035 §5.1)."""
    return "".join(f"\\{byte:03d}" if byte not in range(32, 127) else chr(byte) for byte in text.encode())


@pytest.mark.parametrize("where", ["_dmarc.example.net.example.net", "example.net", "dmarc.example.net"])
def test_a_record_that_stands_elsewhere(server: DnsServer, check: Check, where: str) -> None:
    record = "v=DMARC1; p=reject; rua=mailto:dmarc@example.net"
    server.txt(where, "something else", record)
    status, found = check("example.net")
    (one,) = _of(found, "dmarc")
    assert (status, one.result) == (2, "failure")
    assert one.text == f"{where}: {record!r} stands where nobody looks; the name is _dmarc.example.net"
    assert one.remedy == publish("_dmarc.example.net", record)


def test_a_record_of_a_subdomain_that_stands_elsewhere(server: DnsServer, check: Check) -> None:
    """The policy above holds meanwhile, and both are said."""
    record = "v=DMARC1; p=reject; rua=mailto:dmarc@example.org"
    server.txt("_dmarc.a.example.org.example.org", record)
    found = _of(check("a.example.org")[1], "dmarc")
    assert [one.result for one in found] == ["failure", "ok"]
    assert found[0].remedy == publish("_dmarc.a.example.org", record)


@pytest.mark.parametrize("where", ["_smtp._tls.example.net.example.net", "example.net", "_tls._smtp.example.net"])
def test_a_tls_record_that_stands_elsewhere(server: DnsServer, check: Check, where: str) -> None:
    server.txt(where, "v=TLSRPTv1; rua=mailto:tls@example.net,https://r.test/x")
    (one,) = _of(check("example.net")[1], "tlsrpt")
    assert one.result == "failure"
    assert "stands where nobody looks; the name is _smtp._tls.example.net" in one.text
    assert one.remedy == publish("_smtp._tls.example.net", "v=TLSRPTv1; rua=https://r.test/x,mailto:tls@example.net")


def test_a_consent_that_stands_elsewhere(server: DnsServer, check: Check) -> None:
    server.txt("_dmarc.example.org", GOOD.replace("@example.org", "@reports.test"))
    server.records["reports.test", "MX"] = ["10 mx.reports.test."]
    server.txt("example.org._report._dmarc.reports.test.reports.test", "v=DMARC1;")
    (one,) = _of(check("example.org")[1], "consent")
    assert "but one at example.org._report._dmarc.reports.test.reports.test" in one.text


def test_what_a_subdomain_would_publish_is_no_weaker(server: DnsServer, check: Check) -> None:
    """Where the two ways of inheritance differ, what holds for the subdomain is proposed, not the p of its parent."""
    server.txt("_dmarc.example.co.uk", "v=DMARC1; p=none; sp=reject; psd=n; rua=mailto:a@example.co.uk")
    server.txt("_dmarc.b.example.co.uk", "v=DMARC1; p=none; sp=quarantine; psd=n; rua=mailto:a@example.co.uk")
    server.records["example.co.uk", "MX"] = ["10 mx.example.co.uk."]
    (one, *_) = _wrong(_of(check("a.b.example.co.uk")[1], "dmarc"))
    assert "by tree walk (RFC 9989)" in one.text
    assert "p=quarantine; sp=quarantine; rua=" in one.remedy
    assert "psd" not in one.remedy


@pytest.mark.parametrize("root", [[], [SERVFAIL], [REFUSED], [SILENT]])
def test_a_resolver_that_denies_the_root(server: DnsServer, check: Check, root: list[str]) -> None:
    """One that answers NXDOMAIN to everything knows nothing; one that does not tell may be that of one zone."""
    server.records.pop((".", "NS"))
    if root:
        server.records[".", "NS"] = root
        assert _wrong(check("example.org")[1]) == []
        return
    status, found = check("example.org")
    assert (status, {one.result for one in found}) == (1, {"warning"})
    assert all("not even the root of the DNS exists: it answers for nothing" in one.text for one in found)
    assert all("--server ADDRESS" in one.remedy for one in found)
    assert [name for name, _, _ in server.seen] == ["."]


# The command


def test_for_people(server: DnsServer, run_admin: Program) -> None:
    outcome = run_admin(b"", "dns", "example.org", "nothing.test", f"--server={server.address}")
    assert outcome.status == 2
    assert outcome.stderr == ""
    lines = outcome.stdout.splitlines()
    assert lines[0] == "ok       example.org dmarc: _dmarc.example.org: p=reject, reject for those that do not exist"
    assert '         _dmarc.nothing.test. IN TXT "v=DMARC1; p=none; rua=mailto:ADDRESS"' in lines


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("exa mple.org",), "'exa mple.org' is no domain name"),
        (("x..y",), "is no domain name"),
        (("example.org", "--server=ns.test"), "is no server"),
    ],
)
def test_wrong_usage(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "empty").touch()
    assert main(["dns", f"--config={tmp_path}/empty", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_names_in_other_alphabets(server: DnsServer, check: Check) -> None:
    server.txt("_dmarc.xn--bcher-kva.example.org", GOOD)
    _, found = check("bücher.example.org")
    assert found[0].about == "xn--bcher-kva.example.org dmarc"
    assert found[0].result == "ok"


def test_dnspython_is_loaded_for_nothing_else() -> None:
    code = (
        "import sys, email_report_processor.cli, email_report_processor.admin.doctor;"
        "import email_report_processor.checking.dns;"
        "sys.exit('dns.resolver' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Pure


def test_records_to_publish() -> None:
    assert publish("a.test", 'x"y') == 'a.test. IN TXT "x\\"y"'
    long = publish("a.test", "x" * 600)
    assert [len(part) for part in long.split('"')[1::2]] == [250, 250, 100]


@settings(max_examples=300)
@given(st.text(max_size=60))
def test_any_list_of_addresses(text: str) -> None:
    for uri in uris(text):
        assert bool(uri.host) != bool(uri.fault) or uri.fault == "has no local part"
