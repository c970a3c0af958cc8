"""The listener in a box, kept running as systemd does it, and a mail server that delivers to it."""

import socket

from . import promises
from .box import DMARC, wait_until
from .promises import Server

PLACE = "/run/email-report/lmtp"
CHECKS = [check for check in promises.CHECKS if check is not promises.misbehaving]  # that one is about the wrapper

_KEEP = """#!/bin/sh
while :; do
    EMAIL_REPORT_PROCESSOR_LMTP_SOCKET_MODE=0666 \\
        /opt/email-report-processor/bin/email-report-processor --lmtp {address} </dev/null >/dev/null 2>&1
    sleep 0.1
done
"""


class ByLmtp:
    """A mail server, and the listener that it delivers to. New settings start the listener anew."""

    mortal: tuple[str, ...] = ("bin/email-report-processor --lmtp",)

    def __init__(self, server: Server, address: str = f"unix:{PLACE}") -> None:
        self._server = server
        self._address = address
        self.box = server.box
        self.sink = server.sink
        self.box.run("install", "-d", "-o", DMARC.name, "/run/email-report")
        self.box.write("/run/keep-listening", _KEEP.format(address=address), 0o755)
        become = f"setpriv --reuid {DMARC.name} --regid {DMARC.name} --clear-groups"
        self.box.run("sh", "-c", f"setsid {become} /run/keep-listening </dev/null >/dev/null 2>&1 &")
        self._wait(0)
        self.box.configured = self._start_anew

    def deliver(self, message: bytes, *recipients: str) -> None:
        """See promises.Server."""
        self._server.deliver(message, *recipients)

    def retry(self) -> None:
        """When the listener is there again, as a mail server that waits some minutes finds it."""
        wait_until(self._listens, "no listener")
        self._server.retry()

    def waiting(self) -> int:
        """See promises.Server."""
        return self._server.waiting()

    def close(self) -> None:
        """End it all."""
        self._server.close()

    def _start_anew(self) -> None:
        before = self._starts()
        for pid in self.box.processes(self.mortal[0]):  # workers take no notice
            self.box.run("kill", "-TERM", str(pid), check=False)
        self._wait(before)

    def _wait(self, before: int) -> None:
        wait_until(lambda: self._starts() > before, lambda: f"no listener: {self.box.lines[-20:]}")

    def _starts(self) -> int:
        return sum(": listens on " in line or ": it does not listen" in line for line in self.box.lines)

    def _listens(self) -> bool:
        place, _, port = self._address.rpartition(":")
        with socket.socket(socket.AF_UNIX if place == "unix" else socket.AF_INET) as probe:
            return probe.connect_ex(str(self.box.path(port)) if place == "unix" else (place, int(port))) == 0
