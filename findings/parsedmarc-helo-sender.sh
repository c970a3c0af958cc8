#!/bin/sh
# parsedmarc: the name that a host says in HELO is stored as the domain of the envelope sender.
#
# One would guess: `<spf>` with `<scope>helo</scope>` (RFC 7489 appendix C, RFC 9990) says what the HELO name passed, and
# where a report leaves the optional `<envelope_from>` out, the envelope sender is unknown, or that of scope `mfrom`.
# What happens: the domain of the *last* `<spf>` element becomes `envelope_from`, whatever its scope: with the HELO verdict
# alone, and with both when it stands second. Reports of Mail::DMARC, Stalwart and mox have a HELO verdict.
# Version: parsedmarc 11.1.0 (PyPI).
# Why it matters: forwarding and "somebody else's service" are told apart by the envelope sender's domain. A host name there
# makes a bounce (empty sender) look like mail of a third party, and the same mail differs by the order of two elements.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check parsedmarc==11.1.0
cd "$work"
venv/bin/python - >out.txt <<'EOP'
from parsedmarc import parse_aggregate_report_xml

REPORT = """<?xml version="1.0"?>
<feedback><version>1.0</version><report_metadata><org_name>Example</org_name><email>dmarc@example.net</email>
<report_id>1</report_id><date_range><begin>1795780000</begin><end>1795866399</end></date_range></report_metadata>
<policy_published><domain>example.org</domain><p>none</p></policy_published>
<record><row><source_ip>192.0.2.1</source_ip><count>1</count><policy_evaluated><disposition>none</disposition>
<dkim>fail</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>example.org</header_from></identifiers>
<auth_results>%s</auth_results></record></feedback>"""
HELO = "<spf><domain>mail.example.net</domain><scope>helo</scope><result>pass</result></spf>"
SENDER = "<spf><domain>bounce.example.com</domain><scope>mfrom</scope><result>pass</result></spf>"
for name, results in ("helo alone", HELO), ("helo, mfrom", HELO + SENDER), ("mfrom, helo", SENDER + HELO):
    record = parse_aggregate_report_xml(REPORT % results, offline=True)["records"][0]
    print(f"{name:12} envelope_from = {record['identifiers']['envelope_from']}")
EOP
echo "parsedmarc 11.1.0:"
cat out.txt
grep -q '^helo alone .*= mail.example.net' out.txt
grep -q '^helo, mfrom .*= bounce.example.com' out.txt
grep -q '^mfrom, helo .*= mail.example.net' out.txt
