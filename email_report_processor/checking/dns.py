"""What a domain publishes so that reports can arrive: DMARC, TLSRPT, and the consent of those who receive them.

Policies are found both ways: by the tree walk of RFC 9989 §4.10, and by the organizational domain of the Public Suffix
List (RFC 7489 §6.6.3), since reporters use either. The only module that imports dnspython (80 ms), when it asks.
"""

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from ..values.domains import organizational_domain
from ..values.fields import read_domain, read_port
from .finding import Finding, failure, ok, warning

_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z"
)
_VERSION = re.compile(r"\s*v\s*=\s*DMARC1\s*(?:;|\Z)")  # case-sensitive, and first (RFC 9989 §4.7)
_NEARLY = re.compile(r"\W*v?\s*=?\s*dmarc", re.IGNORECASE)
_URI = re.compile(r"[A-Za-z0-9._~:/?#\[\]@$&'()*+=%-]*")
_STEPS = 8  # labels that a tree walk looks at (RFC 9989 §4.10)
_URIS = 2  # more than these a reporter need not serve (RFC 7489 §6.2)


class Records(NamedTuple):
    """The answer of the DNS to one question: texts, and why there may be more than we know."""

    texts: tuple[str, ...] = ()
    fault: str = ""  # '' when the DNS answered; else the records may be there all the same


# (name, type) -> records; the type is TXT, MX or ADDRESS (A or AAAA).
Look = Callable[[str, str], Records]


class Uri(NamedTuple):
    """One address for reports."""

    text: str
    host: str  # of a mailto: URI, '' for another
    fault: str  # what is wrong with it, '' if nothing


def check_domain(domain: str, look: Look) -> Iterator[Finding]:
    """Everything about one domain (A-labels, lower case)."""
    yield from check_dmarc(domain, look)
    yield from check_tlsrpt(domain, look)
    yield from check_sts(domain, look)


def read_name(text: str) -> str:
    """A domain name in A-labels. Raises ValueError for what is none."""
    name = read_domain(text)
    if not _NAME.match(name):
        raise ValueError(f"{text!r} is no domain name")
    return name


# DMARC


class Policy(NamedTuple):
    """A DMARC record and where it stands."""

    domain: str
    tags: tuple[tuple[str, str], ...]  # in their order, names in lower case; also broken and unknown ones
    broken: tuple[str, ...]  # parts that are no tag

    def get(self, tag: str) -> str:
        """The value of a tag, '' when it is absent."""
        return next((value for name, value in self.tags if name == tag), "")


class _Found(NamedTuple):
    policy: Policy | None
    findings: tuple[Finding, ...]  # what is wrong with the records on the way


def check_dmarc(domain: str, look: Look) -> Iterator[Finding]:
    """The record that applies to a domain, its tags, and each address in it."""
    about = f"{domain} dmarc"
    found = _records_at(domain, about, look)
    yield from found.findings
    policy = found.policy
    if policy is None:
        if found.findings:  # there may be one, or there are too many
            return
        policy = yield from _inherited(domain, about, look)
    else:
        yield ok(about, f"_dmarc.{domain}: {_summary(policy, own=True)}")
    if policy is not None:
        yield from check_tags(policy, about)
        yield from _check_addresses(policy, about, look)


def _records_at(domain: str, about: str, look: Look) -> _Found:
    name = f"_dmarc.{domain}"
    answer = look(name, "TXT")
    if answer.fault:
        return _Found(None, (warning(about, f"{name}: {answer.fault}", _TEMPORARY),))
    valid = [text for text in answer.texts if _VERSION.match(text)]
    if len(valid) > 1:
        text = f"{name}: {len(valid)} records, so reporters take none (RFC 9989 §4.10)"
        return _Found(None, (failure(about, text, f"keep one of them:\n{_publish_all(name, valid)}"),))
    if valid:
        return _Found(parse(domain, valid[0]), ())
    nearly = [text for text in answer.texts if _NEARLY.match(text)]
    if nearly:
        text = f"{name}: {nearly[0]!r} does not begin with v=DMARC1; and is no DMARC record"
        return _Found(None, (failure(about, text, publish(name, repaired(parse(domain, nearly[0])))),))
    return _Found(None, ())


_TEMPORARY = "ask again later, or another resolver: --server ADDRESS"


def parse(domain: str, text: str) -> Policy:
    """The tags of a record (RFC 9989 §4.8)."""
    tags: list[tuple[str, str]] = []
    broken: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if equals and value and name.isalpha() and name.isascii():
            tags.append((name.lower(), value))
        else:
            broken.append(part)
    return Policy(domain, tuple(tags), tuple(broken))


