"""A bucket of S3 as a way in: every object counts once, whatever happens meanwhile."""

import contextlib
import gzip
import json
import os
import random
import secrets
import signal
import time
from pathlib import Path

import pytest

from benchmarks.messages import NO_REPORT, message, xml
from email_report_processor.inboxes.bucket import MARGIN, Marks
from email_report_processor.objects import Object
from tests.conftest import Program
from tests.mta.wires import Gate
from tests.s3 import ENVIRONMENT, S3

from .test_imap import Site, children, wait_until


@pytest.fixture
def site(run_admin: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr("tests.inboxes.test_imap.ENVIRONMENT", ENVIRONMENT)
    return Site(run_admin, tmp_path)


@pytest.fixture
def bucket() -> str:
    return f"b{secrets.token_hex(6)}"


def settings(bucket: str, endpoint: str, more: str = "") -> str:
    return f'[s3]\nendpoint = "{endpoint}"\n[[bucket]]\nurl = "s3://{bucket}/in/"\nfeed = "ses"\n{more}\n'


def mails(number: int, name: str = "") -> dict[str, bytes]:
    """Objects as SES names them: in no order."""
    name = name or secrets.token_hex(3)
    return {f"in/{secrets.token_hex(16)}": message(2, f"{name}-{one}") for one in range(number)}


def test_each_object_is_read_once(s3: S3, site: Site, bucket: str, state: Path) -> None:
    s3.put(bucket, mails(40) | {"in/r.xml.gz": gzip.compress(b"".join(xml(2, "bare"))), "out/x": b"not ours"})
    s3.put(bucket, {"in/n": NO_REPORT, "in/mbox": (b"From a@b Thu Nov 20 06:00:00 2025\n" + NO_REPORT + b"\n") * 2})
    for _ in range(2):
        assert site.once(settings(bucket, s3.url)).status == 0
        assert site.said.count("stored=3") == 41
        assert site.said.count("report=none") == 1
    assert len(list((state / "kept/new").iterdir())) == 2
    new = mails(2)
    s3.put(bucket, new | {"in/n": message(2, "written over")})
    s3.client.delete_object(Bucket=bucket, Key=next(iter(new)))
    assert site.once(settings(bucket, s3.url)).status == 0
    assert site.documents() == 43 * 3


def test_a_service_follows_and_comes_back(s3: S3, site: Site, bucket: str) -> None:
    gate = Gate("127.0.0.1", s3.port)
    s3.put(bucket, mails(3))
    tables = settings(bucket, f"http://127.0.0.1:{gate.port}", "look_seconds = 0.2")
    with site.service(tables, **ENVIRONMENT) as process:
        wait_until(lambda: site.documents() == 9, site)
        s3.put(bucket, mails(2))
        wait_until(lambda: site.documents() == 15, site)
        gate.close()
        wait_until(lambda: "nothing is moved" in site.said, site)
        s3.put(bucket, mails(2))
        gate.open()
        wait_until(lambda: site.documents() == 21, site)
        process.terminate()
        assert process.wait(60) == 0
    gate.close()


def test_the_store_is_away(s3: S3, site: Site, bucket: str) -> None:
    s3.put(bucket, mails(20))
    more = "[store]\nretry_seconds = 1.5\n"
    assert site.once(settings(bucket, s3.url), more, store="http://127.0.0.1:1").status == 75
    assert site.once(settings(bucket, s3.url)).status == 0
    assert site.documents() == 60


def test_killed_at_random_moments(s3: S3, site: Site, bucket: str) -> None:
    s3.put(bucket, mails(90))
    dice = random.Random(5)
    for _ in range(2):
        with site.service(settings(bucket, s3.url), **ENVIRONMENT) as process:
            wait_until(lambda: bool(children(process)), site)
            here = children(process)
            time.sleep(dice.uniform(0.3, 1.0))  # the moment is what is tried
            for pid in (process.pid, *here):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    assert site.once(settings(bucket, s3.url)).status == 0
    assert site.documents() == 270


def test_what_is_wrong_is_said(s3: S3, site: Site, bucket: str) -> None:
    assert site.once(settings(bucket, s3.url)).status == 1
    assert "NoSuchBucket" in site.said
    assert site.once(settings(bucket, "http://127.0.0.1:1")).status == 75
    assert site.once("[[bucket]]\nurl = 's3:x'\n").status == 2
    s3.put(bucket, mails(1))
    text = site.settings(settings(bucket, s3.url))
    checked = site.program(b"", "inbox", "--check", settings=text, env=ENVIRONMENT)
    assert (checked.status, checked.stdout) == (0, f"s3://{bucket}/in/: objects: 1; they stay as they are\n")
    assert "secret-of-s3" not in site.said


def test_marks_forget_what_is_old_and_nothing_else(tmp_path: Path) -> None:
    path = str(tmp_path / "inboxes/x.json")
    marks = Marks(path)
    old, new, failed = (Object(key, 1, "e", modified) for key, modified in (("a", 10.0), ("b", 1e6), ("c", 20.0)))
    assert all(map(marks.is_new, (old, new, failed)))
    marks.began = 1e6
    marks.done([old, new, failed], [failed])
    marks.end()
    again = Marks(path)
    assert (again.since, again.recent, again.left) == (1e6 - MARGIN, {"b": new}, {"c": failed})
    assert not any(map(again.is_new, (old, new, failed)))
    assert again.is_new(new._replace(etag="other"))
    assert again.is_new(Object("a", 1, "e", 1e6 - MARGIN))
    again.began = 2e6
    again.done([failed], [])
    assert not again.left
    Path(path).write_text(json.dumps({"since": "x"}))
    assert Marks(path).fault
    assert Marks(path).since == 0.0
