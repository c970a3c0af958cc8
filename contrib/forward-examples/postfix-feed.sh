#!/bin/sh
# Does: makes Postfix hand the mail of an address to the program as a feed of messages, with --feed FEED (docs/feeds.md). Run once as root, for each address: sh postfix-feed.sh spamtrap trap@example.org
# Store down: the message stays in the queue (mailq shows it) and is tried again for maximal_queue_lifetime, 5 days by default; after that Postfix bounces it.
# No report: is what a feed is for: it becomes a document like a failure report. A report is stored as a report.
set -eu
# With a port, a door on 127.0.0.1 without filters, for that address alone, through which rspamd hands on what it
# refuses (rspamd-metadata_exporter.conf): sh postfix-feed.sh own-mx spoofed@example.org 10026
feed=${1:?usage: postfix-feed.sh FEED ADDRESS [PORT]}
address=${2:?usage: postfix-feed.sh FEED ADDRESS [PORT]}
port=${3:-}

# At most two messages at once (the 2). No chroot. Without null_sender a bounce would say Return-Path: <MAILER-DAEMON>.
postconf -M "email-report-$feed/unix=email-report-$feed unix - n n - 2 pipe flags=Rq null_sender= user=email-report directory=/var/lib/email-report-processor argv=/usr/local/bin/email-report-processor-pipe --feed $feed"

# add NAME MAP: puts a map in front of the others, once.
add() {
    present=$(postconf -h "$1")
    case $present in
    *"$2"*) ;;
    *) postconf -e "$1 = $2${present:+, $present}" ;;
    esac
}
# An address of its own behind the public one, so that it does not matter whose domain example.org is (local, virtual, relay).
add transport_maps "inline:{ $feed.email-report.invalid=email-report-$feed: }"
add virtual_alias_maps "inline:{ $address=filter@$feed.email-report.invalid }"

if [ -n "$port" ]; then
    postconf -M "127.0.0.1:$port/inet=127.0.0.1:$port inet n - n - - smtpd"
    postconf -P "127.0.0.1:$port/inet/smtpd_milters="
    postconf -e "email_report_door = check_recipient_access inline:{ $address=OK }, reject"
    postconf -P "127.0.0.1:$port/inet/smtpd_recipient_restrictions=\$email_report_door"
fi
