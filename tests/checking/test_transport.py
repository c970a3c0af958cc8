"""MTA-STS and DANE against servers of the test's own: DNS with the AD flag, HTTPS, SMTP with STARTTLS."""

import hashlib
import http.server
import re
import shutil
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.checking.der import subject_public_key
from email_report_processor.checking.finding import Finding
from email_report_processor.checking.reach import Reach
from email_report_processor.checking.resolver import Resolver
from email_report_processor.checking.transport import check_transport, covers, read_policy, read_tlsa
from tests import dns_server
from tests.certificates import Made
from tests.certificates import certificate as made_certificate
from tests.conftest import missing
from tests.dns_server import DnsServer

POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.org\r\nmx: *.back.example.org\r\nmax_age: 604800\r\n"
NAMES = ("mail.example.org", "mta-sts.example.org", "a.back.example.org")


class Pair(NamedTuple):
    certificate: Path
    key: Path

    @property
    def der(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.certificate.read_text())

    def context(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.certificate, self.key)
        return made


def pair(directory: Path, name: str, names: tuple[str, ...]) -> Pair:
    if not shutil.which("openssl"):
        missing("needs openssl for a certificate; on Debian: apt-get install openssl")
    made = Pair(directory / f"{name}.crt", directory / f"{name}.key")
    alternative = ",".join(f"DNS:{one}" for one in names)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={alternative}"]
    command += ["-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return made


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as STARTTLS takes."""

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, MailServer)
        self.wfile.write(b"220 test ESMTP\r\n")
        while line := self.rfile.readline(1000):
            word = line.strip().upper()
            if word.startswith(b"EHLO"):
                self.wfile.write(b"250-test\r\n250 STARTTLS\r\n" if server.context else b"250 test\r\n")
            elif word == b"STARTTLS" and server.context:
                self.wfile.write(b"220 go on\r\n")
                try:
                    with server.context.wrap_socket(self.request, server_side=True) as wrapped:
                        wrapped.recv(100)
                except OSError:  # the client turned away
                    pass
                return
            else:
                self.wfile.write(b"221 bye\r\n")
                return


class MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    context: ssl.SSLContext | None = None


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, type_, text = self.server.answer  # type: ignore[attr-defined]  # set by the test
        self.send_response(status)
        self.send_header("Content-Type", type_)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


class World:
    """Everything that answers, and how to reach it."""

    def __init__(self, dns: DnsServer, trusted: Pair) -> None:
        self.dns = dns
        self.trusted = trusted
        self.mail = MailServer(("127.0.0.1", 0), Mail)
        self.mail.context = trusted.context()
        self.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
        self.web.socket = trusted.context().wrap_socket(self.web.socket, server_side=True)
        self.serve(200, "text/plain", POLICY)
        dns.records["example.org", "MX"] = ["10 mail.example.org."]
        dns.txt("_mta-sts.example.org", "v=STSv1; id=1")
        self.threads = [threading.Thread(target=one.serve_forever, args=(0.01,)) for one in (self.mail, self.web)]
        for thread in self.threads:
            thread.start()

    def serve(self, status: int, type_: str, text: str) -> None:
        self.web.answer = (status, type_, text)  # type: ignore[attr-defined]  # read by Web

    def close(self) -> None:
        for server in (self.mail, self.web):
            server.shutdown()
            server.server_close()
        for thread in self.threads:
            thread.join()

    def check(self, authorities: str = "") -> list[Finding]:
        look = Resolver(self.dns.address, 5)
        ports = {25: self.mail.server_address[1], 443: self.web.server_address[1]}
        reach = Reach(
            look, 10, lambda name, port: ("127.0.0.1", ports[port]), authorities or str(self.trusted.certificate)
        )
        return list(check_transport("example.org", look, reach))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Pair]:
    """One that the test's authority vouches for, and a stranger's."""
    directory = tmp_path_factory.mktemp("tls")
    return pair(directory, "trusted", NAMES), pair(directory, "other", ("mail.example.org",))


@pytest.fixture
def world(pairs: tuple[Pair, Pair]) -> Iterator[World]:
    with dns_server.running() as server:
        made = World(server, pairs[0])
        yield made
        made.close()


def said(found: list[Finding], about: str) -> list[tuple[str, str]]:
    return [(one.result, one.text) for one in found if one.about == f"example.org {about}"]


def tlsa(pair_: Pair) -> str:
    return f"3 1 1 {hashlib.sha256(subject_public_key(pair_.der)).hexdigest()}"


def test_all_is_well(world: World, pairs: tuple[Pair, Pair]) -> None:
    world.dns.secure = True
    world.dns.records["_25._tcp.mail.example.org", "TLSA"] = [tlsa(pairs[0])]
    found = world.check()
    assert {one.result for one in found} == {"ok"}
    assert "mode enforce for mail.example.org, *.back.example.org" in said(found, "mta-sts")[0][1]
    assert said(found, "mx") == [("ok", "mail.example.org: STARTTLS with a certificate that holds for its name")]
    assert "it has the key that the server shows" in said(found, "dane")[0][1]


def test_a_certificate_that_does_not_hold(world: World, pairs: tuple[Pair, Pair]) -> None:
    world.mail.context = pairs[1].context()
    world.dns.secure = True
    world.dns.records["_25._tcp.mail.example.org", "TLSA"] = [tlsa(pairs[0])]
    found = world.check()
    assert said(found, "mx")[0][0] == "failure"
    assert "no public authority vouches for its certificate: self" in said(found, "mx")[0][1]
    (dane,) = [one for one in found if one.about == "example.org dane"]
    assert (dane.result, dane.remedy) == ("failure", f"_25._tcp.mail.example.org. IN TLSA {tlsa(pairs[1])}")
    world.dns.records["_25._tcp.mail.example.org", "TLSA"] = [tlsa(pairs[1])]
    assert said(world.check(), "dane")[0][0] == "ok"  # DANE asks no authority


def test_tlsa_without_dnssec_counts_for_nothing(world: World, pairs: tuple[Pair, Pair]) -> None:
    world.dns.records["_25._tcp.mail.example.org", "TLSA"] = [tlsa(pairs[0])]
    assert said(world.check(), "dane")[0] == (
        "warning",
        "_25._tcp.mail.example.org: not signed, or the resolver does not check: it counts for nothing",
    )


def test_no_starttls(world: World) -> None:
    world.mail.context = None
    assert said(world.check(), "mx") == [("warning", "mail.example.org: it offers no STARTTLS")]


@pytest.mark.parametrize(
    ("answer", "result", "words"),
    [
        ((404, "text/plain", POLICY), "failure", "status 404"),
        ((301, "text/plain", POLICY), "failure", "status 301"),
        ((200, "text/html", POLICY), "warning", "it is served as text/html"),
        ((200, "text/plain", POLICY.replace("STSv1", "STSv2")), "failure", "its version is not STSv1"),
        ((200, "text/plain", POLICY.replace("enforce", "strict")), "failure", "mode is none of"),
        ((200, "text/plain", POLICY.replace("604800", "soon")), "failure", "max_age is no number"),
        ((200, "text/plain", POLICY.replace("604800", "60")), "warning", "max_age is 60 seconds"),
        ((200, "text/plain", POLICY.replace("enforce", "testing")), "warning", "mode testing"),
        ((200, "text/plain", POLICY.replace("mail.", "old.")), "failure", "mail.example.org is an MX and not in"),
        ((200, "text/plain", "x" * 70000), "failure", "longer than 65536 bytes"),
    ],
)
def test_policies(world: World, answer: tuple[int, str, str], result: str, words: str) -> None:
    world.serve(*answer)
    assert any(one == result and words in text for one, text in said(world.check(), "mta-sts"))


def test_no_record_no_policy(world: World) -> None:
    del world.dns.records["_mta-sts.example.org", "TXT"]
    assert said(world.check(), "mta-sts") == [("ok", "no record, so senders look for no policy")]


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [
        ("mail.example.org", "mail.example.org", True),
        ("*.example.org", "mail.example.org", True),
        ("*.example.org", "a.mail.example.org", False),
        ("*.example.org", "example.org", False),
        ("mail.example.org", "mail.example.com", False),
    ],
)
def test_names_of_a_policy(pattern: str, name: str, *, covered: bool) -> None:
    assert covers(pattern, name) == covered


def test_each_form_of_a_tlsa_record(pairs: tuple[Pair, Pair]) -> None:
    der = pairs[0].der
    key = subject_public_key(der)
    assert read_tlsa(f"3 0 0 {der.hex()}").has(der)
    assert read_tlsa(f"3 1 2 {hashlib.sha512(key).hexdigest().upper()}").has(der)
    assert not read_tlsa(f"3 0 1 {hashlib.sha256(key).hexdigest()}").has(der)
    for record in ("1 1 1 00", "3 2 1 00", "3 1 3 00", "3 1 1 xx", "3 1", ""):
        with pytest.raises(ValueError, match=r"usages 2 and 3|non-hexadecimal|unpack"):
            read_tlsa(record)


def of_authority(made: Made, selector: int, matching: int) -> str:
    content = made.public_key if selector else made.der
    digest = {0: content, 1: hashlib.sha256(content).digest(), 2: hashlib.sha512(content).digest()}[matching]
    return f"2 {selector} {matching} {digest.hex()}"


@pytest.fixture(scope="module")
def authorities() -> tuple[Made, Made]:
    """A root, and one below it."""
    root = made_certificate("Root of the test")
    return root, made_certificate("Below it", root)


def dane(world: World, server: ssl.SSLContext, *records: str) -> tuple[str, str]:
    world.mail.context = server
    world.dns.secure = True
    world.dns.records["_25._tcp.mail.example.org", "TLSA"] = list(records)
    (found,) = said(world.check(), "dane")
    return found


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_an_authority_that_the_server_shows(
    world: World, authorities: tuple[Made, Made], tmp_path: Path, selector: int, matching: int
) -> None:
    """RFC 7671 §5.2: the root of the chain, or one on the way to it."""
    root, below = authorities
    leaf = made_certificate("mail", below, names=["mail.example.org"])
    context = leaf.context(tmp_path, below, root)
    for one in (root, below):
        result, text = dane(world, context, of_authority(one, selector, matching))
        assert (result, "it has the authority that the server's chain goes up to" in text) == ("ok", True), text


def test_an_authority_that_the_server_does_not_show(
    world: World, authorities: tuple[Made, Made], tmp_path: Path
) -> None:
    """Its digest tells nobody what it is; the whole certificate does (RFC 7671 §5.2.2)."""
    root, below = authorities
    context = made_certificate("mail", below, names=["mail.example.org"]).context(tmp_path, below)
    result, text = dane(world, context, of_authority(root, 0, 1))
    assert (result, "none an authority that it shows with it" in text) == ("failure", True)
    assert dane(world, context, of_authority(root, 0, 0))[0] == "ok"
    assert dane(world, context, of_authority(below, 1, 1))[0] == "ok"
    assert dane(world, context, "2 0 0 00")[0] == "failure"  # no certificate at all
    assert dane(world, context, of_authority(root, 0, 1), of_authority(below, 0, 1))[0] == "ok"  # any is enough


def test_a_chain_that_does_not_hold(world: World, authorities: tuple[Made, Made], tmp_path: Path) -> None:
    root, below = authorities
    other = made_certificate("mail", below, names=["mail.example.net"]).context(tmp_path, below, root)
    result, text = dane(world, other, of_authority(root, 1, 1))
    assert (result, "mismatch" in text) == ("failure", True), text
    old = made_certificate("mail", below, names=["mail.example.org"], days=(-9, -2)).context(tmp_path, below, root)
    result, text = dane(world, old, of_authority(root, 1, 1))
    assert (result, "expired" in text) == ("failure", True), text
    stranger = made_certificate("Below it", made_certificate("Root of the test"))  # the same names, other keys
    forged = made_certificate("mail", stranger, names=["mail.example.org"]).context(tmp_path, below, root)
    result, text = dane(world, forged, of_authority(root, 1, 1))
    assert (result, "does not hold" in text) == ("failure", True), text
    alone = made_certificate("mail", names=["mail.example.org"])
    result, text = dane(world, alone.context(tmp_path), of_authority(alone, 1, 1))  # usage 2 of the server's own
    assert result == "failure", text
    assert dane(world, alone.context(tmp_path), of_authority(alone, 1, 1).replace("2 ", "3 ", 1))[0] == "ok"


def test_a_policy_behind_a_certificate_that_does_not_hold(
    world: World, authorities: tuple[Made, Made], tmp_path: Path
) -> None:
    """Senders find no policy (RFC 8461 §3.3): expired, of another name, of an authority that nobody knows."""
    root, below = authorities
    for names, days, words in [
        (["mta-sts.example.org"], (-9, -2), "expired"),
        (["www.example.org"], (-1, 9), "unable to get|self-signed|self signed|mismatch"),
    ]:
        context = made_certificate("web", below, names=names, days=days).context(tmp_path, below)
        world.web.socket._context = context  # type: ignore[attr-defined]  # what accept() wraps with
        authority = tmp_path / "root.pem"
        authority.write_text(root.pem + world.trusted.certificate.read_text())
        found = said(world.check(str(authority)), "mta-sts")
        assert found[0][0] == "failure"
        assert re.search(words, found[0][1]), found


def test_a_policy_with_wildcards(world: World) -> None:
    """RFC 8461 §4.1: one label, the leftmost."""
    world.dns.records["example.org", "MX"] = [f"10 {name}." for name in ("a.mx.example.org", "a.b.mx.example.org")]
    world.serve(200, "text/plain; charset=utf-8", POLICY.replace("mail.example.org", "*.mx.example.org"))
    found = [text for result, text in said(world.check(), "mta-sts") if result == "failure"]
    assert found == ["a.b.mx.example.org is an MX and not in the policy: senders deliver nothing to it in mode enforce"]


@given(st.text(alphabet="versionmodexag: STSv1enforc*.\r\n0123", max_size=200))
def test_any_text_is_a_policy_or_has_faults(text: str) -> None:
    policy = read_policy(text)
    assert policy.faults or (policy.mode in {"enforce", "testing", "none"} and policy.max_age >= 0)
