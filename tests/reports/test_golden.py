"""Golden pairs of all kinds by the whole way: documents, ids, fields, and the real node with strict mappings.

`tests/reports/ids.txt` freezes every id beside the pairs: whoever writes a pair anew must not write an id anew.
A new pair adds its lines: `python -m tests.test_golden`.
"""

import base64
import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.documents.classify import Site
from email_report_processor.documents.datasets import BY_NAME, DATASETS
from email_report_processor.documents.document import Document
from email_report_processor.documents.encode import decode
from email_report_processor.documents.enrich import open_databases
from email_report_processor.documents.senders import read_senders
from email_report_processor.logins.lines.login import Login
from email_report_processor.logins.rows import row_of
from email_report_processor.process import Job, Layout, Tally, guarded_rows
from email_report_processor.reports.reading import read_message
from email_report_processor.reports.report import Options, Ours, Reading
from email_report_processor.stores import templates
from email_report_processor.stores.client import OpenSearchOptions
from email_report_processor.stores.opensearch import OpenSearchStore
from email_report_processor.stores.store import Row, Written
from email_report_processor.values.fields import Fields
from tests import mmdb, nodes
from tests.desk import happened
from tests.logins.logs import LOGS, scan
from tests.places import GOLDEN

PAIRS = sorted(path for path in GOLDEN.glob("*/*") if path.suffix not in {".json", ".log"})  # logs: tests/logins
IDS = GOLDEN / "ids.txt"
EVERYTHING_ON = Options(sample="full", authserv_ids=("mail.example.org",), feed="ruf")
ANY_PAIR = pytest.mark.parametrize("path", PAIRS, ids=lambda path: f"{path.parent.name}/{path.stem}")


OF_A_FEED = EVERYTHING_ON._replace(feed="spamtrap", ours=Ours(("192.0.2.0/24",), ("example.org",)))


def options(path: Path) -> Options:
    """Pairs of feedback are read with everything switched on, messages as they come through a feed of their kind."""
    if path.parent.name == "raw-message":
        return OF_A_FEED
    return EVERYTHING_ON if path.parent.name in {"arf", "dmarc-failure"} else Options()


def documents(reading: Reading) -> list[Document]:
    return [document for report in reading.reports for document in report.documents()]


def ids(raw: bytes, path: Path) -> list[tuple[str, str]]:
    return [(one.dataset, one.id) for one in documents(read_message(raw, options(path)))]