def walk(domain: str) -> list[str]:
    """The domains that a tree walk looks at behind the first (RFC 9989 §4.10, steps 3 to 7)."""
    labels = domain.split(".")
    labels = labels[1:] if len(labels) < _STEPS else labels[-(_STEPS - 1) :]
    return [".".join(labels[start:]) for start in range(len(labels))]


def _inherited(domain: str, about: str, look: Look) -> Generator[Finding, None, Policy | None]:
    """The policy of a domain above; both ways to find it should find the same."""
    records: dict[str, Policy] = {}
    unknown = False
    for parent in walk(domain):
        found = _records_at(parent, about, look)
        yield from found.findings
        unknown = unknown or bool(found.findings)
        if found.policy is not None:
            records[parent] = found.policy
            if found.policy.get("psd").lower() in {"y", "n"}:
                break
    by_walk = discovered(domain, records)
    suffix_domain = organizational_domain(domain)
    by_list = records.get(suffix_domain) or (
        _records_at(suffix_domain, about, look).policy if suffix_domain != domain else None
    )
    policy = by_walk or by_list
    name = f"_dmarc.{domain}"
    if policy is None and unknown:
        return None
    if policy is None:
        yield failure(about, f"{name}: no record, also none above it: no DMARC reports", publish(name, _first(domain)))
        return None
    if by_walk is None or by_list is None or by_walk.domain != by_list.domain:
        one, other = (one.domain if one else "none" for one in (by_walk, by_list))
        text = f"{name}: none of its own; by tree walk (RFC 9989) the one of {one}, by public suffix (RFC 7489) {other}"
        yield warning(about, text, publish(name, repaired(policy)))
    else:
        yield ok(about, f"{name}: none of its own; that of {policy.domain} applies: {_summary(policy, own=False)}")
    return policy


def discovered(domain: str, records: dict[str, Policy]) -> Policy | None:
    """The record that applies by a tree walk which found these above a domain (RFC 9989 §4.10.1, §4.10.2)."""
    longest_first = sorted(records, key=lambda name: -name.count("."))
    for name in longest_first:
        psd = records[name].get("psd").lower()
        if psd == "n":
            return records[name]
        if psd == "y":
            below = domain.split(".")[-(name.count(".") + 2) :]  # one label below is the organizational domain
            return records.get(".".join(below), records[name])
    return records[longest_first[-1]] if longest_first else None


def _summary(policy: Policy, *, own: bool) -> str:
    p = policy.get("p").lower() or "none (by default)"
    sub = policy.get("sp").lower() or p
    missing = policy.get("np").lower() or sub
    which = f"p={p}" if own else f"{sub} for subdomains"
    tested = ", being tested (t=y): one level lower is applied" if policy.get("t").lower() == "y" else ""
    return f"{which}{f', {missing} for those that do not exist' if missing != sub else ''}{tested}"


# Tag -> the values that it may have, as a pattern and in words.
_REQUEST = (re.compile(r"none|quarantine|reject", re.IGNORECASE), "none, quarantine or reject")
_MODE = (re.compile(r"[rs]", re.IGNORECASE), "r or s")
_VALUES = {
    "p": _REQUEST,
    "sp": _REQUEST,
    "np": _REQUEST,
    "adkim": _MODE,
    "aspf": _MODE,
    "t": (re.compile(r"[yn]", re.IGNORECASE), "y or n"),
    "psd": (re.compile(r"[ynu]", re.IGNORECASE), "y, n or u"),
}
_GONE = {"pct", "rf", "ri"}  # RFC 9989 Appendix C.5.2
_KNOWN = {"v", "rua", "ruf", "fo", *_VALUES, *_GONE}


def check_tags(policy: Policy, about: str) -> Iterator[Finding]:
    """What a reporter does with each tag that is not as it should be."""
    better = publish(f"_dmarc.{policy.domain}", repaired(policy))
    for text in _wrong_tags(policy):
        yield warning(about, text, better)
    requests = [tag for tag in ("p", "sp", "np") if not _valid(policy, tag, absent=tag != "p")]
    if requests and not any(not uri.fault for uri in uris(policy.get("rua"))):
        text = f"without a valid {' and '.join(requests)} and without rua the record counts for nothing"
        yield failure(about, f"{text} (RFC 9989 §4.10.1)", better)
    elif "p" in requests:
        yield warning(about, "no valid p: taken for p=none, and ignored by older reporters (RFC 7489 §6.6.3)", better)
    if not policy.get("rua"):
        yield failure(about, "no rua: no aggregate reports are asked for", better)
    if not policy.get("ruf"):
        ignored = "; fo says nothing without it" if policy.get("fo") else ""
        yield ok(about, f"no ruf: no failure reports are asked for{ignored}")


