"""procmail behind a real Postfix, with the real program and the real store: everything, reports only, keep a copy."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.conftest import missing

from . import messages, promises
from .behind import Behind
from .filters import ADDRESS, MAILBOXES, PROCMAIL, Filter, procmail
from .packages import UnavailableError
from .wires import Sink

pytestmark = pytest.mark.mta


@pytest.fixture(scope="module")
def server(sink: Sink) -> Iterator[Filter]:
    """Postfix with procmail."""
    try:
        postfix = procmail(sink)
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(postfix):
        yield postfix


@pytest.mark.parametrize("way", ["all", "reports-only"])
@pytest.mark.parametrize("check", promises.CHECKS, ids=lambda check: check.__name__)
def test_promise(check: promises.Check, way: str, server: Filter, behind: Behind) -> None:
    server.use(PROCMAIL[way])
    promises.run(check, server, behind, ADDRESS)


@pytest.mark.parametrize(
    "check",
    [promises.stored, promises.store_down, promises.duplicate, promises.bad_settings],
    ids=lambda check: check.__name__,
)
def test_promise_with_a_copy(check: promises.Check, server: Filter, behind: Behind) -> None:
    server.use(PROCMAIL["keep"])
    before = server.copies("archive")
    promises.run(check, server, behind, ADDRESS)
    assert server.copies("archive") - before == (2 if check is promises.duplicate else 1)
    assert server.copies("unparsed") == 0


@pytest.mark.parametrize("message", [messages.plain(), messages.broken_report()], ids=["plain", "broken"])
def test_what_is_no_report_is_filed(message: bytes, server: Filter, behind: Behind) -> None:
    server.use(PROCMAIL["keep"])
    behind.configure(server.box)
    before, archived = server.copies("unparsed"), server.copies("archive")
    server.deliver(message, ADDRESS)
    assert server.waiting() == 0
    assert (server.copies("unparsed") - before, server.copies("archive") - archived) == (1, 0)
    assert server.sink.messages == []


def test_killed_fifty_times(server: Filter, behind: Behind) -> None:
    server.use(PROCMAIL["all"])
    promises.run(promises.killed, server, behind, ADDRESS)


def test_other_mail_is_left_alone(server: Filter) -> None:
    server.use(PROCMAIL["reports-only"])
    server.deliver(messages.plain(), ADDRESS)
    assert server.waiting() == 0
    (mailbox,) = server.box.path(MAILBOXES).iterdir()
    assert promises.BODY in mailbox.read_bytes()
