"""The service that mail servers ask: who is stopped, what it learns, what it does with nonsense, restarts."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.logins.judge import Judge
from email_report_processor.logins.options import LoginOptions
from email_report_processor.logins.places import Places
from email_report_processor.logins.policy import Policy
from email_report_processor.logins.serve import read_place
from email_report_processor.logins.state import State
from tests.conftest import Program
from tests.logins.asking import Asking, running
from tests.mta.box import wait_until

ALICE, BOB = "alice@example.org", "bob@example.org"
STOP = "[logins]\nmode = 'stop'\n[log]\nto = 'log'\n"
OBSERVE = STOP.replace("stop", "observe")


def place(number: int) -> str:
    """An address in a network and a system of its own."""
    return f"{20 + number}.7.1.9"


def until_stopped(asking: Asking, account: str = ALICE, most: int = 80) -> int:
    """After how many messages, each from another place, the account is stopped."""
    for number in range(most):
        action = asking.postfix(account, place(number))
        assert asking.postfix(BOB, "198.51.100.7") == "DUNNO"
        if action != "DUNNO":
            assert action.startswith("DEFER this account is stopped because of unusual logins")
            return number + 1
    return 0


def test_an_account_is_stopped_and_others_go_on(run_admin: Program, tmp_path: Path) -> None:
    with running(run_admin, tmp_path / "policy", STOP) as asking:
        assert until_stopped(asking) == 6  # many-systems
        assert asking.postfix(ALICE, "198.51.100.7").startswith("DEFER")
        assert asking.dovecot(ALICE, "198.51.100.7") == -1
        assert asking.dovecot(BOB, "198.51.100.7") == 0
    stopped = run_admin(b"", "logins", "stopped").stdout
    assert ALICE in stopped
    assert "many-systems" in stopped
    assert run_admin(b"", "logins", "audit").stdout.count("email-report-admin logins") == 1
    assert "20.7.1.9" in run_admin(b"", "logins", "events", "--lines").stdout


def test_observe_stops_nobody(run_admin: Program, tmp_path: Path) -> None:
    with running(run_admin, tmp_path / "policy", OBSERVE) as asking:
        assert until_stopped(asking) == 0
    assert f"observe: {ALICE} would be stopped: alarm many-systems" in (tmp_path / "log").read_text()
    assert run_admin(b"", "logins", "stopped").stdout == "no account is stopped\n"


def test_by_hand_while_it_runs(run_admin: Program, tmp_path: Path) -> None:
    """And a release forgets the places of the thief, so that a second theft is found again."""
    with running(run_admin, tmp_path / "policy", STOP) as asking:
        assert asking.postfix(BOB, place(1)) == "DUNNO"
        run_admin(b"", "logins", "stop", BOB)
        wait_until(lambda: asking.postfix(BOB, place(1)) != "DUNNO", "the stop is not seen")
        assert run_admin(b"", "logins", "release", BOB).status == 0
        wait_until(lambda: asking.postfix(BOB, place(1)) == "DUNNO", "the release is not seen")
        assert until_stopped(asking) == 6
        wait_until(lambda: run_admin(b"", "logins", "release", ALICE).status == 0, "the stop is not on disk")
        wait_until(lambda: asking.postfix(ALICE, place(0)) == "DUNNO", "the release is not seen")
        assert 2 <= until_stopped(asking) <= 7


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_in_the_middle_loses_nothing(how: signal.Signals, run_admin: Program, tmp_path: Path) -> None:
    path = tmp_path / "policy"
    for number in range(5):
        with running(run_admin, path, STOP, number=how) as asking:
            assert asking.postfix(ALICE, place(number)) == "DUNNO"
            if how == signal.SIGKILL:
                wait_until(lambda n=number: remembered(tmp_path) > n, "not on disk")  # type: ignore[misc]  # a default binds
    with running(run_admin, path, STOP) as asking:
        assert asking.postfix(ALICE, place(5)) != "DUNNO"
    with running(run_admin, path, STOP) as asking:
        assert asking.postfix(ALICE, place(0)) != "DUNNO"


def remembered(directory: Path) -> int:
    """How many networks of alice are in the state."""
    state = State(directory / "state")
    texts = [text for kind, key, text in state.memory("policy") if key == ALICE and kind == "account"]
    state.close()
    return len(json.loads(texts[0])["networks"]) if texts else 0


def test_one_message_with_many_recipients_counts_once(run_admin: Program, tmp_path: Path) -> None:
    with running(run_admin, tmp_path / "policy", "[logins]\nmode = 'stop'\nvolume = 5\n") as asking:
        for _ in range(20):
            assert asking.postfix(ALICE, place(1), instance="one") == "DUNNO"
        actions = [asking.postfix(ALICE, place(1)) for _ in range(5)]
        assert [action == "DUNNO" for action in actions] == [True] * 3 + [False] * 2


def test_reports_of_dovecot_are_judged(run_admin: Program, tmp_path: Path) -> None:
    with running(run_admin, tmp_path / "policy", STOP) as asking:
        for number in range(6):
            assert asking.dovecot(ALICE, place(number), success=True) == 0  # nothing is known before the password
        for number in range(30):
            status = asking.dovecot(ALICE, place(number), "report", success=False, policy_reject=True)
            assert status == 0
        for number in range(6):
            assert asking.dovecot(ALICE, place(number)) == 0
            asking.dovecot(ALICE, place(number), "report", success=True)
        assert asking.dovecot(ALICE, place(0)) == -1


def test_the_answer_and_its_sentence_are_settings(run_admin: Program, tmp_path: Path) -> None:
    settings = "[logins]\nanswer = 'REJECT'\nsentence = 'call 555'\n"
    run_admin(b"", "logins", "stop", ALICE)
    with running(run_admin, tmp_path / "policy", settings) as asking:
        assert asking.postfix("Alice@Example.org", place(1)) == "REJECT call 555"


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"request=other\n\n", b"action=DUNNO\n\n"),
        (b"nonsense\n\n", b"action=DUNNO\n\n"),
        (b"request=smtpd_access_policy\nsasl_username=\xff\x00\nclient_address=unknown\n\n", b"action=DUNNO\n\n"),
        (b"request=smtpd_access_policy\n\n", b"action=DUNNO\n\n"),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]", b"HTTP/1.1 200 OK"),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n{{{{{", b"HTTP/1.1 200 OK"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b""),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b""),
        (b"x" * 200_000, b""),
    ],
)
def test_nonsense_stops_nobody(request_: bytes, answer: bytes, service: Asking) -> None:
    assert service.raw(request_).startswith(answer)
    assert service.postfix(ALICE, place(1)) == "DUNNO"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """A service that many tests ask."""
    directory = tmp_path_factory.mktemp("policy")
    program = Program("email-report-admin", directory, directory / "state")
    with running(program, directory / "policy", "[log]\nto = 'log'\n") as asking:
        yield asking


def policy() -> Policy:
    options = LoginOptions()
    return Policy(options, Judge(options, Places(options)), (), lambda finding: None)


@given(st.binary(max_size=400))
def test_any_request(request_: bytes) -> None:
    """An answer, or ValueError, which the service answers with DUNNO."""
    for ask in (policy().postfix, lambda raw, now: policy().dovecot("report", raw, now)):
        try:
            assert isinstance(ask(request_, 1e9), bytes)
        except (ValueError, RecursionError):
            continue


@given(st.dictionaries(st.sampled_from(["login", "remote", "success", "policy_reject", "protocol"]), st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.lists(st.integers(), max_size=2))))  # fmt: skip
def test_any_json(said: dict[str, object]) -> None:
    assert json.loads(policy().dovecot("report", json.dumps(said).encode(), 1e9))["status"] == 0


@pytest.mark.parametrize("text", ["unix:relative", "inet:192.0.2.1:25", "inet:0.0.0.0:25", "inet:127.0.0.1:0", "x", ""])
def test_places_to_listen(text: str) -> None:
    """Nobody else is to ask, or to say who logged in."""
    with pytest.raises(ValueError, match="no place to listen"):
        read_place(text)
    assert read_place("inet:127.0.0.1:4711") == ("", "127.0.0.1", 4711)
    assert read_place("inet:[::1]:4711") == ("", "::1", 4711)
    assert read_place("unix:/run/x") == ("/run/x", "", 0)


def test_a_place_that_is_none(run_admin: Program) -> None:
    done = run_admin(b"", "logins", "policy", "--listen", "inet:192.0.2.1:25")
    assert (done.status, "no place to listen" in done.stderr) == (2, True)
