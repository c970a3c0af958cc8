"""What named reporters and tools do, one test for each line of docs/reporters.md that no other test or pair shows.

In our own words: the shape is theirs, what it says is not.
"""

import base64
import gzip
import io
import json
import zipfile
from typing import Any

import pytest

from email_report_processor.documents.classify import Site, classify
from email_report_processor.documents.document import Document
from email_report_processor.reports.reading import read_message
from email_report_processor.reports.report import Reading

Object = dict[str, Any]
DAY = (1795046400, 1795132800)  # 2026-11-19


def aggregate(
    *records: str,
    metadata: str = "<org_name>R</org_name><email>dmarc@reporter.example</email><report_id>1</report_id>",
    period: tuple[object, object] = DAY,
    policy: str = "<domain>example.org</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct>",
    root: str = "feedback",
    before: str = "",
) -> bytes:
    dates = f"<date_range><begin>{period[0]}</begin><end>{period[1]}</end></date_range>"
    head = f"<report_metadata>{metadata}{dates}</report_metadata><policy_published>{policy}</policy_published>"
    return f"<?xml version='1.0'?><{root}>{before}{head}{''.join(records)}</{root.split(' ', maxsplit=1)[0]}>".encode()


def record(
    ip: str = "192.0.2.1",
    count: object = 1,
    evaluated: str = "<disposition>none</disposition><dkim>fail</dkim><spf>fail</spf>",
    results: str = "<spf><domain>x.example</domain><result>fail</result></spf>",
    identifiers: str = "<header_from>example.org</header_from>",
) -> str:
    row = (
        f"<row><source_ip>{ip}</source_ip><count>{count}</count><policy_evaluated>{evaluated}</policy_evaluated></row>"
    )
    names = f"<identifiers>{identifiers}</identifiers>"
    return f"<record>{row}{names}<auth_results>{results}</auth_results></record>"


def zipped(data: bytes, name: str = "r.xml") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return file.getvalue()


def attached(data: bytes, labels: str, header: str = "", before: str = "") -> bytes:
    """A mail with one attachment under the labels of its reporter."""
    top = f"From: dmarc@reporter.example\nDate: Fri, 20 Nov 2026 06:00:00 +0000\n{header}MIME-Version: 1.0\n"
    parts = (
        f'Content-Type: multipart/mixed; boundary="b"\n\n{before}--b\n{labels}\nContent-Transfer-Encoding: base64\n\n'
    )
    return (top + parts).encode() + base64.encodebytes(data) + b"--b--\n"


def rows_of(raw: bytes) -> list[Object]:
    return [document.fields for document in documents(raw) if document.dataset != "report"]


def documents(raw: bytes) -> list[Document]:
    reading = read_message(raw)
    assert reading.problems == ()
    return [document for report in reading.reports for document in report.documents()]


def one(raw: bytes) -> Object:
    (fields,) = rows_of(raw)
    return fields


def head(raw: bytes) -> Object:
    return documents(raw)[-1].fields


def nothing(reading: Reading) -> bool:
    return reading.reports == ()


# Google


def test_google_puts_the_selector_behind_the_result() -> None:
    results = "<dkim><domain>example.org</domain><result>pass</result><selector>s1</selector></dkim>"
    assert one(aggregate(record(results=results)))["dkim.signatures"] == ["example.org / s1 / pass"]


def test_google_uses_one_report_id_for_several_days() -> None:
    found = [documents(aggregate(record(), period=(1795046400 + day, 1795132799 + day))) for day in (0, 86400)]
    assert len({document.id for report in found for document in report}) == 4
    assert len({report[-1].fields["report.identity"] for report in found}) == 2


def test_google_has_np_beside_pct_and_neither_version_nor_namespace() -> None:
    policy = "<domain>example.org</domain><p>none</p><sp>none</sp><np>reject</np><pct>100</pct>"
    fields = one(aggregate(record(), policy=policy))
    assert (fields["policy_published.np"], fields["policy_published.pct"]) == ("reject", 100)


def test_google_sends_zip_without_an_envelope_from() -> None:
    labels = 'Content-Type: application/zip; name="google.com!example.org!1!2.zip"'
    fields = one(attached(zipped(aggregate(record())), labels, "Subject: Report domain: example.org Submitter: g\n"))
    assert "identifiers.envelope_from" not in fields


# Microsoft


