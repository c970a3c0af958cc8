"""Between connections and workers: which messages go together, how long each may take, and what a lost worker means.

Messages that arrive together share a group, and so a transaction or a bulk (group commit). While another message is on
its way a group waits for it: 5 ms at the most, and less the less often that was worth it.

Nobody waits for somebody else's message: the companions of one at which a worker sits for STUCK seconds go to another
worker too, and whoever is done first counts, since doing it twice changes nothing.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from ..log import Log
from .board import ROOM, At
from .group import OURS, Task
from .spool import Spool
from .worker import MOST, Frame, Placed, Process

COMPANY = 0.005  # seconds to wait for another message at the most
STUCK = 2.0  # seconds at one message, after which its companions go elsewhere
TICK = 0.25  # seconds between two looks at what takes long
STILL_TAKING = 10.0  # seconds, or half of the deadline: a store that took a row within them was answering, as in cli
RESTING = 1.0  # seconds before the next start, when a worker ended before it finished anything


class Delivery:
    """A message that waits for its answer."""

    def __init__(
        self, number: int, spool: Spool, feed: str, answer: Callable[[int], None], to: tuple[str, ...] = ()
    ) -> None:
        self.number = number
        self.spool = spool
        self.feed = feed
        self.to = to
        self.answer = answer
        self.came = time.monotonic()
        self.again = False  # another worker had it: it goes alone
        self.category = self.reason = ""  # to be kept for this, without being read once more

    @property
    def task(self) -> Task:
        """What the worker is told."""
        return Task(self.number, self.feed, self.came, self.category, self.reason, self.to)


class Limits(NamedTuple):
    """What workers may take."""

    workers: int
    deadline: float  # seconds for one message
    memory: int  # bytes of a worker, above which it is replaced


class Busy:
    """A worker, and what it has to do."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.group: dict[int, Delivery] = {}
        self.working = False
        self.leaving = False  # it gets nothing more
        self.useful = False  # it finished something

    @property
    def free(self) -> bool:
        """Whether it can take a group."""
        return not (self.working or self.leaving)


class Company:
    """How long a group waits for others: longer when they came, shorter when not."""

    def __init__(self) -> None:
        self.seconds = COMPANY / 2

    def came(self, more: bool) -> None:
        """Whether the last wait was worth it, or would have been."""
        self.seconds = min(COMPANY, self.seconds * 2 + COMPANY / 16) if more else self.seconds / 2


