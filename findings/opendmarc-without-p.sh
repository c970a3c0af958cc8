#!/bin/sh
# OpenDMARC's library: a DMARC record that has `rua` and no `p` is refused as a whole.
#
# One would guess: such a record counts as p=none, and its address gets reports: RFC 7489 §6.6.3 (step 6) and RFC 9989
# §4.10.1 say so for a record with a valid `rua`.
# What happens: the library answers "lacked a required p= entry" and takes the domain for one without DMARC. Where `p` is
# there, its first letter is enough: `p=rej` is reject.
# Version: libopendmarc2 1.4.2-2+b1 (Debian 12).
# Why it matters: a receiver with OpenDMARC sends no reports to such a domain, and nobody there knows why; a record that
# was cut off may be enforced.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root libopendmarc2=1.4.2-2+b1 libspf2-2=1.2.10-7.2+b1
for package in *.deb; do dpkg -x "$package" .; done
library=$(find "$work/usr/lib" -name 'libopendmarc.so.2')
LD_LIBRARY_PATH=$(find "$work" -name '*.so.*' -exec dirname {} + | sort -u | tr '\n' ':') python3 - "$library" <<'EOF'
import ctypes
import sys

dmarc = ctypes.CDLL(sys.argv[1])
dmarc.opendmarc_policy_connect_init.restype = ctypes.c_void_p
dmarc.opendmarc_policy_status_to_str.restype = ctypes.c_char_p


def read(record):
    """What the library says of a record, and the letter of the policy."""
    context = ctypes.c_void_p(dmarc.opendmarc_policy_connect_init(b"192.0.2.1", 0))
    dmarc.opendmarc_policy_store_from_domain(context, b"example.org")
    status = dmarc.opendmarc_policy_store_dmarc(context, record.encode(), b"example.org", b"")
    policy = ctypes.c_int(0)
    dmarc.opendmarc_policy_fetch_p(context, ctypes.byref(policy))
    dmarc.opendmarc_policy_connect_shutdown(context)
    said = dmarc.opendmarc_policy_status_to_str(status).decode()
    print(f"{record!r:45} {said}; p: {chr(policy.value) if policy.value else '-'}")
    return said, policy.value


print("libopendmarc2 1.4.2-2+b1")
whole = read("v=DMARC1; p=reject; rua=mailto:a@example.org")
without = read("v=DMARC1; rua=mailto:a@example.org")
short = read("v=DMARC1; p=rej; rua=mailto:a@example.org")
sys.exit(not (whole == short == ("Success. No Errors", ord("r")) and "lacked a required p=" in without[0]))
EOF
