"""Payloads: gzip and zip as they come, broken in every way, and bounded."""

import gzip
import io
import random
import struct
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.message.blob import CHUNK, IN_MEMORY, Memory
from email_report_processor.message.bounds import Bounds, Problem
from email_report_processor.message.budget import Budget
from email_report_processor.message.inflate import gunzip
from email_report_processor.message.payload import SMALL, Damaged, OverBound, Payload, find_payloads, head
from email_report_processor.message.zipped import read_directory
from tests.linear import TIMES, assert_linear, ratio
from tests.places import CORPUS

XML = b"<?xml version='1.0'?>\n<feedback>" + b"".join(b"<record>%d</record>" % n for n in range(2000)) + b"</feedback>"
DEFAULT = Bounds()
NOISE = random.Random(1).randbytes(20_000)


def opened(data: bytes, size: int = 1000, damaged: bool = False) -> Callable[[], Iterator[bytes]]:
    def chunks() -> Iterator[bytes]:
        for at in range(0, len(data), size):
            yield data[at : at + size]
        if damaged:
            raise Damaged("the base64 text ends early")

    return chunks


def find(data: bytes, bounds: Bounds = DEFAULT, *, size: int = 1000, damaged: bool = False) -> list[Payload | Problem]:
    return list(find_payloads(Payload("2", "r.xml.gz", opened(data, size, damaged)), bounds))


def one(data: bytes, bounds: Bounds = DEFAULT, *, size: int = 1000, damaged: bool = False) -> Payload:
    (found,) = find(data, bounds, size=size, damaged=damaged)
    assert isinstance(found, Payload), found
    return found


def problem(data: bytes, bounds: Bounds = DEFAULT) -> str:
    (found,) = find(data, bounds)
    assert isinstance(found, Problem), found
    return found.reason


def content(payload: Payload) -> tuple[bytes, str]:
    """What comes, and why no more comes."""
    out = []
    try:
        for piece in payload.chunks():
            assert piece
            out.append(piece)
    except (Damaged, OverBound) as fault:
        return b"".join(out), f"{type(fault).__name__}: {fault}"
    return b"".join(out), ""


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    write_zip(file, files, method)
    return file.getvalue()


