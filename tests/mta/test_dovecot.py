"""Dovecot's LMTP with Sieve: a folder for another try, or over to Postfix; the real program and the real store."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.conftest import missing

from . import messages, promises
from .behind import Behind
from .dovecot import ADDRESS, Dovecot, Proxy, Redirecting
from .listener import CHECKS, ByLmtp
from .packages import UnavailableError
from .wires import Sink

pytestmark = pytest.mark.mta


@pytest.fixture(scope="module")
def server(sink: Sink) -> Iterator[Dovecot]:
    """Dovecot with reports.sieve."""
    try:
        server = Dovecot(sink)
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(server):
        yield server


@pytest.fixture(scope="module")
def redirecting(sink: Sink) -> Iterator[Redirecting]:
    """Dovecot with redirect.sieve, and Postfix."""
    try:
        server = Redirecting(sink)
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(server):
        yield server


@pytest.mark.parametrize("check", promises.CHECKS, ids=lambda check: check.__name__)
def test_promise(check: promises.Check, server: Dovecot, behind: Behind) -> None:
    # As it stands the example waits 60 s for a store that is down.
    server.use("reports.sieve", deadline="1" if check is promises.store_down else "60")
    before = server.inbox()
    promises.run(check, server, behind, ADDRESS)
    assert server.inbox() == before


def test_killed_fifty_times(server: Dovecot, behind: Behind) -> None:
    server.use("reports.sieve")
    promises.run(promises.killed, server, behind, ADDRESS)


def test_other_mail_is_left_alone(server: Dovecot) -> None:
    server.use("reports.sieve")
    before = server.inbox()
    server.deliver(messages.plain(), ADDRESS)
    assert (server.waiting(), server.inbox()) == (0, before + 1)


@pytest.mark.parametrize("check", promises.CHECKS, ids=lambda check: check.__name__)
def test_promise_of_redirect(check: promises.Check, redirecting: Redirecting, behind: Behind) -> None:
    before = redirecting.inbox()
    promises.run(check, redirecting, behind, ADDRESS)
    # Dovecot does not redirect a second message with the same Message-ID: it is in the mailbox.
    assert redirecting.inbox() - before == (1 if check is promises.duplicate else 0)


def test_redirect_leaves_other_mail_alone(redirecting: Redirecting) -> None:
    before = redirecting.inbox()
    redirecting.deliver(messages.plain(), ADDRESS)
    assert (redirecting.waiting(), redirecting.inbox()) == (0, before + 1)


@pytest.fixture(scope="module")
def proxy(sink: Sink) -> Iterator[ByLmtp]:
    """Dovecot that passes messages on to the listener."""
    try:
        dovecot = Proxy(sink)
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(ByLmtp(dovecot, f"127.0.0.1:{dovecot.listener}")) as server:
        yield server


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_promise_of_the_proxy(check: promises.Check, proxy: ByLmtp, behind: Behind) -> None:
    promises.run(check, proxy, behind, ADDRESS)


def test_killed_fifty_times_behind_the_proxy(proxy: ByLmtp, behind: Behind) -> None:
    promises.run(promises.killed, proxy, behind, ADDRESS)
