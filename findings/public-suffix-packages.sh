#!/bin/sh
# Public Suffix List: three Python packages give three answers to "what is the organizational domain?"
#
# One would guess: RFC 7489 §3.2 defines the organizational domain by the Public Suffix List, so packages which read it
# agree, but for the age of their copy.
# What happens: publicsuffixlist counts the list's private section and unknown top-level domains; tldextract leaves the
# private section out unless it is told otherwise, and finds none below an unknown top-level domain; publicsuffix2, with a
# copy of 2019, says that this top-level domain itself is the organizational one. RFC 7489 names neither choice.
# Versions: publicsuffixlist 1.1.2.20261023, tldextract 5.4.0, publicsuffix2 2.20191221.
# Why it matters: alignment in relaxed mode compares organizational domains. By tldextract every customer of a hoster is
# aligned with every other one (`github.io`); by publicsuffix2 so is every host of an internal network. A reader who works
# alignment out again gets other verdicts than the reporter.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
    publicsuffixlist==1.1.2.20261023 tldextract==5.4.0 publicsuffix2==2.20191221
"$work/venv/bin/python" - <<'EOF'
import sys
from importlib.metadata import version

import publicsuffix2
import tldextract
from publicsuffixlist import PublicSuffixList

extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)  # the copy in the package alone
answers = {
    "publicsuffixlist": PublicSuffixList().privatesuffix,
    "tldextract": lambda name: extract(name).top_domain_under_public_suffix,
    "publicsuffix2": publicsuffix2.get_sld,
}
expected = {
    "mail.shop.example.co.uk": ["example.co.uk", "example.co.uk", "example.co.uk"],
    "mail.shop.github.io": ["shop.github.io", "github.io", "shop.github.io"],
    "mx.host.internal": ["host.internal", "", "internal"],
}
print(", ".join(f"{name} {version(name)}" for name in answers))
seen = {}
for name in expected:
    seen[name] = [answer(name) for answer in answers.values()]
    print(f"{name:24}", "  ".join(f"{answer!s:16}" for answer in seen[name]))
sys.exit(seen != expected)
EOF
