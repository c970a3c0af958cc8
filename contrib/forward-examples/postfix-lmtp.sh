#!/bin/sh
# Does: makes Postfix hand one address to the listener (email-report-lmtp.service, or --lmtp unix:/run/email-report/lmtp). Run once as root: sh postfix-lmtp.sh dmarc@example.org
# Store down: the message stays in the queue (mailq shows it) and is tried again for maximal_queue_lifetime, 5 days by default; after that Postfix bounces it.
# No report: kept in the program's state directory; nothing is bounced.
set -eu
address=${1:-dmarc@example.org}

# At most 20 connections. No chroot: the socket is not in Postfix's own directory.
postconf -M 'email-report-lmtp/unix=email-report-lmtp unix - - n - 20 lmtp'

# add NAME MAP: puts a map in front of the others, once.
add() {
    present=$(postconf -h "$1")
    case $present in
    *"$2"*) ;;
    *) postconf -e "$1 = $2${present:+, $present}" ;;
    esac
}
# An address of its own behind the public one, so that it does not matter whose domain example.org is (local, virtual,
# relay); the part before the @ stays, for [feeds].
add transport_maps 'inline:{ email-report-lmtp.invalid=email-report-lmtp:unix:/run/email-report/lmtp }'
add virtual_alias_maps "inline:{ $address=${address%@*}@email-report-lmtp.invalid }"
