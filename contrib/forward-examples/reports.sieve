# Does: Dovecot hands to the program what looks like a report; a user's Sieve script (needs dovecot-sieve.conf). Dovecot has no queue: only redirect.sieve retries by itself.
# Store down: the message is filed in the folder DMARC.retry, which email-report-processor-retry (timer or cron) feeds to the program again until it ends with 0.
# No report: kept in the mailbox; what only looks like a report is kept in the program's state directory.
require ["vnd.dovecot.execute", "fileinto", "mailbox"];

if anyof (exists "TLS-Report-Domain",
          header :contains "Content-Type" ["tlsrpt", "feedback-report"],
          header :matches "Subject" ["*Report Domain:*", "*Report-Domain:*"],
          header :contains "Content-Type" ["application/gzip", "application/zip",
                                           "application/x-gzip", "application/x-zip-compressed"])
{
    # Never ":try" without ":copy": it loses the message when the program fails.
    if execute :pipe "email-report-processor-pipe" ["--deadline", "60"] {
        discard;
    } else {
        fileinto :create "DMARC.retry";
    }
    stop;
}
