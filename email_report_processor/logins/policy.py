"""What mail servers ask, and what they are told: Postfix's policy protocol and Dovecot's auth_policy.

From memory alone; pure but for the memory that it fills. A question that cannot be read is answered as if nobody were
stopped: mail is not lost by a watcher.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from ..values.fields import read_ip
from .judge import Judge
from .lines.login import Login, Outcome
from .lines.texts import read_account
from .lines.times import write_time
from .options import LoginOptions
from .rules import Finding

_DUNNO = "DUNNO"
_INSTANCES = 10_000  # messages remembered, so that one with many recipients counts once
_LONGEST = 1024  # characters of a value


class Policy:
    """Answers, and judges what it is asked about. found: is told of each finding at once."""

    def __init__(
        self, options: LoginOptions, judge: Judge, stopped: Iterable[str], found: Callable[[Finding], None]
    ) -> None:
        self.stopped = set(stopped)
        self._options = options
        self._judge = judge
        self._found = found
        self._instances: OrderedDict[str, None] = OrderedDict()

    def postfix(self, request: bytes, now: float) -> bytes:
        """The answer to one request of `check_policy_service` (SMTPD_POLICY_README). Raises ValueError."""
        said = read_request(request)
        account = read_account(said.get("sasl_username", "").encode())
        if account and account not in self.stopped and self._is_new(said.get("instance", "")):
            self._login("postfix", "success", account, said.get("client_address", ""), now, said)
        refused = bool(account) and account in self.stopped
        action = f"{self._options.answer} {self._options.sentence}" if refused else _DUNNO
        return f"action={action}\n\n".encode()

    def dovecot(self, command: str, body: bytes, now: float) -> bytes:
        """The JSON that answers `?command=allow`, before the password is looked at, or `report`, after it.

        Status -1 refuses, 0 goes on (Dovecot, "Authentication policy support"). Raises ValueError.
        """
        said = json.loads(body)
        if not isinstance(said, dict):
            raise ValueError("no JSON object")
        account = read_account(str(said.get("login", "")).encode("utf-8", "surrogatepass"))
        if command == "report" and not said.get("policy_reject"):
            outcome: Outcome = "success" if said.get("success") is True else "failure"
            self._login("dovecot", outcome, account, str(said.get("remote", "")), now, said)
        if account in self.stopped:
            return json.dumps({"status": -1, "msg": self._options.sentence}).encode()
        return b'{"status":0,"msg":""}'

    def _login(self, server: str, outcome: Outcome, account: str, address: str, now: float, said: Any) -> None:
        try:
            client = read_ip(address)
        except ValueError:
            client = ""
        login = Login(_line(server, outcome, account, client, now, said), now, "", server, "", outcome, account, client)
        for finding in self._judge.judge(login):
            if finding.severity == "alarm" and self._options.mode == "stop":
                self.stopped.add(account)
            self._found(finding)

    def _is_new(self, instance: str) -> bool:
        """Whether this is the first question about a message."""
        if instance in self._instances:
            return False
        if instance:
            self._instances[instance] = None
            if len(self._instances) > _INSTANCES:
                self._instances.popitem(last=False)
        return True


def read_request(request: bytes) -> dict[str, str]:
    """`name=value` lines. Raises ValueError for anything else."""
    pairs = [line.partition(b"=") for line in request.splitlines() if line]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError("a line without =")
    said = {name.decode("utf-8", "replace"): value.decode("utf-8", "replace")[:_LONGEST] for name, _, value in pairs}
    if said.get("request") != "smtpd_access_policy":
        raise ValueError("no request=smtpd_access_policy")
    return said


def _line(server: str, outcome: str, account: str, client: str, now: float, said: dict[str, Any]) -> bytes:
    """What stands in the place of a log's line as evidence."""
    when = write_time(now).strftime("%Y-%m-%dT%H:%M:%SZ")
    names = ("instance", "sasl_method", "sender", "recipient") if server == "postfix" else ("protocol", "session_id")
    more = " ".join(f"{name}={str(said[name])[:200]}" for name in names if said.get(name))
    return f"{when} {server} asked: {outcome} account={account} client={client} {more}".encode("utf-8", "replace")
