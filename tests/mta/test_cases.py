"""Every case comes to the same by every way: local(8), pipe(8), LMTP, an import of mail, and an import of files.

The ids, what is stored under them, and what is kept with which reason never depend on how a message came (promise 2).
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from email_report_processor.documents.encode import flatten
from email_report_processor.stores import kept
from tests.conftest import missing
from tests.nodes import Node
from tests.places import CASES

from .behind import Behind
from .box import DMARC, STATE, Box
from .listener import ByLmtp
from .packages import UnavailableError
from .postfix import LMTP, WAYS, Postfix
from .wires import Sink

pytestmark = [
    pytest.mark.long,
    pytest.mark.postfix,
    pytest.mark.skipif(not CASES.is_dir(), reason=f"there are no cases in {CASES}"),
]

_SEPARATOR = re.compile(rb"^From .*\n(?=[A-Za-z-]+:)", re.MULTILINE)
_TYPES = {".xml": ("application", "xml"), ".json": ("application", "tlsrpt+json"), ".zip": ("application", "zip")}
# What the way itself says: the clock, and the Received field that a mail server puts in front.
_OF_THE_WAY = {"event.ingested", "report.received", "report.delay"}
# Mail of this host's own would get the Message-ID and Date that it lacks; a reporter's does not.
_STRANGERS = "local_header_rewrite_clients =\n"

# Of an import nothing is kept, for its files lie there: it says what would be, as the kept copy of a mail does.
_SAID = re.compile(r"email-report-processor: /run/cases/(\d+)\.\w+: ([a-z-]+): (.*)")

Problems = list[tuple[str, str, int]]  # category, reason, number of the message or file
Feed = Callable[[], Problems]


class Outcome(NamedTuple):
    """What became of all cases."""

    documents: dict[tuple[str, str], dict[str, Any]]  # (index without its prefix, id)
    problems: Problems  # what was kept, or would be


def _mail(path: Path) -> Iterator[bytes]:
    """The messages of a case: as they lie there, cut out of an mbox, or with the bare file in an attachment."""
    data = path.read_bytes()
    if path.suffix == ".eml":
        yield data
    elif path.suffix == ".mbox":
        yield from filter(None, _SEPARATOR.split(data))
    else:
        yield _with(path, data)


def _with(path: Path, data: bytes) -> bytes:
    message = EmailMessage()
    message["From"] = "noreply-dmarc@reporter.example"
    message["To"] = "dmarc@example.org"
    message["Date"] = "Sat, 21 Nov 2026 06:00:00 +0000"
    message["Message-ID"] = f"<{path.parent.name}.{path.name}@reporter.example>"
    main, sub = _TYPES[path.suffix]
    message.add_attachment(data, maintype=main, subtype=sub, filename=path.name)
    return message.as_bytes()


FILES = sorted(path for path in CASES.glob("*/*") if path.suffix != ".sh")  # those are about clusters, not about mail
MAIL = [message.replace(b"\r\n", b"\n") for path in FILES for message in _mail(path)]


@pytest.fixture(scope="module")
def server(sink: Sink) -> Iterator[Postfix]:
    """Postfix, which takes what comes for a stranger's mail."""
    try:
        postfix = Postfix(sink, main=_STRANGERS)
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(postfix):
        yield postfix


@pytest.fixture(scope="module")
def by_lmtp(server: Postfix) -> ByLmtp:
    """The same, and the listener."""
    return ByLmtp(server)


def _deliver(server: Postfix | ByLmtp, to: str) -> Problems:
    for message in MAIL:  # one after the other: of two that say the same, the first is stored
        server.deliver(message.replace(b"\n", b"\r\n"), to)
        assert server.waiting() == 0, server.box.lines[-5:]
    assert server.sink.messages == []
    return sorted(_kept(server.box))


def _kept(box: Box) -> Iterator[tuple[str, str, int]]:
    """What was kept, whole: behind a mail server's own lines, and with CR LF by LMTP."""
    for one in kept.listing(box.path(f"{STATE}/kept")):
        data = one.path.read_bytes()[one.offset :].replace(b"\r\n", b"\n").rstrip(b"\n")
        (number,) = [number for number, message in enumerate(MAIL) if data.endswith(message.rstrip(b"\n"))]
        yield one.category, one.reason, number


def _import(box: Box, files: Sequence[tuple[str, bytes]]) -> Problems:
    """Import files in this order, as the user whom the mail server runs the program as."""
    box.run("rm", "-rf", "/run/cases")
    box.path("/run/cases").mkdir()
    paths = [f"/run/cases/{number:03}{suffix}" for number, (suffix, _) in enumerate(files)]
    for path, (_, data) in zip(paths, files, strict=True):
        box.path(path).write_bytes(data)
    become = f"setpriv --reuid {DMARC.uid} --regid {DMARC.uid} --clear-groups".split()
    done = box.run(*become, "/opt/email-report-processor/bin/email-report-processor", *paths, check=False)
    assert done.returncode == 1, done.stderr  # some of it cannot be read, and the store did not fail
    said = _SAID.finditer(done.stderr.decode())
    return sorted((one[2], one[3], int(one[1])) for one in said)


def _outcome(server: Postfix, node: Node, prefix: str, feed: Feed) -> Outcome:
    server.box.run("rm", "-rf", f"{STATE}/kept")
    with contextlib.closing(Behind(node, prefix)) as behind:
        behind.configure(server.box)
        problems = feed()
        found = {(one.index.removeprefix(prefix), one.id): flatten(one.source) for one in behind.documents()}
    said = {key: {name: fields[name] for name in fields.keys() - _OF_THE_WAY} for key, fields in found.items()}
    return Outcome(said, problems)


@pytest.fixture
def imported(server: Postfix, node: Node, prefix: str) -> Outcome:
    """What an import of the mail comes to."""
    found = _outcome(
        server, node, f"{prefix}import-", partial(_import, server.box, [(".eml", message) for message in MAIL])
    )
    assert len(found.documents) > len(FILES)  # nearly every case has a row and a report
    assert found.problems
    return found


def _differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = one.keys() | other.keys()
    return {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}


@pytest.mark.parametrize("way", [WAYS["forward"], WAYS["pipe"], LMTP])
def test_a_mail_server_stores_and_keeps_what_an_import_says(
    way: str, server: Postfix, by_lmtp: ByLmtp, imported: Outcome, node: Node, prefix: str
) -> None:
    to = by_lmtp if way == LMTP else server
    found = _outcome(server, node, f"{prefix}mail-", partial(_deliver, to, way))
    assert found.documents.keys() == imported.documents.keys()
    differences = {key: _differences(fields, imported.documents[key]) for key, fields in found.documents.items()}
    assert {key: one for key, one in differences.items() if one} == {}
    assert found.problems == imported.problems


def test_a_bare_file_has_the_ids_of_its_mail(server: Postfix, imported: Outcome, node: Node, prefix: str) -> None:
    files = [(path.suffix, path.read_bytes()) for path in FILES]
    found = _outcome(server, node, f"{prefix}bare-", partial(_import, server.box, files))
    assert found.documents.keys() == imported.documents.keys()
