"""Files to their end: compressed, cut, unsorted, several beside each other."""

import bz2
import gzip
import lzma
import os
from datetime import UTC
from pathlib import Path

import pytest

from email_report_processor.logins.files import CHUNK, chunks, found
from email_report_processor.logins.lines.login import Login
from email_report_processor.logins.lines.scan import Scanner
from email_report_processor.logins.reading import Reader
from tests.logins.logs import CLOCK


def line(day: int, hour: int, account: str = "a@example.org", address: str = "192.0.2.1") -> bytes:
    head = f"Nov {day:2} {hour:02}:00:00 mail postfix/smtpd[1]: "
    return (head + f"A1: client=h.example[{address}], sasl_method=PLAIN, sasl_username={account}\n").encode()


def log(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    os.utime(path, (CLOCK.end, CLOCK.end))
    return str(path)


def read(*paths: str) -> tuple[list[Login], Reader]:
    reader = Reader(Scanner(), UTC, lambda: CLOCK.end)
    return list(reader.logins(paths)), reader


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["plain", "gz", "bz2", "xz"])
def test_compression_is_seen_in_the_content(pack: object, tmp_path: Path) -> None:
    content = b"".join(line(1 + n % 28, n % 24) for n in range(500))
    assert callable(pack)
    logins, reader = read(log(tmp_path / "mail.log", pack(content)))
    assert (len(logins), reader.lines, reader.problems) == (500, 500, [])


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress], ids=["gz", "bz2", "xz"])
def test_a_cut_file_gives_what_it_has_and_is_said(pack: object, tmp_path: Path) -> None:
    noise = b"".join(os.urandom(60).hex().encode() + b"\n" for _ in range(9000))  # more than one block of bzip2
    assert callable(pack)
    packed = pack(line(1, 1) + noise + line(2, 2))
    logins, reader = read(log(tmp_path / "mail.log.1", packed[: len(packed) * 95 // 100]))
    assert len(logins) == 1
    (problem,) = reader.problems
    assert "mail.log.1: is cut or damaged" in problem


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    _, reader = read(str(tmp_path / "absent"))
    assert reader.problems == [
        f"{tmp_path}/absent: cannot be read (No such file or directory): check its path and permissions"
    ]


def test_files_are_merged_by_time(tmp_path: Path) -> None:
    """Rotated parts in any order, and a second server beside the first."""
    paths = [
        log(tmp_path / "mail.log", line(20, 1) + line(22, 1)),
        log(tmp_path / "mail.log.2.gz", gzip.compress(line(1, 1) + line(9, 1))),
        log(tmp_path / "mail.log.1", line(10, 1) + line(19, 1)),
        log(tmp_path / "other", line(2, 2) + line(21, 2)),
        log(tmp_path / "no-logins", b"hello\n"),
    ]
    logins, reader = read(*paths)
    times = [login.time for login in logins]
    assert times == sorted(times)
    assert (len(times), reader.problems) == (8, [])


def test_directories_are_their_files(tmp_path: Path) -> None:
    log(tmp_path / "b", b"")
    log(tmp_path / "a", b"")
    (tmp_path / "journal").mkdir()
    assert found([str(tmp_path), "-"]) == [str(tmp_path / "a"), str(tmp_path / "b"), "-"]


def test_chunks_end_with_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for content in (b"", b"\n", b"a", b"a\nb", b"x" * 50 + b"\n" + b"y" * 5, b"a\n" * 100):
        path.write_bytes(content)
        with path.open("rb") as file:
            parts = list(chunks(file, 16))
        assert b"\n".join(parts).replace(b"\n", b"") == content.replace(b"\n", b"")
        assert all(len(part) <= 64 for part in parts)


def test_memory_is_flat_without_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (5 * CHUNK))
    with path.open("rb") as file:
        assert max(map(len, chunks(file))) <= 2 * CHUNK
