"""Campaigns: messages that have a URL's host, an attachment or a subject in common, whatever address they came from.

Messages are joined by what they share (union-find). What everybody uses joins nothing: a *hub* is a value that stands
beside many others, as w3.org, a logo or a webmail's host does; the host of a bot net's page stands alone.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from ..values.domains import organizational_domain
from .message import Message

LEAST_MESSAGES = 3
LEAST_ADDRESSES = 2
HUB_COMPANIONS = 10  # more different values of its own kind than that beside it: a hub
HUB_SHARE = 3  # and so is one with more of them than a third of the messages that it stands in, and more than two
SHORTEST_SUBJECT = 10  # letters that are left of a subject when its names and numbers are blanked
LEAST_WORDS = 2

Key = tuple[str, str]  # kind (`host`, `file`, `subject`) and value

_CODE = re.compile(r"\S*\d\S*")  # a word with a digit: an amount, a date, a code
_ADDRESS = re.compile(r"\S+@\S+")
_PREFIX = re.compile(r"\A(?:(?:re|aw|sv|antw|fwd?|wg|tr|rv)\s*:\s*)+", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2,}")


class Campaign(NamedTuple):
    """Messages that belong together, oldest first."""

    name: str  # short, and the same as long as its oldest message is there
    keys: tuple[Key, ...]  # what two or more of its messages share
    messages: tuple[Message, ...]

    @property
    def addresses(self) -> int:
        """How many addresses it came from."""
        return len({one.source_ip for one in self.messages if one.source_ip})


def find_campaigns(
    messages: Iterable[Message],
    *,
    own_domains: Iterable[str] = (),
    hubs: Iterable[str] = (),
    names: Iterable[str] = (),
) -> list[Campaign]:
    """Campaigns, the largest first.

    own_domains: of the site, which its own mail and its forgers link to alike. hubs: hosts that join nothing, by their
    organizational domain. names: of recipients, blanked in subjects beside what their addresses say.
    """
    ordered = sorted(messages, key=lambda one: (one.at, one.id))
    silent = {organizational_domain(one) for one in (*own_domains, *hubs)}
    keys = [_keys(one, silent, frozenset(names)) for one in ordered]
    shared = _shared(keys)
    groups = _joined(keys, shared)
    found = [_campaign(ordered, keys, group, shared) for group in groups]
    real = [one for one in found if len(one.messages) >= LEAST_MESSAGES and one.addresses >= LEAST_ADDRESSES]
    return sorted(real, key=lambda one: (-len(one.messages), one.name))


@lru_cache(maxsize=3000)
def plain_subject(subject: str, recipients: tuple[str, ...] = (), names: frozenset[str] = frozenset()) -> str:
    """A subject without digits, codes, addresses and names, which differ by recipient; '' when too little is left."""
    text = _ADDRESS.sub(" ", _PREFIX.sub("", subject.strip()))
    own = {word.lower() for one in recipients for word in _WORD.findall(one.partition("@")[0])} | names
    words = [word.lower() for word in _WORD.findall(_CODE.sub(" ", text))]
    words = [word for word in words if word not in own]
    return " ".join(words) if len(words) >= LEAST_WORDS and sum(map(len, words)) >= SHORTEST_SUBJECT else ""


def _keys(message: Message, silent: set[str], names: frozenset[str]) -> list[Key]:
    hosts = [("host", host) for host in dict.fromkeys(message.hosts) if organizational_domain(host) not in silent]
    files = [("file", digest) for digest in dict.fromkeys(digest for _, digest in message.files) if digest]
    subject = plain_subject(message.subject, message.recipients, names)
    return [*hosts, *files, *([("subject", subject)] if subject else [])]


def _shared(keys: Sequence[Sequence[Key]]) -> set[Key]:
    """What two messages or more have, and is no hub."""
    seen: defaultdict[Key, int] = defaultdict(int)
    companions: defaultdict[Key, set[Key]] = defaultdict(set)
    for one in keys:
        for key in one:
            seen[key] += 1
            beside = companions[key]
            if len(beside) <= HUB_COMPANIONS:
                beside.update(other for other in one if other[0] == key[0] and other != key)
    return {key for key, times in seen.items() if times > 1 and not _is_hub(len(companions[key]), times)}


def _is_hub(companions: int, times: int) -> bool:
    return companions > min(HUB_COMPANIONS, max(2, times / HUB_SHARE))


def _joined(keys: Sequence[Sequence[Key]], shared: set[Key]) -> Iterator[list[int]]:
    """Numbers of the messages of each group, in order."""
    parents = list(range(len(keys)))
    find = _finder(parents)
    first: dict[Key, int] = {}
    for number, one in enumerate(keys):
        for key in one:
            if key in shared:
                older, younger = sorted((find(first.setdefault(key, number)), find(number)))
                parents[younger] = older
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for number in range(len(keys)):
        groups[find(number)].append(number)
    return iter(groups.values())


def _finder(parents: list[int]) -> Callable[[int], int]:
    def find(number: int) -> int:
        while parents[number] != number:
            parents[number] = number = parents[parents[number]]  # halve the way
        return number

    return find


def _campaign(
    messages: Sequence[Message], keys: Sequence[Sequence[Key]], group: Sequence[int], shared: set[Key]
) -> Campaign:
    common = tuple(dict.fromkeys(key for number in group for key in keys[number] if key in shared))
    return Campaign(_name(common[0] if common else ("", "")), common, tuple(messages[number] for number in group))


_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"


def _name(key: Key) -> str:
    """Ten letters that can be said on the telephone, from the first thing that its messages shared."""
    number = int.from_bytes(sha256("\0".join(key).encode("utf-8", "surrogatepass")).digest()[:4], "big")
    halves = (_syllables(number >> 16), _syllables(number & 0xFFFF))
    return "-".join(halves)


def _syllables(number: int) -> str:
    """16 bits as five letters (a proquint)."""
    alphabet = ((_CONSONANTS, 4), (_VOWELS, 2), (_CONSONANTS, 4), (_VOWELS, 2), (_CONSONANTS, 4))
    letters = []
    for letters_of, bits in reversed(alphabet):
        letters.append(letters_of[number & (1 << bits) - 1])
        number >>= bits
    return "".join(reversed(letters))
