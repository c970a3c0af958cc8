"""How mail to a domain is protected on its way: MTA-STS (RFC 8461), DANE (RFC 7672), against the servers themselves."""

import contextlib
import hashlib
import re
from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple

from .der import subject_public_key
from .finding import Finding, failure, ok, warning
from .reach import Peer, Reach
from .resolver import Look

_LATER = "ask again later, or another resolver: --server ADDRESS"
_MODES = ("enforce", "testing", "none")
_LONG = 86400  # seconds: a policy that is kept for less protects little (RFC 8461 §3.2 advises weeks)


class Policy(NamedTuple):
    """An MTA-STS policy."""

    mode: str
    mx: tuple[str, ...]  # names, or *.name
    max_age: int
    faults: tuple[str, ...] = ()


def read_policy(text: str) -> Policy:
    """RFC 8461 §3.2: lines of key: value, ended by LF or CRLF. What is wrong is in the faults."""
    pairs = [(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in text.splitlines())]
    first: dict[str, str] = {}
    for key, value in pairs:
        first.setdefault(key, value)
    age = first.get("max_age", "")
    mx = tuple(value.lower().rstrip(".") for key, value in pairs if key == "mx" and value)
    mode = first.get("mode", "")
    faults = [] if first.get("version") == "STSv1" else ["its version is not STSv1"]
    if mode not in _MODES:
        faults.append(f"mode is none of {', '.join(_MODES)}")
    elif mode != "none" and not mx:
        faults.append("it names no mx")
    if not re.fullmatch(r"[0-9]{1,10}", age) or int(age) > 31557600:
        faults.append("max_age is no number up to 31557600")
    return Policy(mode, mx, 0 if faults else int(age), tuple(faults))


def covers(pattern: str, name: str) -> bool:
    """Whether an mx line names a host: * stands for one label (RFC 8461 §4.1)."""
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return name == pattern


def check_transport(domain: str, look: Look, reach: Reach) -> Iterator[Finding]:
    """The policy, and each mail server."""
    answer = look(domain, "MX")
    if answer.fault:
        yield warning(f"{domain} mx", f"{domain}: {answer.fault}", _LATER)
        return
    hosts = tuple(name.lower() for name in answer.texts if name != ".")
    peers = {host: reach.starttls(host) for host in hosts}
    policy = yield from _check_sts(domain, hosts, look, reach)
    for host in hosts:
        yield from _check_certificate(f"{domain} mx", host, peers[host], policy)
        yield from _check_dane(f"{domain} dane", host, peers[host], look, reach)


def _check_sts(
    domain: str, hosts: tuple[str, ...], look: Look, reach: Reach
) -> Generator[Finding, None, Policy | None]:
    """The policy over HTTPS; its record is looked at by `dns.check_sts`."""
    about, name = f"{domain} mta-sts", f"mta-sts.{domain}"
    records = [text for text in look(f"_mta-sts.{domain}", "TXT").texts if text.startswith("v=STSv1")]
    if not records:
        yield ok(about, "no record, so senders look for no policy")
        return None
    page = reach.get(name, "/.well-known/mta-sts.txt")
    where = f"https://{name}/.well-known/mta-sts.txt"
    if page.fault or page.status != 200:
        text = f"{where}: {page.fault or f'status {page.status}'}: senders find no policy"
        yield failure(about, text, "serve it there itself, with a certificate that holds; redirects do not count")
        return None
    policy = read_policy(page.text)
    for fault in policy.faults:
        yield failure(about, f"{where}: {fault}", _example(hosts))
    if page.type != "text/plain":
        yield warning(about, f"{where}: it is served as {page.type}", "serve it as text/plain (RFC 8461 §3.2)")
    if policy.faults:
        return None
    yield _mode(about, policy)
    if policy.max_age < _LONG and policy.mode != "none":
        yield warning(about, f"max_age is {policy.max_age} seconds: senders forget it at once", "write 604800 or more")
    for host in hosts:
        if policy.mode != "none" and not any(covers(pattern, host) for pattern in policy.mx):
            text = f"{host} is an MX and not in the policy: senders deliver nothing to it in mode enforce"
            yield (failure if policy.mode == "enforce" else warning)(about, text, f"mx: {host}")
    return policy


def _example(hosts: tuple[str, ...]) -> str:
    return "\n".join(["version: STSv1", "mode: testing", *(f"mx: {host}" for host in hosts), "max_age: 604800"])


def _mode(about: str, policy: Policy) -> Finding:
    if policy.mode == "enforce":
        return ok(about, f"mode enforce for {', '.join(policy.mx)}, kept for {policy.max_age} seconds")
    text = f"mode {policy.mode}: senders deliver whatever they find"
    return warning(about, text, "when TLS reports show no failures, write mode: enforce and another id")


