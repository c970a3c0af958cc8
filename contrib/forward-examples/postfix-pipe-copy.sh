#!/bin/sh
# Does: as postfix-pipe.sh, and delivers a copy of every message to a mailbox. Run once as root: sh postfix-pipe-copy.sh dmarc@example.org dmarc-archive@example.org
# Store down: the program's message stays in the queue and is tried again for maximal_queue_lifetime (5 days); the copy is delivered at once and only once.
# No report: kept in the program's state directory, and in the mailbox of the copies; nothing is bounced.
set -eu
address=${1:-dmarc@example.org}
archive=${2:-dmarc-archive@example.org}

# At most two messages at once (the 2). No chroot.
postconf -M 'email-report/unix=email-report unix - n n - 2 pipe flags=Rq user=email-report directory=/var/lib/email-report-processor argv=/usr/local/bin/email-report-processor-pipe'

# add NAME MAP: puts a map in front of the others, once.
add() {
    present=$(postconf -h "$1")
    case $present in
    *"$2"*) ;;
    *) postconf -e "$1 = $2${present:+, $present}" ;;
    esac
}
# Two recipients of one message are two deliveries: a retry of the one does not repeat the other (a list in .forward or aliases does).
add transport_maps 'inline:{ email-report.invalid=email-report: }'
add virtual_alias_maps "inline:{ { $address = filter@email-report.invalid, $archive } }"
