"""What a domain publishes against what reports say of it: SPF, DKIM, and who is silent."""

import base64
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.advice import observed_spf
from email_report_processor.advice.observed import check_observed, read
from email_report_processor.advice.observed_spf import Carried
from email_report_processor.checking.dkim_key import is_key, read_key
from email_report_processor.checking.finding import Finding
from email_report_processor.checking.resolver import Look, Records
from email_report_processor.documents.document import make_id
from email_report_processor.documents.encode import encode
from email_report_processor.documents.senders import read_senders
from email_report_processor.pages.figure import Period
from email_report_processor.stores.kinds import Combined
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
    kinds = ("A", "AAAA") if kind == "ADDRESS" else (kind,)
    return Records(tuple(text for one in kinds for text in DNS.get((name, one), ())))


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
        ("spf", "include:gone.example: there is no record: every check", "failure"),
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


# Every kind of mechanism, with who passes through it

TERMS = (
    "a:web.example.org/28//64",
    "mx:other.example/30",
    "exists:%{ir}.%{v}.l.example",
    "include:%{d1r}.nested.example",
    "ptr:hosts.example",
    "redirect=_spf.example.org",
)
MECHANISMS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("example.org", "TXT"): (" ".join(["v=spf1", *TERMS]),),
    ("_spf.example.org", "TXT"): ("v=spf1 include:one.example ip6:2001:db8:6::/48 ~all",),
    ("one.example", "TXT"): ("v=spf1 include:two.example -all",),
    ("two.example", "TXT"): ("v=spf1 ip4:203.0.113.0/24 -all",),
    ("example.nested.example", "TXT"): ("v=spf1 ip4:198.51.100.128/25 -all",),
    ("web.example.org", "A"): ("192.0.2.17",),
    ("web.example.org", "AAAA"): ("2001:db8:1::1",),
    ("web.example.org", "ADDRESS"): ("192.0.2.17", "2001:db8:1::1"),
    ("other.example", "MX"): ("a.other.example", "b.other.example"),
    ("a.other.example", "A"): ("192.0.2.101",),
    ("a.other.example", "AAAA"): ("2001:db8:2::1",),
    ("b.other.example", "A"): ("192.0.2.201",),
    ("7.100.51.198.in-addr.l.example", "A"): ("127.0.0.2",),
    ("9.9.9.9.in-addr.arpa", "PTR"): ("nine.hosts.example",),
    ("nine.hosts.example", "A"): ("9.9.9.9",),
}


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("192.0.2.30", "a:web.example.org/28//64"),  # of the same /28
        ("192.0.2.32", ""),
        ("2001:db8:1::ffff", "a:web.example.org/28//64"),  # of the same /64
        ("2001:db8:1:1::1", ""),
        ("192.0.2.203", "mx:other.example/30"),
        ("192.0.2.204", ""),
        ("198.51.100.7", "exists:%{ir}.%{v}.l.example"),
        ("198.51.100.130", "include:%{d1r}.nested.example"),
        ("9.9.9.9", "ptr:hosts.example"),
        ("203.0.113.5", "redirect=_spf.example.org > include:one.example > include:two.example > ip4:203.0.113.0/24"),
        ("2001:db8:6::1", "redirect=_spf.example.org > ip6:2001:db8:6::/48"),
        ("8.8.8.8", ""),
    ],
)
def test_each_mechanism_with_the_messages_that_it_carried(address: str, path: str) -> None:
    def ask(name: str, kind: str) -> Records:
        return Records(MECHANISMS.get((name, kind), ()))

    fields = {"policy_evaluated.dkim": "pass", "auth_results.spf": [{"domain": "example.org", "scope": "mfrom"}]}
    seen = read("example.org", [Combined(fields, address, "Here", "2026-11-20", 7)], ask)
    found = list(observed_spf.findings("example.org", seen.carried, ask))
    carried = [one.text.partition(": 7 messages")[0].strip() for one in found if ": 7 messages" in one.text]
    outside = f"{address} sends with your envelope and passes through no mechanism"
    if path:
        shown = path.split(" > ")
        assert carried == (shown if "%" not in path or "exists" in path else shown[:1])
        assert not any(outside in one.text for one in found)
    else:
        assert carried == [outside]


