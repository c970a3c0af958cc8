"""Objects of S3: listed, fetched and unpacked, and what is said when that cannot be done."""

import contextlib
import gzip
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from benchmarks.messages import NO_REPORT
from email_report_processor import objects
from email_report_processor.objects import Bucket, ObjectsError, S3Options, parts
from tests.s3 import S3, credentials


@pytest.fixture(autouse=True)
def _credentials() -> Iterator[None]:
    with credentials():
        yield


def bucket_of(s3: S3, prefix: str = "") -> Bucket:
    return Bucket(f"s3://b{secrets.token_hex(6)}/{prefix}", S3Options(endpoint=s3.url))


def test_pages_are_all_of_the_prefix_in_order(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PAGE", 7)
    bucket = bucket_of(s3, "in/")
    keys = [f"in/{number:03}" for number in range(30)] + ["in/ü ö+%20", "in/sub/x"]
    s3.put(bucket.name, dict.fromkeys(keys, b"x") | {"in/": b"", "other": b"", "in2/y": b""})
    pages = list(bucket.pages())
    assert [one.key for page in pages for one in page] == sorted(keys)
    assert len(pages) == 5
    assert [one.key for page in bucket.pages("in/028") for one in page] == sorted(keys)[29:]
    assert bucket.fetch("in/ü ö+%20").read(0, 9) == b"x"


def test_gzip_is_opened_where_it_holds_a_message(s3: S3) -> None:
    bucket = bucket_of(s3)
    report = gzip.compress(b"<feedback/>")
    s3.put(
        bucket.name, {"m.gz": gzip.compress(NO_REPORT), "r.gz": report, "cut.gz": gzip.compress(NO_REPORT * 99)[:-9]}
    )
    assert bucket.fetch("m.gz").read(0, 9999) == NO_REPORT
    assert bucket.fetch("r.gz").read(0, 9999) == report
    assert bucket.fetch("cut.gz").read(0, len(NO_REPORT)) == NO_REPORT


def test_what_is_gone_or_too_large_is_about_one_object(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = bucket_of(s3)
    s3.put(bucket.name, {"x": b"12345"})
    with pytest.raises(FileNotFoundError):
        bucket.fetch("y")
    monkeypatch.setattr(objects, "LARGEST", 4)
    with pytest.raises(OSError, match="more than 4 bytes"):
        bucket.fetch("x")


class _Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Say no as S3 does."""
        code = self.path.split("/")[1].partition("?")[0]
        body = f"<Error><Code>{code}</Code><Message>It says no</Message></Error>".encode()
        self.send_response(503 if code == "SlowDown" else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name in the standard library
        """Nothing."""


@pytest.mark.parametrize(
    ("code", "lasting", "sentence"),
    [
        ("AccessDenied", True, "s3:GetObject"),
        ("InvalidAccessKeyId", True, "correct the credentials"),
        ("SlowDown", False, "SlowDown: It says no"),
    ],
)
def test_what_is_refused(code: str, lasting: bool, sentence: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    options = S3Options(endpoint=f"http://127.0.0.1:{server.server_address[1]}")
    with pytest.raises(ObjectsError, match=sentence) as raised:
        list(Bucket(f"s3://{code}/x", options).pages())
    server.shutdown()
    server.server_close()
    assert raised.value.lasting == lasting
    assert "secret-of-s3" not in str(raised.value)


def test_a_bucket_that_is_not_there_and_a_server_that_is_not(s3: S3) -> None:
    with pytest.raises(ObjectsError, match=r"\[s3\] endpoint") as raised:
        list(bucket_of(s3).pages())
    assert raised.value.lasting
    with pytest.raises(ObjectsError, match=r"127\.0\.0\.1:1") as raised:
        list(Bucket("s3://bucket", S3Options(endpoint="http://127.0.0.1:1")).pages())
    assert not raised.value.lasting
    with pytest.raises(ObjectsError, match="nonsense"):
        list(Bucket("s3://bucket", S3Options(endpoint="nonsense")).pages())


def test_no_credentials(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with contextlib.suppress(KeyError):
        monkeypatch.delenv("AWS_PROFILE")
    with pytest.raises(ObjectsError, match="no AWS credentials") as raised:
        list(bucket_of(s3).pages())
    assert raised.value.lasting


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "http://b/x", "s3:b"])
def test_names_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match="s3://BUCKET"):
        parts(url)
