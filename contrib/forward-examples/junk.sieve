# Does: hands what a user moves to Junk to the program, as the feed own-mx. Save as /etc/dovecot/sieve/junk.sieve, run sievec on it, and link the wrapper into /usr/lib/dovecot/sieve-execute. For dovecot-imapsieve.conf.
# Store down: a copy is filed in the user's folder DMARC.retry: email-report-processor-retry ~/Maildir/.DMARC.retry --feed own-mx
# No report: is what a feed is for: it becomes a document like a failure report. A report in Junk is stored as a report.
require ["vnd.dovecot.execute", "fileinto", "copy", "mailbox"];

if not execute :pipe "email-report-processor-pipe" ["--feed", "own-mx", "--deadline", "60"] {
    fileinto :copy :create "DMARC.retry";
}