def write_zip(file: IO[bytes], files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


class Pipe(io.BytesIO):
    """A file that cannot seek: zipfile then writes sizes behind the data, as streaming writers do."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError("a pipe has no place")

    def seek(self, at: int, whence: int = 0) -> int:
        raise OSError("a pipe has no place")


def streamed(files: dict[str, bytes]) -> bytes:
    pipe = Pipe()
    write_zip(pipe, files)
    return pipe.getvalue()


def test_itself() -> None:
    payload = one(XML)
    assert (payload.place, payload.name, list(payload.warnings)) == ("2", "r.xml.gz", [])
    assert content(payload) == content(payload) == (XML, "")
    assert head(payload, 5) == b"<?xml"
    assert (content(one(b"")), head(one(b""), 5)) == ((b"", ""), b"")


@pytest.mark.parametrize("before", [b"", b"\r\n", b" \n\t\n"])
def test_gzip(before: bytes) -> None:
    payload = one(before + gzip.compress(XML))
    assert (content(payload), payload.name, list(payload.warnings)) == ((XML, ""), "r.xml", [])


def test_gzip_with_a_name_in_it_and_a_zlib_stream() -> None:
    named = io.BytesIO()
    with gzip.GzipFile("some.xml", "wb", fileobj=named) as file:
        file.write(XML)
    assert content(one(named.getvalue())) == (XML, "")
    assert content(one(zlib.compress(XML))) == (XML, "")
    assert content(one(b"x\x9c is no zlib")) == (b"x\x9c is no zlib", "")


def test_gzip_members_follow_one_another() -> None:
    data = gzip.compress(b"<a>") + gzip.compress(b"") + b"\0" * 5 + gzip.compress(b"</a>")
    payload = one(data)
    assert (content(payload), list(payload.warnings)) == ((b"<a></a>", ""), [])
    assert content(one(gzip.compress(XML) * 3, size=7)) == (XML * 3, "")


@pytest.mark.parametrize("behind", [b"\r\n", b"\0" * 700, b"\0" * 200_000, b"junk", b"\n<footer>"])
def test_bytes_behind_gzip_are_ignored_with_a_warning(behind: bytes) -> None:
    """Mimecast adds CR LF, which gzip.decompress refuses."""
    payload = one(gzip.compress(XML) + behind)
    assert content(payload) == content(payload) == (XML, "")
    assert list(payload.warnings) == ["bytes behind the gzip data were ignored"]


def test_damage_behind_gzip_is_a_warning() -> None:
    payload = one(gzip.compress(XML), damaged=True)
    assert content(payload) == (XML, "")
    assert list(payload.warnings) == ["behind the gzip data: the base64 text ends early"]


@pytest.mark.parametrize("second", [gzip.compress(b"more", mtime=0), b"rubbish"])
def test_members_that_come_piece_by_piece(second: bytes) -> None:
    """A small first member is read at a stretch, what follows it is not forgotten."""
    whole = gzip.compress(XML) + second
    at = len(gzip.compress(XML))
    for cut in (at, at + 1, len(whole)):
        pieces = [piece for piece in (whole[:cut], whole[cut:]) if piece]
        notes: list[str] = []
        read = b"".join(gunzip(pieces, notes))
        assert read == XML + (b"more" if second.startswith(b"\x1f\x8b") else b"")
        assert notes == (["bytes behind the gzip data were ignored"] if second == b"rubbish" else [])


def test_truncated_gzip_gives_all_that_there_is() -> None:
    whole = gzip.compress(XML)
    for cut in (1, 8, 9, 100, len(whole) // 2):
        out, fault = content(one(whole[:-cut]))
        assert fault == "Damaged: the gzip data ends early"
        assert out == zlib.decompressobj(31).decompress(whole[:-cut])
    out, fault = content(one(whole[:-100], damaged=True))
    assert (fault, XML.startswith(out)) == ("Damaged: the base64 text ends early", True)


def test_corrupted_gzip_gives_all_up_to_the_fault() -> None:
    whole = bytearray(gzip.compress(NOISE))
    whole[-8] ^= 1  # the checksum
    out, fault = content(one(bytes(whole)))
    assert out == NOISE
    assert fault.startswith("Damaged: the gzip data is broken")
    stored = zlib.compressobj(0, wbits=31)
    blocks = bytearray(stored.compress(NOISE) + stored.flush(zlib.Z_FULL_FLUSH))
    out, fault = content(one(bytes(blocks) + b"\xff" * 50))
    assert (out, "is broken" in fault) == (NOISE, True)


def test_gzip_that_gives_nothing_is_a_problem() -> None:
    assert "is broken" in problem(gzip.compress(XML)[:10] + b"\xff" * 50)
    assert problem(gzip.compress(XML)[:12]) == "the gzip data ends early"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("around", [(b"", b""), (b"\r\n", b"\r\n"), (b"PK00", b"")])
def test_zip(method: int, around: tuple[bytes, bytes]) -> None:
    data = around[0] + zipped({"d/": b"", "d/a.xml": XML, "b": b"", "ü.txt": b"hello"}, method) + around[1]
    found = find(data)
    assert [(item.place, item.name) for item in found if isinstance(item, Payload)] == [
        ("2 / d/a.xml", "d/a.xml"),
        ("2 / b", "b"),
        ("2 / ü.txt", "ü.txt"),
    ]
    assert [content(item) for item in found if isinstance(item, Payload)] == [(XML, ""), (b"", ""), (b"hello", "")]


def test_zip_with_sizes_behind_the_data_and_zip64() -> None:
    assert content(one(streamed({"a.xml": XML}))) == (XML, "")
    wide = io.BytesIO()
    with zipfile.ZipFile(wide, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a", "w", force_zip64=True) as file:
        file.write(XML)
    assert content(one(wide.getvalue())) == (XML, "")
    assert content(one(_with_zip64_directory(zipped({"a": XML})))) == (XML, "")


def _with_zip64_directory(data: bytes) -> bytes:
    at = data.rindex(b"PK\x05\x06")
    size, offset = struct.unpack("<2L", data[at + 12 : at + 20])
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    return data[:at] + record + locator + data[at : at + 8] + b"\xff" * 12 + data[at + 20 :]


def test_a_big_zip_is_read_from_a_file() -> None:
    noise = random.Random(2).randbytes(IN_MEMORY + 1)
    found = find(zipped({"a": noise, "b": XML}))
    assert [content(item) for item in found if isinstance(item, Payload)] == [(noise, ""), (XML, "")]


@pytest.mark.parametrize("write", [zipped, streamed])
def test_a_zip_without_its_directory_is_salvaged(write: Callable[[dict[str, bytes]], bytes]) -> None:
    whole = write({"a.xml": XML, "b.xml": NOISE})
    start = whole.index(b"PK\x01\x02")
    first, second = find(whole[:start])
    assert isinstance(first, Payload)
    assert isinstance(second, Payload)
    assert (content(first), content(second)) == ((XML, ""), (NOISE, ""))
    assert list(first.warnings) == ["the directory of the zip file is missing or broken"]
    first, second = find(whole[: start - 5000])
    assert isinstance(second, Payload)
    out, fault = content(second)
    assert fault == "Damaged: the zip member 'b.xml' ends early"
    assert len(out) > 14_000
    assert NOISE.startswith(out)


def test_a_zip_in_a_zip_is_no_file_of_the_outer_one() -> None:
    whole = zipped({"a.zip": zipped({"x": b"x", "y": b"y"}), "z": b"z"}, zipfile.ZIP_STORED)
    names = ["2 / a.zip / x", "2 / a.zip / y", "2 / z"]
    assert [item.place for item in find(whole)] == names
    assert [item.place for item in find(whole[: whole.rindex(b"PK\x05\x06")])] == names


def test_a_zip_member_with_a_wrong_checksum_or_size() -> None:
    whole = zipped({"a": NOISE}, zipfile.ZIP_STORED)
    at = whole.index(NOISE)
    wrong = whole[:at] + b"!" + whole[at + 1 :]
    assert content(one(wrong)) == (b"!" + NOISE[1:], "Damaged: the zip member 'a' does not have its checksum")
    central = whole.index(b"PK\x01\x02") + 24
    wrong = whole[:central] + b"\1" + whole[central + 1 :]
    assert content(one(wrong))[1].startswith("Damaged: the zip member 'a' has 20000 bytes, not ")


def test_zip_members_that_cannot_be_read_are_problems() -> None:
    whole = zipped({"a.xml": XML})
    encrypted = bytearray(whole)
    encrypted[6] |= 1
    encrypted[whole.index(b"PK\x01\x02") + 8] |= 1
    assert problem(bytes(encrypted)) == "the zip member 'a.xml' is encrypted"
    deflate64 = bytearray(whole)
    deflate64[8] = deflate64[whole.index(b"PK\x01\x02") + 10] = 9
    assert problem(bytes(deflate64)) == "the zip member 'a.xml' is compressed by method 9"
    assert problem(b"PK\x03\x04") == "the directory of the zip file is missing or broken, and no file was found in it"
    assert find(zipped({})) == []


def wrap(data: bytes, depth: int) -> bytes:
    for level in range(depth):
        data = zipped({"x": data}) if level % 2 else gzip.compress(data)
    return data


def test_bound_of_archives_in_each_other() -> None:
    bounds = Bounds(archive_depth=3)
    assert content(one(wrap(XML, 3), bounds)) == (XML, "")
    assert "bounds.archive_depth = 3" in problem(wrap(XML, 4), bounds)


@pytest.mark.parametrize("directory", [True, False])
def test_bound_of_members(directory: bool) -> None:
    whole = zipped({str(number): b"x" for number in range(5)})
    data = whole if directory else whole[: whole.index(b"PK\x01\x02")]
    assert len([item for item in find(data, Bounds(archive_members=5)) if isinstance(item, Payload)]) == 5
    found = find(data, Bounds(archive_members=4))
    assert [type(item) for item in found] == [Payload] * 4 + [Problem]
    assert isinstance(found[-1], Problem)
    assert "bounds.archive_members = 4" in found[-1].reason


def test_bound_of_members_counts_all_archives_of_an_attachment() -> None:
    inner = zipped({str(number): b"x" for number in range(10)})
    found = find(zipped({str(number): inner for number in range(10)}), Bounds(archive_members=10))
    assert len(found) < 60
    assert any(isinstance(item, Problem) and "archive_members" in item.reason for item in found)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: zipped({"a": data})])
def test_bound_of_bytes(pack: Callable[[bytes], bytes]) -> None:
    data = pack(XML)
    assert content(one(data, Bounds(xml_bytes=len(XML)))) == (XML, "")
    out, fault = content(one(data, Bounds(xml_bytes=len(XML) - 1)))
    assert fault == f"OverBound: the file has more bytes than bounds.xml_bytes = {len(XML) - 1}"
    assert XML.startswith(out)


def test_bound_of_bytes_for_all_files_together() -> None:
    data = zipped({str(number): XML for number in range(6)})
    bounds = Bounds(inflated_floor=4 * len(XML), inflated_per_byte=0)
    budget = Budget(len(data), bounds)
    found = list(find_payloads(Payload("2", "r.zip", opened(data)), bounds, budget))
    assert [content(item)[1] for item in found if isinstance(item, Payload)] == [""] * 4
    (problem,) = (item for item in found if isinstance(item, Problem))  # said once, and no further file is opened
    assert "bounds.inflated_floor" in problem.reason
    first = found[0]
    assert isinstance(first, Payload)
    assert content(first) == (XML, "")  # a second reading costs nothing


def test_bound_of_an_archive_in_an_archive() -> None:
    inner = zipped({"a": NOISE})
    assert content(one(gzip.compress(inner), Bounds(message_bytes=len(inner)))) == (NOISE, "")
    assert "bounds.message_bytes" in problem(gzip.compress(inner), Bounds(message_bytes=len(inner) - 1))


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """The most bytes that Python held at once since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(size)) + packer.flush()


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, lambda data: zipped({"a": data}), lambda data: gzip.compress(b"") + data]
)
def test_a_bomb_costs_little(pack: Callable[[bytes], bytes], peak: Callable[[], int]) -> None:
    """256 MiB of zeros of which 16 MiB are read."""
    payload = one(pack(bomb(256)), Bounds(xml_bytes=2**24))
    tracemalloc.reset_peak()
    sizes: list[int] = []
    with pytest.raises(OverBound):
        sizes.extend(map(len, payload.chunks()))
    assert sum(sizes) == 2**24
    assert peak() < 3 * 2**20


