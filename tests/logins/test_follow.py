"""Logs that grow and are rotated: every line once, over restarts at any moment."""

import gzip
import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_report_processor.logins.follow import Follower, Journal, read_place


class Log:
    """A log with numbered lines, and who follows it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "mail.log"
        self.path.write_bytes(b"")
        self.written = 0
        self.seen: list[int] = []
        self.place = ""
        self.clock = 1_700_000_000

    def write(self, number: int) -> None:
        """Append lines."""
        with self.path.open("ab") as file:
            for _ in range(number):
                file.write(b"%d %s\n" % (self.written, b"x" * (self.written % 97)))
                self.written += 1
        self._touch()

    def rotate(self, how: str) -> None:
        """As logrotate does."""
        for number in range(9, 0, -1):
            for end in ("", ".gz"):
                old = self.path.with_name(f"mail.log.{number}{end}")
                if old.exists():
                    old.rename(self.path.with_name(f"mail.log.{number + 1}{end}"))
        first = self.path.with_name("mail.log.1")
        if how == "copytruncate":
            shutil.copy2(self.path, first)
            os.truncate(self.path, 0)
        else:
            self.path.rename(first)
            if how != "rename":
                self.path.write_bytes(b"")
        if how == "compress":
            packed = first.with_name("mail.log.1.gz")
            packed.write_bytes(gzip.compress(first.read_bytes()))
            shutil.copystat(first, packed)
            first.unlink()
        self._touch()

    def follow(self, chunks: int = 10**9) -> list[str]:
        """A process that starts, reads so many chunks, commits each, and ends."""
        follower = Follower(str(self.path), read_place(self.place))
        for number, part in enumerate(follower.poll()):
            if number >= chunks:
                break
            self.seen += [int(line.split()[0]) for line in part.chunk.split(b"\n")]
            self.place = follower.text()
        return follower.warnings

    def _touch(self) -> None:
        self.clock += 60
        if self.path.exists():
            os.utime(self.path, (self.clock, self.clock))


@pytest.mark.parametrize("how", ["create", "rename", "copytruncate", "compress"])
def test_rotation(how: str, tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write(50)
    log.follow()
    log.write(30)
    log.rotate(how)
    log.follow()
    log.write(20)
    warnings = log.follow()
    assert (log.seen, warnings) == (list(range(100)), [])


@pytest.mark.parametrize("how", ["create", "copytruncate", "compress"])
def test_several_rotations_while_nobody_looked(how: str, tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write(50)
    log.follow()
    for _ in range(3):
        log.write(30)
        log.rotate(how)
    log.write(5)
    log.follow(chunks=2)
    log.follow()
    assert log.seen == list(range(145))


def test_a_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    log = Log(tmp_path)
    with log.path.open("ab") as file:
        file.write(b"0 half")
    log.follow()
    assert log.seen == []
    with log.path.open("ab") as file:
        file.write(b" and half\n")
    log.follow()
    assert log.seen == [0]


def test_what_is_gone_is_said(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write(50)
    log.follow()
    log.path.unlink()
    assert log.follow() == []  # between two names
    log.write(5)
    assert "the file that was read last is gone" in log.follow()[0]
    assert log.seen == list(range(55))


def test_a_compressed_copy_beside_the_original_is_not_read_twice(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write(50)
    log.follow()
    log.write(5)
    log.rotate("create")
    first = log.path.with_name("mail.log.1")
    packed = first.with_name("mail.log.1.gz")
    packed.write_bytes(gzip.compress(first.read_bytes()))
    shutil.copystat(first, packed)
    log.follow()
    assert log.seen == list(range(55))


STEP = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 40)),
    st.tuples(st.just("follow"), st.integers(0, 2)),
    st.tuples(st.sampled_from(["create", "copytruncate", "compress"]), st.just(0)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=25))
def test_any_order_of_events(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    """Nothing is lost or doubled; only what was rotated before anything was read of the log is nobody's."""
    log = Log(tmp_path_factory.mktemp("log"))
    log.write(3)
    log.follow()
    for what, number in steps:
        if what == "write":
            log.write(number)
        elif what == "follow":
            log.follow(number)
        elif log.path.stat().st_size:
            log.rotate(what)
    log.follow()
    assert log.seen == list(range(log.written))


# The journal

JOURNALCTL = """#!/bin/sh
echo "$@" >>"{calls}"
after=-1
for word; do case $word in --after-cursor=*) after=${{word#--after-cursor=}};; esac; done
awk -v after="$after" 'NR - 1 > after' "{entries}"
exit {status}
"""


def journalctl(directory: Path, entries: int, status: int = 0) -> str:
    """A stand-in that knows cursors: there is no journal in a container."""
    path = directory / "journalctl"
    lines = [json.dumps({"MESSAGE": str(number), "__CURSOR": str(number)}) + "\n" for number in range(entries)]
    (directory / "entries").write_text("".join(lines))
    path.write_text(JOURNALCTL.format(calls=directory / "calls", entries=directory / "entries", status=status))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def messages(journal: Journal) -> list[str]:
    return [json.loads(line)["MESSAGE"] for part in journal.poll() for line in part.chunk.split(b"\n")]


def test_the_journal_goes_on_behind_its_cursor(tmp_path: Path) -> None:
    journal = Journal("", ["postfix/smtpd"], journalctl(tmp_path, 3))
    assert messages(journal) == ["0", "1", "2"]
    journalctl(tmp_path, 5)
    assert messages(Journal(journal.cursor, (), str(tmp_path / "journalctl"))) == ["3", "4"]
    calls = (tmp_path / "calls").read_text().splitlines()
    assert "--identifier=postfix/smtpd" in calls[0]
    assert "--after-cursor=2" in calls[1]


def test_a_journalctl_that_fails(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="journalctl failed"):
        messages(Journal("", (), journalctl(tmp_path, 1, status=1)))
    with pytest.raises(FileNotFoundError):
        messages(Journal("", (), str(tmp_path / "absent")))
