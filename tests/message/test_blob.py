"""Blobs: the same bytes from memory and from a file."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.message.blob import CHUNK, File, Memory, Scratch, Slice, chunks, spool


@given(st.binary(max_size=300), st.integers(0, 320), st.integers(0, 320))
def test_memory_and_file_read_alike(data: bytes, start: int, stop: int) -> None:
    memory = spool(io.BytesIO(data).read, 1000).blob
    file = spool(io.BytesIO(data).read, 1000, in_memory=0).blob
    assert memory.size == file.size == len(data)
    assert memory.read(start, stop) == file.read(start, stop) == data[start:stop]
    assert Slice(file, 10, 20).read(start, stop) == data[10:20][start:stop]


@pytest.mark.parametrize("in_memory", [0, 10**6])
def test_spool_keeps_what_the_bound_allows_and_drains_the_rest(in_memory: int) -> None:
    source = io.BytesIO(b"x" * 3 * CHUNK)
    spooled = spool(source.read, CHUNK + 1, in_memory=in_memory)
    assert (spooled.blob.size, spooled.seen, spooled.complete) == (CHUNK + 1, 3 * CHUNK, False)
    assert source.read() == b""
    assert isinstance(spooled.blob, Memory) is bool(in_memory)
    assert spool(io.BytesIO(b"x").read, 1).complete


def test_chunks() -> None:
    data = bytes(range(256)) * 1024
    assert [len(piece) for piece in chunks(Memory(data))] == [CHUNK] * 4
    assert b"".join(chunks(Memory(data), 5, CHUNK + 7)) == data[5 : CHUNK + 7]
    assert list(chunks(Memory(b"abc"), 3, 9)) == []


def test_scratch_shares_one_budget_and_then_one_file() -> None:
    scratch = Scratch(in_memory=10)
    blobs = [
        scratch.keep([b"12345", b"678"]),
        scratch.keep([b"ab", b"cd"]),
        scratch.keep([b"xyz"]),
        scratch.keep([b"9"]),
    ]
    assert [blob.read(0, 100) for blob in blobs] == [b"12345678", b"abcd", b"xyz", b"9"]
    assert [isinstance(blob, Memory) for blob in blobs] == [True, False, False, True]
    assert isinstance(scratch.file, File)
    assert scratch.file.size == 7
    assert blobs[1].read(1, 3) == b"bc"
    assert blobs[1].size == 4
