#!/bin/sh
# smtplib and aiosmtpd (Python): of the replies to a message for two recipients, LMTP has one too few at either end.
#
# One would guess: a client and a server named LMTP do what LMTP is for; RFC 2033 §4.2: after the final dot the server
# sends one reply for each recipient that it accepted, in their order.
# What happens: aiosmtpd's LMTP sends one for all, and a client that counts waits for the second until it gives up.
# smtplib.LMTP reads the first one alone: what the second recipient is told is taken for the reply to the next command,
# so that a refusal is never seen, and the QUIT of a session looks refused. The two fit each other, and nobody else.
# Versions: aiosmtpd 1.4.6 (PyPI; its issue 517), CPython 3.11 and later (its issue 76984).
# Why it matters: who hands reports to a program by LMTP tests with what is at hand, and finds that it works.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check aiosmtpd==1.4.6
"$work/venv/bin/python" - <<'EOF'
import smtplib, socket, sys, threading
from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP


class Mine:
    async def handle_DATA(self, server, session, envelope):
        return "250 2.0.0 stored"


class Listener(Controller):
    def factory(self):
        return LMTP(self.handler)


class Rfc:
    """A server with one reply for each recipient: the first is stored, the second refused."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with self.socket.accept()[0] as one, one.makefile("rwb", buffering=0) as file:
            file.write(b"220 here\r\n")
            for line in file:
                if line.upper().startswith(b"DATA"):
                    file.write(b"354 go on\r\n")
                    while next(file) != b".\r\n":
                        pass
                    file.write(b"250 2.0.0 for one\r\n550 5.2.1 for two\r\n")
                else:
                    file.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 fine\r\n")


probe = socket.create_server(("127.0.0.1", 0))
port = probe.getsockname()[1]
probe.close()
server = Listener(Mine(), hostname="127.0.0.1", port=port)
server.start()
with socket.create_connection(("127.0.0.1", port)) as client:
    said = b"LHLO x\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<one@example.org>\r\nRCPT TO:<two@example.org>\r\nDATA\r\n"
    file = client.makefile("rb")
    file.readline()  # the greeting
    for line in said.splitlines(keepends=True):
        client.sendall(line)
        while file.readline()[3:4] == b"-":
            pass
    client.sendall(b"Subject: x\r\n\r\nhello\r\n.\r\n")
    client.settimeout(3)
    replies = 0
    try:
        while file.readline():
            replies += 1
    except TimeoutError:
        pass
server.stop()
print(f"aiosmtpd: {replies} reply to a message for two recipients")

client = smtplib.LMTP("127.0.0.1", Rfc().port)
refused = client.sendmail("a@example.net", ["one@example.org", "two@example.org"], "Subject: x\r\n\r\nhello\r\n")
print(f"smtplib: refused recipients {refused}; reply to the next command {client.noop()}")
sys.exit(0 if (replies, refused) == (1, {}) else 1)
EOF
echo "as described"
