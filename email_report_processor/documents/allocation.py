"""The country that an address is allocated to, by iptocc (extra `geo`): a table in the package, no download."""

from collections.abc import Callable
from typing import Any

NAME = "iptocc"


class Allocation:
    """Answers as an open MMDB file does; without iptocc it knows nothing. Loads nothing before the first question."""

    def __init__(self) -> None:
        self._ask: Callable[[str], str | None] | None = None

    def get(self, ip_address: str) -> Any:
        """A record with the country alone, None when there is none."""
        code = self.country(ip_address)
        return {"country_code": code} if code else None

    def country(self, ip_address: str) -> str:
        """The code of the country, '' when there is none."""
        if self._ask is None:
            self._ask = _load()
        return self._ask(ip_address) or ""


def _load() -> Callable[[str], str | None]:
    try:
        from iptocc import country_code  # 2 ms, for a report with addresses
    except ImportError:
        return lambda address: None
    return country_code


def version() -> str:
    """The installed version of iptocc, whose data are as old as it; '' when it is not installed."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of  # 30 ms, for `doctor`

    try:
        return version_of(NAME)
    except PackageNotFoundError:
        return ""
