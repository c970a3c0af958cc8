"""What a domain publishes so that reports can arrive: DMARC, TLSRPT, and the consent of those who receive them.

Policies are found both ways: by the tree walk of RFC 9989 §4.10, and by the organizational domain of the Public Suffix
List (RFC 7489 §6.6.3), since reporters use either.
"""

import re
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

from ..values.domains import organizational_domain
from .finding import Finding, failure, ok, warning
from .meant import Proposal, first_record, for_subdomain, proposed, proposed_tlsrpt
from .record import WSP, Policy, is_name, is_valid, parse, publish, publish_all, read_uri, uris, wrong_tags
from .resolver import Look

_VERSION = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")  # case-sensitive, and first (RFC 9989 §4.7)
_NEARLY = re.compile(r"dmarc|\bp\s*[=:]\s*(none|quarantine|reject)", re.IGNORECASE)

_DMARC = re.compile(r"\W*v\s*[=:]\s*DMARC", re.IGNORECASE)  # what was meant for one, also at another name
_TLSRPT = re.compile(r"\W*v\s*[=:]\s*TLSRPT", re.IGNORECASE)
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
    nearly = [text for text in answer.texts if _NEARLY.search(text)]
    if nearly:
        text = f"{name}: {nearly[0]!r} does not begin with v=DMARC1; and is no DMARC record{_blank(nearly[0])}"
        return _Found(None, (failure(about, text, proposed(parse(domain, nearly[0])).at(name)),))
    return _Found(None, ())


def _blank(text: str) -> str:
    """That white space is to blame, where it is: nobody sees it."""
    first = text[:1]
    if not first.isspace():
        return ""
    return f": it begins with {'a blank' if first == ' ' else 'a tab' if first == chr(9) else f'U+{ord(first):04X}'}"


def _misplaced(
    domain: str, about: str, name: str, pattern: re.Pattern[str], look: Look, others: Sequence[str] = ()
) -> Iterator[Finding]:
    """Records meant for a name that stand elsewhere: most often a form has put the zone behind it once more."""
    zone = organizational_domain(domain)
    for where in dict.fromkeys((f"{name}.{domain}", f"{name}.{zone}", domain, *others)):
        found = look(where, "TXT").texts if is_name(where) else ()
        for text in filter(pattern.match, found):
            meant = proposed_tlsrpt(text) if pattern is _TLSRPT else _meant(domain, name, text)
            yield failure(about, f"{where}: {text!r} stands where nobody looks; the name is {name}", meant.at(name))


def _meant(domain: str, name: str, text: str) -> Proposal:
    return Proposal("v=DMARC1;") if "._report." in name else proposed(parse(domain, text))


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
    if unknown and policy is None:
        return None
    misplaced = list(_misplaced(domain, about, name, _DMARC, look, (f"dmarc.{domain}",)))
    yield from misplaced
    if policy is None and not misplaced:
        text = f"{name}: no record, also none above it: no DMARC reports"
        yield failure(about, text, first_record(domain).at(name))
    if policy is None:
        return None
    if by_walk is None or by_list is None or by_walk.domain != by_list.domain:
        one, other = (one.domain if one else "none" for one in (by_walk, by_list))
        text = f"{name}: none of its own; by tree walk (RFC 9989) the one of {one}, by public suffix (RFC 7489) {other}"
        yield warning(about, text, for_subdomain(policy).at(name))
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
    better = proposed(policy).at(f"_dmarc.{policy.domain}")
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
                better = proposed(policy).at(f"_dmarc.{policy.domain}")
                yield failure(about, f"{tag}: {uri.text!r}: {uri.fault}", better)
                continue
            if "!" in uri.text:
                better = proposed(policy).at(f"_dmarc.{policy.domain}")
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
        there = f"{answer.texts[0]!r} is no consent{_blank(answer.texts[0])}" if answer.texts else "no record"
        there += "".join(f", but one at {where}" for where in _elsewhere(name, host, look))
        return failure(
            about, f"{name}: {there}: reporters send nothing to {host}", f"{wanted}\n(in the zone of {host})"
        )
    instead = [uri for record in records for uri in uris(record.get("rua"))]
    elsewhere = [uri.text for uri in instead if uri.fault or uri.host != host]
    if elsewhere:
        text = f"{name}: rua names {', '.join(elsewhere)}, and may only name {host}: it is ignored"
        return warning(about, text, wanted)
    return ok(about, f"{name}: {host} takes reports about {domain}")


def _elsewhere(name: str, host: str, look: Look) -> list[str]:
    """Where a form has put the zone behind a name once more."""
    names = dict.fromkeys(f"{name}.{zone}" for zone in (host, organizational_domain(host)))
    return [where for where in names if is_name(where) and any(map(_DMARC.match, look(where, "TXT").texts))]


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
    answer = look(name, "TXT")
    if answer.fault:
        yield warning(about, f"{name}: {answer.fault}", _TEMPORARY)
        return
    valid = [text for text in answer.texts if re.match(r"v=TLSRPTv1[ \t]*;", text)]
    if len(valid) > 1:
        text = f"{name}: {len(valid)} records, so senders take none (RFC 8460 §3)"
        yield failure(about, text, f"keep one of them:\n{publish_all(name, valid)}")
    elif valid:
        yield from _check_tls_addresses(domain, about, name, valid[0], look)
    elif answer.texts:
        text = next(filter(_TLSRPT.match, answer.texts), answer.texts[0])
        words = f"{name}: {text!r} does not begin with v=TLSRPTv1;{_blank(text)}"
        yield failure(about, words, proposed_tlsrpt(text).at(name))
    else:
        misplaced = list(_misplaced(domain, about, name, _TLSRPT, look, (f"_tls._smtp.{domain}",)))
        yield from misplaced
        if not misplaced:
            words = f"{name}: no record: no SMTP TLS reports are asked for"
            yield warning(about, words, proposed_tlsrpt("").at(name))


def _check_tls_addresses(domain: str, about: str, name: str, record: str, look: Look) -> Iterator[Finding]:
    better = proposed_tlsrpt(record).at(name)
    fields = [part.strip(WSP).partition("=") for part in record.split(";")[1:] if part.strip(WSP)]
    values = [value for key, _, value in fields if key == "rua"]  # no white space around its "=" (RFC 8460 §3)
    if len(values) != 1 or not values[0]:
        yield failure(about, f"{name}: {'no' if not values else 'several or an empty'} rua", better)
        return
    for part in (part.strip(WSP) for part in values[0].split(",")):
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
    valid = [text for text in answer.texts if re.match(r"v=STSv1[ \t]*;", text)]
    example = publish(name, "v=STSv1; id=1")
    if answer.fault:
        yield warning(about, f"{name}: {answer.fault}", _TEMPORARY)
    elif len(valid) > 1:
        yield failure(about, f"{name}: {len(valid)} records, so senders take none (RFC 8461 §3.1)", "keep one of them")
    elif valid and not re.search(r";[ \t]*id=[A-Za-z0-9]{1,32}[ \t]*(;|\Z)", valid[0]):
        yield failure(about, f"{name}: no id of 1 to 32 letters and digits", example)
    elif valid:
        yield ok(about, f"{name}: {valid[0]}")
    elif answer.texts:
        yield failure(
            about, f"{name}: {answer.texts[0]!r} does not begin with v=STSv1;{_blank(answer.texts[0])}", example
        )
    else:
        yield ok(about, f"{name}: none; TLS reports then speak of DANE, or say that no policy was found")
