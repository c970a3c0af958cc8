"""getmail on a mailbox of a real Dovecot by IMAP and by POP3 with TLS, with the real program and the real store."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.conftest import missing

from . import messages, promises
from .behind import Behind
from .box import STATE
from .dovecot import ADDRESS, Fetching, getmail, getmail_by_pop3
from .packages import UnavailableError
from .wires import Sink

pytestmark = pytest.mark.mta


@pytest.fixture(scope="module")
def server(sink: Sink) -> Iterator[Fetching]:
    """A mailbox and getmail."""
    try:
        server = getmail(sink)
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(server):
        yield server


@pytest.mark.parametrize("check", promises.CHECKS, ids=lambda check: check.__name__)
def test_promise(check: promises.Check, server: Fetching, behind: Behind) -> None:
    promises.run(check, server, behind, ADDRESS)


@pytest.fixture(scope="module")
def pop3(sink: Sink) -> Iterator[Fetching]:
    """The same by POP3."""
    try:
        server = getmail_by_pop3(sink)
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(server):
        yield server


@pytest.mark.parametrize("check", promises.CHECKS, ids=lambda check: check.__name__)
def test_promise_by_pop3(check: promises.Check, pop3: Fetching, behind: Behind) -> None:
    promises.run(check, pop3, behind, ADDRESS)


def test_killed_fifty_times(server: Fetching, behind: Behind) -> None:
    promises.run(promises.killed, server, behind, ADDRESS)


def test_others_go_on_when_one_message_fails(server: Fetching, behind: Behind) -> None:
    """A message that no copy can be kept of does not hold up the next."""
    behind.configure(server.box)
    server.box.run("rm", "-rf", f"{STATE}/kept")
    with promises.full(server.box, f"{STATE}/kept"):
        server.deliver(messages.plain(), ADDRESS)
        server.deliver(messages.report(rows=2), ADDRESS)
        assert server.waiting() == 1
        assert len(behind.documents()) == 3
    server.retry()
    assert server.waiting() == 0