def _valid(policy: Policy, tag: str, *, absent: bool) -> bool:
    value = policy.get(tag)
    return bool(_VALUES[tag][0].fullmatch(value)) if value else absent


def _wrong_tags(policy: Policy) -> Iterator[str]:
    names = [name for name, _ in policy.tags]
    for part in policy.broken:
        yield f"{part!r} is no tag; write name=value"
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"{name} is there {names.count(name)} times"
        if name in _GONE:
            yield f"{name} is no longer part of DMARC (RFC 9989): leave it out{'; t=y is for tests' * (name == 'pct')}"
        elif name not in _KNOWN:
            yield f"{name} is no tag of DMARC and is ignored"
    for name, (pattern, words) in _VALUES.items():
        value = policy.get(name)
        if value and not pattern.fullmatch(value):
            yield f"{name}={value} is ignored; write {words}"
    if fault := _wrong_fo(policy.get("fo")):
        yield f"fo={policy.get('fo')}: {fault}"


def _wrong_fo(value: str) -> str:
    options = [option.strip().lower() for option in value.split(":")] if value else []
    if not all(option in {"0", "1", "d", "s"} for option in options):
        return "write some of 0, 1, d and s, joined by colons"
    if {"0", "1"} <= set(options):
        return "0 and 1 exclude each other"
    return ""


# Addresses


def uris(value: str) -> list[Uri]:
    """The list of a rua or ruf tag."""
    return [_uri(part.strip()) for part in value.split(",")] if value else []


def _uri(text: str) -> Uri:
    plain, mark, limit = text.partition("!")  # RFC 9989 §4.8: an obsolete limit of size, to be ignored
    if mark and not re.fullmatch(r"[0-9]+[kmgt]?", limit, re.IGNORECASE):
        return Uri(text, "", "an exclamation mark is written %21")
    try:
        parts = urlsplit(plain)
    except ValueError:
        return Uri(text, "", "is no URI")
    if not _URI.fullmatch(plain):
        return Uri(text, "", "has characters that no URI has (RFC 3986 §2)")
    if parts.scheme.lower() != "mailto":
        wanted = f"write mailto:{text}" if "@" in text and not parts.scheme else "reporters of DMARC know mailto: alone"
        return Uri(text, "", wanted)
    local, _, host = unquote(parts.path).rpartition("@")
    try:
        return Uri(text, read_name(host), "" if local else "has no local part")
    except ValueError:
        return Uri(text, "", "is no mail address")


def _check_addresses(policy: Policy, about: str, look: Look) -> Iterator[Finding]:
    hosts: dict[str, None] = {}
    for tag in ("rua", "ruf"):
        found = uris(policy.get(tag))
        for uri in found:
            if uri.fault:
                better = publish(f"_dmarc.{policy.domain}", repaired(policy))
                yield failure(about, f"{tag}: {uri.text!r}: {uri.fault}", better)
                continue
            if "!" in uri.text:
                better = publish(f"_dmarc.{policy.domain}", repaired(policy))
                yield warning(about, f"{tag}: {uri.text}: the limit of size is ignored (RFC 9989 §4.8)", better)
            hosts[uri.host] = None
        if len(found) > _URIS:
            text = f"{tag}: {len(found)} addresses; a reporter need not serve more than {_URIS} (RFC 7489 §6.2)"
            yield warning(about, text, "let the first address pass reports on to the others")
    for host in hosts:
        yield from _check_destination(policy.domain, host, look)


def _check_destination(domain: str, host: str, look: Look) -> Iterator[Finding]:
    yield from check_mail(domain, host, look)
    if organizational_domain(host) == organizational_domain(domain):
        return
    yield check_consent(domain, host, look)


