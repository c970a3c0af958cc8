#!/bin/sh
# mail-parser (Python): a feedback report arrives without the report.
#
# One would guess: a parser for mail hands out each part of a multipart/report somewhere: as text, or as an attachment.
# What happens: `message/feedback-report` (RFC 5965) is taken for an enclosed message without a body: it is neither in
# `attachments` nor in any of the lists of texts, and no defect is told. The failed message's header (RFC 6522 §4) is not
# among the attachments either, but in `text_not_managed`. What is left is the sentence for people.
# Version: mail-parser 4.8.0. The parser mailparser 3.9.0 (npm) hands both parts out.
# Why it matters: the part that is gone has the whole content of a DMARC failure report, and of every complaint of a
# feedback loop.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/report.eml" <<'EOF'
From: reports@example.net
To: dmarc@example.org
Subject: FW: Hello
Date: Sat, 21 Nov 2026 10:00:00 +0000
Message-ID: <1@example.net>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

A message that used your domain failed.
--b
Content-Type: message/feedback-report

Feedback-Type: auth-failure
User-Agent: Example/1
Version: 1
Auth-Failure: dmarc
Source-IP: 192.0.2.1

--b
Content-Type: text/rfc822-headers

From: someone@example.org
Subject: Hello

--b--
EOF
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check mail-parser==4.8.0
(cd "$work" && npm install --silent --no-audit --no-fund mailparser@3.9.0 >/dev/null)
cd "$work"
venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import mailparser

mail = mailparser.parse_from_file("report.eml")
print("mail-parser", version("mail-parser"))
found = repr((mail.attachments, mail.text_plain, mail.text_html, mail.text_not_managed))
print("  attachments:", mail.attachments)
print("  text_plain:", mail.text_plain)
print("  text_not_managed:", mail.text_not_managed)
print("  defects:", mail.has_defects)
sys.exit("Source-IP" in found or bool(mail.attachments) or mail.has_defects)
EOF
node - <<'EOF'
const { simpleParser } = require('mailparser');
const fs = require('fs');
simpleParser(fs.readFileSync('report.eml')).then((mail) => {
    const found = mail.attachments.map((part) => part.contentType);
    console.log('mailparser', require('mailparser/package.json').version);
    console.log('  attachments:', found.join(', '));
    process.exit(found.join() === 'message/feedback-report,text/rfc822-headers' ? 0 : 1);
});
EOF
