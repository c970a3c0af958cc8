#!/bin/sh
# authheaders (Python): a DMARC record with blanks around its first `=` is no record.
#
# One would guess: white space around `=` does no harm; RFC 7489 §6.4 and RFC 9989 §4.8 have `"v" *WSP "=" *WSP "DMARC1"`.
# What happens: the first nine characters of the text are compared with `"v=DMARC1`, so `v = DMARC1; p = reject` is passed
# over and the message has no policy, while blanks around the second `=` are taken. mailauth, another verifier, applies
# both records, and also one that begins with a blank, which the grammar does not allow.
# Versions: authheaders 0.16.3 (PyPI), mailauth 7.1.0 (npm).
# Why it matters: whether a record counts depends on who looks. Reporters disagree about the policy that was published,
# and a domain that is "protected" by one of them has no policy at the other: write records without any blank but after `;`.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check authheaders==0.16.3
(cd "$work" && npm install --silent --no-audit --no-fund mailauth@7.1.0 >/dev/null)
cd "$work"
venv/bin/python - >python.txt <<'EOF'
from authheaders.dmarc_lookup import receiver_record

for record in ("v=DMARC1; p=reject", "v=DMARC1; p = reject", "v = DMARC1; p = reject", " v=DMARC1; p=reject"):
    found = receiver_record("example.org", dnsfunc=lambda name, text=record: text if name == "_dmarc.example.org" else None)
    print(f"{record!r:30} {found[0].get('p', 'no policy')}")
EOF
node - >node.txt <<'EOF'
const { dmarc } = require('mailauth/lib/dmarc/index.js');
const ask = (record) => async (name) => {
    if (name === '_dmarc.example.org') return [[record]];
    throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
};
(async () => {
    for (const record of ['v=DMARC1; p=reject', 'v=DMARC1; p = reject', 'v = DMARC1; p = reject', ' v=DMARC1; p=reject']) {
        const result = await dmarc({ headerFrom: ['example.org'], spfDomains: [], dkimDomains: [], resolver: ask(record) });
        console.log(`'${record}'`.padEnd(30), (result && result.policy) || 'no policy');
    }
})();
EOF
echo "authheaders 0.16.3:"
cat python.txt
echo "mailauth 7.1.0:"
cat node.txt
[ "$(grep -c reject$ python.txt)" = 2 ] && grep -q "^'v = DMARC1; p = reject' .*no policy" python.txt
[ "$(grep -c reject$ node.txt)" = 4 ]
