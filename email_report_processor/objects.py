"""Objects of S3 and of what speaks like it: listed page by page, fetched into a blob. Nothing is changed there.

The one module that uses botocore's client; credentials are found as every program of AWS finds them (variables, files,
the role of the machine). An object is one message, as SES stores it, or one bare report; either may be gzipped.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from .message import mbox
from .message.blob import Blob, Damaged, chunks, spool
from .message.packed import HEAD, packed_mail
from .message.streams import undone

SCHEME = "s3://"
LARGEST = 1024**3  # bytes of one object, also unpacked
PAGE = 1000  # objects of one answer; the most that S3 gives

_GONE = {"NoSuchKey", "404", "NoSuchVersion"}
_LASTING = {
    "AccessDenied": "give it s3:ListBucket and s3:GetObject there",
    "AllAccessDisabled": "the bucket is closed",
    "ExpiredToken": "renew the credentials",
    "InvalidAccessKeyId": "correct the credentials",
    "InvalidObjectState": "it lies in an archive (Glacier): restore it first",
    "NoSuchBucket": "correct the name of the bucket, or [s3] endpoint",
    "SignatureDoesNotMatch": "correct the credentials",
}


class S3Options(NamedTuple):
    """How objects of S3 are reached (PATHs that begin with s3://, and `[[bucket]]`; needs the extra `aws`)."""

    endpoint: str = ""  # URL of another server than AWS, such as https://minio.example.org:9000
    region: str = ""  # of the buckets; empty: as the environment of AWS says
    ca_file: str = ""  # certificates (PEM) to trust instead of those of botocore
    timeout: float = 60.0  # seconds for one answer


class ObjectsError(Exception):
    """The store of objects is away, or says no. lasting: it will say so again until somebody changes something."""

    def __init__(self, text: str, *, lasting: bool = False) -> None:
        super().__init__(text)
        self.lasting = lasting


class Object(NamedTuple):
    """One object."""

    key: str
    size: int  # bytes
    etag: str  # changes when its content does
    modified: float  # seconds since 1970


class Bucket:
    """The objects below one place, `s3://bucket/prefix`; the client is made when it is first used."""

    def __init__(self, url: str, options: S3Options) -> None:
        self.url = url
        self.name, self.prefix = parts(url)
        self._options = options
        self._client: Any = None

    def pages(self, after: str = "") -> Iterator[list[Object]]:
        """The objects behind this key, in the order of their keys (of their UTF-8 bytes). Raises ObjectsError."""
        more: dict[str, Any] = {"StartAfter": after} if after else {}
        while True:
            with self._said():
                answer = self._opened().list_objects_v2(Bucket=self.name, Prefix=self.prefix, MaxKeys=PAGE, **more)
            found = [_object(one) for one in answer.get("Contents", ())]
            yield [one for one in found if not (one.key.endswith("/") and not one.size)]  # what consoles call a folder
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def fetch(self, key: str) -> Blob:
        """An object, unpacked when it is a packed message.

        Raises ObjectsError; OSError when it is gone, is too large, or the temporary file cannot be written.
        """
        place = f"{SCHEME}{self.name}/{key}"
        with self._said(place):
            body = self._opened().get_object(Bucket=self.name, Key=key)["Body"]
            try:
                blob = _bounded(body.read, place)
            finally:
                body.close()
        form = packed_mail(blob.read(0, HEAD))
        return _unpacked(blob, form, place) if form else blob

    def _opened(self) -> Any:
        if self._client is None:
            self._client = _client(self._options)
        return self._client

    @contextmanager
    def _said(self, place: str = "") -> Iterator[None]:
        """What botocore raises becomes an ObjectsError, or an OSError about one object."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if place and code in _GONE:
                raise FileNotFoundError(errno.ENOENT, "it is no longer there", place) from error
            said = str(error.response.get("Error", {}).get("Message", ""))[:200] or code
            remedy = _LASTING.get(code, "")
            raise ObjectsError(
                f"{place or self.url}: {code}: {said}{': ' if remedy else ''}{remedy}", lasting=bool(remedy)
            ) from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise ObjectsError(
                f"{self.url}: no AWS credentials: see `aws configure`, or the role of this machine", lasting=True
            ) from error
        except (BotoCoreError, ValueError) as error:  # ValueError: of an endpoint that is no URL
            raise ObjectsError(f"{place or self.url}: {str(error)[:300]}") from error


def is_url(path: str) -> bool:
    """Whether a PATH names objects."""
    return path.startswith(SCHEME)


def parts(url: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`. Raises ValueError."""
    bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
    if not is_url(url) or not bucket:
        raise ValueError(f"{url!r} names no objects: write s3://BUCKET or s3://BUCKET/PREFIX")
    return bucket, prefix


def _client(options: S3Options) -> Any:
    try:
        from botocore.config import Config  # 60 ms and 200 more for the description of S3, only for objects
        from botocore.session import get_session
    except ImportError as error:
        raise ObjectsError("s3:// needs botocore: pip install 'email-report-processor[aws]'", lasting=True) from error
    import logging

    logging.getLogger("botocore").setLevel(logging.CRITICAL)  # we say what went wrong
    retries = {"mode": "standard", "total_max_attempts": 3}
    config = Config(connect_timeout=min(10.0, options.timeout), read_timeout=options.timeout, retries=retries)
    return get_session().create_client(
        "s3",
        region_name=options.region or None,
        endpoint_url=options.endpoint or None,
        verify=options.ca_file or None,
        config=config,
    )


def load_client() -> None:
    """Import botocore now: before a process parts into several that all need it. Raises ObjectsError."""
    _client(S3Options(endpoint="http://127.0.0.1:1", region="us-east-1"))


def _object(value: dict[str, Any]) -> Object:
    return Object(value["Key"], int(value["Size"]), str(value["ETag"]).strip('"'), value["LastModified"].timestamp())


def has_several(blob: Blob) -> bool:
    """Whether it is an mbox of several messages, of which only the first would be read."""
    return mbox.holds_several(blob)


def _bounded(read: Callable[[int], bytes], place: str) -> Blob:
    spooled = spool(read, LARGEST)
    if not spooled.complete:
        raise OSError(errno.EMSGSIZE, f"it has more than {LARGEST} bytes", place)
    return spooled.blob


def _unpacked(blob: Blob, form: str, place: str) -> Blob:
    """A message out of a stream; what is behind a damage is missing."""
    pieces = undone(form, chunks(blob), [])

    def read(_size: int) -> bytes:
        try:
            return next(pieces, b"")
        except Damaged:
            return b""

    return _bounded(read, place)
