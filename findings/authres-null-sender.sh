#!/bin/sh
# authres (Python): the empty envelope sender in an Authentication-Results field is read and cannot be written.
#
# One would guess: what the parser took, `smtp.mailfrom=""` (RFC 8601 §2.2: a value may be a quoted string), can be turned
# into a text again, for a log or for another field.
# What happens: str() of the result raises AttributeError, as does str() of the whole field.
# Version: authres 1.2.0.
# Why it matters: bounces and delivery notices have the empty sender, so a mail server may write just this above them; who
# logs the results of arriving reports meets a traceback for a field that is well.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check authres==1.2.0
"$work/venv/bin/python" - <<'EOF'
import sys
from importlib.metadata import version

import authres

print("authres", version("authres"))
said = []
for value in ("a@example.org", '"a b"@example.org', '""'):
    field = f"Authentication-Results: mx.example.org; spf=pass smtp.mailfrom={value}"
    try:
        result = authres.AuthenticationResultsHeader.parse(field).results[0]
        said.append(str(result))
    except Exception as error:
        said.append(type(error).__name__)
    print(f"smtp.mailfrom={value:20} {said[-1]}")
sys.exit(not said[0].startswith("spf=pass") or said[2] != "AttributeError")
EOF
