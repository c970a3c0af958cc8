#!/bin/sh
# maildrop: two ways of calling the same filter, and what becomes of the message when the filter is killed or silent.
#
# One would guess: a program that is killed is a fault of the moment, answered with EX_TEMPFAIL (75); and `xfilter` with a
# program that prints nothing delivers the message as it was, or an empty one.
# What happens: `to "|program"` hands on 255 for a killed program, which mail servers answer with a bounce; `xfilter` with
# an empty output ends with 0, and nothing is delivered: what follows in the file is not done, the message is gone.
# Version: maildrop 2.9.3-2.1 (Debian 12).
# Why it matters: a filter for e-mail reports that runs out of memory sends the report back to its reporter; one that
# reads the message and prints nothing, as most do, makes maildrop lose it when it is called by `xfilter`.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root maildrop=2.9.3-2.1 libcourier-unicode4=2.1.2-2+b2 \
    courier-authlib=0.71.4-1+b2 libpcre3=2:8.39-15
for package in *.deb; do dpkg -x "$package" .; done
cp usr/bin/maildrop ./maildrop # without the set-group-id bit, which would hide LD_LIBRARY_PATH
chmod 755 maildrop
LD_LIBRARY_PATH=$(find "$work" -name '*.so.*' -exec dirname {} + | sort -u | tr '\n' ':')
export LD_LIBRARY_PATH HOME="$work"
./maildrop -v 2>&1 | head -1

deliver() { # $1: the filter file; prints maildrop's exit status and how many messages are in the mailbox
    rm -f mailbox
    printf '%s\n' "$1" >filter
    chmod 600 filter
    status=0
    printf 'From: reports@example.net\nSubject: Report Domain: example.org\n\nbody\n' | ./maildrop ./filter 2>/dev/null || status=$?
    echo "status $status, messages delivered: $(cat mailbox 2>/dev/null | grep -c '^From: ' || true)"
}

killed=$(deliver 'to "|cat >/dev/null; kill -9 $$"')
refused=$(deliver 'to "|cat >/dev/null; exit 75"')
silent=$(deliver 'xfilter "cat >/dev/null"
to "./mailbox"')
plain=$(deliver 'to "./mailbox"')
echo "to \"|program\", killed:         $killed"
echo "to \"|program\", exit 75:        $refused"
echo "xfilter, exit 0, no output:    $silent"
echo "no filter:                     $plain"
[ "$killed" = 'status 255, messages delivered: 0' ] && [ "$refused" = 'status 75, messages delivered: 0' ]
[ "$silent" = 'status 0, messages delivered: 0' ] && [ "$plain" = 'status 0, messages delivered: 1' ]
