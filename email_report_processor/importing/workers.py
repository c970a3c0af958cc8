"""Processes that work in parallel: items go in by tasks, frames come out, and one that dies takes nothing with it.

Each worker has a pipe for tasks and one for frames. A frame says how many items the worker is done with, in the order
in which it got them; the items of a worker that dies are tried again, each alone, and one that kills its worker once
more is given up. Pipes are short: who is quick waits for who is slow, and nothing piles up in between.

`os.fork` and not `multiprocessing`: this process has one thread, its children need what it has read already (settings,
modules), and what they say is a stream with a bound; multiprocessing costs 12 ms more and would need a queue of ours.
"""

import fcntl
import gc
import marshal
import os
import select
import signal
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

PIPE = 1024 * 1024  # bytes that the pipe of frames holds, where the system allows it
AHEAD = 2  # tasks that a worker has at once, so that it need not wait for the next one
TICK = 0.25  # seconds after which `run` says that nothing has come
_FRAME = struct.Struct("<BII")  # kind, items done, bytes
_TASK = struct.Struct("<I")  # bytes
_TAKEN = 255  # the kind of frame that says: a task was read

Item = tuple[Any, ...]  # what `marshal` can write


class Frame(NamedTuple):
    """What a worker says."""

    kind: int
    data: bytes


class Death(NamedTuple):
    """An item with which a worker died, alone."""

    item: Item
    reason: str


class Channel:
    """The worker's side."""

    def __init__(self, tasks: int, frames: int) -> None:
        self._tasks = tasks
        self._frames = frames

    def receive(self) -> list[Item] | None:
        """The next task; None when there will be none. Waits."""
        head = self._read(_TASK.size)
        if not head:
            return None
        task: list[Item] = marshal.loads(self._read(_TASK.unpack(head)[0]))  # noqa: S302  # from our own parent
        self.send(_TAKEN)
        return task

    def idle(self) -> bool:
        """Whether `receive` would wait."""
        return not select.select([self._tasks], [], [], 0)[0]

    def send(self, kind: int, done: int = 0, data: bytes = b"") -> None:
        """A frame; `done` counts items that need not be done again. Waits while the parent is busy."""
        view = memoryview(_FRAME.pack(kind, done, len(data)) + data)
        while view:
            view = view[os.write(self._frames, view) :]

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (piece := os.read(self._tasks, size - len(data))):
            data += piece
        return data


