#!/bin/sh
# dkimpy, mailauth, Mail::DKIM: a TLS report signed with the key that RFC 8460 asks for does not verify.
#
# One would guess: a key record with `s=tlsrpt` is what a sender of TLS reports publishes (RFC 8460 §3: it SHOULD be there,
# and receivers MAY ignore reports whose key lacks it), so a report signed with it passes, and `s=email:tlsrpt`, a list as
# RFC 6376 §3.6.1 has it, passes for both kinds of mail.
# What happens: a verifier of a mail server does not know that a message is a report. mailauth says `neutral`, Mail::DKIM
# `invalid`, dkimpy raises, unless its caller says `tlsrpt=True`. The list passes at mailauth and Mail::DKIM; dkimpy does
# not split it and raises UnknownKeyTypeError, whatever it is told. And with `tlsrpt="strict"` dkimpy takes `s=tlsrpt` only.
# Versions: dkimpy 1.1.8 (PyPI), mailauth 7.1.0 (npm), Mail::DKIM 1.20230212 (Debian 12).
# Why it matters: a TLS report with dkim=neutral or fail in the Authentication-Results is no forgery. Whoever sends reports
# does best with a key that has no `s=` at all; whoever receives them cannot ask for `s=tlsrpt`.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check dkimpy==1.1.8 cryptography==46.0.3
cd "$work"
npm install --silent --no-audit --no-fund mailauth@7.1.0 >/dev/null
mkdir perl
for package in libmail-dkim-perl libcrypt-openssl-rsa-perl libcrypt-openssl-bignum-perl libcrypt-openssl-guess-perl libcryptx-perl \
    libmailtools-perl libnet-dns-perl; do
    apt-get download -q "$package" >/dev/null 2>&1
done
for package in ./*.deb; do dpkg -x "$package" perl; done
dpkg-deb -f libmail-dkim-perl_*.deb Version | grep '^1\.20230212'

venv/bin/python - >python.txt <<'EOP'
import base64

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

key = rsa.generate_private_key(65537, 2048)
private = key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
public = key.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
)
text = (
    "From: tls@example.org\nTo: reports@example.net\nTLS-Report-Domain: example.net\nTLS-Report-Submitter: example.org\n"
    "Subject: Report Domain: example.net Submitter: example.org Report-ID: <1@example.org>\n"
    "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=tlsrpt; boundary=b\n\n"
    "--b\nContent-Type: text/plain\n\nTLS report\n--b\nContent-Type: application/tlsrpt+json\n\n{}\n--b--\n"
).replace("\n", "\r\n").encode()
signature = dkim.sign(text, b"s", b"example.org", private, include_headers=[b"from", b"subject"])
open("report.eml", "wb").write(signature + text)
open("key", "w").write(base64.b64encode(public).decode())


def verdict(service: str, tlsrpt: object) -> str:
    record = f"v=DKIM1; k=rsa; {service}p={base64.b64encode(public).decode()}".encode()
    try:
        passed = dkim.DKIM(signature + text, tlsrpt=tlsrpt).verify(dnsfunc=lambda name, timeout=5: record)
        return "pass" if passed else "fail"
    except dkim.DKIMException as error:
        return f"raises {type(error).__name__}"


for service in ("", "s=email; ", "s=tlsrpt; ", "s=email:tlsrpt; "):
    print(f"{service:17}", *(f"tlsrpt={tlsrpt}: {verdict(service, tlsrpt)};" for tlsrpt in (False, True, "strict")))
EOP
cat >verify.js <<'EOJ'
const fs = require('fs');
const { dkimVerify } = require('mailauth/lib/dkim/verify');
(async () => {
    for (const service of ['', 's=email; ', 's=tlsrpt; ', 's=email:tlsrpt; ']) {
        const resolver = async () => [[`v=DKIM1; k=rsa; ${service}p=${fs.readFileSync('key', 'utf8')}`]];
        const { results } = await dkimVerify(fs.readFileSync('report.eml'), { resolver });
        console.log(service.padEnd(17), results[0].status.result, results[0].status.comment || '');
    }
})();
EOJ
node verify.js >node.txt
cat >verify.pl <<'EOL'
use Mail::DKIM::Verifier;
local $/;
open my $file, '<', 'report.eml'; my $report = <$file>;
open my $other, '<', 'key'; my $key = <$other>;
for my $service ('', 's=email; ', 's=tlsrpt; ', 's=email:tlsrpt; ') {
    no warnings;
    *Mail::DKIM::DNS::query = sub { bless { text => "v=DKIM1; k=rsa; ${service}p=$key" }, 'Record' };
    my $verifier = Mail::DKIM::Verifier->new;
    $verifier->PRINT($report);
    $verifier->CLOSE;
    (my $detail = $verifier->result_detail) =~ s/\s+/ /g;
    printf "%-17s %s\n", $service, $detail;
}
package Record;
sub type { 'TXT' }
sub txtdata { $_[0]{text} }
sub char_str_list { $_[0]{text} }
EOL
perl -I perl/usr/share/perl5 -I "$(echo perl/usr/lib/*/perl5/5.*)" verify.pl >perl.txt
for file in python node perl; do
    echo "$file:"
    cat $file.txt
done
[ "$(grep -c 'tlsrpt=False: pass' python.txt)" = 2 ]
grep -q '^s=tlsrpt; .*False: raises ValidationError; tlsrpt=True: pass; tlsrpt=strict: pass' python.txt
grep -q '^s=email:tlsrpt; .*False: raises UnknownKeyTypeError; tlsrpt=True: raises UnknownKeyTypeError' python.txt
[ "$(grep -c ' pass' node.txt)" = 3 ] && grep -q '^s=tlsrpt; .*neutral' node.txt
[ "$(grep -c ' pass' perl.txt)" = 3 ] && grep -q '^s=tlsrpt; .*invalid' perl.txt
