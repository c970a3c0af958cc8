"""OpenSMTPD with the real program and the real store: action, .forward."""

import contextlib
from collections.abc import Iterator
from functools import partial

import pytest

from tests.conftest import missing

from . import messages, promises
from .behind import Behind
from .listener import CHECKS, ByLmtp
from .opensmtpd import LMTP, WAYS, OpenSmtpd
from .packages import UnavailableError
from .wires import Sink

pytestmark = pytest.mark.mta


@pytest.fixture(scope="module")
def server(sink: Sink) -> Iterator[OpenSmtpd]:
    """OpenSMTPD with every example."""
    try:
        opensmtpd = OpenSmtpd(sink)
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(opensmtpd):
        yield opensmtpd


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("check", promises.CHECKS, ids=lambda check: check.__name__)
def test_promise(check: promises.Check, way: str, server: OpenSmtpd, behind: Behind) -> None:
    promises.run(check, server, behind, WAYS[way])


def test_killed_fifty_times(server: OpenSmtpd, behind: Behind) -> None:
    promises.run(promises.killed, server, behind, WAYS["action"])


@pytest.mark.timeout(3600)  # 60 to 300 s on an idle machine
@pytest.mark.parametrize("way", ["action", "forward"])
def test_ended_a_hundred_times_while_it_writes(server: OpenSmtpd, behind: Behind, way: str) -> None:
    promises.run(partial(promises.cut_short, times=100), server, behind, WAYS[way])


def test_two_recipients_of_one_message_are_stored_once(server: OpenSmtpd, behind: Behind) -> None:
    behind.configure(server.box)
    server.deliver(messages.report(rows=4), WAYS["action"], WAYS["forward"])
    assert server.waiting() == 0
    assert len(behind.documents()) == 5
    assert server.sink.messages == []


@pytest.fixture(scope="module")
def by_lmtp(server: OpenSmtpd) -> ByLmtp:
    """The same, and the listener."""
    return ByLmtp(server)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_promise_by_lmtp(check: promises.Check, by_lmtp: ByLmtp, behind: Behind) -> None:
    promises.run(check, by_lmtp, behind, LMTP)


def test_killed_fifty_times_by_lmtp(by_lmtp: ByLmtp, behind: Behind) -> None:
    promises.run(promises.killed, by_lmtp, behind, LMTP)
