#!/bin/sh
# parsedmarc: a spam complaint is stored as a message that failed DMARC.
#
# One would guess: a report with `Feedback-Type: abuse` (RFC 5965 §7.3: somebody pressed "this is spam") says nothing about
# authentication, and is stored without such a verdict, or refused as no DMARC report.
# What happens: it becomes a `failure` report with `auth_failure` = ["dmarc"], a field that the report does not have, and
# the From domain of the complaint's sample stands as `reported_domain`.
# Version: parsedmarc 11.1.0 (PyPI).
# Why it matters: complaints of feedback loops come to the same address as failure reports at many sites. Counted as DMARC
# failures, one's own newsletter, well signed, looks like spoofing.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check parsedmarc==11.1.0
cd "$work"
venv/bin/python - >out.txt <<'EOP'
from parsedmarc import parse_report_email

LINES = """From: loop@example.net
To: complaints@example.org
Subject: complaint
Date: Sat, 28 Nov 2026 10:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

A user says that this is spam.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Example/1
Version: 1
Source-IP: 192.0.2.1

--b
Content-Type: message/rfc822

From: news@example.org
To: someone@example.net
Subject: news
Date: Sat, 28 Nov 2026 09:00:00 +0000
Message-ID: <1@example.org>

text
--b--
"""
result = parse_report_email(LINES.replace("\n", "\r\n").encode(), offline=True)
print(result["report_type"], *(f"{name}={result['report'][name]}" for name in ("feedback_type", "auth_failure", "reported_domain")))
EOP
echo "parsedmarc 11.1.0:"
cat out.txt
grep -qxF "failure feedback_type=abuse auth_failure=['dmarc'] reported_domain=example.org" out.txt
