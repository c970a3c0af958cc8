#!/bin/sh
# tlsrpt-reporter: the mail with a TLS report has no Date, and its subject names another report id than the report does.
#
# One would guess: each report mail has the Date that RFC 5322 §3.6 asks for, and the Report-ID of its subject (RFC 8460
# §5.3) is the `report-id` in the JSON.
# What happens: the mail goes to the sendmail command without a Date field, for the mail server to add; the id stands in
# the subject as ID@DOMAIN in brackets, and in the JSON without the domain.
# Version: tlsrpt-reporter 0.6.0 (the reporter beside Postfix 3.10 and libtlsrpt).
# Why it matters: where a mail is taken before a server has added the field, a reader that dates by it has nothing, and one
# that joins mails and reports by id finds no pair.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check tlsrpt_reporter==0.6.0
cd "$work"
venv/bin/python - <<'EOF'
import email
import gzip
import json
import sys
import types
from importlib.metadata import version

from tlsrpt_reporter import tlsrpt

reporter = object.__new__(tlsrpt.TLSRPTReportd)
reporter.cfg = types.SimpleNamespace(
    organization_name="Example",
    contact_info="tls@example.net",
    sender_address="tls@example.net",
    debug_send_mail_dest="",
    debug_send_file_dest="",
    sendmail_script="cat >sent.eml",
    sendmail_timeout=10,
)
day = "2026-11-20"
report = {"report-id": reporter.report_id(day, 1, "example.org"), "policies": []}
reporter.send_out_report_to_mail(day, "example.org", 1, 1, "mailto:tls@example.org", gzip.compress(json.dumps(report).encode()))
with open("sent.eml", "rb") as file:
    mail = email.message_from_binary_file(file)
print("tlsrpt-reporter", version("tlsrpt_reporter"))
for name in ("Date", "Subject"):
    print(f"{name}: {mail[name]}")
print("fields:", ", ".join(mail.keys()))
print("report-id in the JSON:", report["report-id"])
sys.exit("Date" in mail or f"<{report['report-id']}>" in mail["Subject"])
EOF
