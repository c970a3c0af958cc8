"""What a domain publishes so that reports can arrive: DMARC, TLSRPT, and the consent of those who receive them.

Policies are found both ways: by the tree walk of RFC 9989 §4.10, and by the organizational domain of the Public Suffix
List (RFC 7489 §6.6.3), since reporters use either.
"""

import re
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

from ..values.domains import organizational_domain
from .finding import Finding, failure, ok, warning
from .record import (
    Policy,
    first_record,
    is_name,
    is_valid,
    parse,
    publish,
    publish_all,
    read_uri,
    repaired,
    uris,
    wrong_tags,
)
from .resolver import Look

_VERSION = re.compile(r"\s*v\s*=\s*DMARC1\s*(?:;|\Z)")  # case-sensitive, and first (RFC 9989 §4.7)
_NEARLY = re.compile(r"\W*v?\s*=?\s*dmarc", re.IGNORECASE)

_STEPS = 8  # labels that a tree walk looks at (RFC 9989 §4.10)
_URIS = 2  # more than these a reporter need not serve (RFC 7489 §6.2)


def check_domains(domains: Sequence[str], look: Look) -> Iterator[Finding]:
    """Each of the domains."""
    for domain in domains:
        yield from check_domain(domain, look)


def check_domain(domain: str, look: Look) -> Iterator[Finding]:
    """Everything about one domain (A-labels, lower case)."""
    yield from check_dmarc(domain, look)
    yield from check_tlsrpt(domain, look)
    yield from check_sts(domain, look)


# DMARC


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
        return _Found(None, (failure(about, text, f"keep one of them:\n{publish_all(name, valid)}"),))
    if valid:
        return _Found(parse(domain, valid[0]), ())
    nearly = [text for text in answer.texts if _NEARLY.match(text)]
    if nearly:
        text = f"{name}: {nearly[0]!r} does not begin with v=DMARC1; and is no DMARC record"
        return _Found(None, (failure(about, text, publish(name, repaired(parse(domain, nearly[0])))),))
    return _Found(None, ())


_TEMPORARY = "ask again later, or another resolver: --server ADDRESS"


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
        yield failure(
            about, f"{name}: no record, also none above it: no DMARC reports", publish(name, first_record(domain))
        )
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


def check_tags(policy: Policy, about: str) -> Iterator[Finding]:
    """What a reporter does with each tag that is not as it should be."""
    better = publish(f"_dmarc.{policy.domain}", repaired(policy))
    for text in wrong_tags(policy):
        yield warning(about, text, better)
    requests = [tag for tag in ("p", "sp", "np") if not is_valid(policy, tag, absent=tag != "p")]
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


# Addresses


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
    if not is_name(name):
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
        yield failure(about, text, f"keep one of them:\n{publish_all(name, valid)}")
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
        uri = read_uri(part)
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