def test_microsoft_nests_multiparts_and_declares_namespaces_that_it_does_not_use() -> None:
    root = 'feedback xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    data = base64.encodebytes(gzip.compress(aggregate(record(), root=root))).decode()
    raw = f"""From: dmarcreport@microsoft.example
Subject: =?utf-8?B?UmVwb3J0IERvbWFpbjogZXhhbXBsZS5vcmc=?=
Date: Fri, 20 Nov 2026 06:00:00 +0000
Content-Type: multipart/mixed; boundary="1"

--1
Content-Type: multipart/related; boundary="2"

--2
Content-Type: multipart/alternative; boundary="3"

--3
Content-Type: text/html

<p>This is a DMARC aggregate report.
--3--
--2--
--1
Content-Type: application/gzip
Content-Transfer-Encoding: base64

{data}
--1--
"""
    assert one(raw.encode())["source.ip"] == "192.0.2.1"


def test_microsoft_leaves_domain_and_selector_of_a_signature_empty() -> None:
    results = "<dkim><domain></domain><selector></selector><result>none</result></dkim>"
    fields = one(aggregate(record(results=results)))
    assert fields["auth_results.dkim"] == [{"result": "none"}]
    assert "warnings" not in fields


def test_microsoft_ends_a_day_with_the_next() -> None:
    whole = head(aggregate(record()))
    assert (whole["report.duration"], whole["@timestamp"]) == (86400, "2026-11-19T12:00:00Z")


def test_microsoft_fills_envelope_to() -> None:
    identifiers = "<envelope_to>Outlook.example</envelope_to><header_from>example.org</header_from>"
    assert one(aggregate(record(identifiers=identifiers)))["identifiers.envelope_to"] == "outlook.example"


# Yahoo, AOL


def test_yahoo_sent_the_word_unused() -> None:
    labels = 'Content-Type: application/gzip; name="yahoo.com!example.org!1!2.xml.gz"'
    reading = read_message(attached(gzip.compress(b"unused"), labels))
    assert nothing(reading)


def test_yahoo_ends_lines_with_tabs() -> None:
    data = aggregate(record()).replace(b"><", b">\t\n\t<").replace(b"example.org<", b"example.org\t<")
    assert one(data)["policy_published.domain"] == "example.org"


# GMX and others of 1&1


def test_gmx_labelled_gzip_as_zip() -> None:
    labels = 'Content-Type: application/zip; name="gmx.net!example.org!1!2.zip"'
    root = 'feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0"'
    policy = "<domain>example.org</domain><p>none</p><testing>n</testing><discovery_method>treewalk</discovery_method>"
    data = aggregate(record(), root=root, policy=policy, before="<version>1.0</version>")
    fields = one(attached(gzip.compress(data), labels))
    assert (fields["report.format"], fields["policy_published.testing"]) == ("rfc9990", False)


# Mail.ru


def test_mail_ru_separates_its_subject_by_semicolons() -> None:
    labels = 'Content-Type: application/gzip; name="mail.ru!example.org!1!2!3.xml.gz"'
    header = "Subject: Report Domain: example.org; Submitter: Mail.Ru; Report-ID: 7\n"
    assert head(attached(gzip.compress(aggregate(record())), labels, header))["report.id"] == "1"


# Amazon SES


def test_amazon_has_version_0_1_as_octet_stream_with_a_bare_name() -> None:
    labels = "Content-Type: application/octet-stream; name=amazonses.com!example.org!1!2.xml.gz"
    header = "Subject: Dmarc Aggregate Report Domain: {example.org} Submitter: {Amazon SES} Report-ID: {1}\n"
    data = aggregate(record(), before="<version>0.1</version>")
    assert head(attached(gzip.compress(data), labels, header))["report.format"] == "rfc7489"


# Mimecast


def test_mimecast_labels_zip_as_gzip() -> None:
    labels = 'Content-Type: application/gzip; name="mimecast.org!example.org!1!2.zip"'
    assert one(attached(zipped(aggregate(record())), labels))["count"] == 1


def test_mimecast_uses_a_report_id_again() -> None:
    twice = [documents(aggregate(record(), record(f"192.0.2.{last}"))) for last in (2, 3)]
    assert len({report[-1].fields["report.identity"] for report in twice}) == 1
    assert len({report[-1].id for report in twice}) == 2  # a revised resend
    assert len({document.id for report in twice for document in report[:-1]}) == 3  # the row of both counts once


# Fastmail


def test_fastmail_leaves_the_alignment_out() -> None:
    fields = one(aggregate(record(), policy="<domain>example.org</domain><p>none</p>"))
    assert not {"policy_published.adkim", "policy_published.aspf", "policy_published.sp"} & fields.keys()


