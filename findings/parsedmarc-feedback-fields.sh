#!/bin/sh
# parsedmarc: a folded field of a feedback report loses all but its first line, a repeated one all but the last.
#
# One would guess: the part `message/feedback-report` is read as the header fields that it is made of (RFC 5965 §3: the
# grammar of RFC 5322, which folds), and fields that may come several times, such as `Reported-URI` (RFC 5965 §3.3), are a
# list.
# What happens: of `Authentication-Results: mx.example.net;` and two lines with the results there remains
# "mx.example.net;", and of two addresses the second.
# Version: parsedmarc 11.1.0 (PyPI).
# Why it matters: Authentication-Results is required in a DMARC failure report (RFC 6591 §3.1) and nearly always folded.
# What failed, and for whom, is gone from the store, although each report had it.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check parsedmarc==11.1.0
cd "$work"
venv/bin/python - >out.txt <<'EOP'
from parsedmarc import parse_report_email

LINES = """From: reports@example.net
To: dmarc@example.org
Subject: FW: invoice
Date: Sat, 28 Nov 2026 10:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

An authentication failure.
--b
Content-Type: message/feedback-report

Feedback-Type: auth-failure
User-Agent: Example/1
Version: 1
Auth-Failure: dmarc
Source-IP: 192.0.2.1
Authentication-Results: mx.example.net;
 spf=pass smtp.mailfrom=example.com;
 dmarc=fail header.from=example.org
Reported-URI: mailto:one@example.com
Reported-URI: mailto:two@example.com

--b
Content-Type: message/rfc822

From: boss@example.org
To: someone@example.net
Subject: invoice
Date: Sat, 28 Nov 2026 09:00:00 +0000
Message-ID: <1@example.org>

text
--b--
"""
report = parse_report_email(LINES.replace("\n", "\r\n").encode(), offline=True)["report"]
print("authentication_results:", report["authentication_results"])
print("reported_uri:", report["reported_uri"])
EOP
echo "parsedmarc 11.1.0:"
cat out.txt
grep -qx 'authentication_results: mx.example.net;' out.txt
grep -qx 'reported_uri: mailto:two@example.com' out.txt
