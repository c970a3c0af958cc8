"""Files that hold files: whole, cut, broken, nested, and built to be a trap."""

import base64
import bz2
import gzip
import io
import lzma
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from shutil import which

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_report_processor.message.blob import Damaged, Memory
from email_report_processor.message.bounds import Bounds, OverBound, Problem
from email_report_processor.message.budget import Budget
from email_report_processor.message.compressed import load_zstd
from email_report_processor.message.mail import Part, read_mail
from email_report_processor.message.payload import Payload, find_payloads
from tests import containers
from tests.conftest import missing
from tests.containers import File, Message
from tests.linear import assert_linear

XML = b"<feedback>" + b"".join(b"<record>%d</record>" % n for n in range(3000)) + b"</feedback>"
BOUNDS = Bounds()


def find(data: bytes, bounds: Bounds = BOUNDS, size: int = 1000) -> list[Payload | Problem]:
    def pieces() -> Iterator[bytes]:
        return (data[at : at + size] for at in range(0, len(data), size))

    return list(find_payloads(Payload("2", "r", pieces), bounds, Budget(len(data), bounds)))


def content(payload: Payload) -> tuple[bytes, str]:
    """What comes, and why no more comes."""
    out: list[bytes] = []
    try:
        out.extend(payload.chunks())
    except (Damaged, OverBound) as fault:
        return b"".join(out), str(fault)
    return b"".join(out), ""


def one(data: bytes, bounds: Bounds = BOUNDS) -> tuple[bytes, str]:
    (found,) = find(data, bounds)
    assert isinstance(found, Payload), found
    return content(found)


def fault_of(data: bytes, bounds: Bounds = BOUNDS) -> str:
    """Why it cannot be read, wherever that was met."""
    (found,) = find(data, bounds)
    return found.reason if isinstance(found, Problem) else content(found)[1]


def reason(data: bytes, bounds: Bounds = BOUNDS) -> str:
    (found,) = find(data, bounds)
    assert isinstance(found, Problem), found
    return found.reason


def zstd(data: bytes, **options: int) -> bytes:
    module = load_zstd()
    if module is None:
        missing("needs backports.zstd below Python 3.14: pip install backports.zstd")
    compressed: bytes = module.compress(data, **({"options": options} if options else {}))
    return compressed


def tarred(files: dict[str, bytes], format_: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format_) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    return buffer.getvalue()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zlib": zlib.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zstd": zstd,
}
ANY = pytest.mark.parametrize("form", PACK)


@ANY
@pytest.mark.parametrize("before", [b"", b"\r\n \t"])
def test_one_file_in_a_stream(form: str, before: bytes) -> None:
    assert one(before + PACK[form](XML)) == (XML, "")
    assert one(before + PACK[form](b"<a/>")) == (b"<a/>", "")


@ANY
def test_streams_one_behind_the_other_and_bytes_behind_them(form: str) -> None:
    packed = PACK[form](XML)
    if form in {"gzip", "bzip2", "xz", "zstd"}:
        assert one(packed + packed) == (XML + XML, "")
        assert one(packed + b"\0" * 8 + packed) == (XML + XML, "")
    (found,) = find(packed + b"\r\n-- \r\nfooter")
    assert isinstance(found, Payload)
    assert content(found) == (XML, "")
    assert form == "zlib" or any("were ignored" in warning for warning in found.warnings)


