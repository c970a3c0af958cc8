"""Parts that the lines of all servers have: accounts, clients, addresses; each remembered, because they come again."""

import re
from functools import lru_cache

from ...values.fields import clean, read_ip

MAX_ACCOUNT = 320  # characters: RFC 5321 §4.5.3.1 allows 64 and 255 around the @

_CLIENT = re.compile(rb"(?P<name>[^\[\]]*)\[(?P<address>[^\]]*)\](?::(?P<port>\d{1,5}))?")
_OCTET = rb"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = re.compile(_OCTET + (rb"\." + _OCTET) * 3)
_ESCAPED = re.compile(rb"\\([0-3][0-7]{2})")


@lru_cache(maxsize=16384)
def read_account(raw: bytes) -> str:
    """An account as a server logs it: in lower case, without control characters; `(unavailable)` is none."""
    text = clean(raw.decode("utf-8", "replace")).lower()[:MAX_ACCOUNT]
    return "" if text == "(unavailable)" else text


@lru_cache(maxsize=16384)
def read_address(raw: bytes) -> str:
    """An address in canonical form; '' when it is none, such as Postfix's `unknown`."""
    if _IPV4.fullmatch(raw):  # ipaddress takes six times as long
        return raw.decode("ascii")
    try:
        return read_ip(raw.decode("ascii"))
    except ValueError:
        return ""


@lru_cache(maxsize=16384)
def read_client(raw: bytes) -> tuple[str, str, int]:
    """Name, address and port of Postfix's `name[address]:port`; `unknown` and `localhost` are no names."""
    client = _CLIENT.fullmatch(raw)
    if client is None:
        return "", "", 0
    name = read_text(client[1]).lower()
    port = int(client[3] or 0)
    return "" if name in {"unknown", "localhost"} else name, read_address(client[2]), port if port < 65536 else 0


@lru_cache(maxsize=16384)
def read_text(raw: bytes) -> str:
    """A short text for people."""
    return clean(raw.decode("utf-8", "replace"))[:1024]


def unescape(raw: bytes) -> bytes:
    r"""Exim's `\303\251` as the bytes that it stands for."""
    return _ESCAPED.sub(lambda octal: bytes([int(octal[1], 8)]), raw) if b"\\" in raw else raw
