"""Kept messages: untouched, once, within their bounds, whoever wrote what is in them."""

import errno
import hashlib
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_report_processor.importing.again import open_blob
from email_report_processor.message.blob import Blob, Memory, chunks
from email_report_processor.stores import kept
from email_report_processor.stores.kept import BROKEN, CATEGORIES, FIELD, PLAIN, KeepError, Kept, KeptOptions

NOW = "2026-11-20T06:00:00Z"
LONG_AGO = "2026-10-01T06:00:00Z"
MESSAGE = b"From: a@example.net\r\nSubject: hello\r\n\r\ntext\r\n"


def keep(maildir: Path, message: bytes, category: str = "no-report", **more: object) -> list[str]:
    time = str(more.pop("time", NOW))
    options = KeptOptions(**more)  # type: ignore[arg-type]  # the keys of the test are those of the record
    return kept.keep(maildir, Memory(message), category, "no report in it", time, options)


def everything(blob: Blob) -> bytes:
    return b"".join(chunks(blob))


def names(maildir: Path) -> set[bytes]:
    return {everything(kept.untouched(open_blob(one.path))) for one in kept.listing(maildir)}


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE,
        b"",
        b"\x00\xff\r\r\n\n",
        b"From MAILER-DAEMON Thu Nov 19 00:00:00 2026\n" + MESSAGE,
        FIELD + b"Category: no-report\n" + MESSAGE,
        FIELD + b"Category: x\n" + FIELD + b"Reason: y\n" + FIELD + b"Time: 2000-01-01T00:00:00Z\n" + MESSAGE,
        MESSAGE * 100_000,
    ],
    ids=["mail", "empty", "bytes", "mbox", "one-of-our-fields", "all-of-our-fields", "big"],
)
def test_a_message_comes_back_as_it_was(tmp_path: Path, message: bytes) -> None:
    assert keep(tmp_path / "kept", message, "unreadable") == []
    (one,) = kept.listing(tmp_path / "kept")
    assert one == Kept(one.path, "unreadable", "no report in it", NOW, len(message), one.offset)
    itself = message.partition(b"\n")[2] if message.startswith(b"From ") else message
    assert one.path.name == hashlib.sha256(itself).hexdigest()
    assert everything(kept.untouched(open_blob(one.path))) == message
    assert one.path.read_bytes() == one.path.read_bytes()[: one.offset] + message


@given(message=st.binary(max_size=200), reason=st.text(max_size=2000))
@settings(max_examples=60, deadline=None)
def test_any_bytes_and_any_reason(tmp_path_factory: pytest.TempPathFactory, message: bytes, reason: str) -> None:
    maildir = tmp_path_factory.mktemp("kept")
    kept.keep(maildir, Memory(message), "failed", reason, NOW, KeptOptions())
    (one,) = kept.listing(maildir)
    assert everything(kept.untouched(open_blob(one.path))) == message
    assert (one.category, one.time, one.size) == ("failed", NOW, len(message))


def test_a_blob_without_its_beginning_reads_like_any_other(tmp_path: Path) -> None:
    keep(tmp_path / "kept", MESSAGE)
    (one,) = kept.listing(tmp_path / "kept")
    blob = kept.untouched(open_blob(one.path))
    assert blob.size == len(MESSAGE)
    for start, stop in ((0, 5), (5, 10), (0, 10**6), (len(MESSAGE), 10**6), (10**6, 2 * 10**6)):
        assert blob.read(start, stop) == MESSAGE[start:stop]


def test_what_is_not_ours_stays_whole() -> None:
    assert everything(kept.untouched(Memory(MESSAGE))) == MESSAGE
    half = FIELD + b"Category: no-report\n" + FIELD + b"Reason: no end of the line"
    assert everything(kept.untouched(Memory(half))) == half


def test_a_stranger_cannot_say_why_a_message_is_kept(tmp_path: Path) -> None:
    """Else a rejected report could call itself no-report, the first to go when there is no room."""
    keep(tmp_path / "kept", FIELD + b"Category: no-report\n" + MESSAGE, "rejected")
    (one,) = kept.listing(tmp_path / "kept")
    assert one.category == "rejected"
    keep(tmp_path / "kept", b"another", "rejected", time=LONG_AGO)
    with pytest.raises(KeepError, match="is full"):
        keep(tmp_path / "kept", b"a third", max_messages=2)


def test_again_makes_no_second_copy_and_says_the_new_reason(tmp_path: Path) -> None:
    for category in CATEGORIES:
        keep(tmp_path / "kept", MESSAGE, category, max_messages=1)
    (one,) = kept.listing(tmp_path / "kept")
    assert one.category == CATEGORIES[-1]


def test_the_line_of_an_attempt_makes_no_second_copy(tmp_path: Path) -> None:
    """local(8) and Exim put the time of the attempt in front; what is kept is what came."""
    for time in (b"Thu Nov 20 06:12:44 2025", b"Thu Nov 20 06:17:44 2025"):
        keep(tmp_path / "kept", b"From a@b.example " + time + b"\n" + MESSAGE)
    keep(tmp_path / "kept", MESSAGE)
    assert len(list(kept.listing(tmp_path / "kept"))) == 1
    keep(tmp_path / "kept", b"From: " + MESSAGE)
    assert len(list(kept.listing(tmp_path / "kept"))) == 2


