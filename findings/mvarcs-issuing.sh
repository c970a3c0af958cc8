#!/bin/sh
# mvarcs (roots of the authorities for marks of BIMI): not all that is in the store is a root, and one root is not in it.
#
# One would guess: a store of root certificates, made as certifi is, holds self-signed certificates, and whatever is issued
# below the authorities that it names can be checked with it.
# What happens: two of its six certificates are issuing ones of SSL.com. The root above the one with an elliptic curve is
# absent, so OpenSSL as it is by default finds no end of such a chain, while with X509_V_FLAG_PARTIAL_CHAIN, and with
# cryptography's verifier, whatever is in the store is an end by itself.
# Versions: mvarcs 1.0.0, cryptography 45.0.7; any OpenSSL 3.
# Why it matters: who looks whether a mark's certificate (VMC, CMC) holds gets different answers for the same store, and the
# name of "the root" that it shows may be that of an issuing certificate.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check mvarcs==1.0.0 cryptography==45.0.7
openssl version
"$work/venv/bin/python" - "$work" <<'PYTHON'
import subprocess
import sys
from importlib.metadata import version

import mvarcs
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

work = sys.argv[1]
print(f"mvarcs {version('mvarcs')}, cryptography {version('cryptography')}")
held = x509.load_pem_x509_certificates(mvarcs.contents().encode())
issuing = [one for one in held if one.issuer != one.subject]
subjects = {one.subject for one in held}
for one in held:
    end = "" if one.issuer == one.subject else f"  issued by {one.issuer.rfc4514_string().split(',')[0]}"
    print(f"  {one.subject.rfc4514_string().split(',')[0]}{end}")


def holds(certificate, *flags):
    with open(f"{work}/one.pem", "wb") as file:
        file.write(certificate.public_bytes(Encoding.PEM))
    command = ["openssl", "verify", *flags, "-no-CApath", "-no-CAstore", "-CAfile", mvarcs.where(), f"{work}/one.pem"]
    return subprocess.run(command, capture_output=True).returncode == 0


orphans = [one for one in issuing if one.issuer not in subjects]
seen = [(holds(one), holds(one, "-partial_chain")) for one in orphans]
print(f"{len(issuing)} of {len(held)} are no roots, the root of {len(orphans)} is absent; OpenSSL, with a partial chain: {seen}")
sys.exit((len(held), len(issuing), seen) != (6, 2, [(False, True)]))
PYTHON
