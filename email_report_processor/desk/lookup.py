"""Registries asked who answers for a network, each network once in a while: RDAP, then Abusix's zone.

Answers are remembered in the state directory. A registry that is away or has enough of us is not asked again in the
same run, and what it did not say is not remembered.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network, summarize_address_range
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..stores import kept, owner
from .contacts import ContactOptions, Found
from .fetching import FetchError, fetch
from .rdap import Address, Answer, is_contact, read_answer, server_of

if TYPE_CHECKING:
    from ..checking.resolver import Look

FILE = "contacts.json"
_LISTS_DAYS = 7  # for which IANA's lists are taken as they are
_BLOCKS = {4: 24, 6: 48}  # one answer is believed for so much around the address that was asked about
_MOST = 20_000  # answers that are remembered


class Lookup:
    """Asks for contacts, and remembers. `save` writes down what was learnt."""

    def __init__(
        self,
        directory: Path,
        options: ContactOptions,
        now: datetime,
        *,
        ask: Callable[[str, float], Mapping[str, Any]] = fetch,
        look: "Look | None" = None,
    ) -> None:
        """directory: of the desk's state. ask, look: HTTP and DNS, for tests. Raises ValueError for settings."""
        unknown = [name for name in options.lookup if name not in _PLACES]
        if unknown:
            raise ValueError(f"lookup: there is no {unknown[0]!r}; write some of {', '.join(_PLACES)}")
        self.path = directory / FILE
        self.options = options
        self.now = now
        self.asked = 0  # questions over the network
        self._ask = ask
        self._look = look
        self._away: dict[str, str] = {}  # server -> why it is not asked any more
        self._known = _read(self.path)
        self._changed = False

    def candidates(self, address: str) -> Iterator[Found]:
        """What each place says about an address in canonical form, one after the other, as they are asked for."""
        for place in self.options.lookup:
            key = f"{place} {_block(address)}"
            known = self._remembered(key, address)
            if known is None:
                known = _PLACES[place](self, address)
                if not known.fault:
                    self._remember(key, known)
            yield known

    def save(self) -> None:
        """Write down what was learnt. Raises OSError."""
        if not self._changed:
            return
        newest = sorted(self._known.items(), key=lambda item: str(item[1].get("at", "")), reverse=True)[:_MOST]
        _write(self.path, dict(newest))
        self._changed = False

    def _remembered(self, key: str, address: str) -> Found | None:
        entry = self._known.get(key)
        if entry is None or not _holds(entry, address):
            return None
        try:
            age = self.now - datetime.fromisoformat(entry["at"])
        except (KeyError, ValueError, TypeError):
            return None
        if not timedelta() <= age < timedelta(days=self.options.cache_days):
            return None
        return Found(key.partition(" ")[0], str(entry["network"]), tuple(map(str, entry["contacts"])))

    def _remember(self, key: str, found: Found) -> None:
        self._known[key] = {"at": self.now.isoformat(), "network": found.network, "contacts": list(found.contacts)}
        self._changed = True

    # RDAP

    def rdap(self, address: str) -> Found:
        """What the registry of an address says."""
        try:
            server, answer = self.registry(address)
            if not server:
                return Found("rdap", _block(address))
        except FetchError as error:
            return Found("rdap", fault=f"RDAP: {error}: try again later, or name a contact in [contacts]")
        except (ValueError, TypeError, AttributeError) as error:
            return Found("rdap", fault=f"RDAP: the list of servers cannot be read ({error}): see [abuse] rdap")
        return Found("rdap", _network(answer, address), answer.contacts)

    def registry(self, address: str) -> tuple[str, Answer]:
        """The server of the registry for an address, '' when there is none, and what it says now.

        Raises FetchError; ValueError, TypeError or AttributeError when the list of servers cannot be read.
        """
        server = server_of(self._list(f"ipv{ip_address(address).version}.json"), address)
        return server, read_answer(self._answer(server, address) if server else {})

    def _answer(self, server: str, address: str) -> Mapping[str, Any]:
        if server in self._away:
            raise FetchError(self._away[server])
        try:
            self.asked += 1
            return self._ask(f"{server.rstrip('/')}/ip/{address}", self.options.lookup_seconds)
        except FetchError as error:
            if error.status == 404:  # it knows nothing of this address (RFC 7480 §5.3)
                return {}
            self._away[server] = str(error)
            raise

    def _list(self, name: str) -> Mapping[str, Any]:
        """One of IANA's lists, as it was some days ago at the most; an older one where IANA is away."""
        key = f"list {name}"
        entry = self._known.get(key, {})
        with suppress(KeyError, ValueError, TypeError):
            if self.now - datetime.fromisoformat(entry["at"]) < timedelta(days=_LISTS_DAYS):
                return dict(entry["list"])
        try:
            found = dict(self._answer_list(name))
        except FetchError:
            if "list" in entry:
                return dict(entry["list"])
            raise
        self._known[key] = {"at": self.now.isoformat(), "list": found}
        self._changed = True
        return found

    def _answer_list(self, name: str) -> Mapping[str, Any]:
        if name in self._away:
            raise FetchError(self._away[name])
        try:
            self.asked += 1
            return self._ask(f"{self.options.rdap.rstrip('/')}/{name}", self.options.lookup_seconds)
        except FetchError as error:
            self._away[name] = str(error)
            raise

    # Abusix

    def abusix(self, address: str) -> Found:
        """What the zone of Abusix says: addresses joined by commas, in one record or several."""
        if self._look is None:
            from ..checking.resolver import Resolver

            self._look = Resolver(self.options.dns_server, self.options.lookup_seconds)
        reverse = ip_address(address).reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
        self.asked += 1
        answer = self._look(f"{reverse}.{self.options.abusix}", "TXT")
        if answer.fault:
            return Found("abusix", fault=f"Abusix: {answer.fault}")
        found = [one.strip().lower() for text in answer.texts for one in text.split(",")]
        return Found("abusix", _block(address), tuple(one for one in dict.fromkeys(found) if is_contact(one)))