def _check_certificate(about: str, host: str, peer: Peer, policy: Policy | None) -> Iterator[Finding]:
    enforced = policy is not None and policy.mode == "enforce"
    if peer.fault:
        remedy = "look from a host whose port 25 is open to the outside; else see that it answers and offers STARTTLS"
        yield warning(about, f"{host}: {peer.fault}", remedy)
    elif peer.valid:
        text = f"{host}: no public authority vouches for its certificate: {peer.valid}"
        remedy = "use a certificate for the name of the MX by a public authority"
        yield (failure if enforced else warning)(about, text, remedy)
    else:
        yield ok(about, f"{host}: STARTTLS with a certificate that holds for its name")


# DANE


class Tlsa(NamedTuple):
    """A TLSA record that senders use (RFC 6698 §2.1, RFC 7672 §3.1)."""

    usage: str  # 2: of an authority (DANE-TA), 3: of the server (DANE-EE)
    selector: str  # 0: the certificate, 1: its key
    matching: str  # 0: as it is, 1: SHA-256, 2: SHA-512
    data: bytes

    def has(self, certificate: bytes) -> bool:
        """Whether it is of this certificate (DER). Raises ValueError for what is none."""
        content = certificate if self.selector == "0" else subject_public_key(certificate)
        return self.data == _MATCHING[self.matching](content)


_MATCHING: dict[str, Callable[[bytes], bytes]] = {
    "0": bytes,
    "1": lambda content: hashlib.sha256(content).digest(),
    "2": lambda content: hashlib.sha512(content).digest(),
}


def read_tlsa(record: str) -> Tlsa:
    """Read `3 1 1 hex`. Raises ValueError for a record that no sender uses (RFC 7672 §3.1.3)."""
    usage, selector, matching, data = record.split(" ", 3)
    if usage not in {"2", "3"} or selector not in {"0", "1"} or matching not in _MATCHING:
        raise ValueError("only usages 2 and 3 count for mail (RFC 7672 §3.1.3)")
    return Tlsa(usage, selector, matching, bytes.fromhex(data))


def _check_dane(about: str, host: str, peer: Peer, look: Look, reach: Reach) -> Iterator[Finding]:
    name = f"_25._tcp.{host}"
    answer = look(name, "TLSA")
    if answer.fault:
        yield warning(about, f"{name}: {answer.fault}: senders with DANE wait (RFC 7672 §2.1)", _LATER)
    elif not answer.texts:
        yield ok(about, f"{name}: none")
    elif not answer.secure:
        yield warning(
            about,
            f"{name}: not signed, or the resolver does not check: it counts for nothing",
            "sign the zone (DNSSEC)",
        )
    elif not peer.certificate:
        yield warning(about, f"{name}: it could not be held against a certificate", "see what is said of the MX above")
    else:
        yield _matched(about, host, answer.texts, peer, reach)


def _matched(about: str, host: str, texts: tuple[str, ...], peer: Peer, reach: Reach) -> Finding:
    """Any record that fits is enough (RFC 7671 §5)."""
    name = f"_25._tcp.{host}"
    records: list[Tlsa] = []
    for text in texts:
        with contextlib.suppress(ValueError):
            records.append(read_tlsa(text))
    wanted = f"{name}. IN TLSA 3 1 1 {hashlib.sha256(subject_public_key(peer.certificate)).hexdigest()}"
    if any(one.usage == "3" and one.has(peer.certificate) for one in records):
        return ok(about, f"{name}: it has the key that the server shows")
    authorities = [one for record in records if record.usage == "2" for one in _authorities(record, peer)]
    reasons = [reach.vouches(host, one) for one in dict.fromkeys(authorities)]
    if "" in reasons:
        return ok(about, f"{name}: it has the authority that the server's chain goes up to (usage 2)")
    if reasons:
        text = f"{name}: it has an authority of the chain that the server shows, which does not hold: {reasons[0]}"
        return failure(about, f"{text}: senders with DANE deliver nothing", f"mend the chain, or publish:\n{wanted}")
    text = f"{name}: no record has the certificate that the server shows"
    if any(one.usage == "2" for one in records):
        text += ", and none an authority that it shows with it (RFC 7671 §5.2.2)"
    return failure(about, f"{text}: senders with DANE deliver nothing", wanted)


def _authorities(record: Tlsa, peer: Peer) -> Iterator[bytes]:
    """The certificates above the server's own that a record of usage 2 means; a whole one need not be shown."""
    with contextlib.suppress(ValueError):
        yield from (one for one in peer.above if record.has(one))
    if record.selector == record.matching == "0":
        yield record.data