# Netease


def test_netease_writes_words_with_capitals() -> None:
    evaluated = "<disposition>None</disposition><dkim>Pass</dkim><spf>Fail</spf>"
    results = (
        "<dkim><domain>example.org</domain><result>Pass</result><human_result>verify result: ok</human_result></dkim>"
    )
    fields = one(aggregate(record(evaluated=evaluated, results=results)))
    assert (fields["policy_evaluated.disposition"], fields["dmarc.result"]) == ("none", "pass")


# OpenDMARC

ALWAYS = "<reason><type>local_policy</type><comment>arc=fail</comment></reason>"


def test_opendmarc_has_one_record_for_each_message() -> None:
    rows = rows_of(zipped(aggregate(*[record()] * 3)))
    assert len(rows) == 3
    assert sum(row["count"] for row in rows) == 3


def test_opendmarc_gives_every_record_a_reason() -> None:
    fields = one(
        aggregate(record(evaluated=f"<disposition>none</disposition><dkim>fail</dkim><spf>fail</spf>{ALWAYS}"))
    )
    assert fields["policy_evaluated.reason.type"] == ["local_policy"]
    assert classify(fields, Site()) == ("spoof", "A11")  # it overrides nothing


def test_opendmarc_says_unknown() -> None:
    evaluated = "<disposition>unknown</disposition><dkim>unknown</dkim><spf>pass</spf>"
    fields = one(aggregate(record(evaluated=evaluated)))
    assert fields["dmarc.result"] == "pass"
    assert classify(fields, Site()) == ("aligned-spf-only", "A2")


def test_opendmarc_leaves_the_domain_of_a_null_sender_empty() -> None:
    results = "<spf><domain></domain><result>none</result></spf>"
    fields = one(aggregate(record(results=results)))
    assert fields["auth_results.spf"] == [{"result": "none"}]


def test_opendmarc_writes_one_id_in_three_ways() -> None:
    labels = 'Content-Type: application/zip; name="mx.reporter.example!example.org!1!2.zip"'
    header = "Subject: Report Domain: example.org Submitter: mx.reporter.example Report-ID: example.org-1@mx\n"
    data = aggregate(
        record(), metadata="<org_name>R</org_name><email>a@b.example</email><report_id>example.org:1</report_id>"
    )
    assert head(attached(zipped(data), labels, header))["report.id"] == "example.org:1"


def test_opendmarc_takes_an_address_for_another_domain() -> None:
    results = "<spf><domain>example.org</domain><result>pass</result></spf>"
    assert classify(one(aggregate(record(results=results))), Site()) == ("own-unaligned", "A13")


# seznam.cz, IKEA, GoDaddy, Zoho, Facebook, junc.org, infonacot


def test_seznam_sends_xml_in_zip() -> None:
    labels = 'Content-Type: application/octet-stream; name="seznam.cz!example.org!1!2.xml.zip"'
    assert one(attached(zipped(aggregate(record())), labels))["count"] == 1


