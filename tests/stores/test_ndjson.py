"""Documents on a stream."""

import contextlib
import io
import json
import os

import pytest

from email_report_processor.documents.encode import encode
from email_report_processor.stores.ndjson import NdjsonStore
from email_report_processor.stores.store import Question, Row, StoreError, Written

ROWS = [Row("i", "1", encode({"a.b": "é\n"})), Row('odd"\u2028', "2", b"{}")]


def test_one_object_a_line() -> None:
    stream = io.BytesIO()
    assert NdjsonStore(stream).write(ROWS) == Written(2, 0)
    assert [json.loads(line) for line in stream.getvalue().split(b"\n")[:-1]] == [
        {"_index": "i", "_id": "1", "_source": {"a": {"b": "é\n"}}},
        {"_index": 'odd"\u2028', "_id": "2", "_source": {}},
    ]
    assert stream.getvalue().startswith(b'{"_index":"i","_id":"1","_source":{"a":{"b":"\xc3\xa9\\n"}}}\n')


def test_a_report_attached_twice_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    assert NdjsonStore(stream).write([*ROWS, *ROWS, Row("other", "1", b"{}")]) == Written(2, 3)
    assert stream.getvalue().count(b"\n") == 2
    monkeypatch.setattr("email_report_processor.stores.ndjson.REMEMBERED", 1)
    assert NdjsonStore(stream).write([*ROWS, *ROWS]) == Written(3, 1)


def test_it_is_flushed() -> None:
    """The filter leaves by os._exit."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb") as writer:
        NdjsonStore(writer).write(ROWS[1:])
        assert os.read(reader.fileno(), 1000) == '{"_index":"odd\\"\u2028","_id":"2","_source":{}}\n'.encode()


@pytest.mark.parametrize("number", [1, 10_000])
def test_nobody_reads(number: int) -> None:
    """Nothing was stored for sure: the message is to be kept. With many rows the break shows before the flush."""
    reading, writing = os.pipe()
    os.close(reading)
    writer = os.fdopen(writing, "wb")
    with pytest.raises(StoreError, match=r"standard output: .*Broken pipe: whoever reads"):
        NdjsonStore(writer).write(Row("i", str(count), b"{}") for count in range(number))
    with contextlib.suppress(BrokenPipeError):  # what is still in its buffer
        writer.close()


def test_a_full_disk() -> None:
    writer = open("/dev/full", "wb")  # noqa: SIM115  # closing it fails too
    with pytest.raises(StoreError, match="No space left"):
        NdjsonStore(writer).write(ROWS)
    with pytest.raises(OSError, match="No space left"):
        writer.close()


def test_a_closed_stream() -> None:
    stream = io.BytesIO()
    stream.close()
    with pytest.raises(StoreError, match="closed file"):
        NdjsonStore(stream).write(ROWS)
    with pytest.raises(StoreError, match="closed file"):
        NdjsonStore(stream).write([])


def test_it_cannot_be_read() -> None:
    store = NdjsonStore(io.BytesIO())
    with pytest.raises(StoreError, match="cannot be read back"):
        list(store.scan())
    with pytest.raises(StoreError, match="cannot be read back"):
        store.totals(Question("arf"))
    store.close()
