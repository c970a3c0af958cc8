"""Questions to the DNS, each once. The only module that imports dnspython (80 ms), when it asks."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ..values.fields import read_port


class UnansweredError(Exception):
    """The DNS could not tell; it is asked again another time."""


class Records(NamedTuple):
    """The answer of the DNS to one question: texts, and why there may be more than we know."""

    texts: tuple[str, ...] = ()
    fault: str = ""  # '' when the DNS answered; else the records may be there all the same
    unheard: bool = False  # whether no server said anything at all
    secure: bool = False  # whether the resolver checked the signatures of DNSSEC (RFC 6840 §5.8)


# (name, type) -> records; the type is TXT, MX, PTR, TLSA, A, AAAA or ADDRESS (A or AAAA).
Look = Callable[[str, str], Records]


class Resolver:
    """Asks the system's resolvers, or one server. Each question once. Raises ValueError for a server that is none."""

    def __init__(self, server: str = "", timeout: float = 5.0) -> None:
        import dns.flags
        import dns.resolver  # 80 ms

        self._answers: dict[tuple[str, str], Records] = {}
        self._untrue: bool | None = None  # None: not asked yet
        self._resolver = dns.resolver.Resolver(configure=not server)
        if server:
            address, port = read_server(server)
            self._resolver.nameservers = [address]
            self._resolver.port = port
        self._resolver.lifetime = timeout
        self._resolver.timeout = timeout / 2  # the second try reaches a server that lost the first
        self._resolver.use_edns(0, 0, 1232)
        self._resolver.set_flags(dns.flags.RD | dns.flags.AD)  # it is to say whether it checked

    def __call__(self, name: str, kind: str) -> Records:
        """See Look."""
        if self._untrue is None:
            self._untrue = self._denies_the_root()
        if self._untrue:
            fault = "the resolver says that not even the root of the DNS exists: it answers for nothing"
            return Records(fault=fault, unheard=True)
        if (name, kind) not in self._answers:
            kinds = ("A", "AAAA") if kind == "ADDRESS" else (kind,)
            found = [self._ask(name, one) for one in kinds]
            texts = tuple(text for one in found for text in one.texts)
            fault = "" if texts else "".join(one.fault for one in found[:1])
            unheard = bool(fault) and found[0].unheard
            self._answers[name, kind] = Records(texts, fault, unheard, all(one.secure for one in found))
        return self._answers[name, kind]

    def _denies_the_root(self) -> bool:
        """Some firewalls and sandboxes answer NXDOMAIN to everything; and each "no record" would be a lie."""
        import dns.exception
        import dns.resolver

        try:
            self._resolver.resolve(".", "NS", raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return True
        except dns.exception.DNSException:  # a server of one zone refuses the root
            return False
        return False

    def _ask(self, name: str, kind: str) -> Records:
        import dns.exception
        import dns.flags
        import dns.resolver

        try:
            answer = self._resolver.resolve(f"{name}.", kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return Records()
        except dns.resolver.NoNameservers as error:
            unheard = not any(one[4] for one in error.kwargs.get("errors", ()))
            return Records(fault=f"the resolver cannot tell ({_codes(error)})", unheard=unheard)
        except dns.exception.Timeout:
            return Records(fault=f"no answer within {self._resolver.lifetime:g} s", unheard=True)
        except dns.exception.DNSException as error:
            return Records(fault=f"no question that the DNS takes ({str(error) or type(error).__name__})")
        secure = bool(answer.response.flags & dns.flags.AD)
        return Records(tuple(_text(record, kind) for record in answer.rrset or ()), secure=secure)


def _codes(error: Any) -> str:
    """What each server said: SERVFAIL, REFUSED, …"""
    said = [str(one[3]) for one in error.kwargs.get("errors", ())]
    return ", ".join(dict.fromkeys(said)) or "no server"


def _text(record: Any, kind: str) -> str:
    """TXT: its strings are joined without anything between (RFC 9989 §4.5)."""
    if kind == "TXT":
        data = b"".join(record.strings)
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data.decode("latin-1")
    if kind == "MX":
        return str(record.exchange).rstrip(".") or "."
    if kind == "TLSA":
        return f"{record.usage} {record.selector} {record.mtype} {record.cert.hex()}"
    return str(record.target if kind == "PTR" else record.address)


def read_server(text: str) -> tuple[str, int]:
    """`ADDRESS`, `ADDRESS:PORT`, `[IPv6]:PORT`. Raises ValueError."""
    import ipaddress

    address, port = text, "53"
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or "53"
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    try:
        return str(ipaddress.ip_address(address)), read_port(port)
    except ValueError:
        raise ValueError(f"{text!r} is no server: write 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353") from None
