#!/bin/sh
# Mail::DMARC: the policy in its reports is not the record that was published.
#
# One would guess: `<policy_published>` is "the DMARC policy that was published" (RFC 7489 appendix C), so a tag that the
# record lacks is absent, and one that it has keeps its value.
# What happens: for `v=DMARC1; p=reject; fo=1; rua=…` the report says `<sp>reject</sp>`, `<pct>100</pct>` and `<fo>0</fo>`.
# What is missing is filled in when the record is judged; `fo` has no column in the store, so that each report says 0.
# Version: Mail::DMARC 1.20211209 (Debian 12).
# Why it matters: whoever follows a domain's policy through reports sees a change of `sp` and `fo` that nobody made, as soon
# as such a reporter joins, and cannot see from its reports that failure reports are asked for.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
packages=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
    libmail-dmarc-perl | grep -E '^lib.*-perl$' | sort -u)
for package in $packages libdbd-sqlite3-perl; do
    apt-get download -q "$package" >/dev/null 2>&1 || true # a name that only others provide
done
for package in ./*.deb; do dpkg -x "$package" root; done
dpkg-deb -f libmail-dmarc-perl_*.deb Version | grep '^1\.20211209'
cat >mail-dmarc.ini <<'EOI'
[organization]
domain = example.net
org_name = Example
email = dmarc@example.net
[dns]
timeout = 1
public_suffix_list = suffixes
[report_store]
backend = SQL
dsn = dbi:SQLite:dbname=store.sqlite
user =
pass =
[smtp]
hostname = localhost
EOI
printf 'org\nnet\ncom\n' >suffixes
cat >report.pl <<'EOL'
use Mail::DMARC::PurePerl;
no warnings;
*Mail::DMARC::PurePerl::fetch_dmarc_record = sub {
    $_[1] eq 'example.org' ? ['v=DMARC1; p=reject; fo=1; rua=mailto:reports@example.org'] : [];
};
*Mail::DMARC::PurePerl::exists_in_dns = sub { 1 };
*Mail::DMARC::PurePerl::has_dns_rr = sub { 1 };
my $message = Mail::DMARC::PurePerl->new;
$message->config('mail-dmarc.ini');
$message->source_ip('192.0.2.1');
$message->envelope_to('example.net');
$message->envelope_from('example.com');
$message->header_from('example.org');
$message->dkim([{ domain => 'example.com', selector => 's', result => 'pass' }]);
$message->spf([{ domain => 'example.com', scope => 'mfrom', result => 'pass' }]);
$message->validate;
$message->save_aggregate;
my $store = $message->report->store;
$store->backend->query('UPDATE report SET begin = begin - 200000, end = end - 200000');    # its day is over
print $store->retrieve_todo->[0]->as_xml;
EOL
PERL5LIB="$work/root/usr/share/perl5:$(echo "$work"/root/usr/lib/*/perl5/5.*)" perl report.pl >report.xml
echo "published: v=DMARC1; p=reject; fo=1; rua=..."
sed -n '/<policy_published>/,/<\/policy_published>/p' report.xml
grep -q '<sp>reject</sp>' report.xml
grep -q '<fo>0</fo>' report.xml