def test_files_are_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keep(tmp_path / "state" / "kept", MESSAGE)
    finally:
        os.umask(before)
    for path in (tmp_path / "state").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_listing_is_oldest_first_and_takes_strangers_files(tmp_path: Path) -> None:
    maildir = tmp_path / "kept"
    keep(maildir, b"new", time=NOW)
    keep(maildir, b"old", time=LONG_AGO)
    (maildir / "cur" / "dropped-by-hand").write_bytes(MESSAGE)
    found = list(kept.listing(maildir))
    assert [one.time for one in found] == ["", LONG_AGO, NOW]
    assert (found[0].category, found[0].size, found[0].offset) == ("failed", len(MESSAGE), 0)
    assert list(kept.listing(tmp_path / "nothing")) == []


def test_what_cannot_be_read_hides_nothing(tmp_path: Path) -> None:
    maildir = tmp_path / "kept"
    keep(maildir, b"new", time=NOW)
    (maildir / "new" / "folder").mkdir()
    (maildir / "new" / "loop").symlink_to("loop")
    found = list(kept.listing(maildir))
    assert [(one.path.name, one.category) for one in found[:2]] == [("folder", "failed"), ("loop", "failed")]
    assert "cannot be read (Is a directory)" in found[0].reason
    assert len(found) == 3


# Bounds


def test_no_report_goes_first_then_broken_ones_after_30_days(tmp_path: Path) -> None:
    maildir = tmp_path / "kept"
    keep(maildir, b"rejected", "rejected", time=LONG_AGO)
    keep(maildir, b"broken, old", "unreadable", time=LONG_AGO)
    keep(maildir, b"broken, new", "unreadable")
    keep(maildir, b"no report, old", time=LONG_AGO)
    keep(maildir, b"no report, new")
    (gone,) = keep(maildir, b"one", "failed", max_messages=5)
    assert f"(no-report, {LONG_AGO}: no report in it)" in gone
    (gone,) = keep(maildir, b"two", "failed", max_messages=5)
    assert f"(no-report, {NOW}: " in gone
    (gone,) = keep(maildir, b"three", "failed", max_messages=5)
    assert f"(unreadable, {LONG_AGO}: " in gone
    with pytest.raises(KeepError, match=r"full \(5 messages .* raise \[kept\] max_messages"):
        keep(maildir, b"four", "failed", max_messages=5)
    assert names(maildir) == {b"rejected", b"broken, new", b"one", b"two", b"three"}


@pytest.mark.parametrize("category", CATEGORIES)
def test_what_may_go(tmp_path: Path, category: str) -> None:
    maildir = tmp_path / "kept"
    keep(maildir, b"first", category, time=LONG_AGO)
    if category in (*BROKEN, *PLAIN):
        assert len(keep(maildir, b"second", "rejected", max_messages=1)) == 1
        return
    with pytest.raises(KeepError):
        keep(maildir, b"second", "rejected", max_messages=1)
    assert names(maildir) == {b"first"}


def test_bytes_are_bounded_on_both_sides(tmp_path: Path) -> None:
    maildir = tmp_path / "kept"
    keep(maildir, b"x" * 1000, "rejected")
    used = next(kept.listing(maildir)).path.stat().st_size
    with pytest.raises(KeepError, match=f"{used + 999} bytes"):
        keep(maildir, b"y" * 1000, "rejected", max_bytes=used + 999)
    assert keep(maildir, b"y" * 1000, "rejected", max_bytes=used + 1000) == []


def test_nothing_goes_for_a_message_that_has_no_room_anyway(tmp_path: Path) -> None:
    maildir = tmp_path / "kept"
    for number in range(3):
        keep(maildir, b"%d" % number)
    with pytest.raises(KeepError):
        keep(maildir, b"x" * 5000, max_bytes=4000)
    assert len(names(maildir)) == 3


def test_what_killed_processes_left_is_swept(tmp_path: Path) -> None:
    maildir = tmp_path / "kept"
    keep(maildir, b"first")
    old, new = maildir / "tmp" / "old", maildir / "tmp" / "new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    keep(maildir, b"second")
    assert [path.name for path in (maildir / "tmp").iterdir()] == ["new"]


# Faults


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    keep(tmp_path / "kept", b"first")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(KeepError, match=r"No space left on device\); make room there"):
        keep(tmp_path / "kept", MESSAGE)
    assert list((tmp_path / "kept" / "tmp").iterdir()) == []
    assert names(tmp_path / "kept") == {b"first"}


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"")
    with pytest.raises(KeepError, match="no copy can be kept in"):
        keep(tmp_path / "kept", MESSAGE)


def test_many_at_once_keep_whole_messages(tmp_path: Path) -> None:
    """Also the same one in two threads: the deadline may pass while a message is being kept."""
    maildir = tmp_path / "kept"
    messages = [b"%d" % number * 200_000 for number in range(4)]
    faults: list[BaseException] = []

    def work(message: bytes, category: str) -> None:
        try:
            keep(maildir, message, category)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(one, kind)) for one in messages for kind in CATEGORIES[:3]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert names(maildir) == set(messages)
    assert list((maildir / "tmp").iterdir()) == []