def check_consent(domain: str, host: str, look: Look) -> Finding:
    """Whether a foreign host takes reports about the domain (RFC 9990 §4, RFC 7489 §7.1)."""
    about, name = f"{domain} consent", f"{domain}._report._dmarc.{host}"
    wanted = publish(name, "v=DMARC1;")
    if not _NAME.match(name):
        return failure(about, f"{name} is longer than a name may be", f"use an address at a host of {domain} itself")
    answer = look(name, "TXT")
    if answer.fault:
        return warning(about, f"{name}: {answer.fault}", _TEMPORARY)
    records = [parse(host, text) for text in answer.texts if _VERSION.match(text)]
    if not records:
        there = f"{answer.texts[0]!r} is no consent" if answer.texts else "no record"
        return failure(
            about, f"{name}: {there}: reporters send nothing to {host}", f"{wanted}\n(in the zone of {host})"
        )
    instead = [uri for record in records for uri in uris(record.get("rua"))]
    elsewhere = [uri.text for uri in instead if uri.fault or uri.host != host]
    if elsewhere:
        text = f"{name}: rua names {', '.join(elsewhere)}, and may only name {host}: it is ignored"
        return warning(about, text, wanted)
    return ok(about, f"{name}: {host} takes reports about {domain}")


def check_mail(domain: str, host: str, look: Look) -> Iterator[Finding]:
    """Whether a host receives mail at all (RFC 5321 §5.1, RFC 7505)."""
    about = f"{domain} destination"
    mx = look(host, "MX")
    if mx.fault:
        yield warning(about, f"{host}: {mx.fault}", _TEMPORARY)
    elif mx.texts == (".",):
        yield failure(about, f"{host} takes no mail (null MX)", "name an address that receives mail")
    elif mx.texts:
        yield ok(about, f"{host} receives mail at {', '.join(mx.texts)}")
    else:
        address = look(host, "ADDRESS")
        if address.fault:
            yield warning(about, f"{host}: {address.fault}", _TEMPORARY)
        elif address.texts:
            yield ok(about, f"{host} receives mail itself: it has no MX record, but an address")
        else:
            yield failure(
                about, f"{host} has neither MX nor address: no report arrives", f"{host}. IN MX 10 MAIL-HOST."
            )


# SMTP TLS reports and MTA-STS


def check_tlsrpt(domain: str, look: Look) -> Iterator[Finding]:
    """RFC 8460 §3; nothing is inherited, and nobody's consent is needed."""
    about, name = f"{domain} tlsrpt", f"_smtp._tls.{domain}"
    better = publish(name, f"v=TLSRPTv1; rua=mailto:tls-reports@{domain}")
    answer = look(name, "TXT")
    if answer.fault:
        yield warning(about, f"{name}: {answer.fault}", _TEMPORARY)
        return
    valid = [text for text in answer.texts if re.match(r"v=TLSRPTv1\s*;", text)]
    if len(valid) > 1:
        text = f"{name}: {len(valid)} records, so senders take none (RFC 8460 §3)"
        yield failure(about, text, f"keep one of them:\n{_publish_all(name, valid)}")
    elif valid:
        yield from _check_tls_addresses(domain, about, name, valid[0], look)
    elif answer.texts:
        yield failure(about, f"{name}: {answer.texts[0]!r} does not begin with v=TLSRPTv1;", better)
    else:
        yield warning(about, f"{name}: no record: no SMTP TLS reports are asked for", better)


def _check_tls_addresses(domain: str, about: str, name: str, record: str, look: Look) -> Iterator[Finding]:
    better = publish(name, f"v=TLSRPTv1; rua=mailto:tls-reports@{domain}")
    fields = [part.strip().partition("=") for part in record.split(";")[1:] if part.strip()]
    values = [value.strip() for key, _, value in fields if key.strip() == "rua"]
    if len(values) != 1 or not values[0]:
        yield failure(about, f"{name}: {'no' if not values else 'several or an empty'} rua", better)
        return
    for part in (part.strip() for part in values[0].split(",")):
        if part.lower().startswith("https://"):
            yield warning(about, f"{name}: {part}: these reports go there and not to a mailbox", better)
            continue
        uri = _uri(part)
        if uri.fault:
            yield failure(about, f"{name}: {part!r}: {uri.fault}", better)
        else:
            yield ok(about, f"{name}: {part}")
            yield from check_mail(domain, uri.host, look)


