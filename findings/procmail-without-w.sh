#!/bin/sh
# procmail: a pipe without the flag `w` counts as delivered although the program refused the message.
#
# One would guess: procmail notices that a filter exits with 75 and keeps the message, as a mail server does; `w` ("wait")
# only decides whether procmail waits.
# What happens: with `:0` the program's exit status is looked at by nobody. procmail exits 0, the mail server takes the
# message for delivered, and it lies nowhere. With `:0 w` the same program's status counts: the message goes to $DEFAULT.
# Version: procmail 3.22-27 (Debian 12).
# Why it matters: many people pipe e-mail reports to a program by a recipe that they copied; every report that arrives
# while the program's store is down is gone without a trace.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root procmail=3.22-27
dpkg -x procmail_3.22-27_*.deb .
procmail=$work/usr/bin/procmail
mkdir home
touch home/log
export HOME="$work/home"
"$procmail" -v 2>&1 | head -1

deliver() { # $1: the first line of the recipe; prints procmail's exit status and what is in the mailbox
    rm -f home/inbox
    printf 'DEFAULT=%s\n:0 %s\n| sh -c "cat >/dev/null; exit 75"\n' "$work/home/inbox" "$1" >rc
    chmod 600 rc
    status=0
    printf 'From: reports@example.net\nSubject: Report Domain: example.org\n\nbody\n' | "$procmail" -m rc 2>/dev/null || status=$?
    echo "status $status, messages kept: $(cat home/* | grep -c '^From: ' || true)"
}

without=$(deliver '')
with=$(deliver w)
echo "recipe ':0'   and a program that exits 75: $without"
echo "recipe ':0 w' and a program that exits 75: $with"
[ "$without" = 'status 0, messages kept: 0' ] && [ "$with" = 'status 0, messages kept: 1' ]