def test_ikea_opens_a_schema_and_never_closes_it() -> None:
    data = aggregate(record()).replace(b"<record>", b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><record>')
    reading = read_message(data)
    assert reading.reports[0].head["salvaged"] is True
    assert reading.reports[0].rows == 1


def test_godaddy_has_rows_without_an_address() -> None:
    fields = one(aggregate(record().replace("<source_ip>192.0.2.1</source_ip>", "")))
    assert (fields["count"], fields["warnings"]) == (1, ["source.ip: missing"])


def test_zoho_has_no_domain_with_a_helo_check() -> None:
    results = "<spf><scope>helo</scope><result>none</result></spf>"
    fields = one(aggregate(record(results=results)))
    assert fields["spf.checks"] == ["- / helo / none"]


def test_facebook_has_words_of_its_own() -> None:
    evaluated = "<disposition>accept</disposition><dkim>fail</dkim><spf>fail</spf>"
    results = "<spf><domain>x.example</domain><result>invalid</result></spf>"
    fields = one(aggregate(record(evaluated=evaluated, results=results)))
    assert fields["auth_results.spf"] == [{"domain": "x.example", "result": "invalid"}]
    assert "accept" in (fields.get("policy_evaluated.disposition"), fields.get("raw.policy_evaluated.disposition"))


def test_infonacot_reports_several_days_at_once() -> None:
    whole = head(aggregate(record(), period=(1795046400, 1795305600)))
    assert (whole["report.duration"], whole["@timestamp"]) == (259200, "2026-11-20T12:00:00Z")


# rspamd


def test_rspamd_says_none_for_a_pass_of_another_domain() -> None:
    results = "<spf><domain>esp.example</domain><result>none</result></spf>"
    assert classify(one(aggregate(record(results=results))), Site()) == ("spoof", "A11")  # it cannot be told


def test_rspamd_writes_a_temporary_error_twice() -> None:
    signature = "<dkim><domain>example.org</domain><result>{}</result></dkim>"
    fields = one(aggregate(record(results=signature.format("temperror") + signature.format("permerror"))))
    assert [found["result"] for found in fields["auth_results.dkim"]] == ["temperror", "permerror"]


def test_rspamd_folds_its_subject_with_tabs() -> None:
    labels = 'Content-Type: application/gzip; name="rspamd.example!example.org!1!2.xml.gz"'
    header = "Subject: Report Domain: example.org\n\tSubmitter: R\n\tReport-ID: <1>\nMessage-ID: <ab12@rspamd>\n"
    raw = attached(gzip.compress(aggregate(record())), labels, header, "This is a multipart message.\n\n")
    assert head(raw)["report.message_id"] == "ab12@rspamd"


def test_rspamd_sent_reports_as_an_alternative() -> None:
    labels = 'Content-Type: application/gzip; name="r!example.org!1!2.xml.gz"'
    raw = attached(gzip.compress(aggregate(record())), labels).replace(b"multipart/mixed", b"multipart/alternative")
    assert one(raw)["count"] == 1


def test_rspamd_sends_two_reports_under_one_id() -> None:
    found = [documents(aggregate(record(ip), record("192.0.2.9"))) for ip in ("192.0.2.1", "192.0.2.2")]
    assert len({report[-1].id for report in found}) == 2
    assert len({report[-1].fields["report.identity"] for report in found}) == 1


# Mail::DMARC, mox, Stalwart


def test_mail_dmarc_does_not_quote_a_name_with_marks() -> None:
    labels = "Content-Type: application/gzip; name=mx.example!example.org!1!2!1.xml.gz\nContent-Disposition: inline"
    header = "Subject: Report Domain: example.org Submitter: mx Report-ID:2026.11.28.1\n"
    data = aggregate(record(), before="<version>1.0</version>")
    assert head(attached(gzip.compress(data), labels, header))["report.id"] == "1"


def test_mox_has_empty_elements_for_what_is_not_published() -> None:
    policy = "<domain>example.org</domain><p>reject</p><sp></sp><pct>100</pct><fo></fo>"
    identifiers = "<envelope_from></envelope_from><header_from>example.org</header_from>"
    fields = one(aggregate(record(identifiers=identifiers), policy=policy))
    assert not {"policy_published.sp", "policy_published.fo"} & fields.keys()
    assert fields["identifiers.envelope_from"] == ""  # the null reverse-path


def test_mox_reports_by_the_hour() -> None:
    assert head(aggregate(record(), period=(1795046400, 1795049999)))["report.duration"] == 3599


def test_mox_says_that_a_report_was_too_big() -> None:
    raw = b"""From: postmaster@mox.example
Subject: Report Domain: example.org Submitter: mox.example
Date: Fri, 20 Nov 2026 06:00:00 +0000
Content-Type: text/plain

Report-Date: Fri, 20 Nov 2026 06:00:00 +0000
Report-Domain: example.org
Report-ID: 1
Report-Size: 41943040
Submitter: mox.example
Submitting-URI: mailto:dmarc@example.org
"""
    assert nothing(read_message(raw))


def test_stalwart_writes_addresses_and_domains_as_they_came() -> None:
    fields = one(aggregate(record("::ffff:192.0.2.1", identifiers="<header_from>Bücher.example</header_from>")))
    assert (fields["source.ip"], fields["identifiers.header_from"]) == ("192.0.2.1", "xn--bcher-kva.example")


def test_stalwart_leaves_absent_verdicts_empty() -> None:
    fields = one(aggregate(record(evaluated="<disposition>none</disposition><dkim></dkim><spf></spf>")))
    assert "dmarc.result" not in fields
    assert classify(fields, Site()) == ("spoof", "A11-raw")


def test_stalwart_encodes_the_parts_of_a_failure_report() -> None:
    raw = b"""From: reports@stalwart.example
Date: Fri, 20 Nov 2026 06:00:00 +0000
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

A report.
--b
Content-Type: message/feedback-report
Content-Transfer-Encoding: quoted-printable

Version: 1
User-Agent: mail-auth/0.13
Feedback-Type: auth-failure
Reporting-MTA: dns;mx.stalwart.example
Authentication-Results: mx.stalwart.example; dmarc=3Dfail header.from=3Dexample.org
--b
Content-Type: message/rfc822; charset=utf-8
Content-Transfer-Encoding: quoted-printable

From: a@example.org
Message-ID: <1@example.org>
Subject: caf=C3=A9 =3D coffee

Hello
--b--
"""
    fields = one(raw)
    assert fields["sample.subject"] == "caf\u00e9 = coffee"
    assert fields["feedback.authentication_results"] == ["mx.stalwart.example; dmarc=fail header.from=example.org"]
    assert fields["feedback.reporting_mta"] == "dns;mx.stalwart.example"


# SMTP TLS


def tls(**changed: Any) -> bytes:
    said = {
        "organization-name": "R",
        "date-range": {"start-datetime": "2026-11-19T00:00:00Z", "end-datetime": "2026-11-19T23:59:59Z"},
        "contact-info": "tls@reporter.example",
        "report-id": "1",
        "policies": [policy()],
    }
    return json.dumps(said | changed).encode()


def policy(**changed: Any) -> Object:
    said = {
        "policy": {"policy-type": "sts", "policy-string": [], "policy-domain": "example.org", "mx-host": []},
        "summary": {"total-successful-session-count": 9, "total-failure-session-count": 1},
        "failure-details": [],
    }
    return said | changed


DETAIL = {"result-type": "certificate-expired", "sending-mta-ip": "192.0.2.1", "failed-session-count": 2}


def test_mox_has_null_for_an_empty_list() -> None:
    said = policy(policy={"policy-type": "tlsa", "policy-domain": "example.org", "mx-host": None})
    assert one(tls(policies=[said | {"failure-details": None}]))["sessions.failed"] == 1


def test_stalwart_has_null_for_what_it_does_not_know() -> None:
    detail = DETAIL | {"receiving-mx-hostname": None, "receiving-ip": None, "result-type": "Other"}
    fields = rows_of(tls(policies=[policy(**{"failure-details": [detail]})]))[1]
    assert fields["failure.result_type"] == "other"
    assert not {"failure.receiving_mx_hostname", "failure.receiving_ip", "warnings"} & fields.keys()


def test_tlsrpt_reporter_counts_attempts_in_its_details() -> None:
    first, second, last = documents(
        tls(policies=[policy(**{"failure-details": [DETAIL | {"failed-session-count": 5}]})])
    )
    assert (first.fields["sessions.failed"], second.fields["failure.failed_session_count"]) == (1, 5)
    assert last.fields["messages"] == 10  # of the sums alone


def test_tlsrpt_reporter_names_no_domain_without_a_policy() -> None:
    fields = one(tls(policies=[policy(policy={"policy-type": "no-policy-found"})], **{"contact-info": None}))
    assert fields["policy.type"] == "no-policy-found"
    assert "policy.domain" not in fields


def test_mail_ru_has_a_detail_for_each_reason_code() -> None:
    details = [DETAIL | {"failure-reason-code": code} for code in ("a", "b")]
    rows = rows_of(tls(policies=[policy(**{"failure-details": details})]))
    assert [row.get("failure.reason_code") for row in rows] == [None, "a", "b"]


def test_microsoft_knows_no_receiving_host() -> None:
    fields = rows_of(tls(policies=[policy(**{"failure-details": [{"result-type": "validation-failure"}]})]))[1]
    assert "source.ip" not in fields


# Several


@pytest.mark.parametrize(
    ("data", "name", "value"),
    [
        (aggregate(record(count="2.0")), "count", 2),
        (aggregate(record(ip="X.X.X.X")), "raw.source.ip", "X.X.X.X"),
        (aggregate(record(), period=(1795046400, 1795046400)), "@timestamp", "2026-11-19T00:00:00Z"),
        (aggregate(record()) + b"\n-- \nScanned by a gateway", "count", 1),
        (aggregate(record(), metadata="<org_name>M\xfcnchen</org_name>").decode().encode("latin-1"), "count", 1),
        (aggregate(record(results="")), "count", 1),
        (aggregate(record(), metadata="<org_name></org_name><report_id>1</report_id>"), "count", 1),
    ],
)
def test_of_no_one_alone(data: bytes, name: str, value: object) -> None:
    assert one(data)[name] == value
