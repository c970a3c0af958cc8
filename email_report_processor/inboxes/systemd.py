"""What systemd hands over and wants to hear: sockets (sd_listen_fds(3)), readiness and signs of life (sd_notify(3)).

Two datagrams and three variables: python-systemd would be a compiled dependency for them.
"""

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping

FIRST = 3  # SD_LISTEN_FDS_START


def handed_over(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """The sockets that systemd opened for this process. Takes their variables away: they are for no child."""
    number, pid = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if not number.isdigit() or pid != str(os.getpid()):
        return []
    for descriptor in range(FIRST, FIRST + int(number)):
        os.set_inheritable(descriptor, False)
    return [socket.socket(fileno=descriptor) for descriptor in range(FIRST, FIRST + int(number))]


def watchdog_seconds(environ: MutableMapping[str, str]) -> float:
    """Seconds within which systemd wants a sign of life; 0.0 when it wants none."""
    said = environ.get("WATCHDOG_USEC", "")
    mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(said) / 1_000_000 if said.isdigit() and mine else 0.0


def notify(environ: MutableMapping[str, str], *lines: str) -> None:
    """Tell systemd; nothing happens where it does not listen."""
    place = environ.get("NOTIFY_SOCKET", "")
    if not place:
        return
    address = "\0" + place[1:] if place.startswith("@") else place
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to, contextlib.suppress(OSError):
        to.sendto("\n".join(lines).encode(), address)


def reloading(environ: MutableMapping[str, str]) -> None:
    """The settings are being read again; READY=1 says that this is over."""
    notify(environ, "RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
