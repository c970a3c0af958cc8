"""What a source or a failed message most likely is: two tables, the first rule that holds (docs/classification.md).

Triage for a person. Most of what the rules look at is the sender's to choose, so a class never decides what is stored
or sent. The rules see the flat document alone, so that stored documents can be classified again (`encode.decode`).
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ..values.authres import Result, domain_of, parse
from ..values.domains import aligned
from ..values.networks import Network, is_in, read_network


class Site(NamedTuple):
    """What is the site's own, for classification."""

    own_networks: tuple[str, ...] = ()  # CIDR or addresses of our own mail servers: 192.0.2.0/24, 2001:db8::/32
    own_domains: tuple[str, ...] = ()  # further domains of ours that are envelope senders of our mail


class Class(NamedTuple):
    """A class, for people."""

    what: str  # one sentence: what it is
    do: str  # one sentence: what to do


class Rule(NamedTuple):
    """One line of a table."""

    name: str
    class_: str
    when: str
    holds: Callable[[Mapping[str, Any], Site], bool]
    do: str = ""  # what to do, where the advice of the class does not fit


def advice(rule: Rule) -> str:
    """What to do about what a rule found."""
    return rule.do or CLASSES[rule.class_].do


CLASSES: Mapping[str, Class] = {
    "aligned": Class(
        "SPF and DKIM pass for your domain.",
        "Nothing.",
    ),
    "aligned-spf-only": Class(
        "SPF passes for your domain, DKIM does not.",
        "Sign this mail with DKIM for your domain: SPF alone breaks as soon as it is forwarded.",
    ),
    "aligned-dkim-only": Class(
        "DKIM passes for your domain, SPF does not.",
        "Nothing if this sender uses an envelope of its own; if the host is yours, add it to your SPF record.",
    ),
    "forwarded": Class(
        "Your mail, passed on by a forwarder.",
        "Nothing where DKIM survives; where it breaks, sign fewer header fields and no l= tag.",
    ),
    "mailing-list": Class(
        "Your mail, passed on by a mailing list that changed it.",
        "Nothing, or ask the list to rewrite From or to leave messages as they are.",
    ),
    "own-unaligned": Class(
        "SPF or DKIM passes for a domain of yours, but not for the one that your policy demands.",
        "Relax the alignment (adkim=r, aspf=r), or sign and send as the From domain; else this receiver errs.",
    ),
    "own-misconfigured": Class(
        "A host in your own networks sends without passing SPF or DKIM.",
        "Have it sign with DKIM, and add it to your SPF record.",
    ),
    "broken-signature": Class(
        "There is a DKIM signature of your domain, and it does not verify.",
        "Look for a missing or rotated key, and for a gateway or footer that changes mail after it was signed.",
    ),
    "third-party-unaligned": Class(
        "SPF or DKIM passes, but for a domain that is not yours.",
        "If it is a service of yours, set up DKIM with your domain there; otherwise treat it as spoof.",
    ),
    "temperror": Class(
        "The receiver could not look up SPF or DKIM at that time.",
        "Nothing once; if it goes on, check your DNS servers.",
    ),
    "spoof": Class(
        "Unauthenticated: a stranger, or a sender of yours you forgot.",
        "If you know the source, set up SPF and DKIM for it; if not, a policy of quarantine or reject stops it.",
    ),
    "dmarc-pass": Class(
        "The message passed DMARC; it was reported because your fo tag asks for it.",
        "See which of SPF and DKIM failed beside it, or use fo=0.",
    ),
    "bounce": Class(
        "A bounce or a receipt.",
        "If your servers sent it, sign bounces with DKIM; their empty envelope sender leaves SPF to the HELO name.",
    ),
    "auto-reply": Class(
        "An automatic reply, such as a vacation notice.",
        "If your servers sent it, sign replies with DKIM as well.",
    ),
    "automated": Class(
        "Mail of a program: a scheduled job, an application.",
        "It is likely your own: find the host and have its mail signed.",
    ),
    "complaint": Class(
        "A recipient or a filter complained about a message of yours.",
        "Remove the recipient from your lists; many complaints of one mailing say what to change.",
    ),
    "incident": Class(
        "Somebody reports an attack, a page or a service at a host or domain of yours (X-ARF).",
        "Look at the host and the URL that are named, it may have been broken into; then answer the reporter.",
    ),
    "not-spam": Class(
        "A recipient took a message of yours out of the spam folder.",
        "Nothing.",
    ),
    "unknown": Class(
        "The reporter sent too little of the message to say.",
        "Nothing from one such report; see the aggregate reports of the same source.",
    ),
}