def test_what_costs_receivers_something_and_brings_nothing() -> None:
    dns = {
        ("example.org", "TXT"): ("v=spf1 ptr a:gone.example mx:many.example exists:gone.example redirect=s.example",),
        ("s.example", "TXT"): ("v=spf1 a mx:gone.example -all",),
        ("many.example", "MX"): tuple(f"m{n}.example" for n in range(11)),
    }
    found = list(
        observed_spf.findings("example.org", Carried(Counter(), Counter()), lambda *asked: Records(dns.get(asked, ())))
    )
    for result, words in [
        ("warning", "ptr: slow"),
        ("warning", "a:gone.example: the DNS has nothing there"),
        ("failure", "mx:many.example: it has more than 10 mail servers"),
        ("warning", "exists:gone.example: the DNS has nothing there"),
        ("warning", "  a: the DNS has nothing there"),
        ("warning", "  mx:gone.example: the DNS has nothing there"),
        ("warning", "redirect=s.example: 0 messages"),
    ]:
        assert [one.result for one in found if one.text.startswith(words)] == [result], words
    (redirect,) = [one for one in found if one.text.startswith("redirect=")]
    assert redirect.remedy == 'example.org. IN TXT "v=spf1 ptr a:gone.example mx:many.example exists:gone.example -all"'


@pytest.mark.parametrize(
    ("tags", "fault", "strict"),
    [
        ("", "", False),
        ("h=sha256; ", "", False),
        ("h=sha1 : SHA256; ", "", False),
        ("h=sha1; ", "h=sha1: no signature with SHA-256 passes", False),
        ("s=email; ", "", False),
        ("s=* : other; ", "", False),
        ("s=tlsrpt; ", "s=tlsrpt: it is not for mail", False),
        ("t=s; ", "", True),
        ("t=y:s; ", "", True),
        ("k=dsa; ", "k=dsa is known to nobody", False),
    ],
)
def test_tags_of_a_key(tags: str, fault: str, *, strict: bool) -> None:
    key = read_key(f"v=DKIM1; {tags}p={rsa(2048).partition('p=')[2]}")
    assert (fault in key.fault, bool(key.fault), key.strict) == (True, bool(fault), strict)


def test_a_key_of_ed25519() -> None:
    wrapped = bytes.fromhex("302a300506032b6570032100") + bytes(32)  # as OpenSSL writes it, which receivers do not take
    assert read_key(f"v=DKIM1; k=ed25519; p={base64.b64encode(bytes(32)).decode()}").fault == ""
    assert "44 bytes are no Ed25519 key" in read_key(f"k=ed25519; p={base64.b64encode(wrapped).decode()}").fault


def test_an_error_is_not_told_as_a_host_that_nothing_names() -> None:
    """An IPv6 host, and hosts of A records only: three look-ups find nothing, and receivers give up."""
    dns = {("example.org", "TXT"): ("v=spf1 a:a.example a:b.example a:c.example ip6:2001:db8::/32 -all",)}
    fields = {"policy_evaluated.dkim": "pass", "auth_results.spf": [{"domain": "example.org", "scope": "mfrom"}]}

    def ask(name: str, kind: str) -> Records:
        return Records(dns.get((name, kind), ("192.0.2.1",) if kind == "A" else ()))

    seen = read("example.org", [Combined(fields, "2001:db8::1", "Here", "2026-11-20", 7)], ask)
    found = [one for one in observed_spf.findings("example.org", seen.carried, ask) if "2001:db8::1" in one.text]
    assert "its check ends in an error (more than 2 look-ups of names with nothing" in found[-1].text
    assert found[-1].remedy == "mend the record: see above"