def rows_alone(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [one for one in found if one[0] != "report"]


@ANY_PAIR
def test_documents(path: Path) -> None:
    reading = read_message(path.read_bytes(), options(path))
    assert reading.problems == ()
    assert [[one.dataset, one.id, one.fields] for one in documents(reading)] == json.loads(
        path.with_suffix(".json").read_text("utf-8")
    )


@ANY_PAIR
def test_ids_never_change(path: Path) -> None:
    name = f"{path.parent.name}/{path.stem}"
    frozen = [line.split()[1:] for line in IDS.read_text().splitlines() if line.split()[0] == name]
    assert [list(one) for one in ids(path.read_bytes(), path)] == frozen, f"{name}: see the head of this file"


def test_no_pair_was_taken_away() -> None:
    assert {line.split()[0] for line in IDS.read_text().splitlines()} == {
        f"{one.parent.name}/{one.stem}" for one in PAIRS
    }


HEADER = b"From: x@other.example\r\nMessage-ID: <%d@other.example>\r\nDate: Fri, 20 Nov 2026 06:00:00 +0000\r\n"


def wrapped(data: bytes, name: str, number: int) -> bytes:
    """As an attachment of another message."""
    attachment = (
        f'Content-Type: application/octet-stream; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'.encode()
        + base64.encodebytes(data)
    )
    return HEADER % number + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n' + attachment + b"--b--\r\n"


@pytest.mark.parametrize("path", [one for one in PAIRS if one.suffix == ".xml"], ids=lambda path: path.stem)
def test_transport_changes_no_id(path: Path) -> None:
    raw = path.read_bytes()
    expected = ids(raw, path)
    ways = {
        "gzip": gzip.compress(raw),
        "zlib": zlib.compress(raw),
        "gzip in gzip": gzip.compress(gzip.compress(raw)),
        "attached": wrapped(raw, "report.xml", 1),
        "attached, compressed": wrapped(gzip.compress(raw), "report.doc", 2),
        "line ends": raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    }
    for way, data in ways.items():
        assert ids(data, path) == expected, way


@pytest.mark.parametrize("path", [one for one in PAIRS if one.suffix == ".eml"], ids=lambda path: path.stem)
def test_another_message_changes_no_row(path: Path) -> None:
    """The same mail forwarded as an attachment, and with other line ends."""
    raw = path.read_bytes()
    expected = rows_alone(ids(raw, path))
    # A feedback report that says neither when nor which message it is about is known by the mail that brought it.
    named = re.findall(b"(?mi)^Message-ID: .*\n", raw) or [b""]
    header = re.sub(b"Message-ID: .*\r\n", named[0], HEADER % 3)
    forwarded = header + b"Content-Type: message/rfc822\r\n\r\n" + raw
    if path.parent.name == "raw-message":  # who forwards it sends another message
        forwarded = b"X-Spam: Yes\r\n" + raw
    for data in (forwarded, raw.replace(b"\r\n", b"\n"), b"From x@example.org Thu Nov 19 00:00:00 2026\n" + raw):
        assert rows_alone(ids(data, path)) == expected


# Complete documents


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Everything that adds to a document."""
    pytest.importorskip("maxminddb")
    directory = tmp_path_factory.mktemp("databases")
    place = {
        "country": {"iso_code": "US"},
        "location": {"latitude": 37.75, "longitude": -97.8},
        "autonomous_system_number": 64500,
        "autonomous_system_organization": "Example LLC",
    }
    networks = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
    (directory / "all.mmdb").write_bytes(mmdb.write(dict.fromkeys(networks, place)))
    databases, warnings = open_databases((str(directory / "all.mmdb"),))
    assert warnings == []
    return Job(
        open_store=lambda: pytest.fail("no store is needed"),
        now=lambda: "2026-11-20T06:12:44Z",
        maildir=directory / "kept",
        site=Site(),
        senders=read_senders({"192.0.2.0/24": "Our own", "example.net": "Somebody"}),
        databases=databases,
    )


def all_rows(job: Job) -> Iterator[Row]:
    for path in PAIRS:
        for chosen in (options(path), EVERYTHING_ON):
            reading = read_message(path.read_bytes(), chosen)
            yield from guarded_rows(list(reading.reports), job, Tally())
    assert job.databases is not None
    for login in logins():
        yield row_of(login, job.databases.look_up(login.address), now=job.now(), layout=job.layout)
    yield from happened.rows(job.layout)


def logins() -> Iterator[Login]:
    for path in LOGS:
        yield from (login for login in scan(path.read_bytes()) if login.address)


def names(fields: Fields) -> Iterator[str]:
    for name, value in fields.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield from (f"{name}.{key}" for one in value for key in one)
        elif not name.startswith("raw."):
            yield name


@pytest.fixture(scope="module")
def seen(job: Job) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {dataset.name: set() for dataset in DATASETS}
    for row in all_rows(job):
        fields = decode(row.source)
        found[fields["event.dataset"]] |= set(names(fields))
    return found


FEEDBACK = ("arf", "dmarc-failure")
OF_XARF = {name for name, field in BY_NAME["arf"].by_name.items() if field.source == "X-ARF"}


@pytest.mark.parametrize("dataset", [name for name in BY_NAME if name not in FEEDBACK])
def test_every_field_occurs_and_nothing_else(seen: dict[str, set[str]], dataset: str) -> None:
    assert seen[dataset] == set(BY_NAME[dataset].by_name)


def test_arf_has_the_fields_of_failures(seen: dict[str, set[str]]) -> None:
    """One table serves both; what no complaint of ours has, a failure report has, but for X-ARF."""
    assert BY_NAME["arf"].by_name == BY_NAME["dmarc-failure"].by_name
    assert seen["dmarc-failure"] == set(BY_NAME["arf"].by_name) - OF_XARF
    assert seen["arf"] <= seen["dmarc-failure"] | OF_XARF
    assert seen["arf"] >= OF_XARF
    assert len(seen["arf"]) > 0.75 * len(BY_NAME["arf"].by_name)


def test_types(job: Job) -> None:
    """What the mapping says is what stands in the documents."""
    python = {"long": int, "integer": int, "boolean": bool, "geo_point": dict}
    for row in all_rows(job):
        fields = decode(row.source)
        table = BY_NAME[fields["event.dataset"]].by_name
        for name, value in fields.items():
            inner = [(f"{name}.{key}", one) for item in value for key, one in item.items()] if is_objects(value) else ()
            for key, one in inner or [(name, value)]:
                if key.startswith("raw."):
                    continue
                field = table[key]
                assert isinstance(one, list) == field.many, key
                for element in one if isinstance(one, list) else [one]:
                    assert type(element) is python.get(field.type.name, str), key
                    if field.type.name == "date":
                        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", str(element)), key


def is_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def test_the_real_node_takes_them_all(node: nodes.Node, prefix: str, job: Job) -> None:
    """With `dynamic: strict`, and no value is left out of its field."""
    for request in templates.requests(prefix, strict=True):
        node.ask(request.method, request.path, request.body)
    rows = {row[:2]: row for row in all_rows(job._replace(layout=Layout(index_prefix=prefix)))}
    store = OpenSearchStore((node.url,), OpenSearchOptions(), prefix=prefix)
    assert store.write(rows.values()) == Written(len(rows), 0)
    store.close()
    held = node.documents(f"{prefix}*")
    assert {(one.index, one.id): one.source for one in held} == {
        key: json.loads(row.source) for key, row in rows.items()
    }
    ignored = node.ask("POST", f"/{prefix}*/_search", {"query": {"exists": {"field": "_ignored"}}, "size": 20})
    assert [(hit["_id"], hit["_ignored"]) for hit in ignored["hits"]["hits"]] == []
    for dataset in DATASETS:
        counts = node.ask("POST", f"/{prefix}{dataset.name}-*/_search", exists(dataset.name))["aggregations"]
        absent = {name.replace("/", ".") for name, bucket in counts.items() if not bucket["doc_count"]}
        assert dataset.name == "arf" or absent <= (OF_XARF if dataset.name == "dmarc-failure" else set())


def exists(dataset: str) -> dict[str, Any]:
    """How many documents have each field that can be searched."""
    indexed = [field.name for field in BY_NAME[dataset].fields if field.type.mapping.get("index", True)]
    return {"size": 0, "aggs": {name.replace(".", "/"): {"filter": {"exists": {"field": name}}} for name in indexed}}


def add_ids() -> None:
    """Freeze the ids of new pairs; those of old ones stay."""
    known = {line.split()[0] for line in IDS.read_text().splitlines()} if IDS.exists() else set()
    with IDS.open("a") as file:
        for path in PAIRS:
            if (name := f"{path.parent.name}/{path.stem}") not in known:
                file.writelines(f"{name} {dataset} {id_}\n" for dataset, id_ in ids(path.read_bytes(), path))


if __name__ == "__main__":
    add_ids()
    sys.exit(0)
