#!/bin/sh
# rspamd: mail that passed SPF for another domain stands in its DMARC report as `none`, "no SPF record".
#
# One would guess: `<auth_results><spf>` is the raw result of SPF (RFC 7489 §7.2: "the domain, result and scope"), whatever
# its alignment, which `<policy_evaluated>` is for. So `pass` for bounce.example.com, which is not aligned.
# What happens: a result that is not aligned is stored as `none`. The log of the same message says R_SPF_ALLOW.
# Version: rspamd 3.12.1 (Debian 13), with Redis.
# Why it matters: "passed, but for somebody else" is how one finds a service that sends in one's name and needs aligning.
# In reports of rspamd it looks like a host without any SPF, the same as a spoof.
#
# Root runs it: Debian 13 is unpacked into a folder, and the servers run there, in a network of their own.
set -eu
if [ -z "${work-}" ]; then
    work=$(mktemp -d)
    chmod 755 "$work"
    mmdebstrap --quiet --variant=apt --include=rspamd,redis-server,dnsmasq-base trixie "$work/root" || { rm -rf "$work" && exit 1; }
    exec unshare --mount --net --pid --fork --kill-child env work="$work" sh "$0"
fi
cleanup() {
    umount -l "$work/root/dev" "$work/root/proc" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
ip link set lo up
mount -t proc proc "$work/root/proc"
mount --bind /dev "$work/root/dev"
inside() { chroot "$work/root" "$@"; }
inside rspamd --version | grep '3\.12\.1'
echo '127.0.0.1 localhost' >"$work/root/etc/hosts"
echo 'nameserver 127.0.0.1' >"$work/root/etc/resolv.conf"
mkdir -p "$work/root/x" "$work/root/run/rspamd"
cd "$work/root/etc/rspamd/local.d"
echo 'dns { nameserver = ["127.0.0.1"]; timeout = 1s; retransmits = 1; } local_addrs = [];' >options.inc
echo 'servers = "127.0.0.1";' >redis.conf
echo 'level = "warning"; type = "console";' >logging.inc
echo 'enabled = false;' | tee worker-proxy.inc worker-controller.inc worker-fuzzy.inc greylist.conf >/dev/null
echo 'reporting { enabled = true; email = "dmarc@example.net"; domain = "example.net"; org_name = "Example"; smtp = "127.0.0.1"; }' >dmarc.conf
cd "$work"
inside redis-server --bind 127.0.0.1 --save '' --daemonize yes >/dev/null
inside dnsmasq --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --pid-file=/x/dns --user=root --local=// \
    --txt-record=_dmarc.example.org,'v=DMARC1; p=reject; rua=mailto:reports@example.org' \
    --txt-record=bounce.example.com,'v=spf1 ip4:192.0.2.1 -all'
inside rspamd -f -u root -g root --insecure >log 2>&1 &
cat >sink.py <<'EOP'
import base64, email, gzip, socket

listener = socket.create_server(("127.0.0.1", 25))
connection, _ = listener.accept()
stream = connection.makefile("rwb", buffering=0)
stream.write(b"220 sink\r\n")
lines, data = [], False
while line := stream.readline():
    if data and line == b".\r\n":
        data = False
        stream.write(b"250 ok\r\n")
        break
    if data:
        lines.append(line)
    elif line[:4].upper() == b"DATA":
        data = True
        stream.write(b"354 go\r\n")
    else:
        stream.write(b"250 ok\r\n")
for part in email.message_from_bytes(b"".join(lines)).walk():
    if part.get_content_type() == "application/gzip":
        open("report.xml", "wb").write(gzip.decompress(part.get_payload(decode=True)))
EOP
python3 sink.py &
sink=$!
cat >ask.py <<'EOP'
import time, urllib.request

text = "\r\n".join(("From: a@example.org", "To: b@example.net", "Subject: x", "Message-ID: <1@example.org>", "", "text", ""))
fields = {"IP": "192.0.2.1", "Helo": "mx.example.com", "From": "x@bounce.example.com", "Rcpt": "b@example.net"}
for _ in range(120):
    try:
        print(urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:11333/checkv2", text.encode(), fields)).read().decode())
        break
    except OSError:
        time.sleep(0.5)
EOP
python3 ask.py >verdict
echo "rspamd said of the message: $(grep -o 'R_SPF_[A-Z]*' verdict | sort -u)"
sleep 3
inside rspamadm dmarc_report "$(date -u +%Y%m%d)" >report.log 2>&1 || true
for _ in $(seq 30); do [ -s report.xml ] && break; sleep 1; done
kill "$sink" 2>/dev/null || true
sed -n '/<auth_results>/,/<\/auth_results>/p' report.xml
grep -q R_SPF_ALLOW verdict
tr -d ' \t\n' <report.xml | grep -q '<spf><domain>bounce.example.com</domain><result>none</result></spf>'