def check_sts(domain: str, look: Look) -> Iterator[Finding]:
    """RFC 8461 §3.1: it says that there is a policy, whose failures TLS reports tell. Nobody has to have one."""
    about, name = f"{domain} mta-sts", f"_mta-sts.{domain}"
    answer = look(name, "TXT")
    valid = [text for text in answer.texts if re.match(r"v=STSv1\s*;", text)]
    example = publish(name, "v=STSv1; id=1")
    if answer.fault:
        yield warning(about, f"{name}: {answer.fault}", _TEMPORARY)
    elif len(valid) > 1:
        yield failure(about, f"{name}: {len(valid)} records, so senders take none (RFC 8461 §3.1)", "keep one of them")
    elif valid and not re.search(r";\s*id\s*=\s*[A-Za-z0-9]{1,32}\s*(;|\Z)", valid[0]):
        yield failure(about, f"{name}: no id of 1 to 32 letters and digits", example)
    elif valid:
        yield ok(about, f"{name}: {valid[0]}")
    elif answer.texts:
        yield failure(about, f"{name}: {answer.texts[0]!r} does not begin with v=STSv1;", example)
    else:
        yield ok(about, f"{name}: none; TLS reports then speak of DANE, or say that no policy was found")


# Records to publish


def publish(name: str, text: str) -> str:
    """A line of a zone file; no string in it is longer than 255 bytes (RFC 1035 §3.3.14)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    strings = " ".join(f'"{escaped[start : start + 250]}"' for start in range(0, len(escaped), 250))
    return f"{name}. IN TXT {strings}"


def _publish_all(name: str, texts: Iterable[str]) -> str:
    return "\n".join(publish(name, text) for text in texts)


def _first(domain: str) -> str:
    return f"v=DMARC1; p=none; rua=mailto:dmarc-reports@{domain}"


def repaired(policy: Policy) -> str:
    """The record with what is valid in it; p=none and an address for reports where there was none."""
    tags = {"v": "DMARC1", "p": policy.get("p").lower() if _valid(policy, "p", absent=False) else "none"}
    for name in ("sp", "np", "adkim", "aspf", "t", "psd"):
        if policy.get(name) and _valid(policy, name, absent=False):
            tags[name] = policy.get(name).lower()
    rua = _good_uris(policy.get("rua"))
    tags["rua"] = rua or f"mailto:dmarc-reports@{policy.domain}"
    if ruf := _good_uris(policy.get("ruf")):
        tags["ruf"] = ruf
        if policy.get("fo") and not _wrong_fo(policy.get("fo")):
            tags["fo"] = policy.get("fo")
    return "; ".join(f"{name}={value}" for name, value in tags.items())


def _good_uris(value: str) -> str:
    candidates = [f"mailto:{uri.text}" if uri.fault.startswith("write mailto:") else uri.text for uri in uris(value)]
    good = [uri.text.partition("!")[0] for uri in map(_uri, candidates) if not uri.fault]
    return ",".join(dict.fromkeys(good))


# The DNS


class Resolver:
    """Asks the system's resolvers, or one server. Each question once. Raises ValueError for a server that is none."""

    def __init__(self, server: str = "", timeout: float = 5.0) -> None:
        import dns.resolver  # 80 ms

        self._answers: dict[tuple[str, str], Records] = {}
        self._resolver = dns.resolver.Resolver(configure=not server)
        if server:
            address, port = read_server(server)
            self._resolver.nameservers = [address]
            self._resolver.port = port
        self._resolver.lifetime = timeout
        self._resolver.timeout = timeout / 2  # the second try reaches a server that lost the first
        self._resolver.use_edns(0, 0, 1232)

    def __call__(self, name: str, kind: str) -> Records:
        """See Look."""
        if (name, kind) not in self._answers:
            kinds = ("A", "AAAA") if kind == "ADDRESS" else (kind,)
            found = [self._ask(name, one) for one in kinds]
            texts = tuple(text for one in found for text in one.texts)
            self._answers[name, kind] = Records(texts, "" if texts else "".join(one.fault for one in found[:1]))
        return self._answers[name, kind]

    def _ask(self, name: str, kind: str) -> Records:
        import dns.exception
        import dns.resolver

        try:
            answer = self._resolver.resolve(f"{name}.", kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return Records()
        except dns.resolver.NoNameservers as error:
            return Records(fault=f"the resolver cannot tell ({_codes(error)})")
        except dns.exception.Timeout:
            return Records(fault=f"no answer within {self._resolver.lifetime:g} s")
        except dns.exception.DNSException as error:
            return Records(fault=f"no question that the DNS takes ({str(error) or type(error).__name__})")
        return Records(tuple(_text(record, kind) for record in answer.rrset or ()))


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
    return str(record.address)


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


def check_domains(domains: Sequence[str], look: Look) -> Iterator[Finding]:
    """Each of the domains."""
    for domain in domains:
        yield from check_domain(domain, look)