def classify(fields: Mapping[str, Any], site: Site) -> tuple[str, str] | None:
    """The class and the name of the rule, None for datasets without classes and rows that say nothing.

    Where a row lacks a verdict of DMARC, its raw results stand in for it, and the rule's name ends with `-raw`.
    Raises ValueError when `site` does not pass `check`.
    """
    dataset = fields["event.dataset"]
    if dataset == "dmarc-aggregate":
        return _classify_row(fields, site)
    if dataset in {"dmarc-failure", "arf"}:
        return _first(_FAILURE, fields, site)
    return None


def _classify_row(fields: Mapping[str, Any], site: Site) -> tuple[str, str] | None:
    missing = [method for method in _MODES if f"policy_evaluated.{method}" not in fields]
    if not missing:
        return _first(_AGGREGATE, fields, site)
    derived = {f"policy_evaluated.{method}": _derived(method, fields) for method in missing if _raw(method, fields)}
    nothing = not derived and len(missing) == len(_MODES)
    found = _first(_REASONS if nothing else _AGGREGATE, {**fields, **derived}, site)
    return (found[0], f"{found[1]}{RAW}") if found and (derived or nothing) else found


def _first(rules: "_Table", fields: Mapping[str, Any], site: Site) -> tuple[str, str] | None:
    for holds, answer in rules:
        if holds(fields, site):
            return answer
    return None


def check(site: Site) -> None:
    """Raises ValueError, which names the value, when an own network is none."""
    _networks(site.own_networks)


# Own networks and domains


@lru_cache(maxsize=8)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    try:
        return tuple(read_network(text) for text in texts)
    except ValueError as error:
        raise ValueError(f"own_networks: {error}") from error


@lru_cache(maxsize=4096)
def _is_own(address: str, own_networks: tuple[str, ...]) -> bool:
    return is_in(address, _networks(own_networks))


def _from_own_network(fields: Mapping[str, Any], site: Site) -> bool:
    return bool(site.own_networks) and "source.ip" in fields and _is_own(fields["source.ip"], site.own_networks)


# Aggregate rows

RAW = "-raw"  # behind a rule's name: a verdict was missing
_MODES = {"dkim": "adkim", "spf": "aspf"}
# What the rules look at that is the same for a whole report.
OF_THE_POLICY = ("policy_published.domain", "policy_published.adkim", "policy_published.aspf")


def _author(fields: Mapping[str, Any]) -> str:
    """The domain in From; reporters of 2012 left it out, then the one whose policy was found."""
    return str(fields.get("identifiers.header_from") or fields.get("policy_published.domain", ""))


