#!/bin/sh
# Postfix with TLSRPT: `receiving-mx-helo` is not a name but the server's whole answer to EHLO, codes and line breaks too.
#
# One would guess: as RFC 8460 §4.3.1 has it, "the HELLO (HELO) or Extended HELLO (EHLO) string from the banner announced
# during the reported session": the name of the host, "mx.example.org".
# What happens: the field has all lines of the reply as they came, "250-mx.example.org", CR, LF, "250-SIZE 1000000", …
# Seen here as Postfix hands it on ("h"); tlsrpt-reporter writes it into reports as it is.
# Version: Postfix 3.10.13 with libtlsrpt (Debian 13).
# Why it matters: a sum by that field has a line for each list of extensions, a table shows six lines in one cell, and a
# change of SIZE is another "host". Whoever reads reports takes the first line, without its code.
#
# Root runs it: Debian 13 is unpacked into a folder, and the servers run there, in a network of their own.
set -eu
if [ -z "${work-}" ]; then
    work=$(mktemp -d)
    chmod 755 "$work"
    mmdebstrap --quiet --variant=apt --include=postfix,libtlsrpt0,dnsmasq-base trixie "$work/root" || { rm -rf "$work" && exit 1; }
    exec unshare --mount --net --pid --fork --kill-child env work="$work" sh "$0"
fi
cleanup() {
    umount -l "$work/root/dev" "$work/root/proc" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
ip link set lo up
ip address add 127.0.0.2/8 dev lo
mount -t proc proc "$work/root/proc"
mount --bind /dev "$work/root/dev"
inside() { chroot "$work/root" "$@"; }
inside postconf mail_version | grep '3\.10\.13'
printf '127.0.0.1 localhost\n127.0.0.1 out.example.net\n' >"$work/root/etc/hosts"
echo 'nameserver 127.0.0.1' >"$work/root/etc/resolv.conf"
mkdir -p -m 755 "$work/root/x"
cd "$work"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mx.example.org -keyout key.pem -out cert.pem 2>/dev/null
inside dnsmasq --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --pid-file=/x/dns --user=root \
    --mx-host=example.org,mx.example.org,10 --address=/mx.example.org/127.0.0.1 --local=/example.org/ --local=/example.net/ \
    --txt-record=_smtp._tls.example.org,'v=TLSRPTv1;rua=mailto:tls@example.org'
cat >receiver.py <<'EOP'
"""An SMTP server with STARTTLS and an untrusted certificate, and the socket where Postfix says how a session went."""

import os, socket, ssl, threading

context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("cert.pem", "key.pem")
told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
told.bind("root/x/tlsrpt")
os.chmod("root/x/tlsrpt", 0o666)


def talk(connection):
    try:
        stream = connection.makefile("rwb", buffering=0)
        stream.write(b"220 mx.example.org ESMTP\r\n")
        while line := stream.readline():
            word = line[:4].upper().strip()
            if word == b"EHLO":
                stream.write(b"250-mx.example.org\r\n250-SIZE 1000000\r\n250-STARTTLS\r\n250 8BITMIME\r\n")
            elif line.upper().startswith(b"STARTTLS"):
                stream.write(b"220 go\r\n")
                connection = context.wrap_socket(connection, server_side=True)
                stream = connection.makefile("rwb", buffering=0)
            else:
                stream.write(b"250 ok\r\n")
    except OSError:
        pass


def serve():
    listener = socket.create_server(("127.0.0.1", 25))
    while True:
        threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()


threading.Thread(target=serve, daemon=True).start()
told.settimeout(60)
open("told", "wb").write(told.recv(65536))
EOP
python3 receiver.py &
receiver=$!
inside postconf -e 'myhostname=out.example.net' 'mydestination=' 'inet_interfaces=127.0.0.2' 'inet_protocols=ipv4' \
    'smtp_tls_security_level=secure' 'smtp_tlsrpt_enable=yes' 'smtp_tlsrpt_socket_name=/x/tlsrpt' 'maillog_file=/dev/stdout' \
    'relayhost=' 'default_transport=smtp' 'compatibility_level=3.6'
inside postconf -F '*/*/chroot=n'
inside postfix start-fg >log 2>&1 &
for _ in $(seq 60); do inside postfix status >/dev/null 2>&1 && break; sleep 0.5; done
printf 'From: a@example.net\nTo: b@example.org\nSubject: x\n\ntext\n' | inside sendmail -f a@example.net b@example.org
wait "$receiver"
python3 - <<'EOP'
import json

text = open("told", "rb").read().decode()
start = text.index("{")
found = []


def look(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("receiving-mx-helo", "h"):
                found.append(inner)
            look(inner)
    elif isinstance(value, list):
        for inner in value:
            look(inner)


look(json.loads(text[start:]))
print("receiving-mx-helo:", *map(repr, found))
assert found and all("250-SIZE 1000000" in one and "\r\n" in one for one in found if isinstance(one, str))
EOP
