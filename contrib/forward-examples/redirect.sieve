# Does: hands what looks like a report over to the address of postfix-pipe.sh, which tries again by itself; a user's Sieve script for any server with a mail queue behind it.
# Store down: the message waits in the mail server's queue. One with the Message-ID of an earlier one is not redirected again; it stays in the mailbox.
# No report: kept in the mailbox; what only looks like a report is kept in the program's state directory.
if anyof (exists "TLS-Report-Domain",
          header :contains "Content-Type" ["tlsrpt", "feedback-report"],
          header :matches "Subject" ["*Report Domain:*", "*Report-Domain:*"],
          header :contains "Content-Type" ["application/gzip", "application/zip",
                                           "application/x-gzip", "application/x-zip-compressed"])
{
    redirect "dmarc@example.org";
    stop;
}
