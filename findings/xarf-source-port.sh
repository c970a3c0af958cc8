#!/bin/sh
# xarf (Python): a report about spam needs the port that it came from, and one about a null sender cannot be made.
#
# One would guess: a report of category messaging, type spam, with address, time and sender is complete. Nothing in an
# e-mail report or in a message's header tells the sender's port.
# What happens: for protocol smtp `source_port` and `smtp_from` are required, and `smtp_from` has to be a mail address, so
# the empty one of a bounce is refused. `create_report` hands out the report all the same, with the errors beside it.
# Version: xarf 1.0.0, which writes version 4.2.0 of the format.
# Why it matters: who turns DMARC failures or complaints into X-ARF has no port and often a null sender: look at `errors`,
# not whether there is a report; and a reader meets reports with an invented port.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check xarf==1.0.0
"$work/venv/bin/python" - <<'EOF'
import sys

import xarf

contact = {"org": "Example", "contact": "abuse@example.org", "domain": "example.org"}
spam = {"category": "messaging", "type": "spam", "source_identifier": "192.0.2.1", "protocol": "smtp"}


def errors(**more):
    """What is said against such a report, and whether there is one."""
    result = xarf.create_report(reporter=contact, sender=contact, **spam, **more)
    return sorted(error.message for error in result.errors), result.report is not None


print("xarf", xarf.__version__, "format", xarf.SPEC_VERSION)
cases = {
    "sender": errors(smtp_from="x@example.net"),
    "sender and port": errors(smtp_from="x@example.net", source_port=25),
    "null sender and port": errors(smtp_from="", source_port=25),
}
for name, (said, there) in cases.items():
    print(f"{name:22} report: {there}, errors: {said}")
same = [len(said) for said, _ in cases.values()] == [1, 0, 1] and "source_port" in cases["sender"][0][0]
sys.exit(not same)
EOF
