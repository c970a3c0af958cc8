#!/bin/sh
# parsedmarc: the MX patterns of an MTA-STS policy get lost when a TLS report spells them as the RFC does.
#
# One would guess: the key that RFC 8460 §4.4 gives for "mx-host-pattern" is the one in its text and its example, `mx-host`.
# What happens: only `mx-host-pattern`, the RFC's word for the value, is read as a key. A report with the key of the RFC's
# Appendix B loses its patterns without a word.
# Version: parsedmarc 11.1.0.
# Why it matters: for the failure `sts-policy-invalid` or `validation-failure` the patterns are what one has to compare
# with the certificate; Google sends `mx-host`.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check parsedmarc==11.1.0
"$work/venv/bin/python" - <<'EOF'
import json
import sys

import parsedmarc


def read(key):
    """The policy as it comes out, for a report whose patterns stand under this key."""
    policy = {
        "policy-type": "sts",
        "policy-string": ["version: STSv1", "mode: testing", "mx: *.mail.example.org", "max_age: 86400"],
        "policy-domain": "example.org",
        key: ["*.mail.example.org"],
    }
    summary = {"total-successful-session-count": 5, "total-failure-session-count": 0}
    report = {
        "organization-name": "Example",
        "date-range": {"start-datetime": "2026-11-20T00:00:00Z", "end-datetime": "2026-11-20T23:59:59Z"},
        "contact-info": "tls@example.net",
        "report-id": "1@example.net",
        "policies": [{"policy": policy, "summary": summary}],
    }
    (found,) = parsedmarc.parse_smtp_tls_report_json(json.dumps(report))["policies"]
    return found


print("parsedmarc", parsedmarc.__version__)
kept = {}
for key in ("mx-host", "mx-host-pattern"):
    found = read(key)
    kept[key] = [name for name, value in found.items() if value == ["*.mail.example.org"]]
    print(f"{key:16} comes out as {kept[key] or 'nothing'}")
sys.exit(kept["mx-host"] != [] or kept["mx-host-pattern"] == [])
EOF
