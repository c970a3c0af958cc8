"""Where the listener listens: a loopback port, a socket in the file system, or what systemd hands over.

Only loopback: LMTP has no authentication, and who reaches the listener past the mail server could forge the
Authentication-Results field that reports are judged by.
"""

import errno
import grp
import ipaddress
import os
import socket
import stat
from collections.abc import MutableMapping
from typing import NamedTuple

from . import systemd

BACKLOG = 128


class AddressError(Exception):
    """It cannot listen there: the text says why, and what to do."""


class Listening(NamedTuple):
    """The open sockets, and the file of one."""

    sockets: tuple[socket.socket, ...]
    name: str  # for people
    path: str = ""  # of a socket that we made
    identity: tuple[int, int] = (0, 0)  # of that file

    def close(self) -> None:
        """Stop listening, and take the file away unless it is somebody else's by now."""
        for one in self.sockets:
            one.close()
        if self.path and os.path.lexists(self.path) and _identity(self.path) == self.identity:
            os.unlink(self.path)


def listen(address: str, mode: int, group: str, environ: MutableMapping[str, str]) -> Listening:
    """Listen on `127.0.0.1:PORT`, `[::1]:PORT`, `unix:PATH` or `systemd`. Raises AddressError.

    mode, group: of the socket in the file system.
    """
    try:
        if address == "systemd":
            return _handed_over(environ)
        if address.startswith("unix:") and len(address) > len("unix:"):
            return _unix(address.removeprefix("unix:"), mode, group)
        return _loopback(address)
    except OSError as error:
        raise AddressError(f"--lmtp {address}: {error.strerror or error}: {_remedy(error)}") from error


def _handed_over(environ: MutableMapping[str, str]) -> Listening:
    sockets = systemd.handed_over(environ)
    if not sockets:
        raise AddressError("--lmtp systemd: systemd hands over no socket; start email-report-lmtp.socket")
    for one in sockets:
        one.setblocking(False)
    return Listening(tuple(sockets), "a socket of systemd")


def _loopback(address: str) -> Listening:
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        where = ipaddress.ip_address(host)
        valid = colon and port.isascii() and port.isdigit() and int(port) < 65536
    except ValueError:
        valid = False
    if not valid:
        raise AddressError(f"--lmtp {address!r}: write 127.0.0.1:PORT, unix:PATH or systemd")
    if not where.is_loopback:
        raise AddressError(f"--lmtp {address}: only a loopback address; who reaches it counts as your mail server")
    family = socket.AF_INET6 if where.version == 6 else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((host, int(port)))
    one.listen(BACKLOG)
    one.setblocking(False)
    return Listening((one,), "{}:{}".format(*one.getsockname()[:2]))


def _unix(path: str, mode: int, group: str) -> Listening:
    """Under another name first: at no moment is it there with other rights, and an old one is replaced."""
    if _answers(path):
        raise AddressError(f"--lmtp unix:{path}: somebody listens there already; end that process")
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    new = f"{path}.{os.getpid()}"
    before = os.umask(0o177)
    try:
        one.bind(new)
        if group:
            os.chown(new, -1, _group(group))
        os.chmod(new, mode)
        one.listen(BACKLOG)
        os.rename(new, path)
    except OSError:
        one.close()
        if os.path.lexists(new):
            os.unlink(new)
        raise
    finally:
        os.umask(before)
    one.setblocking(False)
    return Listening((one,), f"unix:{path}", path, _identity(path))


def _identity(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def _answers(path: str) -> bool:
    """Whether somebody listens there. Raises AddressError when it is no socket, and would be overwritten."""
    if os.path.lexists(path) and not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise AddressError(f"--lmtp unix:{path}: that is no socket; name another path, or remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ECONNREFUSED}:
                raise
            return False
        return True


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise AddressError(f"[lmtp] socket_group: there is no group {name!r} on this machine") from None


def _remedy(error: OSError) -> str:
    remedies = {
        errno.EADDRINUSE: "end what listens there, or take another port",
        errno.EACCES: "give the directory to the user of this process, or take a port above 1023",
        errno.EPERM: "the user of this process must be a member of [lmtp] socket_group",
        errno.ENOENT: "make the directory",
    }
    return remedies.get(error.errno or 0, "take another address")
