"""Names of addresses, believed only when they lead back: anybody can call an address `x.google.example`."""

from functools import lru_cache
from ipaddress import ip_address

from ..checking.resolver import Look
from ..values.fields import read_domain, read_ip

_MOST = 5  # names of one address that are followed back


class Confirmed:
    """Names by the DNS, remembered."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self.name = lru_cache(maxsize=65536)(self._name)

    def _name(self, address: str) -> str | None:
        """The name of an address that leads back to it, '' when it has none, None when the DNS did not answer."""
        names = self._look(ip_address(address).reverse_pointer, "PTR")
        if names.fault:
            return None
        unanswered = False
        for name in names.texts[:_MOST]:
            back = self._look(read_domain(name), "ADDRESS")
            if address in {_canonical(text) for text in back.texts}:
                return read_domain(name)
            unanswered = unanswered or bool(back.fault)
        return None if unanswered else ""


def _canonical(text: str) -> str:
    try:
        return read_ip(text)
    except ValueError:
        return ""
