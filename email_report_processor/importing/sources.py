"""What a person names (files, mboxes, Maildirs, directories) as messages, found lazily and in a stable order.

Content decides what a file is. Nothing is moved, changed or deleted, and nothing here is held in memory but where the
messages stand: a 4 GB mbox is streamed, a directory of a million files is read page by page.
"""

import errno
import heapq
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import BinaryIO, NamedTuple

from ..message import mbox
from ..message.blob import IN_MEMORY, Blob, Damaged, File, Memory, Slice, temporary_file
from ..message.mail import looks_like_mail
from ..message.packed import HEAD, packed_mail
from ..message.streams import undone
from ..objects import SCHEME, Bucket, S3Options, has_several, is_url, parts
from ..stores.kept import untouched

PIECE = 1024 * 1024  # bytes of an mbox that are read at once
PAGE = 50_000  # names of a directory that are held at once
WINDOW = 64 * 1024**2  # bytes of a compressed mbox that lie unpacked in a temporary file at once
LARGEST = 1024**3  # bytes of one message in a compressed mbox: what follows a larger one is not read


class Item(NamedTuple):
    """One message, or one bare report: where its bytes are. Plain values, since it goes to another process."""

    number: int  # in the order in which they were found
    path: str
    start: int = 0
    stop: int = -1  # -1: all of the file
    kind: str = ""  # 'mbox', 'unpacked' (start and stop are in the temporary file), 'object', '' for a file of its own
    weight: int = 0  # bytes of the sources that it stands for
    offset: int = 0  # for people: where it begins in the mbox

    @property
    def place(self) -> str:
        """For people."""
        if self.kind == "unpacked":
            return f"{self.path} at byte {self.offset} unpacked"
        return f"{self.path} at byte {self.offset}" if self.kind == "mbox" else self.path


class Unread(NamedTuple):
    """A file, a directory or the rest of one that cannot be read."""

    number: int  # in one order with those of items
    place: str
    reason: str


class Wait(NamedTuple):
    """All messages so far must be done with before the next one is asked for: their bytes go away."""


Found = Item | Unread | Wait


class Sources:
    """The messages of some paths. `unpacked` is the descriptor of the temporary file of compressed mboxes."""

    def __init__(self, paths: list[str], s3: S3Options | None = None) -> None:
        self.paths = paths
        self._s3 = s3 or S3Options()
        self.unpacked = temporary_file()
        self._number = 0

    def find(self) -> Iterator[Found]:
        """Everything, path by path. Raises OSError only when a temporary file cannot be written, and ObjectsError."""
        for path in self.paths:
            yield from self._objects(path) if is_url(path) else self._path(path, ())

    def _objects(self, url: str) -> Iterator[Found]:
        """The objects of S3 below a place."""
        bucket = Bucket(url, self._s3)
        for page in bucket.pages():
            for one in page:
                yield self._item(f"{SCHEME}{bucket.name}/{one.key}", kind="object", weight=one.size)

    def _path(self, path: str, above: tuple[tuple[int, int], ...]) -> Iterator[Found]:
        try:
            about = os.stat(path)
            if stat.S_ISDIR(about.st_mode):
                identity = (about.st_dev, about.st_ino)
                if identity in above:
                    return  # a link to a directory around it
                yield from self._directory(path, (*above, identity))
            elif stat.S_ISREG(about.st_mode):
                yield from self._file(path, about.st_size)
            else:
                yield self._unread(path, "it is neither a file nor a directory")
        except OSError as error:
            if error.filename is None:  # not of a source: our temporary file
                raise
            yield self._unread(path, error.strerror or str(error))

    def _directory(self, path: str, above: tuple[tuple[int, int], ...]) -> Iterator[Found]:
        """A Maildir's messages are in new/ and cur/; what else lies there is its program's (maildir(5))."""
        maildir = all(os.path.isdir(os.path.join(path, name)) for name in ("cur", "new"))
        if maildir:
            yield from self._messages(os.path.join(path, "new"))
            yield from self._messages(os.path.join(path, "cur"))
        for name in names(path):
            inner = os.path.join(path, name)
            if not maildir or (name not in {"cur", "new", "tmp"} and os.path.isdir(inner)):
                yield from self._path(inner, above)

    def _messages(self, folder: str) -> Iterator[Found]:
        """The files of a folder of a Maildir: each is one message, whatever it begins with."""
        try:
            for name in names(folder):
                path = os.path.join(folder, name)
                try:
                    about = os.stat(path)
                except OSError as error:
                    yield self._unread(path, error.strerror or str(error))
                    continue
                if stat.S_ISREG(about.st_mode):
                    yield self._item(path, weight=about.st_size)
        except OSError as error:
            yield self._unread(folder, error.strerror or str(error))

    def _file(self, path: str, size: int) -> Iterator[Found]:
        with open(path, "rb", buffering=0) as file:
            head = next(_pieces(path, file.read, HEAD), b"")
            file.seek(0)
            if mbox.is_mbox(head) or self._is_mbox_all_the_same(path, file, head):
                for start, stop in mbox.messages(_pieces(path, file.read)):
                    yield self._item(path, start, stop, "mbox", stop - start, start)
            elif form := packed_mail(head):
                yield from self._compressed(path, form, _pieces(path, file.read))
            else:
                yield self._item(path, weight=size)

    def _is_mbox_all_the_same(self, path: str, file: BinaryIO, head: bytes) -> bool:
        """Whether it is an mbox whose first message has no separator."""
        if not looks_like_mail(head) or (len(head) < HEAD and b"\nFrom " not in head.replace(b"\r", b"\n")):
            return False
        found = mbox.begins_without_separator(head, _pieces(path, file.read))
        file.seek(0)
        return found

    def _compressed(self, path: str, form: str, pieces: Iterator[bytes]) -> Iterator[Found]:
        """The messages of an mbox, or the one message, in a stream."""
        window = _Window(self.unpacked, form)
        for start, stop in mbox.messages(window.filled(pieces)):
            place = start - window.base
            yield self._item(path, place, place + stop - start, "unpacked", window.spent(), start)
            if window.size > WINDOW:
                yield Wait()
                window.drop(stop)
        if window.damage:
            yield self._unread(
                path, f"{window.damage}; what came before byte {window.base + window.size} unpacked is read"
            )
        yield Wait()

    def _item(
        self, path: str, start: int = 0, stop: int = -1, kind: str = "", weight: int = 0, offset: int = 0
    ) -> Item:
        self._number += 1
        return Item(self._number, path, start, stop, kind, weight, offset)

    def _unread(self, place: str, reason: str) -> Unread:
        self._number += 1
        return Unread(self._number, place, reason)