def test_a_bomb_behind_the_data_is_not_read() -> None:
    packed = gzip.compress(gzip.compress(b"x") + bytes(2**25))

    def read() -> None:
        payload = one(packed)
        assert content(payload) == (b"x", "")
        assert list(payload.warnings) == ["bytes behind the gzip data were ignored"]

    assert ratio(read, lambda: gzip.decompress(packed), 0.3) < 0.3


def test_memory_stays_flat(peak: Callable[[], int]) -> None:
    packer = zlib.compressobj(1, wbits=31)
    data = b"".join(packer.compress(XML) for _ in range(1500)) + packer.flush()
    for packed in (data, zipped({"a": data})):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        assert sum(map(len, one(packed, size=CHUNK).chunks())) == 1500 * len(XML)
        assert peak() - before < 2 * 2**20


def test_tiny_members_are_joined_and_read_in_linear_time() -> None:
    def read(data: bytes) -> list[bytes]:
        return list(one(data, size=len(data)).chunks())

    assert_linear(read, lambda size: gzip.compress(b"x") * size, SMALL // TIMES)  # what is small is read once
    pieces = list(one(gzip.compress(b"x") * 50_000, size=CHUNK).chunks())
    assert [len(piece) >= CHUNK // 2 for piece in pieces] == [True, False]


@given(
    st.binary(),
    st.sampled_from([b"", b"\x1f\x8b\x08", b"PK\x03\x04", b"PK\x05\x06", b"x\x9c", b"PK\x03\x04" + bytes(26)]),
)
def test_any_bytes(data: bytes, magic: bytes) -> None:
    for item in find(magic + data):
        if isinstance(item, Payload):
            content(item)


_SAMPLES = [
    gzip.compress(XML[:3000]),
    zipped({"a": XML[:3000], "b": b"b"}),
    zipped({"a": XML[:500], "b": gzip.compress(b"b")}, zipfile.ZIP_STORED),
    _with_zip64_directory(zipped({"a": XML[:100]})),
    gzip.compress(zipped({"a": XML[:300]})),
]


@given(
    st.sampled_from(_SAMPLES),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    st.integers(0, 40),
    st.integers(1, 3000),
)
def test_mutated_archives(sample: bytes, changes: list[tuple[int, int]], cut: int, size: int) -> None:
    data = bytearray(sample)
    for at, value in changes:
        data[-1 - at % len(data)] = value
    data = data[: len(data) - cut] if cut % 2 else data[cut:]
    for item in find_payloads(Payload("", "", opened(bytes(data), size)), Bounds(archive_members=5)):
        if isinstance(item, Payload):
            assert content(item) == content(item)
            head(item, 100)


@given(
    st.sampled_from([*_SAMPLES, XML, gzip.compress(XML), gzip.compress(gzip.compress(XML)), zlib.compress(XML)]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=3),
    st.binary(max_size=3),
    st.integers(0, 9000),
)
def test_what_is_there_at_once_is_what_a_stream_gives(
    sample: bytes, changes: list[tuple[int, int]], behind: bytes, bound: int
) -> None:
    data = bytearray(sample)
    for at, value in changes:
        data[-1 - at % len(data)] = value
    data += behind
    bounds = Bounds(archive_members=5, xml_bytes=bound or 10**6, inflated_floor=bound, inflated_per_byte=1)
    streamed, at_once = (
        [
            (found.place, found.name, *content(found), head(found, 100), list(found.warnings))
            if isinstance(found, Payload)
            else found
            for found in find_payloads(Payload("2", "r.gz", opened(bytes(data)), whole=whole), bounds)
        ]
        for whole in (None, bytes(data))
    )
    assert at_once == streamed


@given(st.dictionaries(st.text(max_size=8), st.binary(max_size=200), max_size=5), st.sampled_from([0, 8]))
def test_zip_directories_are_read_as_zipfile_does(files: dict[str, bytes], method: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that become the same
        try:
            data = zipped(files, method)
        except (ValueError, IndexError):  # names that zipfile cannot write
            return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        theirs = [(info.orig_filename.partition("\0")[0], info.file_size, info.CRC) for info in archive.infolist()]
    ours = read_directory(Memory(data), 100)
    assert [(member.name.partition("\0")[0], member.size, member.crc) for member in ours.members] == theirs
    assert (ours.more, ours.note) == (False, "")


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real messages is not here")
def test_the_files_of_the_corpus_hold_what_the_standard_library_finds() -> None:
    count = 0
    for path in sorted(CORPUS.glob("*_file/*")):
        data = path.read_bytes()
        if path.suffix == ".gz":
            expected = [zlib.decompressobj(31).decompress(data)]
        elif path.suffix == ".zip":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                expected = [archive.read(name) for name in archive.namelist()]
        else:
            expected = [data]
        assert [content(item) for item in find(data) if isinstance(item, Payload)] == [(one, "") for one in expected]
        count += 1
    assert count > 100