_PLACES: Mapping[str, Callable[[Lookup, str], Found]] = {"rdap": Lookup.rdap, "abusix": Lookup.abusix}


def _block(address: str) -> str:
    ip = ip_address(address)
    return str(ip_network(f"{ip}/{_BLOCKS[ip.version]}", strict=False))


def _network(answer: Answer, address: str) -> str:
    """The range of an answer, as one network where it is one; the block of the address where it is about another."""
    try:
        first, last = ip_address(answer.first), ip_address(answer.last)
        if not _between(first, ip_address(address), last):
            return _block(address)
        networks = list(summarize_address_range(first, last))
    except (ValueError, TypeError):
        return _block(address)
    return str(networks[0]) if len(networks) == 1 else f"{first}-{last}"


def _between(first: Address, middle: Address, last: Address) -> bool:
    same = first.version == middle.version == last.version
    return same and int(first) <= int(middle) <= int(last)


def _holds(entry: Mapping[str, Any], address: str) -> bool:
    """Whether what is remembered is about this address too: a registry may know less than the block."""
    network = str(entry.get("network", ""))
    try:
        if "-" in network:
            first, _, last = network.partition("-")
            return _between(ip_address(first), ip_address(address), ip_address(last))
        return not network or ip_address(address) in ip_network(network)
    except ValueError:
        return False


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """What is remembered; nothing when the file is not there or cannot be read: it can be asked for again."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return (
        {key: value for key, value in content.items() if isinstance(value, dict)} if isinstance(content, dict) else {}
    )


def _write(path: Path, content: Mapping[str, Any]) -> None:
    kept.make_directory(path.parent)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".new-", delete=False) as file:
        owner.give(file.fileno(), file.name)
        json.dump(content, file, ensure_ascii=False)
    os.replace(file.name, path)
