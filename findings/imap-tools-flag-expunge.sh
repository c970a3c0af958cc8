#!/bin/sh
# imap-tools (Python): marking one message as read removes others for good, those that another client marked as deleted.
#
# One would guess: `mailbox.flag("2", "\\Seen", True)` sends a STORE for message 2, and nothing else is changed;
# `mailbox.move` uses MOVE where the server has it.
# What happens: after the STORE it sends EXPUNGE, which removes every message of the folder that has \Deleted (RFC 3501
# §6.4.3), whoever put it there; a program such as Thunderbird marks first and asks later. `delete` does the same, though
# UID EXPUNGE (RFC 4315) is for that; and so does `move` with a server that names MOVE after the log-in alone, as Dovecot
# does: the list of capabilities is that from before it.
# Version: imap-tools 1.16.0 (PyPI).
# Why it matters: a program that reads a shared mailbox of reports and only marks what it has read empties the bin of
# the people who share it.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check imap-tools==1.16.0
"$work/venv/bin/python" - <<'EOF'
import socket, sys, threading
from imap_tools import MailBoxUnencrypted


class Server:
    """An IMAP server with two messages, the first of which somebody else has marked as deleted."""

    def __init__(self):
        self.messages = {1: {"\\Deleted"}, 2: set()}
        self.said = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            with self.socket.accept()[0] as one, one.makefile("rwb", buffering=0) as file:
                file.write(b"* OK [CAPABILITY IMAP4rev1] here\r\n")
                self.logged_in = False
                for line in file:
                    tag, command = line.decode().strip().split(" ", 1)
                    self.said.append(command)
                    for answer in self.answer(command):
                        file.write(answer.encode() + b"\r\n")
                    file.write(f"{tag} OK done\r\n".encode())

    def answer(self, command):
        word = command.split()[0].upper()
        if word == "LOGIN":
            self.logged_in = True
        elif word == "LOGOUT":
            yield "* BYE"
        elif word == "CAPABILITY":
            yield "* CAPABILITY IMAP4rev1" + (" MOVE UIDPLUS" if self.logged_in else "")
        elif word == "SELECT":
            yield f"* {len(self.messages)} EXISTS"
            yield "* OK [UIDVALIDITY 1] fine"
        elif command.upper().startswith("UID STORE"):
            self.messages[int(command.split()[2])].add(command.split("(")[1].rstrip(")"))
        elif word == "EXPUNGE":
            for uid in [uid for uid, flags in self.messages.items() if "\\Deleted" in flags]:
                del self.messages[uid]
                yield "* 1 EXPUNGE"


def after(action):
    server = Server()
    with MailBoxUnencrypted("127.0.0.1", server.port).login("somebody", "secret") as mailbox:
        action(mailbox)
    return [one for one in server.said if one.split()[0] in ("UID", "EXPUNGE")], sorted(server.messages)


seen, left = after(lambda mailbox: mailbox.flag("2", "\\Seen", True))
print(f"flag: it says {seen}; on the server is message {left}, and 1 and 2 were there")
moved, rest = after(lambda mailbox: mailbox.move("2", "archive"))
print(f"move, with a server that has MOVE after the log-in: it says {moved}; on the server is {rest}")
sys.exit(0 if left == [2] and "EXPUNGE" in seen and "EXPUNGE" in moved and rest == [] else 1)
EOF
echo "as described"