class _Worker:
    """The parent's side."""

    def __init__(self, pid: int, tasks: int, frames: int, alone: bool) -> None:
        self.pid = pid
        self.tasks = tasks
        self.frames = frames
        self.items: deque[Item] = deque()  # that it is not done with
        self.unread = 0  # tasks
        self.alone = alone  # whether it has one item only, because that may kill it
        self.buffer = bytearray()

    def give(self, task: Sequence[Item]) -> None:
        """Never waits: AHEAD tasks fit into a pipe."""
        data = marshal.dumps(list(task))
        self.items.extend(task)
        self.unread += 1
        try:
            _write(self.tasks, _TASK.pack(len(data)) + data)
        except BrokenPipeError:
            return  # it died: `run` sees that at its other pipe

    def spoken(self) -> Iterator[Frame]:
        """Whole frames only."""
        place = 0
        while len(self.buffer) - place >= _FRAME.size:
            kind, done, size = _FRAME.unpack_from(self.buffer, place)
            end = place + _FRAME.size + size
            if end > len(self.buffer):
                break
            for _ in range(done):
                self.items.popleft()
            if kind == _TAKEN:
                self.unread -= 1
            else:
                yield Frame(kind, bytes(memoryview(self.buffer)[place + _FRAME.size : end]))
            place = end
        del self.buffer[:place]


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class Crew:
    """Some workers. `work` runs in each of them, with its Channel; `number` is how many there are at the most."""

    def __init__(self, number: int, work: Callable[[Channel], None]) -> None:
        self._number = number
        self._work = work
        self._workers: list[_Worker] = []
        self._again: deque[Item] = deque()  # items of workers that died
        self._life = os.pipe2(os.O_CLOEXEC)  # ends with this process
        self._poll = select.poll()

    def run(self, tasks: Iterator[list[Item]]) -> Iterator[Frame | Death | None]:
        """What the workers say until all tasks are done; None every TICK seconds in which they say nothing.

        An empty task stands for: all tasks so far must be done before the next one is asked for.
        """
        waiting = exhausted = False
        while True:
            if waiting and not self._busy():
                waiting = False
            while not (waiting or exhausted) and (worker := self._free()):
                task = next(tasks, None)
                exhausted, waiting = task is None, task == []
                if task:
                    worker.give(task)
            while self._again and (worker := self._free(alone=True)):
                worker.give([self._again.popleft()])
            if exhausted and not self._busy():
                return
            yield from self._listen()

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        for worker in self._workers:
            os.kill(worker.pid, signal.SIGKILL)
            self._bury(worker)
        self._workers.clear()
        for descriptor in self._life:
            os.close(descriptor)

    def _busy(self) -> bool:
        return bool(self._again) or any(worker.items for worker in self._workers)

    def _free(self, *, alone: bool = False) -> _Worker | None:
        """A worker that can take a task; for an item that may kill it, one that has nothing else."""
        if self._again and not alone:
            return None  # first what is left over
        for worker in sorted(self._workers, key=lambda worker: worker.unread):
            if not worker.items or not (alone or worker.alone or worker.unread >= AHEAD):
                worker.alone = alone
                return worker
        return self._start(alone) if len(self._workers) < self._number else None

    def _listen(self) -> Iterator[Frame | Death | None]:
        ready = self._poll.poll(TICK * 1000)
        if not ready:
            yield None
        for descriptor, _ in ready:
            worker = next(worker for worker in self._workers if worker.frames == descriptor)
            piece = os.read(descriptor, PIPE)
            if piece:
                worker.buffer += piece
                yield from worker.spoken()
            else:
                yield from self._lost(worker)

    def _lost(self, worker: _Worker) -> Iterator[Death]:
        """A worker that ended before it was told to."""
        self._workers.remove(worker)
        reason = self._bury(worker)
        if worker.alone and worker.items:
            yield Death(worker.items.popleft(), reason)
        self._again.extend(worker.items)

    def _bury(self, worker: _Worker) -> str:
        """How a worker ended."""
        self._poll.unregister(worker.frames)
        os.close(worker.tasks)
        os.close(worker.frames)
        code = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
        if code == -signal.SIGKILL:
            return "the process that read it was killed (not enough memory?)"
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        return f"the process that read it {how}"

    def _start(self, alone: bool) -> _Worker:
        tasks, frames = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
        for descriptor in (tasks[1], frames[1]):
            _enlarge(descriptor)
        gc.freeze()  # what is here already is never garbage, and stays shared
        pid = os.fork()
        if pid == 0:
            others = [end for other in self._workers for end in (other.tasks, other.frames)]
            for descriptor in (tasks[1], frames[0], self._life[1], *others):
                os.close(descriptor)
            _live(self._work, Channel(tasks[0], frames[1]), self._life[0])
        os.close(tasks[0])
        os.close(frames[1])
        worker = _Worker(pid, tasks[1], frames[0], alone)
        self._workers.append(worker)
        self._poll.register(worker.frames, select.POLLIN)
        return worker


def _enlarge(descriptor: int) -> None:
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE)
    except OSError:
        return  # more than /proc/sys/fs/pipe-max-size: it works with less


def _live(work: Callable[[Channel], None], channel: Channel, life: int) -> NoReturn:
    """A worker from its first to its last moment. Ctrl-C is for the parent, which ends the workers."""
    status = 70  # EX_SOFTWARE
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        threading.Thread(target=_end_with_parent, args=(life,), daemon=True).start()
        work(channel)
        status = 0
    except BrokenPipeError:
        status = 0  # the parent has gone
    finally:
        if status:  # whatever it is, the parent learns that it ended
            sys.excepthook(*sys.exc_info())
        os._exit(status)


def _end_with_parent(life: int) -> NoReturn:
    os.read(life, 1)
    os._exit(0)
