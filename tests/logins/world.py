"""A small world: addresses whose country and system are in the address, and logins from there."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from email_report_processor.logins.judge import Judge
from email_report_processor.logins.lines.login import Login, Outcome
from email_report_processor.logins.options import LoginOptions
from email_report_processor.logins.places import Confirm, Places
from email_report_processor.logins.rules import Finding

COUNTRIES = ("DE", "BR", "VN", "ZA", "US", "AU", "JP", "FR")
START = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86400.0


class Databases:
    """`2C.S.N.X` is in country number C, system S."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    @property
    def look_up(self) -> Callable[[str], Mapping[str, Any]]:
        """See LookUps."""
        return self._look_up

    @staticmethod
    def _look_up(address: str) -> Mapping[str, Any]:
        if not address.startswith("2") or ":" in address:
            return {}
        first, system, _, _ = (int(part) for part in address.split("."))
        country = COUNTRIES[first % 10]
        return {"source.geo.country_iso_code": country, "source.as.number": 64500 + system}


def address(country: str = "DE", system: int = 1, network: int = 1, host: int = 1) -> str:
    """An address there."""
    return f"2{COUNTRIES.index(country)}.{system}.{network}.{host}"


class World:
    """Logins in the order of their times, judged; hours are counted from a Sunday in March."""

    def __init__(self, confirm: Confirm | None = None, **options: Any) -> None:
        self.options = LoginOptions(**options)
        self.judge = Judge(self.options, Places(self.options, Databases(), confirm))
        self.findings: list[Finding] = []
        self._number = 0

    def login(
        self,
        hour: float,
        where: str = "",
        account: str = "alice@example.org",
        outcome: Outcome = "success",
        server: str = "dovecot",
    ) -> list[Finding]:
        """What a login sets off."""
        self._number += 1
        line = b"line %d" % self._number
        time = START + hour * HOUR
        login = Login(line, time, "mail", server, "imap", outcome, account, where or address())
        found = list(self.judge.judge(login))
        self.findings += found
        return found

    def habit(
        self, days: int = 30, account: str = "alice@example.org", where: str = "", server: str = "dovecot"
    ) -> float:
        """A login a day for so long; the hour after it."""
        for day in range(days):
            assert self.login(24 * day + 9, where, account, server=server) == []
        return 24.0 * days + 9

    def rules(self) -> list[str]:
        """What was found, as `rule severity`."""
        return [f"{finding.rule} {finding.severity}" for finding in self.findings]
