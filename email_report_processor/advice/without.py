"""Which addresses would no longer pass SPF, were a mechanism gone from the records of a domain (RFC 7208)."""

from collections.abc import Callable, Iterable
from functools import lru_cache

from ..checking.resolver import Look
from ..checking.spf import SpfError, Term, check_host, tree
from ..values.domains import organizational_domain


def loses(domain: str, gone: Iterable[str], look: Look) -> Callable[[str, str], bool]:
    """Whether an address that passes today for an envelope's domain would no longer do.

    gone: mechanisms as they are published, in the domain's record or in one of its organization's that it names. Raises
    ValueError when one is not there.
    """
    texts = {_plain(one) for one in gone}
    home = organizational_domain(domain)
    try:
        mechanisms = [one.term.text for one in tree(domain, look) if organizational_domain(one.domain) == home]
    except SpfError as error:
        raise ValueError(
            f"the SPF record cannot be used: {error}; correct it, or ask another resolver: --server ADDRESS"
        ) from error
    missing = texts - {_plain(text) for text in mechanisms}
    if missing:
        there = ", ".join(dict.fromkeys(mechanisms)) or "none"
        raise ValueError(f"{min(missing)} is no mechanism of {domain}; there are {there}")

    def is_gone(at: str, term: Term) -> bool:
        return organizational_domain(at) == home and _plain(term.text) in texts

    @lru_cache(maxsize=100_000)
    def would_lose(address: str, envelope: str) -> bool:
        if not address or check_host(address, envelope, look).result != "pass":
            return False  # it passes no more as it is: another record was there when the report was written
        return check_host(address, envelope, look, is_gone).result != "pass"

    return would_lose


def _plain(text: str) -> str:
    return text.strip().removeprefix("+").lower()
