"""Archives undone by content, bounded, as chunks: what is left is a report or is none of ours."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from .blob import CHUNK, Blob, Damaged, Memory, Slice
from .bounds import Bounds, OverBound, Problem
from .budget import Budget
from .containers import COSTS, Contents, Inside, open_container
from .forms import BLANKS, SNIFFED, STREAMS, form_of, sealed
from .inflate import small_member
from .streams import undone

__all__ = ["Damaged", "OverBound", "Payload", "find_payloads", "head"]

TOTAL = 4  # times bounds.archive_members, for all files of one attachment together
SMALL = 32 * 1024  # bytes of a file that is worth remembering
_ENDINGS = (".gz", ".gzip", ".z", ".bz2", ".xz", ".lzma", ".zst", ".zstd", ".p7m")

Open = Callable[[], Iterator[bytes]]
Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The last few small values: what is read several times in a row is made once, and memory stays what it was."""

    def __init__(self, most: int = 4) -> None:
        self._most = most
        self._values: dict[object, Value] = {}

    def get(self, key: object) -> Value | None:
        """The value, None when it is not there any more."""
        return self._values.get(key)

    def put(self, key: object, value: Value) -> None:
        """Remember a value in the place of the oldest one."""
        if len(self._values) >= self._most:
            del self._values[next(iter(self._values))]
        self._values[key] = value


_unpacked: Recent[bytes] = Recent()


class Payload(NamedTuple):
    """One file that was attached, with every archive around it undone."""

    place: str  # for people: part, file name, member
    name: str  # file name, a hint at most
    chunks: Open  # opened anew at each call; raises Damaged or OverBound while it is read
    warnings: Sequence[str] = ()  # complete once the file was read to its end
    message: bool = False  # it is a message, whatever its header looks like
    whole: bytes | None = None  # all of it, when it has CHUNK bytes at the most and was there at once

    def holding(self, chunks: Open) -> "Payload":
        """A file of the same name with other bytes."""
        return self._replace(chunks=chunks, whole=None)


def head(payload: Payload, size: int) -> bytes:
    """The first bytes of a file, fewer when it is shorter, damaged or over a bound."""
    return _first_bytes(payload.chunks, size)[0] if payload.whole is None else payload.whole[:size]


def find_payloads(outer: Payload, bounds: Bounds, budget: Budget | None = None) -> Iterator[Payload | Problem]:
    """The files in one attachment: itself, or what archives hold, in each other up to bounds.archive_depth.

    All of them together may hold TOTAL times bounds.archive_members, and inflate to what is left of `budget`, which
    all attachments of a message share. Its bytes may raise Damaged while they are read. What cannot be opened (7z,
    encrypted) is a Problem.
    """
    attachment = _Attachment(bounds, budget or Budget(bounds.message_bytes, bounds))
    whole = outer.whole if outer.whole is not None and attachment.fits(outer.whole) else None
    open_ = _remembering(outer.chunks) if whole is None else partial(_at_once, whole)
    return attachment.find(_File(outer.place, outer.name, open_, [], whole=whole), 0)


def _at_once(whole: bytes) -> Iterator[bytes]:
    return iter((whole,) if whole else ())


class _File(NamedTuple):
    place: str
    name: str
    open: Open
    notes: list[str]
    message: bool = False
    whole: bytes | None = None  # as in Payload


