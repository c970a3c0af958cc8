"""A bucket of S3 as a way in: what comes is read and stored in groups, and how far it is stands in the state directory.

Objects are listed in the order of their keys, which is none of time (SES gives random ones). So a pass goes through
all keys, remembers how far it is, and the next one takes what was written since, with MARGIN before it: what was read
of that time already is remembered by its ETag.
"""

import errno
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from ..log import Log
from ..message.blob import Blob
from ..objects import Bucket, Object, ObjectsError, has_several
from ..process import Verdict
from . import remembered
from .folder import Looked, grouped
from .group import SAFE, Group, Task, Worker

MARGIN = 3600.0  # seconds: clocks that differ, and large objects, which are dated when their upload begins

_MBOX = Verdict("unfinished", "an mbox of several messages: fetch it, and name the file as a PATH")


class Marks:
    """How far the passes are, on disk."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fault = ""  # why the file was not read, for the log
        self.since = 0.0  # what is older was read, or is in `left`
        self.began = 0.0  # when the pass began that is not at its end; 0.0: there is none
        self.after = ""  # in that pass everything up to this key was read
        self.recent: dict[str, Object] = {}  # what was read and is not older than `since`
        self.left: dict[str, Object] = {}  # what is not safe yet
        self._load()
        self._saved = self.since

    def _load(self) -> None:
        try:
            content = remembered.read(self.path) or {}
            self.since, self.began = float(content.get("since", 0)), float(content.get("began", 0))
            self.after = str(content.get("after", ""))
            self.recent, self.left = _by_key(content.get("recent", ())), _by_key(content.get("left", ()))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            self.since, self.began, self.after, self.recent, self.left = 0.0, 0.0, "", {}, {}
            self.fault = remembered.damaged(self.path, error)

    def save(self) -> None:
        """Remember it. Raises OSError."""
        self._saved = self.since
        lists = {"recent": list(self.recent.values()), "left": list(self.left.values())}
        remembered.write(self.path, {"since": self.since, "began": self.began, "after": self.after, **lists})

    def is_new(self, one: Object) -> bool:
        """Whether an object is to be read in this pass."""
        before = self.recent.get(one.key) or self.left.get(one.key)
        return one.modified >= self.since and (before is None or before.etag != one.etag)

    def done(self, group: Sequence[Object], missed: Iterable[Object]) -> None:
        """A group was read: those that were missed come again."""
        again = {one.key: one for one in missed}
        for one in group:
            self.left.pop(one.key, None)
            if one.key not in again and one.modified >= self.began - MARGIN:
                self.recent[one.key] = one
        self.left.update(again)

    def end(self) -> None:
        """The pass is at its end. Raises OSError."""
        self.since, self.began, self.after = self.began - MARGIN, 0.0, ""
        self.recent = {key: one for key, one in self.recent.items() if one.modified >= self.since}
        if self.since - self._saved > MARGIN / 6:  # looks at which nothing was new need not all be remembered
            self.save()


def _by_key(values: Iterable[Any]) -> dict[str, Object]:
    objects = (Object(str(key), int(size), str(etag), float(modified)) for key, size, etag, modified in values)
    return {one.key: one for one in objects}


class BucketReader:
    """What is known of one bucket while a process lives. `over` says whether it is to end."""

    def __init__(
        self,
        bucket: Bucket,
        feed: str,
        worker: Worker,
        marks: Marks,
        over: Callable[[], bool],
        suspects: Mapping[int, Verdict],
        clock: Callable[[], float] = time.time,
        to: tuple[str, ...] = (),
    ) -> None:
        self._bucket = bucket
        self._feed = feed
        self._to = to
        self._worker = worker
        self._log: Log = worker.log
        self._marks = marks
        self._over = over
        self._suspects = suspects
        self._clock = clock

    def look(self) -> Looked:
        """Store everything that is new. Raises ObjectsError; OSError when what was read cannot be remembered."""
        marks = self._marks
        if marks.fault:
            self._log("warning", marks.fault)
            marks.fault = ""
        marks.began = marks.began or self._clock()
        again = list(marks.left.values())
        safe = 0
        for group, last in self._groups(again):
            missed = self._store(group)
            safe += len(group) - len(missed)
            marks.done(group, missed)
            marks.after = last
            marks.save()
            if len(missed) == len(group) or self._over():
                return Looked(safe, len(marks.left), away=len(missed) == len(group))
        marks.end()
        return Looked(safe, len(marks.left), away=False)

    def _groups(self, again: Sequence[Object]) -> Iterator[tuple[list[Object], str]]:
        """What is to be read, each group with the key up to which everything was read then; `again` at the end."""
        after = self._marks.after
        for page in self._bucket.pages(after):
            for group in grouped(one for one in page if self._marks.is_new(one)):
                after = group[-1].key
                yield group, after
        for group in grouped(one for one in again if one.key in self._marks.left):
            yield group, after

    def _store(self, group: Sequence[Object]) -> list[Object]:
        """Fetch and store some objects; those that are not safe. One that is gone is done with."""
        objects = {number_of(one): one for one in group}
        missed: list[Object] = []

        def answer(number: int, status: int, _category: str) -> None:
            if status != SAFE:
                missed.append(objects[number])

        working = Group(self._worker, answer)
        for number, one in objects.items():
            try:
                blob = self._bucket.fetch(one.key)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._log("error", f"{error.filename or self._bucket.url}: {error.strerror or error}")
                if error.errno != errno.EMSGSIZE:
                    missed.append(one)
                continue
            except ObjectsError as error:
                if not error.lasting:
                    raise
                self._log("error", str(error))
                missed.append(one)
                continue
            working.take(Task(number, self._feed, time.monotonic(), *self._suspect(number, blob), self._to), blob)
        working.commit()
        self._worker.warn()
        return missed

    def _suspect(self, number: int, blob: Blob) -> Verdict:
        """Why a copy is kept without reading; nothing of it for most."""
        return self._suspects.get(number) or (_MBOX if has_several(blob) else Verdict("", ""))


def number_of(one: Object) -> int:
    """What an object is called on the board: 63 bits of what names it, and never 0."""
    return int.from_bytes(sha256(f"{one.etag} {one.key}".encode()).digest()[:8]) >> 1 | 1 << 62
