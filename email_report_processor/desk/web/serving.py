"""The server: where it listens, and how it ends. waitress reads requests, bounded; the application answers them."""

import contextlib
import grp
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator, MutableMapping
from errno import EADDRINUSE
from typing import Any, NamedTuple

from ...inboxes import systemd
from ...settings import SettingsError
from .options import WebOptions

_BACKLOG = 128
_HEADER_BYTES = 32 * 1024
_SILENT = 30  # seconds after which who says nothing is let go
_MOST_OPEN = 200  # connections


class Listening(NamedTuple):
    """An open socket."""

    socket: socket.socket
    url: str  # where a browser finds it; `unix:PATH` where none does
    path: str = ""  # of a file to take away at the end


def listen(options: WebOptions, environ: MutableMapping[str, str]) -> Listening:
    """Open the socket of [web] listen. Raises SettingsError."""
    said = options.listen
    try:
        if said == "systemd":
            return _handed_over(environ)
        if said.startswith("unix:") and len(said) > len("unix:"):
            return _unix(said.removeprefix("unix:"), options)
        return _port(said, anywhere=options.listen_anywhere)
    except OSError as error:
        remedy = ": another desk runs there, or name another address" if error.errno == EADDRINUSE else ""
        raise SettingsError(f"[web] listen = {said!r}: {error.strerror or error}{remedy}") from error


def _handed_over(environ: MutableMapping[str, str]) -> Listening:
    sockets = systemd.handed_over(environ)
    if len(sockets) != 1:
        raise SettingsError("[web] listen = 'systemd': systemd hands over no socket, or more than one")
    return Listening(sockets[0], "a socket of systemd")


def _port(said: str, *, anywhere: bool) -> Listening:
    host, colon, port = said.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        where = ipaddress.ip_address(host)
        valid = bool(colon) and port.isascii() and port.isdigit() and int(port) < 65536
    except ValueError:
        valid = False
    if not valid:
        raise SettingsError(f"[web] listen = {said!r}: write 127.0.0.1:PORT, unix:PATH or systemd")
    if not (where.is_loopback or anywhere):
        raise SettingsError(
            f"[web] listen = {said!r}: other machines reach this address, and nothing on the way is encrypted; put a "
            "proxy with HTTPS in front, or say listen_anywhere = true"
        )
    one = socket.socket(socket.AF_INET6 if where.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    with contextlib.ExitStack() as failing:
        failing.callback(one.close)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((host, int(port)))
        one.listen(_BACKLOG)
        failing.pop_all()
    shown = f"[{host}]" if where.version == 6 else host
    return Listening(one, f"http://{shown}:{one.getsockname()[1]}")


def _unix(path: str, options: WebOptions) -> Listening:
    """Under another name first: at no moment is it there with other rights."""
    if os.path.lexists(path) and not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise SettingsError(f"[web] listen = 'unix:{path}': that is no socket; name another path, or remove it")
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    new = f"{path}.{os.getpid()}"
    before = os.umask(0o177)
    try:
        one.bind(new)
        if options.socket_group:
            os.chown(new, -1, _group(options.socket_group))
        os.chmod(new, int(options.socket_mode, 8))
        one.listen(_BACKLOG)
        os.rename(new, path)
    except OSError:
        one.close()
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    finally:
        os.umask(before)
    return Listening(one, f"unix:{path}", path)


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise SettingsError(f"[web] socket_group: there is no group {name!r} on this machine") from None


@contextlib.contextmanager
def serving(app: Any, listening: Listening, options: WebOptions) -> Iterator[Any]:
    """A server of waitress, whose `run` answers until the process is told to end."""
    import waitress.server  # 60 ms, extra [desk]

    server = waitress.server.create_server(
        app,
        sockets=[listening.socket],
        threads=options.threads,
        ident="",
        max_request_header_size=_HEADER_BYTES,
        max_request_body_size=options.upload_bytes + 64 * 1024,
        connection_limit=_MOST_OPEN,
        channel_timeout=_SILENT,
        clear_untrusted_proxy_headers=False,  # guard.py looks who sends them
    )
    try:
        yield server
    finally:
        server.close()
        if listening.path and os.path.lexists(listening.path):
            os.unlink(listening.path)
