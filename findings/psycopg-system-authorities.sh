#!/bin/sh
# psycopg (Python), its wheel: `sslrootcert=system` knows no authority at all.
#
# One would guess: it means those that every other program here trusts, as libpq's manual says of it ("SSL Support"),
# and as it does with the libpq of the distribution.
# What happens: the wheel psycopg-binary brings an OpenSSL of its own, whose OPENSSLDIR is a directory of its builder. It
# is on no other machine, and OpenSSL looks nowhere else. A file in the place of `system` helps.
# Version: psycopg and psycopg-binary 3.3.9 (libpq 18.0.6), Linux x86_64.
# Why it matters: who stores reports in a PostgreSQL elsewhere, and rightly asks for sslmode=verify-full, is told that a
# good certificate is bad, and the next thing that people try is sslmode=require, which checks nothing.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check psycopg==3.3.9 psycopg-binary==3.3.9
"$work/venv/bin/python" - <<'EOF'
import re
import ssl
import sys
from importlib.metadata import version
from pathlib import Path

import psycopg
import psycopg_binary

print("psycopg", version("psycopg"), "libpq", psycopg.pq.version(), psycopg.pq.__impl__)
libraries = Path(psycopg_binary.__file__).parents[1] / "psycopg_binary.libs"
(crypto,) = libraries.glob("libcrypto-*.so*")
(directory,) = re.findall(rb'OPENSSLDIR: "([^"]*)"', crypto.read_bytes())
place = Path(directory.decode())
print(f"OPENSSLDIR of its OpenSSL: {place}, there: {place.exists()}")
here = ssl.get_default_verify_paths()
print(f"authorities that Python trusts here: {here.cafile or here.capath}")
sys.exit(place.exists() or not (here.cafile or here.capath))
EOF
