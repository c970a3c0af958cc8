"""A DNS server on loopback, over UDP and TCP, that answers and fails as it is told."""

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

# In the place of records: what happens instead of an answer.
SERVFAIL, REFUSED, SILENT, TRUNCATED, GARBLED = "SERVFAIL", "REFUSED", "(silent)", "(truncated)", "(garbled)"


class DnsServer:
    """`records`: (name, type) -> texts as in a zone file, or one of the words above before them.

    A name with any record has an empty answer for other types; all other names are NXDOMAIN. `seen` has every
    question: (name, type, `udp` or `tcp`).
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {(".", "NS"): ["a.root-servers.test."]}
        self.seen: list[tuple[str, str, str]] = []
        self.port = 0
        self.secure = False  # whether answers say that DNSSEC was checked (AD)

    def txt(self, name: str, *texts: str) -> None:
        """Publish TXT records, each of one string."""
        self.records[name, "TXT"] = [f'"{text}"' for text in texts]

    @property
    def address(self) -> str:
        """For --server."""
        return f"127.0.0.1:{self.port}"

    def answer(self, question: bytes, transport: str) -> bytes | None:
        """The bytes of an answer, None for silence."""
        asked = dns.message.from_wire(question)
        (one,) = asked.question
        name, kind = one.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(one.rdtype)
        self.seen.append((name, kind, transport))
        answer = dns.message.make_response(asked)
        if self.secure:
            answer.flags |= dns.flags.AD
        records = self.records.get((name, kind), [])
        if records[:1] == [SILENT]:
            return None
        if records[:1] == [GARBLED]:
            return answer.to_wire()[:7]
        if records[:1] in ([SERVFAIL], [REFUSED]):
            answer.set_rcode(dns.rcode.from_text(records[0]))
        elif records[:1] == [TRUNCATED] and transport == "udp":
            answer.flags |= dns.flags.TC
        elif records:
            texts = [text for text in records if text != TRUNCATED]
            answer.answer.append(dns.rrset.from_text(one.name, 60, "IN", kind, *texts))
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer.to_wire()


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    dns: DnsServer


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    dns: DnsServer


class _UdpHandler(socketserver.BaseRequestHandler):
    server: _Udp

    def handle(self) -> None:
        data, connection = self.request
        if (answer := self.server.dns.answer(data, "udp")) is not None:
            connection.sendto(answer, self.client_address)


class _TcpHandler(socketserver.StreamRequestHandler):
    server: _Tcp

    def handle(self) -> None:
        (length,) = struct.unpack("!H", self.rfile.read(2))
        if (answer := self.server.dns.answer(self.rfile.read(length), "tcp")) is not None:
            self.wfile.write(struct.pack("!H", len(answer)) + answer)


@contextlib.contextmanager
def running(host: str = "127.0.0.1", port: int = 0) -> Iterator[DnsServer]:
    """A server on a port, or on a free one, the same for UDP and TCP."""
    server = DnsServer()
    tcp = _Tcp((host, port), _TcpHandler)
    server.port = tcp.server_address[1]
    try:
        udp = _Udp((host, server.port), _UdpHandler)
    except OSError:  # somebody has this port for UDP: another one
        tcp.server_close()
        if port:
            raise
        with running() as other:
            yield other
        return
    udp.dns = tcp.dns = server
    threads = [threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01}) for one in (udp, tcp)]
    for thread in threads:
        thread.start()
    try:
        yield server
    finally:
        for listening in (udp, tcp):
            listening.shutdown()
            listening.server_close()
        for thread in threads:
            thread.join()


def closed_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
