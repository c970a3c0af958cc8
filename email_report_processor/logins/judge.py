"""One login after the other against the rules. Pure: memory in, findings out."""

from collections.abc import Sequence

from .lines.login import Login
from .memory import Account, Memory
from .options import LoginOptions
from .places import Place, Places
from .rules import Finding, Moment, triggered


class Judge:
    """Judges logins in the order of their times."""

    def __init__(self, options: LoginOptions, places: Places, memory: Memory | None = None) -> None:
        self.options = options
        self.places = places
        self.memory = memory or memory_of(options)
        self._users = frozenset(user.lower() for user in options.ignore_users)

    def judge(self, login: Login) -> Sequence[Finding]:
        """What the rules find in a login; it is remembered."""
        if not login.account or (self._users and self._ignored(login.account)):
            return ()
        place = self.places.of(login.address)
        self.memory.sweep(login.time)
        account, triggers = self._remember(login, place)
        findings: Sequence[Finding] = ()
        if triggers:
            findings = list(triggered(triggers, Moment(login, place, account, self.memory, self.options)))
        if login.outcome == "success" and not place.ignored:
            account.last = (login.time, place)
        return findings

    def _remember(self, login: Login, place: Place) -> tuple[Account, list[str]]:
        """The account, and what the login sets off."""
        if login.outcome == "success":
            return self.memory.success(login, place)
        account = self.memory.account_of(login)
        self.memory.changed_accounts.add(login.account)
        if login.outcome == "quota":
            account.refusals.append(login.time)
            return account, ["refused"]
        if place.ignored:
            return account, []
        self.memory.failure(login, place)
        return account, ["failed"]

    def _ignored(self, account: str) -> bool:
        return account in self._users or "@" + account.rpartition("@")[2] in self._users


def memory_of(options: LoginOptions) -> Memory:
    """An empty memory for these options."""
    return Memory(options.hours * 3600.0, options.days * 86400.0, options.volume)
