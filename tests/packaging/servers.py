"""The servers that examples name, on addresses of this machine's loopback: TLS for their names, and a DNS."""

import asyncio
import contextlib
import datetime
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NAMES = {"opensearch.example.org": "127.19.0.1", "dashboards.example.org": "127.19.0.2"}
RESOLVER = "127.19.0.53"


def certificate(folder: Path) -> Path:
    """One for the names, signed by itself: a PEM file with its key. It is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "servers of examples")])
    made = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in NAMES]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "example.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@contextlib.contextmanager
def forwarder(pem: Path, name: str, port: int, to: int, *, secure: bool) -> Iterator[None]:
    """NAME:PORT with TLS leads to a port of 127.0.0.1, which has TLS or not."""
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(pem)
    theirs = ssl._create_unverified_context() if secure else None  # loopback; the tests of TLS are elsewhere

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", to, ssl=theirs)
        with contextlib.suppress(asyncio.CancelledError):  # at the end
            await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(connected, NAMES[name], port, ssl=ours))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        open_ = asyncio.all_tasks(loop)
        for task in open_:
            task.cancel()
        if open_:
            loop.run_until_complete(asyncio.wait(open_))
        loop.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