class Dispatch:
    """What waits, and the workers. `start` makes a worker; `coming` counts messages that are on their way."""

    def __init__(self, start: Callable[[], Process], coming: Callable[[], int], limits: Limits, log: Log) -> None:
        self._start = start
        self._coming = coming
        self._limits = limits
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Delivery] = deque()
        self._workers: list[Busy] = []
        self._ending: list[Process] = []
        self._open: dict[int, Delivery] = {}  # all that have no answer
        self._number = 0
        self._company = Company()
        self._until = 0.0  # when the wait for company is over; 0.0: there is none
        self._rest = 0.0  # no worker is started before
        self._closed = False

    def add(self, spool: Spool, feed: str, answer: Callable[[int], None], to: tuple[str, ...] = ()) -> None:
        """A message is complete, to an address of these tenants. `answer` is called once, with SAFE or OURS."""
        self._number += 1
        delivery = Delivery(self._number, spool, feed, answer, to)
        self._open[delivery.number] = delivery
        if spool.fault:
            self._give_back(delivery, spool.fault)
        else:
            self._waiting.append(delivery)
            self._assign()

    def renew(self, start: Callable[[], Process], limits: Limits, log: Log) -> None:
        """New settings: workers of the old ones finish what they have."""
        self._start, self._limits, self._log = start, limits, log
        for worker in list(self._workers):
            self._retire(worker)
        self._assign()

    def close(self) -> None:
        """End all workers; what they have is the mail server's."""
        self._closed = True
        for delivery in list(self._open.values()):
            self._give_back(delivery, "this process ends")
        for worker in list(self._workers):
            if worker.working:
                worker.process.kill()
            self._leave(worker)

    # Groups

    def _assign(self) -> None:
        """Give what waits to workers that are free."""
        while self._waiting and not self._closed and not self._better_wait():
            worker = self._free_worker()
            if worker is None:
                return
            self._give(worker, self._next_group())

    def _better_wait(self) -> bool:
        """Whether another message is to be waited for."""
        now = time.monotonic()
        if not self._until:
            many = len(self._waiting)
            if many >= MOST or self._waiting[0].again or not self._coming():
                self._company.came(many > 1)
                return False
            self._until = now + self._company.seconds
            self._loop.call_later(self._company.seconds, self._waited, many)
        return now < self._until and len(self._waiting) < MOST and self._coming() > 0

    def _waited(self, many: int) -> None:
        self._company.came(len(self._waiting) > many)
        self._until = min(self._until, time.monotonic())
        self._assign()

    def _free_worker(self) -> Busy | None:
        for worker in self._workers:
            if worker.free:
                return worker
        if sum(not worker.leaving for worker in self._workers) >= self._limits.workers:
            return None
        if time.monotonic() < self._rest:
            return None  # `tick` comes again
        try:
            worker = Busy(self._start())
        except OSError as error:  # no memory, no descriptors, too many processes
            self._log("error", f"no process can be started to read messages: {error.strerror}")
            self._rest = time.monotonic() + RESTING
            return None
        self._workers.append(worker)
        self._loop.add_reader(worker.process.channel, self._hear, worker)
        return worker

    def _next_group(self) -> list[Delivery]:
        """The first that wait: a share of them, as many as fit; one that lies in a file, or comes again, alone."""
        self._until = 0.0
        idle = self._limits.workers - sum(worker.working for worker in self._workers)
        share = min(MOST, -(-len(self._waiting) // max(1, idle)))
        group: list[Delivery] = []
        size = 0
        while self._waiting and len(group) < share:
            first = self._waiting[0]
            big = first.again or first.spool.file >= 0
            if group and (big or size + first.spool.size > ROOM):
                break
            group.append(self._waiting.popleft())
            size += first.spool.size
            if big:
                break
        return group

    def _give(self, worker: Busy, group: list[Delivery]) -> None:
        placed: list[Placed] = []
        place = 0
        for delivery in group:
            spool = delivery.spool
            in_file = spool.file >= 0
            if not in_file:
                worker.process.board.put(place, spool.data())
            placed.append(Placed(delivery.task, spool.size, -1 if in_file else place))
            place += 0 if in_file else spool.size
        worker.group = {delivery.number: delivery for delivery in group}
        worker.working = True
        try:
            worker.process.give(placed, [one.spool.file for one in group if one.spool.file >= 0])
        except ConnectionError:
            return  # it died: `_hear` is told so

    # Answers

    def _hear(self, worker: Busy) -> None:
        frames = worker.process.heard()
        if frames is None:
            self._lost(worker)
            return
        for frame in frames:
            self._take(worker, frame)
        self._assign()

    def _take(self, worker: Busy, frame: Frame) -> None:
        answers, memory = frame
        for number, status in answers:
            worker.group.pop(number, None)
            self._answer(number, status)
        if memory:
            worker.working, worker.useful = False, True
            if worker.leaving or memory > self._limits.memory:
                self._retire(worker)

    def _answer(self, number: int, status: int) -> None:
        delivery = self._open.pop(number, None)
        if delivery is None:
            return  # another worker was quicker
        delivery.spool.close()
        delivery.answer(status)

    def _give_back(self, delivery: Delivery, reason: str) -> None:
        self._log("error", f"the mail server keeps the message: {reason}")
        self._answer(delivery.number, OURS)

    # Workers that end

    def _retire(self, worker: Busy) -> None:
        worker.leaving = True
        if not worker.working:
            self._leave(worker)

    def _leave(self, worker: Busy) -> None:
        """Let a worker end by itself; `tick` sees that it did."""
        self._workers.remove(worker)
        self._loop.remove_reader(worker.process.channel)
        worker.process.close()
        self._ending.append(worker.process)

    def _lost(self, worker: Busy) -> None:
        """A worker died: the mail server keeps what it was at; the others are tried again, each alone."""
        at = worker.process.board.at().number
        self._leave(worker)
        how = self._ending.pop().ended(wait=True)
        if not worker.useful:
            self._rest = time.monotonic() + RESTING
        for delivery in self._unanswered(worker):
            if delivery.number == at or delivery.again:
                self._give_back(delivery, f"the process that read it {how}")
            else:
                self._again(delivery)
        self._assign()

    def _unanswered(self, worker: Busy) -> list[Delivery]:
        return [delivery for number, delivery in worker.group.items() if number in self._open]

    def _again(self, delivery: Delivery) -> None:
        delivery.again = True
        self._waiting.append(delivery)

    # What takes long

    def tick(self) -> None:
        """Look at what takes long; to be called every TICK seconds."""
        now = time.monotonic()
        self._ending = [process for process in self._ending if not process.ended()]
        for worker in list(self._workers):
            if worker.working:
                self._look(worker, now)
        for delivery in [one for one in self._waiting if self._is_late(one, now)]:
            self._waiting.remove(delivery)
            self._give_back(delivery, f"not begun within {self._limits.deadline:g} s")
        self._assign()

    def _look(self, worker: Busy, now: float) -> None:
        """Whether a worker sits too long at something, and who must not wait for that."""
        at = worker.process.board.at()
        others = [delivery for delivery in self._unanswered(worker) if delivery.number != at.number]
        late = [delivery for delivery in others if self._is_late(delivery, now)]
        own = self._open.get(at.number)
        if now - at.since > self._limits.deadline or (self._is_late(own, now) if own else late and not at.number):
            self._cut(worker, at, now)
            return
        for delivery in late:
            self._give_back(delivery, f"not done after {self._limits.deadline:g} s")
        if at.number and now - at.since > STUCK:
            for delivery in others:
                if delivery.number in self._open and not delivery.again:
                    self._again(delivery)

    def _is_late(self, delivery: Delivery, now: float) -> bool:
        return now - delivery.came > self._limits.deadline

    def _cut(self, worker: Busy, at: At, now: float) -> None:
        """The deadline of what a worker is at has passed, and nobody but the kernel can stop it."""
        seconds = self._limits.deadline
        alive = not at.taken or now - at.taken < min(STILL_TAKING, seconds / 2)
        worker.process.kill()
        self._leave(worker)
        for delivery in self._unanswered(worker):
            if delivery.number == at.number and alive and not delivery.category:
                # It would not be done next time: see cli._late.
                delivery.category = "unfinished"
                delivery.reason = f"reading and storing it takes longer than {seconds:g} s"
                delivery.came = now
                self._again(delivery)
            elif self._is_late(delivery, now) or delivery.again:
                self._give_back(delivery, f"not done after {seconds:g} s")
            else:
                self._again(delivery)
