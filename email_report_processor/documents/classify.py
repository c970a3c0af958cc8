"""What a source or a failed message most likely is: two tables, the first rule that holds (docs/classification.md).

Triage for a person. Most of what the rules look at is the sender's to choose, so a class never decides what is stored
or sent. The rules see the flat document alone, so that stored documents can be classified again (`encode.decode`).
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ..values.authres import parse
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


CLASSES: Mapping[str, Class] = {
    "aligned": Class(
        "SPF and DKIM pass for your domain.",
        "Nothing.",
    ),
    "aligned-spf-only": Class(
        "SPF passes for your domain, DKIM is missing or broken.",
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
    """The class and the name of the rule, None for datasets without classes and rows without any DMARC verdict.

    Raises ValueError when `site` does not pass `check`.
    """
    dataset = fields["event.dataset"]
    if dataset == "dmarc-aggregate":
        if "policy_evaluated.dkim" not in fields and "policy_evaluated.spf" not in fields:
            return None
        rules = _AGGREGATE
    elif dataset in {"dmarc-failure", "arf"}:
        rules = _FAILURE
    else:
        return None
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


def _dkim_passes(fields: Mapping[str, Any], _: Site) -> bool:
    return bool(fields.get("policy_evaluated.dkim") == "pass")


def _spf_passes(fields: Mapping[str, Any], _: Site) -> bool:
    return bool(fields.get("policy_evaluated.spf") == "pass")


def _both_pass(fields: Mapping[str, Any], _: Site) -> bool:
    return bool(fields.get("policy_evaluated.dkim") == fields.get("policy_evaluated.spf") == "pass")


def _our_envelope_from_elsewhere(fields: Mapping[str, Any], site: Site) -> bool:
    if not _dkim_passes(fields, site) or _from_own_network(fields, site):
        return False
    ours = (fields.get("identifiers.header_from", ""), *site.own_domains)
    return any(
        aligned(check["domain"], domain)
        for check in fields.get("auth_results.spf", ())
        if "domain" in check
        for domain in ours
    )


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
    dkim, spf = fields.get("auth_results.dkim", ()), fields.get("auth_results.spf", ())
    return [one.get("result", "") for one in (*dkim, *spf)]


def _temporary(fields: Mapping[str, Any], _: Site) -> bool:
    results = _results(fields)
    return "temperror" in results and "pass" not in results


def _aligned_signature_failed(fields: Mapping[str, Any], _: Site) -> bool:
    author = fields.get("identifiers.header_from", "")
    return any(
        one.get("result") in {"fail", "permerror", "neutral", "policy"} and aligned(one.get("domain", ""), author)
        for one in fields.get("auth_results.dkim", ())
    )


def _something_passed(fields: Mapping[str, Any], _: Site) -> bool:
    return "pass" in _results(fields)


def _always(_: Mapping[str, Any], __: Site) -> bool:
    return True


AGGREGATE_RULES: tuple[Rule, ...] = (
    Rule("A1", "aligned", "DMARC's verdicts on DKIM and on SPF are both pass.", _both_pass),
    Rule("A2", "aligned-spf-only", "Only the verdict on SPF is pass (RFC 9989 §8).", _spf_passes),
    Rule(
        "A4",
        "forwarded",
        "Only the verdict on DKIM is pass, the source is in none of `own_networks`, and SPF was checked for a domain"
        " that is aligned with From or in `own_domains`: our envelope, a foreign address.",
        _our_envelope_from_elsewhere,
    ),
    Rule("A3", "aligned-dkim-only", "Only the verdict on DKIM is pass, otherwise.", _dkim_passes),
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
    Rule("A10", "third-party-unaligned", "Some check gave `pass`, so for another domain.", _something_passed),
    Rule("A11", "spoof", "Nothing passed.", _always),
)


# Failure reports and other feedback


def _feedback_type(fields: Mapping[str, Any]) -> str:
    """Notices in plain text have none; only what reports a failure is in that dataset."""
    return str(fields.get("feedback.type", "auth-failure" if fields["event.dataset"] == "dmarc-failure" else "other"))


def _found(method: str, fields: Mapping[str, Any]) -> bool:
    """Whether the reporter found that a method passed."""
    return any(
        one.method == method and one.result == "pass"
        for value in fields.get("feedback.authentication_results", ())
        for one in parse(value).results
    )


def _signals(*alternatives: str) -> Callable[[Mapping[str, Any], Site], bool]:
    """Any of the alternatives; `a b` stands for both signals at once."""
    sets = [frozenset(alternative.split()) for alternative in alternatives]
    return lambda fields, _: any(wanted.issubset(fields.get("sample.signals", ())) for wanted in sets)


FAILURE_RULES: tuple[Rule, ...] = (
    Rule("F0", "not-spam", "Feedback-Type is `not-spam`.", lambda fields, _: _feedback_type(fields) == "not-spam"),
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
        lambda fields, _: _found("dmarc", fields),
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
        "Signal `list-id` or `list-software`, or `precedence-list` with `list-fields`.",
        _signals("list-id", "list-software", "precedence-list list-fields"),
    ),
    Rule(
        "F6",
        "forwarded",
        "Signal `srs`, `caf`, `forwarded`, `resent` or `arc-pass`.",
        _signals("srs", "caf", "forwarded", "resent", "arc-pass"),
    ),
    Rule("F7", "broken-signature", "Signal `dkim-aligned`.", _signals("dkim-aligned")),
    Rule(
        "F8",
        "automated",
        "Signal `auto-submitted`, so with an envelope sender or none known.",
        _signals("auto-submitted"),
    ),
    Rule(
        "F8b",
        "third-party-unaligned",
        "The reporter's Authentication-Results say `dkim=pass` or `spf=pass`, so for another domain.",
        lambda fields, _: _found("dkim", fields) or _found("spf", fields),
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
_AGGREGATE: _Table = tuple((rule.holds, (rule.class_, rule.name)) for rule in AGGREGATE_RULES)
_FAILURE: _Table = tuple((rule.holds, (rule.class_, rule.name)) for rule in FAILURE_RULES)
