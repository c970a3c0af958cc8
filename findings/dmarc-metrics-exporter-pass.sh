#!/bin/sh
# dmarc-metrics-exporter: it has the schema of RFC 9990 and stops at every report that uses the disposition `pass`.
#
# One would guess: a reader whose classes are made from the schema of RFC 9990 counts what that schema allows. There a row
# that passed has `<disposition>pass</disposition>`, where RFC 7489 had "none" for both "passed" and "let through".
# What happens: the report is read, and turning it into figures raises KeyError: the table of dispositions has the three
# old values. No row of that report is counted, those with other dispositions neither.
# Version: dmarc-metrics-exporter 1.3.1 (PyPI).
# Why it matters: nearly every report has a row that passed, so a reporter who changes to RFC 9990 vanishes from the
# graphs on that day, and a fall of volume looks like less mail.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check dmarc-metrics-exporter==1.3.1
cd "$work"
venv/bin/python - >out.txt <<'EOP'
from email.message import EmailMessage

from dmarc_metrics_exporter.deserialization import convert_to_events, get_aggregate_report_from_email

REPORT = """<?xml version="1.0"?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0"><version>1.0</version><report_metadata><org_name>Example</org_name>
<email>dmarc@example.net</email><report_id>1</report_id><date_range><begin>1795780000</begin><end>1795866399</end></date_range>
</report_metadata><policy_published><domain>example.org</domain><p>none</p></policy_published>
<record><row><source_ip>192.0.2.1</source_ip><count>2</count><policy_evaluated><disposition>%s</disposition>
<dkim>pass</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>example.org</header_from></identifiers>
<auth_results><dkim><domain>example.org</domain><selector>s</selector><result>pass</result></dkim></auth_results></record>
</feedback>"""
for disposition in "none", "pass":
    mail = EmailMessage()
    mail.set_content("report")
    mail.add_attachment((REPORT % disposition).encode(), maintype="text", subtype="xml", filename="report.xml")
    try:
        counted = [event.count for report in get_aggregate_report_from_email(mail) for event in convert_to_events(report)]
        print(disposition, "counted", counted)
    except KeyError as error:
        print(disposition, "KeyError", error)
EOP
echo "dmarc-metrics-exporter 1.3.1:"
cat out.txt
grep -qxF 'none counted [2]' out.txt
grep -q '^pass KeyError' out.txt
