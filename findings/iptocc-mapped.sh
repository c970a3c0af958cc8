#!/bin/sh
# iptocc (Python): an IPv4 address in IPv6 clothes has no country.
#
# One would guess: `::ffff:8.8.8.8` (RFC 4291 §2.5.5.2) is looked up as 8.8.8.8; the two are one host.
# What happens: the answer is None, as for an address that nobody has.
# Version: iptocc 3.3.170.
# Why it matters: a mail server that listens on an IPv6 socket sees every IPv4 host so, and report generators write what
# they see (mail-auth 0.13 does): all of these rows stand on no map unless the address is unwrapped first.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check iptocc==3.3.170
"$work/venv/bin/python" - <<'EOF'
import sys
from importlib.metadata import version

import iptocc

print("iptocc", version("iptocc"))
addresses = ("8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8")
found = [iptocc.country_code(address) for address in addresses]
for address, country in zip(addresses, found):
    print(f"{address:22} {country}")
sys.exit(found != ["US", "US", None])
EOF