def _raw(method: str, fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Domain and result of each check of a method."""
    checks = fields.get(f"auth_results.{method}", ())
    return [(one.get("domain", ""), one["result"]) for one in checks if "result" in one]


def _for_ours(method: str, fields: Mapping[str, Any], *results: str) -> bool:
    """Whether a method gave one of the results for a domain of From's organization: aligned, were it relaxed."""
    author = _author(fields)
    return any(result in results and aligned(domain, author) for domain, result in _raw(method, fields))


def _strict(method: str, fields: Mapping[str, Any]) -> bool:
    return str(fields.get(f"policy_published.{_MODES[method]}", "")).startswith("s")


def _derived(method: str, fields: Mapping[str, Any]) -> str:
    """The verdict that follows from the raw results of a method (RFC 7489 §3.1)."""
    author, strict = _author(fields), _strict(method, fields)
    checks = _raw(method, fields)
    return "pass" if any(result == "pass" and aligned(domain, author, strict) for domain, result in checks) else "fail"


def _dkim_passes(fields: Mapping[str, Any], _: Site) -> bool:
    return bool(fields.get("policy_evaluated.dkim") == "pass")


def _spf_passes(fields: Mapping[str, Any], _: Site) -> bool:
    return bool(fields.get("policy_evaluated.spf") == "pass")


def _both_pass(fields: Mapping[str, Any], _: Site) -> bool:
    return bool(fields.get("policy_evaluated.dkim") == fields.get("policy_evaluated.spf") == "pass")


def _our_envelope(fields: Mapping[str, Any], site: Site, *results: str) -> bool:
    """Whether SPF gave one of the results for an envelope of ours."""
    ours = (_author(fields), *site.own_domains)
    return any(result in results and aligned(at, one) for at, result in _raw("spf", fields) for one in ours)


def _our_envelope_from_elsewhere(fields: Mapping[str, Any], site: Site) -> bool:
    if not _dkim_passes(fields, site) or _from_own_network(fields, site):
        return False
    return _our_envelope(fields, site, "fail", "softfail", "neutral") and not _our_envelope(fields, site, "pass")


def _only_dkim_and_spf(*results: str) -> Callable[[Mapping[str, Any], Site], bool]:
    return lambda fields, site: _dkim_passes(fields, site) and _our_envelope(fields, site, *results)


def _only_spf_and_dkim(*results: str) -> Callable[[Mapping[str, Any], Site], bool]:
    return lambda fields, site: _spf_passes(fields, site) and _for_ours("dkim", fields, *results)


def _strictness_alone(fields: Mapping[str, Any], site: Site) -> bool:
    """Whether something passed for a subdomain of ours and no signature is broken: only strictness is in the way."""
    author = _author(fields)
    return not _aligned_signature_failed(fields, site) and any(
        result == "pass" and aligned(domain, author) and not aligned(domain, author, strict=True)
        for method, mode in _MODES.items()
        if _strict(method, fields) or f"policy_published.{mode}" not in fields
        for domain, result in _raw(method, fields)
    )


def _ours_passed(fields: Mapping[str, Any], _: Site) -> bool:
    return any(_for_ours(method, fields, "pass") for method in _MODES)


def _reason(name: str) -> Callable[[Mapping[str, Any], Site], bool]:
    return lambda fields, _: name in fields.get("policy_evaluated.reason.type", ())


def _forwarder_said(fields: Mapping[str, Any], _: Site) -> bool:
    reasons = fields.get("policy_evaluated.reason.type", ())
    return (
        "trusted_forwarder" in reasons
        or "forwarded" in reasons
        or any("arc=pass" in comment.lower() for comment in fields.get("policy_evaluated.reason.comment", ()))
    )


def _results(fields: Mapping[str, Any]) -> list[str]:
    """All raw results of SPF and DKIM."""
    return [result for method in _MODES for _, result in _raw(method, fields)]


def _temporary(fields: Mapping[str, Any], _: Site) -> bool:
    results = _results(fields)
    return "temperror" in results and "pass" not in results


def _aligned_signature_failed(fields: Mapping[str, Any], _: Site) -> bool:
    return _for_ours("dkim", fields, "fail", "permerror", "neutral", "policy")


def _own_domain_passed(fields: Mapping[str, Any], site: Site) -> bool:
    passed = [domain for method in _MODES for domain, result in _raw(method, fields) if result == "pass"]
    return any(aligned(domain, own) for domain in passed for own in site.own_domains)


def _something_passed(fields: Mapping[str, Any], _: Site) -> bool:
    return "pass" in _results(fields)


def _always(_: Mapping[str, Any], __: Site) -> bool:
    return True


AGGREGATE_RULES: tuple[Rule, ...] = (
    Rule("A1", "aligned", "DMARC's verdicts on DKIM and on SPF are both pass.", _both_pass),
    Rule(
        "A2s",
        "aligned-spf-only",
        "Only the verdict on SPF is pass, and a signature of a domain of From's organization passed: `adkim=s`.",
        _only_spf_and_dkim("pass"),
        "Relax adkim=s, or sign as the From domain: SPF alone breaks in forwarding. If it is relaxed, they err.",
    ),
    Rule(
        "A2t",
        "aligned-spf-only",
        "Only the verdict on SPF is pass, and a signature of yours gave `temperror`.",
        _only_spf_and_dkim("temperror"),
        "Nothing once; if it goes on, check the DNS servers that have your DKIM keys.",
    ),
    Rule("A2", "aligned-spf-only", "Only the verdict on SPF is pass, otherwise (RFC 9989 §8).", _spf_passes),
    Rule(
        "A4",
        "forwarded",
        "Only the verdict on DKIM is pass, the source is in none of `own_networks`, and SPF gave fail, softfail or"
        " neutral, and nowhere pass, for a domain of From's organization or of `own_domains`: our envelope, a foreign"
        " address.",
        _our_envelope_from_elsewhere,
    ),
    Rule(
        "A3s",
        "aligned-dkim-only",
        "Only the verdict on DKIM is pass, and SPF passed for a domain of From's organization, as under `aspf=s`, or of"
        " `own_domains`.",
        _only_dkim_and_spf("pass"),
        "Nothing. SPF counts as well when you relax aspf=s; where it is relaxed, the reporter contradicts itself.",
    ),
    Rule(
        "A3t",
        "aligned-dkim-only",
        "Only the verdict on DKIM is pass, and SPF gave `temperror` for such a domain.",
        _only_dkim_and_spf("temperror"),
        "Nothing once; if it goes on, check the DNS servers that have your SPF record.",
    ),
    Rule(
        "A3n",
        "aligned-dkim-only",
        "Only the verdict on DKIM is pass, and SPF gave `none` or `permerror` for such a domain.",
        _only_dkim_and_spf("none", "permerror"),
        "Publish an SPF record for the domain of the envelope, or mend the one that is there.",
    ),
    Rule("A3", "aligned-dkim-only", "Only the verdict on DKIM is pass, otherwise.", _dkim_passes),
    Rule(
        "A12",
        "own-unaligned",
        "Neither is pass, SPF or DKIM passed for another domain of From's organization whose alignment is strict"
        " (`aspf=s`, `adkim=s`) or not reported, and no signature of yours is broken.",
        _strictness_alone,
    ),
    Rule("A5", "own-misconfigured", "Neither is pass, and the source is in `own_networks`.", _from_own_network),
    Rule("A6", "mailing-list", "The reporter's reason is `mailing_list`.", _reason("mailing_list")),
    Rule(
        "A7",
        "forwarded",
        "The reporter's reason is `trusted_forwarder` or RFC 7489's `forwarded`, or its comment contains `arc=pass`.",
        _forwarder_said,
    ),
    Rule("A8", "temperror", "Some check gave `temperror` and none `pass`.", _temporary),
    Rule(
        "A9",
        "broken-signature",
        "A signature of a domain aligned with From gave fail, permerror, neutral or policy.",
        _aligned_signature_failed,
    ),
    Rule(
        "A13",
        "own-unaligned",
        "SPF or DKIM passed for a domain of From's organization, against the reporter's own verdict.",
        _ours_passed,
        "Nothing of yours is wrong: this reporter's verdict contradicts its results. See what other reporters say.",
    ),
    Rule(
        "A14",
        "own-unaligned",
        "SPF or DKIM passed for one of `own_domains`, and nothing for a domain of From's organization.",
        _own_domain_passed,
        "Sign as the From domain, or send with an envelope of its organization: both are yours, and not aligned.",
    ),
    Rule("A10", "third-party-unaligned", "Some check gave `pass`, so for another domain.", _something_passed),
    Rule("A11", "spoof", "Nothing passed.", _always),
)


# Failure reports and other feedback


def _feedback_type(fields: Mapping[str, Any]) -> str:
    """Notices in plain text have none; only what reports a failure is in that dataset."""
    return str(fields.get("feedback.type", "auth-failure" if fields["event.dataset"] == "dmarc-failure" else "other"))


def _other_abuse(fields: Mapping[str, Any], _: Site) -> bool:
    """What X-ARF reports beside mail: attacks, pages, files, open services."""
    said = [str(fields.get(f"feedback.{name}", "")).lower() for name in ("category", "report_type")]
    return any(said) and "messaging" not in said and not any("spam" in one or "bulk" in one for one in said)


def _found(fields: Mapping[str, Any], *methods: str) -> list[Result]:
    """What the reporter found by these methods."""
    values = fields.get("feedback.authentication_results", ())
    return [one for value in values for one in parse(value).results if one.method in methods]


def _passed(fields: Mapping[str, Any], *methods: str) -> list[Result]:
    return [one for one in _found(fields, *methods) if one.result == "pass"]


def _is_raw(fields: Mapping[str, Any]) -> bool:
    """Whether it is a message of a feed, which nobody reported: that it is here says nothing about DMARC."""
    return fields.get("report.format") == "rfc5322"


def _failed_dmarc(fields: Mapping[str, Any]) -> bool:
    """Whether the report says so. A notice, which has no Feedback-Type, is about nothing else."""
    notice = "feedback.type" not in fields and not _is_raw(fields)
    named = "dmarc" in fields.get("feedback.auth_failure", ()) or notice
    return named or any(one.result != "pass" for one in _found(fields, "dmarc"))


def _passed_for_ours(fields: Mapping[str, Any]) -> bool:
    """Whether the receiver found SPF or DKIM to pass for a domain of From's organization."""
    said = [domain_of(one) for one in _found(fields, "dmarc")]
    address = str(fields.get("sample.from", "")).rpartition("@")[2]
    authors = [*said, address, *fields.get("feedback.reported_domain", ())]
    passed = [domain_of(one) for one in _passed(fields, "dkim", "spf")]
    return "pass-aligned" in fields.get("sample.signals", ()) or any(
        aligned(domain, author) for domain in passed for author in authors
    )


def _signals(*alternatives: str) -> Callable[[Mapping[str, Any], Site], bool]:
    """Any of the alternatives; `a b` stands for both signals at once."""
    sets = [frozenset(alternative.split()) for alternative in alternatives]
    return lambda fields, _: any(wanted.issubset(fields.get("sample.signals", ())) for wanted in sets)


FAILURE_RULES: tuple[Rule, ...] = (
    Rule("F0", "not-spam", "Feedback-Type is `not-spam`.", lambda fields, _: _feedback_type(fields) == "not-spam"),
    Rule(
        "F0x",
        "incident",
        "An X-ARF report whose category and type are not about mail (`messaging`, `spam`).",
        _other_abuse,
    ),
    Rule(
        "F0",
        "complaint",
        "Feedback-Type is anything else but `auth-failure`.",
        lambda fields, _: _feedback_type(fields) != "auth-failure",
    ),
    Rule(
        "F1",
        "dmarc-pass",
        "The reporter's Authentication-Results say `dmarc=pass`. Identity-Alignment is never used: its meaning was"
        " turned round between RFC 7489 and RFC 9991.",
        lambda fields, _: bool(_passed(fields, "dmarc")) and not _is_raw(fields),
    ),
    Rule(
        "F1b",
        "dmarc-pass",
        "The report does not say that DMARC failed, and SPF or DKIM passed for a domain of From's organization: in the"
        " reporter's Authentication-Results, or by signal `pass-aligned`.",
        lambda fields, _: not _failed_dmarc(fields) and _passed_for_ours(fields) and not _is_raw(fields),
    ),
    Rule(
        "F12",
        "own-unaligned",
        "DMARC failed, although SPF or DKIM passed for a domain of From's organization, as under strict alignment.",
        lambda fields, _: _passed_for_ours(fields) and (_failed_dmarc(fields) or not _is_raw(fields)),
    ),
    Rule("F2", "own-misconfigured", "Source-IP is in `own_networks`.", _from_own_network),
    Rule(
        "F3",
        "bounce",
        "Signal `delivery-status` or `disposition-notification`, or `null-sender` with `from-daemon`.",
        _signals("delivery-status", "disposition-notification", "null-sender from-daemon"),
    ),
    Rule(
        "F4",
        "auto-reply",
        "Signal `auto-replied`, `x-autoreply` or `precedence-auto-reply`.",
        _signals("auto-replied", "x-autoreply", "precedence-auto-reply"),
    ),
    Rule("F4b", "auto-reply", "Signals `null-sender` and `auto-submitted`.", _signals("null-sender auto-submitted")),
    Rule(
        "F3b",
        "bounce",
        "Signal `null-sender`: the envelope sender is known and empty. Absent it says nothing.",
        _signals("null-sender"),
    ),
    Rule(
        "F5",
        "mailing-list",
        "Signal `list-id`, `list-software` or `list-sender`, or `precedence-list` with `list-fields`.",
        _signals("list-id", "list-software", "list-sender", "precedence-list list-fields"),
    ),
    Rule(
        "F6",
        "forwarded",
        "Signal `srs`, `caf`, `forwarded`, `resent` or `arc-pass`.",
        _signals("srs", "caf", "forwarded", "resent", "arc-pass"),
    ),
    Rule(
        "F1r",
        "dmarc-pass",
        "A message of a feed, no report, and your own server says `dmarc=pass`, or that SPF or DKIM passed for a domain"
        " of From's organization.",
        lambda fields, _: _is_raw(fields) and (bool(_passed(fields, "dmarc")) or _passed_for_ours(fields)),
        "Nothing of yours is wrong: the domain in From sent it itself, or its network; report it there, or block it.",
    ),
    Rule("F7", "broken-signature", "Signal `dkim-aligned`.", _signals("dkim-aligned")),
    Rule(
        "F8",
        "automated",
        "Signal `auto-submitted`, so with an envelope sender or none known.",
        _signals("auto-submitted"),
    ),
    Rule(
        "F8o",
        "own-unaligned",
        "The reporter's Authentication-Results say `dkim=pass` or `spf=pass` for one of `own_domains`.",
        lambda fields, site: any(
            aligned(domain_of(one), own) for one in _passed(fields, "dkim", "spf") for own in site.own_domains
        ),
        "Sign as the From domain, or send with an envelope of its organization: both are yours, and not aligned.",
    ),
    Rule(
        "F8b",
        "third-party-unaligned",
        "The reporter's Authentication-Results say `dkim=pass` or `spf=pass`, so for another domain, or its own fields"
        " in the sample do: signal `pass-unaligned`.",
        lambda fields, _: bool(_passed(fields, "dkim", "spf")) or "pass-unaligned" in fields.get("sample.signals", ()),
    ),
    Rule(
        "F10",
        "unknown",
        "Signal `no-headers`: none of the above, and nothing of the message to look at.",
        _signals("no-headers"),
    ),
    Rule("F9", "spoof", "None of the above.", _always),
)

_Table = tuple[tuple[Callable[[Mapping[str, Any], Site], bool], tuple[str, str]], ...]
_REASONS: _Table = tuple(
    (rule.holds, (rule.class_, rule.name)) for rule in AGGREGATE_RULES if rule.name in {"A6", "A7"}
)
_AGGREGATE: _Table = tuple((rule.holds, (rule.class_, rule.name)) for rule in AGGREGATE_RULES)
_FAILURE: _Table = tuple((rule.holds, (rule.class_, rule.name)) for rule in FAILURE_RULES)
