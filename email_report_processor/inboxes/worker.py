"""Worker processes: forked from the listener, each with a socket and a board, which get groups of messages to read.

`os.fork` and not `multiprocessing`, as in importing/workers.py: the children need what was loaded and read already.
A frame is one packet: to the worker a group of tasks, with the descriptors of messages that lie in files; back come
answers, and at the end of the group what memory the worker has.
"""

import gc
import marshal
import os
import resource
import signal
import socket
import sys
import syslog
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from ..message.blob import File, Memory
from .board import Board
from .group import Group, Task, Worker

PACKET = 64 * 1024  # bytes of a frame; a group of MOST tasks has a tenth of it
MOST = 64  # messages of one group, and so descriptors of a frame; the kernel allows 253

Frame = tuple[list[tuple[int, int]], int]  # answers (number, SAFE or OURS), and bytes of memory at the end of a group


class Placed(NamedTuple):
    """A task, and where its message lies."""

    task: Task
    size: int
    place: int  # on the board; -1: in the next descriptor


class Process:
    """The parent's side."""

    def __init__(self, pid: int, channel: socket.socket, board: Board) -> None:
        self.pid = pid
        self.channel = channel
        self.board = board

    def give(self, placed: Sequence[Placed], descriptors: Sequence[int]) -> None:
        """Hand over a group; the worker must have none. Raises OSError when it is gone."""
        data = marshal.dumps([(tuple(task), size, place) for task, size, place in placed])
        socket.send_fds(self.channel, [data], list(descriptors))

    def heard(self) -> list[Frame] | None:
        """What the worker said; None when it is gone."""
        frames: list[Frame] = []
        while True:
            try:
                data = self.channel.recv(PACKET)
            except BlockingIOError:
                return frames
            except ConnectionError:
                return frames or None
            if not data:
                return frames or None
            frames.append(marshal.loads(data))  # noqa: S302  # from our own worker

    def kill(self) -> None:
        """End it, whatever it is doing."""
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Nothing more for it to do: it ends by itself."""
        self.channel.close()
        self.board.close()

    def ended(self, *, wait: bool = False) -> str:
        """How it ended; '' as long as it has not, unless this waits."""
        pid, status = os.waitpid(self.pid, 0 if wait else os.WNOHANG)
        if not pid:
            return ""
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL:
            return "was killed (not enough memory?)"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def start(make: Callable[[Board], Worker], memory: int, own: Callable[[], set[int]]) -> Process:
    """Fork a worker. memory: bytes of data that it may have, 0 is any. own: descriptors that it may keep."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    board = Board()
    gc.freeze()  # what is here already is never garbage, and stays shared
    pid = os.fork()
    if pid == 0:
        _live(make, memory, own() | {its.fileno()}, its, board)
    its.close()
    mine.setblocking(False)
    return Process(pid, mine, board)


def _live(
    make: Callable[[Board], Worker], memory: int, descriptors: set[int], channel: socket.socket, board: Board
) -> NoReturn:
    """A worker from its first to its last moment. Signals are for the parent; the end of the channel is its own."""
    status = 70  # EX_SOFTWARE
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        syslog.closelog()
        for name in os.listdir("/proc/self/fd"):
            if int(name) not in descriptors:
                _close(int(name))
        if memory:
            resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        serve(channel, make(board))
        status = 0
    except (BrokenPipeError, ConnectionResetError):
        status = 0  # the parent has gone
    finally:
        if status:  # whatever it is, the parent learns that it ended
            sys.excepthook(*sys.exc_info())
        os._exit(status)


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        return  # the one with which the directory was read


def serve(channel: socket.socket, worker: Worker) -> None:
    """Do all groups, until the parent closes the channel."""
    answers: list[tuple[int, int]] = []
    while True:
        data, descriptors, _, _ = socket.recv_fds(channel, PACKET, MOST)
        if not data:
            return
        group = Group(worker, lambda number, status, _category: answers.append((number, status)))
        files = iter(descriptors)
        for values, size, place in marshal.loads(data):  # noqa: S302  # from our own parent
            blob = File(next(files), size) if place < 0 else Memory(worker.board.get(place, size))
            group.take(Task(*values), blob)
            _tell(channel, answers)
        group.commit()
        worker.warn()
        _tell(channel, answers, resident())


def _tell(channel: socket.socket, answers: list[tuple[int, int]], memory: int = 0) -> None:
    if answers or memory:
        channel.send(marshal.dumps((answers, memory)))
        answers.clear()


def resident() -> int:
    """Bytes of memory that this process has now."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def load_all(url: str) -> None:
    """What workers are going to need is loaded once, before they part; an upgrade meanwhile changes none of it."""
    import pyexpat  # noqa: F401
    import random  # noqa: F401
    import tempfile  # noqa: F401
    import traceback  # noqa: F401

    from ..message import zipped  # noqa: F401
    from ..reports import dmarc_aggregate, smtp_tls  # noqa: F401

    if url.startswith(("http:", "https:")):
        from ..stores.client import load_client

        load_client()
