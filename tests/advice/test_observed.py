"""What a domain publishes against what reports say of it: SPF, DKIM, and who is silent."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.advice.observed import check_observed
from email_report_processor.checking.dkim_key import is_key, read_key
from email_report_processor.checking.finding import Finding
from email_report_processor.checking.resolver import Look, Records
from email_report_processor.documents.document import make_id
from email_report_processor.documents.encode import encode
from email_report_processor.documents.senders import read_senders
from email_report_processor.pages.figure import Period
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.store import Row, Store
from tests.nodes import Node

SENDERS = read_senders({}, [{"network": "203.0.113.0/24", "verdict": "service"}])


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    head = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + head + content


def rsa(bits: int, *, bare: bool = False) -> str:
    """A record whose modulus has so many bits; nobody has its private half."""
    modulus = (1 << (bits - 1)) + 1
    numbers = der(2, b"\0" + modulus.to_bytes(bits // 8, "big")) + der(2, b"\1\0\1")
    key = der(0x30, numbers)
    algorithm = der(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    whole = key if bare else der(0x30, algorithm + der(3, b"\0" + key))
    return f"v=DKIM1; k=rsa; p={base64.b64encode(whole).decode()}"


DNS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("example.org", "TXT"): (
        "v=spf1 mx include:big.example ip4:192.0.2.0/24 include:unused.example include:gone.example ?all",
    ),
    ("example.org", "MX"): ("mail.example.org",),
    ("mail.example.org", "A"): ("192.0.2.25",),
    ("big.example", "TXT"): ("v=spf1 include:inner.example -all",),
    ("inner.example", "TXT"): ("v=spf1 ip4:198.51.100.0/24 -all",),
    ("unused.example", "TXT"): ("v=spf1 a:x.unused.example a:y.unused.example -all",),
    ("x.unused.example", "A"): ("203.0.113.200",),
    ("y.unused.example", "A"): ("203.0.113.201",),
    ("_dmarc.example.org", "TXT"): ("v=DMARC1; p=none; rua=mailto:a@example.org; ruf=mailto:f@example.org",),
    ("_smtp._tls.example.org", "TXT"): ("v=TLSRPTv1; rua=mailto:t@example.org",),
    ("good._domainkey.example.org", "TXT"): (rsa(2048),),
    ("short._domainkey.example.org", "TXT"): (rsa(1024, bare=True),),
    ("tiny._domainkey.example.org", "TXT"): (rsa(512),),
    ("revoked._domainkey.example.org", "TXT"): ("v=DKIM1; p=",),
    ("testing._domainkey.example.org", "TXT"): (rsa(2048) + "; t=y",),
    ("new._domainkey.example.org", "TXT"): (f"k=ed25519; p={base64.b64encode(bytes(32)).decode()}",),
    ("broken._domainkey.example.org", "TXT"): ("v=DKIM1; p=*",),
    ("old._domainkey.example.org", "TXT"): (rsa(2048),),
}


def look(name: str, kind: str) -> Records:
    return Records(DNS.get((name, kind), ()))


def rows(prefix: str) -> Iterator[Row]:
    """20 days of mail by each way, and what the checks must leave out."""
    for day in range(1, 21):
        for reporter in ("Here", *(("Gone",) if day <= 12 else ())):
            for number, (address, envelope, selector, result, class_) in enumerate(
                [
                    ("192.0.2.25", "example.org", "good", "pass", "aligned"),
                    ("198.51.100.7", "example.org", "short", "pass", "aligned"),
                    ("192.0.2.77", "example.org", "tiny", "pass", "aligned"),
                    ("203.0.113.9", "example.org", "nokey", "fail", "spoof"),  # a service, by verdict
                    ("203.0.113.99", "strange.example", "revoked", "pass", "aligned"),
                    ("8.8.8.8", "example.org", "broken", "fail", "spoof"),  # a stranger: not told
                    ("192.0.2.25", "example.org", "testing", "pass", "aligned"),
                    ("192.0.2.25", "example.org", "new", "pass", "aligned"),
                    ("192.0.2.25", "example.org", "rotated", "pass", "aligned"),
                    *([("192.0.2.25", "example.org", "old", "pass", "aligned")] if day == 1 else []),
                ]
            ):
                fields: dict[str, Any] = {
                    "@timestamp": f"2026-11-{day:02d}T12:00:00Z",
                    "event.dataset": "dmarc-aggregate",
                    "report.org_name": reporter,
                    "count": 1,
                    "class": class_,
                    "source.ip": address,
                    "identifiers.header_from": "example.org",
                    "policy_published.domain": "example.org",
                    "policy_evaluated.dkim": result,
                    "policy_evaluated.spf": "fail",
                    "dkim.signatures": [f"example.org / {selector} / {result}"],
                    "spf.checks": [f"{envelope} / mfrom / pass"],
                }
                id_ = make_id(prefix, day, reporter, number)
                yield Row(f"{prefix}dmarc-aggregate-2026.11", id_, encode(fields))


@pytest.fixture(params=["sqlite", "node"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    prefix = "erp-test-observed-"
    if request.param == "node":
        node: Node = request.getfixturevalue("node")
        node.wipe(prefix)
        opened = open_store(node.url, prefix=prefix)
    else:
        opened = open_store(f"sqlite:{tmp_path / 'reports.sqlite'}", prefix=prefix)
    opened.write(rows(prefix))
    if request.param == "node":
        node.ask("POST", f"/{prefix}*/_refresh")
    yield opened
    opened.close()
    if request.param == "node":
        node.wipe(prefix)


def one(found: list[Finding], about: str, words: str) -> str:
    """The result of the only finding about this that has these words."""
    (result,) = [each.result for each in found if each.about == f"example.org {about}" and words in each.text]
    return result


def checked(store: Store, look: Look = look, since: str = "2026-11-02T00:00:00Z") -> list[Finding]:
    return list(check_observed("example.org", store, Period(since), look, SENDERS, "2026-11-28"))


def test_everything(store: Store) -> None:
    found = checked(store)
    # 19 days with Here, 11 of them with Gone as well: 30 messages of each kind.
    for about, words, result in [
        ("spf", "mx: 120 messages, 1 look-up", "ok"),
        ("spf", "include:big.example: 30 messages, 2 look-ups", "ok"),
        ("spf", "  include:inner.example: 30 messages", "ok"),
        ("spf", "    ip4:198.51.100.0/24: 30 messages", "ok"),
        ("spf", "include:unused.example: 0 messages, 3 look-ups: no message", "warning"),
        ("spf", "include:gone.example: there is no record", "failure"),
        ("spf", "ip4:192.0.2.0/24: 30 messages", "ok"),
        ("spf", "7 look-ups of 10", "ok"),
        ("spf", "?all: of others it says nothing", "warning"),
        ("dkim", "good._domainkey.example.org: 30 messages passed, 0 did not; 2048 bits", "ok"),
        ("dkim", "short._domainkey.example.org: 30 messages passed, 0 did not; 1024 bits", "warning"),
        ("dkim", "512 bits are too few", "failure"),
        ("dkim", "nokey._domainkey.example.org: 0 messages passed, 30 did not; there is no key", "failure"),
        ("dkim", "the key is revoked", "warning"),
        ("dkim", "broken._domainkey.example.org: 0 messages passed, 30 did not; p= is no base64", "failure"),
        ("dkim", "t=y: it is being tested", "warning"),
        ("dkim", "new._domainkey.example.org: 30 messages passed, 0 did not; ed25519", "ok"),
        ("dkim", "rotated._domainkey.example.org: 30 messages passed, 0 did not; the key is gone", "warning"),
        ("dkim", "old._domainkey.example.org: nobody signed with it in this time", "warning"),
        ("rua", "mailto:a@example.org: 270 documents of dmarc-aggregate", "ok"),
        ("rua", "mailto:t@example.org: nothing of smtp-tls came from it", "warning"),
        ("ruf", "mailto:f@example.org: no failure report", "ok"),
        ("reporters", "Gone reported on 12 days, and the last time on 2026-11-12", "warning"),
    ]:
        assert one(found, about, words) == result, words
    assert not any("8.8.8.8" in each.text for each in found)
    remedy = next(each.remedy for each in found if "unused" in each.text)
    assert remedy == ('example.org. IN TXT "v=spf1 mx include:big.example ip4:192.0.2.0/24 include:gone.example ?all"')


def test_who_is_in_no_mechanism(store: Store) -> None:
    record = {**DNS, ("example.org", "TXT"): ("v=spf1 ip4:192.0.2.0/24 -all",)}
    found = checked(store, lambda name, kind: Records(record.get((name, kind), ())))
    assert one(found, "spf", "198.51.100.7 sends with your envelope and passes through no mechanism") == "warning"
    assert one(found, "spf", "203.0.113.9 sends with your envelope") == "warning"
    assert sum("passes through no mechanism" in each.text for each in found) == 2


@pytest.mark.parametrize(
    ("record", "words", "result"),
    [
        ((), "no SPF record", "failure"),
        (("v=spf1 a", "v=spf1 mx"), "2 SPF records", "failure"),
        (("v=spf1 +all",), "everybody passes", "failure"),
        (("v=spf1 ip4:192.0.2.0/24",), "the record has no all", "warning"),
        (("v=spf1 " + " ".join(f"a:h{n}.example" for n in range(11)) + " -all",), "11 look-ups of 10", "failure"),
        (("v=spf1 " + " ".join(f"a:h{n}.example" for n in range(9)) + " -all",), "9 look-ups of 10", "warning"),
        (("v=spf1 a:x.example a:y.example a:z.example -all",), "more than 2 look-ups find nothing", "failure"),
    ],
)
def test_records_with_faults(tmp_path: Path, record: tuple[str, ...], words: str, result: str) -> None:
    store = open_store(f"sqlite:{tmp_path / 'reports.sqlite'}", prefix="x-")
    store.write(rows("x-"))
    found = checked(store, lambda name, kind: Records(record if (name, kind) == ("example.org", "TXT") else ()))
    assert one(found, "spf", words) == result
    store.close()


@given(st.text(max_size=60) | st.builds("v=DKIM1; p={}".format, st.text(alphabet="ABCDMIQ+/= \t", max_size=80)))
def test_any_text_may_stand_where_a_key_should(text: str) -> None:
    key = read_key(text)
    assert not is_key(text) or key.fault or key.revoked or key.bits or key.kind == "ed25519"


@given(st.binary(max_size=60))
def test_any_bytes_may_stand_where_a_key_should(data: bytes) -> None:
    key = read_key(f"v=DKIM1; p={base64.b64encode(data).decode()}")
    assert key.fault or key.revoked or 0 < key.bits <= 8 * len(data)
