"""The DKIM keys of a domain that reports name, and what the DNS has of them now."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from ..checking.dkim_key import GOOD, SHORT, Key, is_key, read_key
from ..checking.finding import Finding, failure, ok, warning
from ..checking.record import is_name
from ..checking.resolver import Look
from ..pages import words
from ..stores.kinds import Combined
from ..values.domains import aligned
from .large_senders import maker_of

_MOST = 30  # keys of one domain that are looked at, the busiest first
_LATER = "ask again later, or another resolver: --server ADDRESS"


class Used(NamedTuple):
    """What reports say of one key."""

    results: Counter[str]  # result -> messages


Signatures = dict[tuple[str, str], Used]  # domain and selector


def count(signatures: Signatures, one: Combined, domain: str) -> None:
    """Add what a sum says. domain: whose organization's keys are looked at."""
    said = {
        (str(result.get("domain", "")), str(result.get("selector", "")).lower(), str(result.get("result", "")))
        for result in one.fields.get("auth_results.dkim", ())
    }
    for signer, selector, result in said:
        if selector and aligned(signer, domain):
            signatures.setdefault((signer, selector), Used(Counter())).results[result] += one.messages


def findings(domain: str, signatures: Signatures, ever: set[tuple[str, str]], look: Look) -> Iterator[Finding]:
    """A line for each key. ever: those that passed at any time."""
    busiest = sorted(signatures.items(), key=lambda item: (-item[1].results.total(), item[0]))
    for (signer, selector), used in busiest[:_MOST]:
        yield _finding(f"{domain} dkim", signer, selector, used, look)
    if len(busiest) > _MOST:
        yield ok(f"{domain} dkim", f"and {len(busiest) - _MOST} more selectors, which are not looked at")
    for signer, selector in sorted(ever - signatures.keys())[:_MOST]:
        name, key = _key(signer, selector, look)
        if isinstance(key, Key) and not (key.revoked or key.fault):
            text = f"{name}: nobody signed with it in this time, and the key is still there"
            yield warning(f"{domain} dkim", text, f'remove it, or revoke it:\n{name}. IN TXT "v=DKIM1; p="')
    if not signatures:
        yield warning(f"{domain} dkim", "no report names a signature of the domain", "sign what it sends (RFC 6376)")


def _key(signer: str, selector: str, look: Look) -> tuple[str, Key | str | None]:
    """The name of a key, and the key; None when there is none, a text when the DNS cannot tell."""
    name = f"{selector}._domainkey.{signer}"
    answer = look(name, "TXT") if is_name(name) else None
    if answer is None:
        return name, None
    if answer.fault:
        return name, answer.fault
    found = [read_key(text) for text in answer.texts if is_key(text)]
    if len(found) > 1:
        return name, Key(fault=f"there are {len(found)} records, of which receivers take any")
    return name, found[0] if found else None


def _finding(about: str, signer: str, selector: str, used: Used, look: Look) -> Finding:
    name, key = _key(signer, selector, look)
    passed, failed = used.results["pass"], used.results.total() - used.results["pass"]
    maker = maker_of(selector)
    whose = f" (as {maker} names its keys)" if maker else ""
    said = f"{name}{whose}: {words.count(passed, 'message')} passed, {words.number(failed)} did not"
    if isinstance(key, str):
        return warning(about, f"{said}; {key}", _LATER)
    if key is None:
        if passed:
            return warning(about, f"{said}; the key is gone", "right if it was rotated away; else publish it again")
        return failure(about, f"{said}; there is no key", f'publish it: {name}. IN TXT "v=DKIM1; p=…"')
    return _state(about, name, said, key)


def _state(about: str, name: str, said: str, key: Key) -> Finding:
    if key.fault:
        return failure(about, f"{said}; {key.fault}", f'{name}. IN TXT "v=DKIM1; k=rsa; p=…"')
    if key.revoked:
        return warning(
            about, f"{said}; the key is revoked", "right if nothing signs with it any more; else another key"
        )
    if key.kind == "rsa" and key.bits < SHORT:
        return failure(
            about, f"{said}; {key.bits} bits are too few (RFC 8301)", f"sign with {GOOD} bits: a new selector"
        )
    if key.kind == "rsa" and key.bits < GOOD:
        return warning(about, f"{said}; {key.bits} bits", f"sign with {GOOD} bits: a new selector")
    if key.testing:
        return warning(about, f"{said}; t=y: it is being tested, and may count for nothing", "leave out t=y")
    strict = "; t=s: for addresses at this domain itself" if key.strict else ""
    return ok(about, f"{said}; {f'{key.bits} bits' if key.kind == 'rsa' else key.kind}{strict}")
