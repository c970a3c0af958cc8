"""The store of one tenant is away: what has something for it comes again, and nothing else; then each row once."""

from pathlib import Path

import pytest

from tests.conftest import Program
from tests.fake_opensearch import FakeOpenSearch, Fault
from tests.lmtp import Listener, stuffed

from . import site
from .site import SETTINGS, Part

HURRY = '[store]\nretry_seconds = 1\n[log]\nto = "none"\n'
OURS = site.mail(Part("aggregate", ("acme.example",), 1))
THEIRS = site.mail(Part("aggregate", ("beta.example",), 2))
BOTH = site.mail(Part("aggregate", ("beta.example",), 3), Part("tls", ("acme.example",), 4))
ALL = (OURS, THEIRS, BOTH)


@pytest.fixture
def settings() -> str:
    return HURRY + SETTINGS + '[tenants.store]\nurl = "{url}"\n'


def acme(state: Path) -> set[str]:
    return site.stored_ids(state)["acme"]


def check(state: Path, server: FakeOpenSearch) -> None:
    """Every row exactly once, in both."""
    ours, theirs, (last_theirs, last_ours) = site.ids(OURS)[0], site.ids(THEIRS)[0], site.ids(BOTH)
    assert acme(state) == {*ours, *last_ours}
    assert {id_ for _, id_ in server.documents} == {*theirs, *last_theirs}
    assert {index[: len("beta-email-report-")] for index, _ in server.documents} == {"beta-email-report-"}
    assert site.stored_ids(state)[""] == set()


def test_by_pipe(run_filter: Program, state: Path, settings: str) -> None:
    with FakeOpenSearch() as server:
        text = settings.format(url=server.url)
        server.always = Fault(status=503)
        assert [run_filter(one, settings=text).status for one in ALL] == [0, 75, 75]
        server.always = None
        assert [run_filter(one, settings=text).status for one in ALL] == [0, 0, 0]
        check(state, server)


def test_those_that_arrive_together(run_filter: Program, state: Path, settings: str) -> None:
    """A group of messages shares a commit: what is acme's alone does not wait for beta's store."""
    with FakeOpenSearch() as server:
        text = settings.format(url=server.url).replace('[log]\nto = "none"\n', "[lmtp]\nworkers = 1\n")
        server.always = Fault(status=503)
        with Listener(run_filter, settings=text) as listener:
            clients = [listener.client() for _ in range(6)]
            for number, client in enumerate(clients):
                client.envelope()
                client.socket.sendall(stuffed(ALL[number % 3]))
            answers = [client.reply()[:3] for client in clients]
            for client in clients:
                client.close()
            assert answers == ["250", "451", "451"] * 2
            server.always = None
            assert {listener.send(one)[0][:3] for one in ALL} == {"250"}
        check(state, server)