class _Window:
    """The bytes of a compressed mbox that are in the temporary file."""

    def __init__(self, descriptor: int, form: str) -> None:
        self.descriptor = descriptor
        self.form = form
        self.base = 0  # where in the unpacked bytes the temporary file begins
        self.size = 0
        self.damage = ""  # why the unpacked bytes end before they should
        self._packed = 0

    def filled(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The unpacked bytes, each piece written before it is handed on. Raises OSError."""
        try:
            for piece in undone(self.form, self._counted(pieces), []):
                _write(self.descriptor, piece, self.size)
                self.size += len(piece)
                yield piece
                if self.size > LARGEST:
                    self.damage = f"it holds a message of more than {LARGEST} bytes"
                    return
        except Damaged as damage:
            self.damage = str(damage)

    def drop(self, stop: int) -> None:
        """Nobody needs what is before `stop` any more. Raises OSError."""
        rest = os.pread(self.descriptor, self.size, stop - self.base) if stop - self.base < self.size else b""
        os.ftruncate(self.descriptor, 0)
        _write(self.descriptor, rest, 0)
        self.base, self.size = stop, len(rest)

    def spent(self) -> int:
        """Packed bytes since it was asked for the last time."""
        packed, self._packed = self._packed, 0
        return packed

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._packed += len(piece)
            yield piece


def names(path: str) -> Iterator[str]:
    """The names in a directory in their order, PAGE of them in memory at the most. Raises OSError."""
    last = ""
    while True:
        with os.scandir(path) as entries:
            found = (entry.name for entry in entries if entry.name > last)
            page = sorted(islice(found, PAGE))
            rest = next(found, None)
            if rest is not None:
                page = heapq.nsmallest(PAGE, chain(page, (rest,), found))
        yield from page
        if rest is None:
            return
        last = page[-1]


def _pieces(path: str, read: Callable[[int], bytes], size: int = PIECE) -> Iterator[bytes]:
    """A file to its end. Raises OSError that names it."""
    try:
        while piece := read(size):
            yield piece
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


def _write(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, at)
        view, at = view[done:], at + done


class Opener:
    """Gives the bytes of messages, in any process. Holds the last file open: messages of one mbox follow each other."""

    def __init__(self, unpacked: int, s3: S3Options | None = None) -> None:
        self._unpacked = File(os.dup(unpacked), 2**62)
        self._s3 = s3 or S3Options()
        self._bucket: Bucket | None = None
        self._path = ""
        self._file: File | None = None

    def blob(self, item: Item) -> Blob:
        """A message as it came, without what mboxes and our kept messages add to it. Raises OSError, ObjectsError."""
        if item.kind == "object":
            return untouched(self._object(item.path))
        file = self._unpacked if item.kind == "unpacked" else self._opened(item.path)
        start, stop = item.start, item.stop if item.stop >= 0 else file.size
        small = stop - start <= IN_MEMORY
        blob: Blob = Memory(file.read(start, stop)) if small else Slice(file, start, stop)
        return untouched(mbox.unquoted(blob) if item.kind else blob)

    def _object(self, url: str) -> Blob:
        name, key = parts(url)
        if self._bucket is None or self._bucket.name != name:
            self._bucket = Bucket(f"{SCHEME}{name}", self._s3)
        blob = self._bucket.fetch(key)
        if has_several(blob):
            raise OSError(errno.EINVAL, "an mbox of several messages: fetch it, and name the file", url)
        return blob

    def _opened(self, path: str) -> File:
        if self._file is None or path != self._path:
            self._file = None
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                descriptor = os.open(_moved(path), os.O_RDONLY | os.O_CLOEXEC)
            self._file, self._path = File(descriptor, os.fstat(descriptor).st_size), path
        return self._file


def _moved(path: str) -> str:
    """Where a message of a Maildir went: its reader moves it from new/ to cur/ and writes flags behind its name."""
    folder, name = os.path.split(path)
    current = os.path.join(os.path.dirname(folder), "cur")
    unique = name.partition(":")[0]
    if os.path.basename(folder) in {"cur", "new"} and os.path.isdir(current):
        for other in os.listdir(current):
            if other.partition(":")[0] == unique:
                return os.path.join(current, other)
    raise FileNotFoundError(2, "it is no longer there", path)


def sizes(paths: Iterable[str]) -> Iterator[int]:
    """Bytes of each file below some paths, for the time that is left. What cannot be read counts as nothing."""
    for path in paths:
        files: Iterable[str] = (path,)
        if os.path.isdir(path):
            files = (os.path.join(folder, name) for folder, _, found in os.walk(path) for name in found)
        for file in files:
            try:
                yield os.stat(file).st_size
            except OSError:
                continue
