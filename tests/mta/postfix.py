"""Postfix on a loopback port, with the examples of contrib/forward-examples, each behind an address of its own."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .box import DMARC, EXAMPLES, STATE, Box, User, free_port, wait_until
from .packages import offered, unpacked
from .wires import Sink, send

WAYS = {
    "forward": "dmarc@example.org",
    "aliases": "aliases@example.org",
    "pipe": "pipe@example.org",
    "copy": "copy@example.org",
}
LMTP = "lmtp@example.org"
TRAP = "trap@example.org"
ARCHIVE = "/var/mail/alice"

_USERS = (User("postfix", 4010, "/var/spool/postfix"), User("postdrop", 4011, "/nonexistent"))
_MAIN = """
compatibility_level = 3.6
myhostname = mail.example.org
mydestination = example.org
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
relayhost = [127.0.0.1]:{sink}
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
default_privs = email-report
recipient_delimiter =
maillog_file = /var/log/postfix.log
service_throttle_time = 1s
transport_retry_time = 1s
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
local unix - n n - - local
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
# Postfix waits 0.3 s before it reads a file that was only just written.
_OLD = "touch -d 2001-01-01 /etc/postfix/main.cf /etc/postfix/master.cf"
_POSTCONF = f"""#!/bin/sh
{_OLD}
exec /usr/sbin/postconf "$@"
"""


class Postfix:
    """A running Postfix with every example of ours. Ends with its box."""

    mortal: tuple[str, ...] = ("/bin/sh /usr/local/bin/email-report-processor-pipe", "bin/email-report-processor ")

    def __init__(
        self, sink: Sink, packages: Sequence[Path] | None = None, users: Sequence[User] = (), main: str = ""
    ) -> None:
        """`packages` are more than Postfix's own, `main` more lines of main.cf. Raises UnavailableError."""
        self.sink = sink
        self.port = free_port()
        ours = offered("postfix", "postconf", "postfix") if packages is None else [unpacked("postfix", "postfix")]
        self.box = Box([*ours, *(packages or ())], [*_USERS, *users])
        self._configure(main)
        # What the package does when it is installed.
        self.box.run("chown", "postfix:", "/var/lib/postfix")
        self.box.run("chgrp", "postdrop", "/usr/sbin/postqueue", "/usr/sbin/postdrop")
        self.box.run("chmod", "g+s", "/usr/sbin/postqueue", "/usr/sbin/postdrop")
        self.box.run("postfix", "check")
        self.box.run("/usr/lib/postfix/sbin/master", "-w")

    def deliver(self, message: bytes, *recipients: str) -> None:
        """Hand in a message and wait until every delivery was tried once."""
        send(self.port, message, recipients)
        self.settle()

    def retry(self) -> None:
        """Try everything that waits once more, and wait for the end of it."""
        before = self._tries()
        waiting = self.waiting()
        self.box.run("postqueue", "-f")
        wait_until(lambda: self._tries() >= before + waiting, f"queue not run:\n{self.log()}")
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is being delivered."""
        wait_until(self._quiet, f"deliveries do not end:\n{self.log()}", 60)

    def queue(self) -> list[dict[str, Any]]:
        """What mailq shows, one message each."""
        return [json.loads(line) for line in self.box.run("postqueue", "-j").stdout.splitlines()]

    def waiting(self) -> int:
        """How many messages wait for another try."""
        return sum(message["queue_name"] == "deferred" for message in self.queue())

    def log(self) -> str:
        """Postfix's own log."""
        return self.box.path("/var/log/postfix.log").read_text(errors="replace")

    def writers(self) -> list[int]:
        """local(8) or pipe(8), while a wrapper of theirs runs."""
        return self.box.above("/bin/sh /usr/local/bin/email-report-processor-pipe")

    def stop(self) -> None:
        """In an orderly way."""
        self.box.run("postfix", "stop")

    def start(self) -> None:
        """Start it, if it does not run."""
        if not self.box.processes("/usr/lib/postfix/sbin/master"):
            self.box.run("/usr/lib/postfix/sbin/master", "-w")

    def close(self) -> None:
        """End it."""
        self.box.close()

    def _quiet(self) -> bool:
        # postqueue takes 30 ms; the directories say the same at once.
        spool = self.box.path("/var/spool/postfix")
        return not any(files for name in ("incoming", "active") for _, _, files in os.walk(spool / name))

    def _tries(self) -> int:
        return self.log().count(" status=")

    def _configure(self, main: str) -> None:
        self.box.write("/etc/postfix/main.cf", _MAIN.format(sink=self.sink.port) + main)
        self.box.write("/etc/postfix/master.cf", _MASTER.format(port=self.port))
        aliases = (EXAMPLES / "aliases").read_text(encoding="utf-8").replace("dmarc:", "aliases:")
        self.box.write(
            "/etc/aliases", aliases.replace("owner-dmarc", "owner-aliases") + "postmaster: pm@sink.example\n"
        )
        self.box.write(f"{STATE}/.forward", (EXAMPLES / "forward").read_text(encoding="utf-8"), 0o600, DMARC)
        self.box.run("sh", "-c", f"{_OLD}; newaliases")
        self._script("postfix-pipe.sh", WAYS["pipe"])
        self._script("postfix-pipe-copy.sh", WAYS["copy"], "alice@example.org")
        self._script("postfix-lmtp.sh", LMTP)
        self._script("postfix-feed.sh", "spamtrap", TRAP)
        self.box.run("sh", "-c", _OLD)

    def _script(self, name: str, *arguments: str) -> None:
        self.box.write("/usr/local/sbin/postconf", _POSTCONF, 0o755)
        self.box.write(f"/run/{name}", (EXAMPLES / name).read_text(encoding="utf-8"))
        for _ in range(2):  # running it twice changes nothing
            self.box.run("env", "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/bin", "sh", f"/run/{name}", *arguments)