class _Attachment:
    """What the files of one attachment share: the bounds, and what is left of them."""

    def __init__(self, bounds: Bounds, budget: Budget) -> None:
        self.bounds = bounds
        self.budget = budget
        self.members = TOTAL * bounds.archive_members

    def fits(self, whole: bytes) -> bool:
        """Whether a file is small enough to be handed on at once."""
        return len(whole) <= min(CHUNK, self.bounds.xml_bytes)

    def find(self, file: _File, depth: int) -> Iterator[Payload | Problem]:
        """The files in a file that lies in `depth` archives."""
        first, fault = _first_bytes(file.open, SNIFFED) if file.whole is None else (file.whole[:SNIFFED], None)
        form = "" if file.message else form_of(first)
        if fault and not first and depth:
            yield Problem(file.place, str(fault))
        elif reason := "" if form else sealed(first):
            yield Problem(file.place, f"{reason}, which cannot be opened")
        elif not form:
            open_ = self._checked(file.open) if file.whole is None else file.open
            yield Payload(file.place, file.name, open_, file.notes, file.message, file.whole)
        elif depth >= self.bounds.archive_depth:
            yield Problem(file.place, f"more archives in each other than bounds.archive_depth = {depth}")
        elif form in STREAMS:
            yield from self.find(self._inflated(file, form), depth + 1)
        else:
            yield from self._contents(file, form, depth)

    def _inflated(self, file: _File, form: str) -> _File:
        name = _without_ending(file.name)
        whole = small_member(file.whole) if file.whole is not None and form in {"gzip", "zlib"} else b""
        if whole and self.fits(whole) and self.budget.has_room(len(whole)):
            self.budget.inflate(len(whole))
            return file._replace(name=name, open=partial(_at_once, whole), whole=whole)

        def unpacked() -> Iterator[bytes]:
            return undone(form, file.open(), file.notes)

        return file._replace(name=name, open=_remembering(self._metered(unpacked, COSTS.get(form, 1))), whole=None)

    def _contents(self, file: _File, form: str, depth: int) -> Iterator[Payload | Problem]:
        container = _Container(file, self.bounds, self.budget)
        try:
            contents = open_container(form, container.blob, self.bounds.archive_members)
        except OverBound as bound:
            yield Problem(file.place, str(bound))
            return
        if contents.note:
            file.notes.append(contents.note)
        if not contents.files and contents.note:
            yield Problem(file.place, f"{contents.note}, and no file was found in it")
        yield from self._files(file, contents, depth)

    def _files(self, file: _File, contents: Contents, depth: int) -> Iterator[Payload | Problem]:
        for inside in contents.files:
            if self.members <= 0 or self.budget.exhausted:  # the second is said by whoever met it
                break
            self.members -= 1
            try:
                self.budget.open_file()
            except OverBound as bound:
                yield Problem(file.place, str(bound))
                return
            yield from self._inside(file, inside, depth)
        if contents.more or self.members <= 0:
            yield Problem(file.place, f"more files than bounds.archive_members = {self.bounds.archive_members}")

    def _inside(self, file: _File, inside: Inside, depth: int) -> Iterator[Payload | Problem]:
        place = " / ".join(filter(None, (file.place, inside.name)))
        name = inside.name or _without_ending(file.name)
        if inside.refused:
            yield Problem(place, inside.refused)
            return
        open_ = _remembering(self._metered(inside.open, inside.cost))
        yield from self.find(_File(place, name, open_, list(file.notes), inside.message), depth + 1)

    def _checked(self, open_: Open) -> Open:
        bound = self.bounds.xml_bytes
        return lambda: _coalesce(_bounded(open_(), bound, "bounds.xml_bytes"))

    def _metered(self, open_: Open, cost: int = 1) -> Open:
        """The same bytes, bounded; what was not read before is counted, `cost` times where undoing it is slow."""
        counted = 0

        def opened() -> Iterator[bytes]:
            nonlocal counted
            size = 0
            for piece in _bounded(open_(), self.bounds.xml_bytes, "bounds.xml_bytes"):
                size += len(piece)
                if size > counted:
                    self.budget.inflate(cost * (size - counted))
                    counted = size
                yield piece

        return opened


def _without_ending(name: str) -> str:
    """The name of what is in the file: `r.xml` for `r.xml.gz`, `r.tar` for `r.tgz`."""
    stem, dot, ending = name.rpartition(".")
    if ending.lower() in {"tgz", "tbz", "tbz2", "txz", "tzst"}:
        return f"{stem}.tar"
    return stem if f"{dot}{ending}".lower() in _ENDINGS else name


class _Container:
    """A file whose bytes are needed in any order, and therefore are kept."""

    def __init__(self, file: _File, bounds: Bounds, budget: Budget) -> None:
        self._file = file
        self._bound = bounds.message_bytes
        self._budget = budget
        self._kept: Blob | None = None

    def blob(self) -> Blob:
        """Its bytes. Raises OverBound, and OSError when a temporary file cannot be written."""
        if self._kept is None:
            pieces = _bounded(self._file.open(), self._bound, "bounds.message_bytes")
            self._kept = _without_blanks(self._budget.keep(_undamaged(pieces, self._file.notes)))
        return self._kept


def _without_blanks(blob: Blob) -> Blob:
    first = blob.read(0, CHUNK)
    blanks = len(first) - len(first.lstrip(BLANKS))
    if not blanks:
        return blob
    return Memory(blob.data[blanks:]) if isinstance(blob, Memory) else Slice(blob, blanks, blob.size)


def _remembering(open_: Open) -> Open:
    """The same bytes; a small file is unpacked once, and not each time that it is looked at."""
    key = object()

    def opened() -> Iterator[bytes]:
        known = _unpacked.get(key)
        if known is not None:
            if known:
                yield known
            return
        arriving = open_()
        pieces: list[bytes] = []
        size = 0
        try:
            for piece in arriving:
                pieces.append(piece)
                size += len(piece)
                if size > SMALL:
                    break
            else:
                whole = b"".join(pieces)
                pieces = [whole] if whole else []
                _unpacked.put(key, whole)
        except (Damaged, OverBound):
            yield from pieces
            raise
        yield from pieces
        yield from arriving

    return opened


def _first_bytes(open_: Open, size: int) -> tuple[bytes, Damaged | OverBound | None]:
    """The first bytes, and why there are no more."""
    data = b""
    try:
        for piece in open_():
            data += piece
            if len(data) >= size:
                break
    except (Damaged, OverBound) as fault:
        return data[:size], fault
    return data[:size], None


def _undamaged(pieces: Iterator[bytes], notes: list[str]) -> Iterator[bytes]:
    try:
        yield from pieces
    except Damaged as fault:
        if str(fault) not in notes:
            notes.append(str(fault))


def _bounded(pieces: Iterator[bytes], bound: int, name: str) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > bound:
            yield piece[: len(piece) - (size - bound)]
            raise OverBound(f"the file has more bytes than {name} = {bound}")
        yield piece


def _coalesce(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces, so that nobody pays for each."""
    small: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            small.append(piece)
            size += len(piece)
            if size >= CHUNK // 2:
                yield b"".join(small)
                small.clear()
                size = 0
    except (Damaged, OverBound):
        if small:
            yield b"".join(small)
        raise
    if small:
        yield b"".join(small)
