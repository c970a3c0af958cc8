#!/bin/sh
# Does: makes Postfix hand one address to the program through pipe(8), as the user email-report; the preferred way. Run once as root: sh postfix-pipe.sh dmarc@example.org
# Store down: the message stays in the queue (mailq shows it) and is tried again for maximal_queue_lifetime, 5 days by default; after that Postfix bounces it.
# No report: kept in the program's state directory; nothing is bounced.
set -eu
address=${1:-dmarc@example.org}

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
# An address of its own behind the public one, so that it does not matter whose domain example.org is (local, virtual, relay).
add transport_maps 'inline:{ email-report.invalid=email-report: }'
add virtual_alias_maps "inline:{ $address=filter@email-report.invalid }"
