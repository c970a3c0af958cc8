"""What people name: every kind of source gives its messages, in a stable order, and what cannot be read is named."""

import bz2
import gzip
import io
import lzma
import mailbox
import os
import zipfile
from pathlib import Path

import pytest

from benchmarks.messages import message, xml
from email_report_processor.importing import sources
from email_report_processor.importing.sources import Item, Opener, Sources, Unread, Wait, names, sizes
from email_report_processor.message.blob import chunks

FROM = b"From a@example.org Thu Nov 20 06:12:44 2025\n"
ONE, TWO = b"Subject: 1\n\none\n", b"Subject: 2\n\ntwo\n"
BOX = FROM + ONE + b"\n" + FROM + TWO + b"\n"


def read(*paths: Path) -> tuple[list[tuple[str, bytes]], list[Unread]]:
    """Places and bytes of all messages, and what could not be read."""
    found = Sources([str(path) for path in paths])
    opener = Opener(found.unpacked)
    messages, unread = [], []
    for one in found.find():
        if isinstance(one, Item):
            messages.append((one.place, b"".join(chunks(opener.blob(one)))))
        elif isinstance(one, Unread):
            unread.append(one)
    return messages, unread


def only(*paths: Path) -> list[bytes]:
    messages, unread = read(*paths)
    assert unread == []
    return [data for _, data in messages]


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def archive(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("r.xml", data)
    return file.getvalue()


REPORT = b"".join(xml(2))


@pytest.mark.parametrize(
    "data",
    [ONE, message(2), REPORT, gzip.compress(REPORT), archive(REPORT), b'{"policies": []}', gzip.compress(b"{}"), b""],
    ids=["message", "report mail", "xml", "xml.gz", "zip", "json", "json.gz", "empty"],
)
def test_a_file_of_its_own(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path / "misleading.mbox", data)
    assert read(path) == ([(str(path), data)], [])


@pytest.mark.parametrize(
    "data", [BOX, gzip.compress(BOX), bz2.compress(BOX), lzma.compress(BOX)], ids=["plain", "gz", "bz2", "xz"]
)
def test_mbox(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path / "misleading.eml", data)
    messages, unread = read(path)
    assert [data for _, data in messages] == [ONE, TWO]
    assert unread == []
    unpacked = " unpacked" if data != BOX else ""
    assert [place for place, _ in messages] == [
        f"{path} at byte {at}{unpacked}" for at in (len(FROM), len(FROM + ONE + b"\n" + FROM))
    ]


def test_mbox_without_its_first_separator(tmp_path: Path) -> None:
    messages, unread = read(write(tmp_path / "m", ONE + b"\n" + FROM + TWO))
    assert [data for _, data in messages] == [ONE, TWO]
    assert unread == []


def test_message_in_gzip(tmp_path: Path) -> None:
    assert only(write(tmp_path / "m.eml.gz", gzip.compress(ONE))) == [ONE]


def test_quoted_lines_of_an_mbox_and_no_other(tmp_path: Path) -> None:
    said = b"Subject: 1\n\n>From here\n"
    assert only(write(tmp_path / "m", FROM + said)) == [b"Subject: 1\n\nFrom here\n"]
    assert only(write(tmp_path / "n", said)) == [said]


def test_truncated_gzip(tmp_path: Path) -> None:
    noise = b"Subject: 1\n\n" + os.urandom(200_000).hex().encode() + b"\n"
    packed = gzip.compress(FROM + noise + b"\n" + FROM + noise)
    messages, unread = read(write(tmp_path / "m.gz", packed[: len(packed) * 3 // 4]))
    assert messages[0][1] == noise
    assert noise.startswith(messages[1][1])
    assert "the gzip data ends early" in unread[0].reason


@pytest.mark.parametrize("window", [1, 300_000])
def test_compressed_mbox_in_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    """Its bytes go away only behind a Wait, so each message is read when it comes."""
    monkeypatch.setattr(sources, "WINDOW", window)
    said = [b"Subject: %d\n\n%s\n" % (n, os.urandom(1 + n * 997).hex().encode()) for n in range(100)]
    path = write(tmp_path / "m.gz", gzip.compress(b"".join(FROM + one + b"\n" for one in said)))
    assert only(path) == said
    found = Sources([str(path)])
    assert sum(isinstance(one, Wait) for one in found.find()) > 20
    assert os.fstat(found.unpacked).st_size < window + 2 * 1024**2


def test_message_in_gzip_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LARGEST", 1_000_000)
    path = write(tmp_path / "m.gz", gzip.compress(FROM + ONE + b"\n" + FROM + TWO + b"x" * 5_000_000))
    messages, unread = read(path)
    assert messages[0][1] == ONE
    assert "more than 1000000 bytes" in unread[0].reason


def test_maildirs_at_any_depth(tmp_path: Path) -> None:
    for number, maildir in enumerate((tmp_path / "a/Maildir", tmp_path / "a/Maildir/.Reports")):
        for name in ("new", "cur", "tmp"):
            write(maildir / name / f"{name}:2,S", b"Subject: %d\n\n%s\n" % (number, name.encode()))
    write(tmp_path / "a" / "Maildir" / "dovecot-uidlist", b"3 V1 N2\n")
    assert only(tmp_path) == [b"Subject: %d\n\n%s\n" % (n, name) for n in (0, 1) for name in (b"new", b"cur")]


def test_a_maildir_message_that_looks_like_an_mbox(tmp_path: Path) -> None:
    mailbox.Maildir(tmp_path / "m")
    write(tmp_path / "m/new/1", BOX)
    assert only(tmp_path) == [BOX]


def test_a_reader_moves_messages_meanwhile(tmp_path: Path) -> None:
    mailbox.Maildir(tmp_path / "m")
    path = write(tmp_path / "m/new/1", ONE)
    found = Sources([str(tmp_path)])
    (item,) = list(found.find())
    path.rename(tmp_path / "m/cur/1:2,S")
    assert isinstance(item, Item)
    assert Opener(found.unpacked).blob(item).read(0, 100) == ONE
    (tmp_path / "m/cur/1:2,S").unlink()
    with pytest.raises(FileNotFoundError):
        Opener(found.unpacked).blob(item)


def test_kept_messages_lose_our_fields(tmp_path: Path) -> None:
    fields = b"".join(b"X-Email-Report-Processor-%s: x\n" % name for name in (b"Category", b"Reason", b"Time"))
    assert only(write(tmp_path / "kept/new/1", fields + ONE)) == [ONE]


def test_order(tmp_path: Path) -> None:
    for name in ("b", "a/z", "c/a", "a/y"):
        write(tmp_path / name, b"Subject: %s\n\n" % name.encode())
    expected = [b"Subject: %s\n\n" % name for name in (b"a/y", b"a/z", b"b", b"c/a")]
    assert only(tmp_path) == expected
    assert only(tmp_path / "c", tmp_path / "b") == [expected[3], expected[2]]


def test_names_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PAGE", 7)
    for count in (0, 6, 7, 8, 30):
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in range(count):
            (folder / f"{number * 7919 % 101:03}").touch()
        assert list(names(str(folder))) == sorted(os.listdir(folder))


def test_links(tmp_path: Path) -> None:
    write(tmp_path / "real/m", ONE)
    (tmp_path / "real/loop").symlink_to(tmp_path)
    (tmp_path / "to-file").symlink_to(tmp_path / "real/m")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    messages, unread = read(tmp_path)
    assert [data for _, data in messages] == [ONE, ONE]
    assert [one.place for one in unread] == [str(tmp_path / "broken")]


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    write(tmp_path / "z", ONE)
    messages, unread = read(tmp_path, tmp_path / "absent")
    assert [data for _, data in messages] == [ONE]
    assert [one.reason for one in unread] == ["it is neither a file nor a directory", "No such file or directory"]


def test_large_messages_are_not_held(tmp_path: Path) -> None:
    large = b"Subject: 1\n\n" + b"x" * 3_000_000 + b"\n>From me\n"
    path = write(tmp_path / "m", FROM + large + b"\n" + FROM + TWO)
    assert only(path) == [large.replace(b">From", b"From"), TWO]


def test_sizes(tmp_path: Path) -> None:
    write(tmp_path / "a/b", b"123")
    write(tmp_path / "c", b"12345")
    (tmp_path / "d").symlink_to(tmp_path / "nowhere")
    assert sum(sizes([str(tmp_path), str(tmp_path / "c"), str(tmp_path / "absent")])) == 13