@ANY
def test_a_stream_that_is_cut_or_broken_gives_what_it_has(form: str) -> None:
    noise = b"".join(struct.pack("<Q", n * 0x9E3779B97F4A7C15 % 2**64) for n in range(200_000))
    packed = PACK[form](noise)
    out, fault = one(packed[: len(packed) * 9 // 10])
    assert "ends early" in fault
    assert len(out) > len(noise) // 4
    assert noise.startswith(out)
    broken = bytearray(packed)
    broken[len(packed) // 2] ^= 0xFF
    broken[len(packed) // 2 + 1] ^= 0xFF
    out, fault = one(bytes(broken))
    assert fault or form in {"lzma", "zstd"}  # which have no checksum


@ANY
def test_streams_in_each_other_up_to_the_bound(form: str) -> None:
    data = XML
    for _ in range(3):
        data = PACK[form](data)
    assert one(data) == (XML, "")
    assert "archive_depth" in reason(PACK[form](data))


def test_what_is_slow_to_undo_may_inflate_to_less() -> None:
    for form, times in (("gzip", 1), ("xz", 2), ("bzip2", 8)):
        for floor, readable in ((times * len(XML), True), (times * len(XML) - 1, False)):
            fault = fault_of(PACK[form](XML), Bounds(inflated_floor=floor, inflated_per_byte=0))
            assert (fault == "") == readable, (form, fault)


def test_zstd_with_a_greater_window_than_every_decoder_must_have() -> None:
    module = load_zstd()
    if module is None:
        missing("needs backports.zstd below Python 3.14: pip install backports.zstd")
    parameter = module.CompressionParameter
    data = XML * 200
    for log, readable in ((23, True), (27, False)):
        packer = module.ZstdCompressor(options={parameter.window_log: log, parameter.content_size_flag: False})
        fault = fault_of(packer.compress(data) + packer.flush())
        assert (fault == "") == readable, fault


def test_without_zstd_the_reason_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("email_report_processor.message.compressed.load_zstd", lambda: None)
    assert "backports.zstd" in reason(b"\x28\xb5\x2f\xfd anything")


def test_xz_that_needs_too_much_memory() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 128 * 1024**2}]
    assert "Memory usage limit" in fault_of(lzma.compress(XML, filters=filters))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_method_of_zip_that_python_writes(method: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("r.xml", XML)
    assert one(buffer.getvalue()) == (XML, "")


@pytest.mark.parametrize("format_", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar(format_: int) -> None:
    long = "d/" * 40 + "é.xml" if format_ == tarfile.USTAR_FORMAT else "d/" * 200 + "é.xml"
    data = tarred({"a.xml": XML, long: b"<b/>", "empty": b""}, format_)
    found = find(data)
    assert [item.place for item in found] == ["2 / a.xml", f"2 / {long}", "2 / empty"]
    assert [content(item)[0] for item in found if isinstance(item, Payload)] == [XML, b"<b/>", b""]
    for name, pack in PACK.items():
        assert [item.place for item in find(pack(data))] == [item.place for item in found], name


def test_tar_that_is_cut_or_broken() -> None:
    data = tarred({"a": XML, "b": XML})
    first, second = find(data[: len(data) // 2 + 2000])
    assert isinstance(first, Payload)
    assert isinstance(second, Payload)
    assert content(first) == (XML, "")
    assert content(second)[1] == "the tar file ends early"
    broken = bytearray(data)
    at = data.index(b"ustar", 600) - 257
    broken[at : at + 10] = b"x" * 10
    (only,) = find(bytes(broken))
    assert isinstance(only, Payload)
    assert list(only.warnings) == ["the tar file breaks off or has a broken header"]


def test_bound_of_files_in_a_tar() -> None:
    data = tarred({str(number): b"x" for number in range(5)})
    assert len(find(data, Bounds(archive_members=5))) == 5
    *_, problem = find(data, Bounds(archive_members=4))
    assert isinstance(problem, Problem)
    assert "archive_members = 4" in problem.reason


# Messages in other forms


def parts(data: bytes) -> list[Part]:
    """The leaves of the message that a container is turned into."""
    (found,) = find(data)
    assert isinstance(found, Payload)
    assert found.message
    waiting, leaves = [read_mail(Memory(content(found)[0]), mime_depth=64, mime_parts=1000)], []
    while waiting:
        part = waiting.pop(0)
        waiting = [*part.parts, *waiting]
        if not part.parts:
            leaves.append(part)
    return leaves


def described(data: bytes) -> list[tuple[str, str, bytes]]:
    return [(part.content_type, part.name, part.body(10**6)) for part in parts(data)]


LETTER = Message(
    "Fw: Berichte",
    "Grüße",
    [
        File("report.xml", XML, "text/xml"),
        File("größe.bin", b"\0" * 5000),
        File("inner", Message("inner", "deep", [File("a.zip", b"PK")]), ""),
        File("q\"\r\nx: y", b"--=_1--", "bad type\r\n"),
    ],
)  # fmt: skip
EXPECTED = [
    ("text/plain", "", "Grüße".encode()),
    ("text/xml", "report.xml", XML),
    ("application/octet-stream", "größe.bin", b"\0" * 5000),
    ("text/plain", "", b"deep"),
    ("application/octet-stream", "a.zip", b"PK"),
    ("application/octet-stream", 'q" x: y', b"--=_1--"),
]


@pytest.mark.parametrize("size", [512, 4096])
def test_outlook(size: int) -> None:
    assert described(containers.msg(LETTER, size)) == EXPECTED


def test_tnef() -> None:
    found = [
        (kind, name, body.rstrip(b"\0") if kind == "text/plain" else body)
        for kind, name, body in described(containers.tnef(LETTER))
    ]
    assert found == EXPECTED


HEADER = "Received: from a by b; Thu, 20 Nov 2025 03:04:05 +0000\r\nFrom: a@b.example\r\n"
HEADER += "Content-Type: text/html;\r\n\tx=y\r\n\r\nTo: c\r\n"


@pytest.mark.parametrize("make", [containers.msg, containers.tnef])
def test_the_header_that_the_internet_saw_stays(make: Callable[[Message], bytes]) -> None:
    (found,) = find(make(Message(header=HEADER, files=[File("x", b"y")])))
    assert isinstance(found, Payload)
    mail = read_mail(Memory(content(found)[0]), mime_depth=64, mime_parts=1000)
    assert mail.content_type == "multipart/mixed"
    assert mail.headers.get("from") == "a@b.example"
    assert mail.headers.get("to") == "c"
    assert len(mail.parts) == 2


@pytest.mark.parametrize("make", [containers.msg, containers.tnef])
def test_a_message_in_another_form_that_is_cut_says_so(make: Callable[[Message], bytes]) -> None:
    whole = make(Message(files=[File("a", XML), File("b", XML)]))
    for size in range(60, len(whole) - 2000, 700):
        for found in find(whole[:size]):
            if isinstance(found, Payload):
                assert content(found)[1], size


def test_an_old_office_document_is_no_message() -> None:
    assert find(containers.compound({"WordDocument": bytes(5000), "1Table": b"x"})) == []


def test_streams_of_an_outlook_message_that_lie_over_each_other() -> None:
    """A file of 60 KB with 100 attachments that are all the same 50 KB."""
    storage = dict(containers.storage_of(Message(files=[File(str(n), b"%d" % n) for n in range(99)])))
    storage["__attach_version1.0_#00000999"] = {"__substg1.0_37010102": bytes(50_000)}
    data = bytearray(containers.compound(storage))
    big = data.index(struct.pack("<Q", 50_000)) - 4
    at = -1
    while (at := data.find("__substg1.0_37010102".encode("utf-16-le"), at + 1)) >= 0:
        data[at + 116 : at + 128] = data[big : big + 12]
    assert "over each other" in fault_of(bytes(data))


def test_a_compound_file_whose_chains_are_circles() -> None:
    data = bytearray(containers.msg(LETTER))
    fat = len(data) - 512 * 2
    for place in range(fat, len(data), 4):
        data[place : place + 4] = struct.pack("<L", 1)
    assert "more than 50000 entries" in reason(bytes(data))


ENTITY = b"Content-Type: text/xml\r\n\r\n" + XML


@pytest.mark.parametrize("indefinite", [False, True])
@pytest.mark.parametrize("kind", [containers.SIGNED, containers.DIGESTED])
def test_signed_data(indefinite: bool, kind: bytes) -> None:
    assert described(containers.signed(ENTITY, indefinite=indefinite, kind=kind)) == [("text/xml", "", XML)]
    assert one(containers.signed(XML, indefinite=indefinite, kind=kind)) == (XML, "")
    assert one(containers.signed(gzip.compress(XML), indefinite=indefinite)) == (XML, "")
    pem = b"-----BEGIN PKCS7-----\r\n" + base64.encodebytes(containers.signed(XML)) + b"-----END PKCS7-----\r\n"
    assert one(pem) == (XML, "")


def test_compressed_data() -> None:
    data = containers.signed(zlib.compress(ENTITY), kind=containers.COMPRESSED, indefinite=True)
    assert one(data) == (ENTITY, "")


def test_octet_strings_within_octet_strings_are_bounded() -> None:
    for levels, readable in ((10, True), (100, False)):
        string = containers.der(0x04, XML)
        for _ in range(levels):
            string = containers.ber(0x24, string)
        inner = containers.ber(0x30, containers.der(0x06, containers.DATA), containers.ber(0xA0, string))
        data = containers.ber(
            0x30, containers.der(0x06, containers.SIGNED),
            containers.ber(0xA0, containers.ber(0x30, containers.der(0x02, b"\x01"), inner)),
        )  # fmt: skip
        assert (one(data) == (XML, "")) == readable if readable else "deep" in reason(data)


def test_a_detached_signature_is_no_file_and_no_fault() -> None:
    assert find(containers.signed(b"", detached=True)) == []
    assert find(containers.signed(b"", detached=True, indefinite=True)) == []


@pytest.mark.parametrize("kind", [containers.ENVELOPED, containers.ENCRYPTED])
def test_encrypted_data(kind: bytes) -> None:
    assert reason(containers.signed(XML, kind=kind)) == "encrypted by S/MIME, which cannot be opened"


@pytest.mark.parametrize("indefinite", [False, True])
def test_signed_data_that_are_cut(indefinite: bool) -> None:
    whole = containers.signed(XML, indefinite=indefinite)
    for size in range(30, len(whole) - 320, 333):
        for found in find(whole[:size]):
            if isinstance(found, Payload):
                out, fault = content(found)
                assert fault == "the S/MIME data end early"
                assert XML.startswith(out)


@pytest.mark.parametrize("options", [["-outform", "DER"], ["-outform", "DER", "-stream"], ["-outform", "PEM"]])
def test_what_openssl_signs(tmp_path: Path, options: list[str]) -> None:
    openssl = which("openssl")
    if openssl is None:
        missing("needs openssl; on Debian: apt-get install openssl")
    key, certificate, file = tmp_path / "key", tmp_path / "certificate", tmp_path / "file"
    file.write_bytes(ENTITY)
    request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=a"]
    subprocess.run(
        [openssl, *request, "-keyout", key, "-out", certificate, "-days", "1"], check=True, capture_output=True
    )
    sign: list[str | Path] = [
        "cms",
        "-sign",
        "-binary",
        "-nodetach",
        "-signer",
        certificate,
        "-inkey",
        key,
        "-in",
        file,
        *options,
    ]
    data = subprocess.run([openssl, *sign], check=True, capture_output=True).stdout
    assert described(data) == [("text/xml", "", XML)]
    encrypt: list[str | Path] = ["cms", "-encrypt", "-binary", "-in", file, "-outform", "DER", certificate]
    data = subprocess.run([openssl, *encrypt], check=True, capture_output=True).stdout
    assert reason(data) == "encrypted by S/MIME, which cannot be opened"


SEALED = {
    "a 7z archive": b"7z\xbc\xaf\x27\x1c\0\x04",
    "a RAR archive": b"Rar!\x1a\x07\x01\0",
    "a cabinet (CAB)": b"MSCF\0\0\0\0",
    "an ACE archive": b"\x12\x34\x31\0\0\0\x90**ACE**",
    "an LHA archive": b"\x1f\x55-lh5-",
    "an ARJ archive": b"\x60\xea\x2c\0\x22\x0b\x01\x0b\x10\0\x02",
    "compress (.Z) data": b"\x1f\x9d\x90",
    "lz4 data": b"\x04\x22\x4d\x18",
    "lzip data": b"LZIP\x01",
    "encrypted by OpenPGP": b"-----BEGIN PGP MESSAGE-----\n\n",
    "encrypted by openssl enc": b"Salted__12345678",
    "encrypted by age": b"age-encryption.org/v1\n",
}


@pytest.mark.parametrize("name", SEALED)
def test_what_cannot_be_opened_is_named(name: str) -> None:
    assert reason(b"\r\n" + SEALED[name] + bytes(100)) == f"{name}, which cannot be opened"
    assert reason(gzip.compress(SEALED[name] + bytes(100))) == f"{name}, which cannot be opened"


def test_what_is_none_of_these_stays_itself() -> None:
    for data in (
        b"",
        b"text",
        b"0",
        b"0\x82\x01\x02 no DER",
        b"]\0\0",
        b"BZh",
        b"PK",
        b"x\x9cno",
        bytes(600),
        b"<a/>" * 200,
    ):
        assert one(data) == (data, "")


# Whatever comes

MAKE: dict[str, Callable[[], bytes]] = {
    "msg": lambda: containers.msg(LETTER),
    "tnef": lambda: containers.tnef(LETTER),
    "signed": lambda: containers.signed(ENTITY, indefinite=True),
    "tar": lambda: tarred({"a": XML[:2000], "b" * 120: b"x"}),
    **{name: partial(pack, XML[:2000]) for name, pack in PACK.items()},
}


@pytest.mark.parametrize("name", MAKE)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_nothing_raises_and_nothing_grows(name: str, data: st.DataObject) -> None:
    whole = bytearray(MAKE[name]())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(whole) - 1))
        match data.draw(st.integers(0, 3)):
            case 0:
                whole[at : at + 4] = data.draw(
                    st.sampled_from((b"\xff" * 4, b"\0" * 4, b"\1\0\0\0", b"\xfe\xff\xff\xff"))
                )
            case 1:
                whole[at] = data.draw(st.integers(0, 255))
            case 2:
                del whole[at:]
                whole += b"x"
            case _:
                whole[at:at] = whole[at : at + 300]
    total = 0
    for found in find(bytes(whole), Bounds(archive_members=20, inflated_floor=100_000)):
        if isinstance(found, Payload):
            total += len(content(found)[0])
        else:
            assert found.reason
    assert total <= 100 * len(whole) + 100_000  # what the bounds allow; a message in another form grows by a third


def letter(files: int) -> Message:
    return Message(files=[File(f"{number}.xml", b"x" * 300) for number in range(files)])


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda size: containers.msg(letter(size)), 60),
        (lambda size: containers.msg(Message(files=[File("a", bytes(size))])), 200_000),
        (lambda size: containers.tnef(letter(size)), 100),
        (lambda size: containers.tnef(Message(files=[File("a", bytes(size))])), 500_000),
        (lambda size: containers.signed(bytes(size), indefinite=True), 500_000),
        (lambda size: tarred({str(number): b"x" for number in range(size)}), 200),
    ],
    ids=["msg of files", "msg of bytes", "tnef of files", "tnef of bytes", "signed", "tar"],
)
def test_linear(make: Callable[[int], bytes], size: int) -> None:
    bounds = Bounds(archive_members=10_000)

    def work(data: bytes) -> None:
        for found in find(data, bounds, 65536):
            if isinstance(found, Payload):
                content(found)

    assert_linear(work, make, size)
