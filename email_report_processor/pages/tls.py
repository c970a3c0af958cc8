"""Figures about TLS of mail to us, from SMTP TLS reports."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from ..stores.store import Store, Total
from . import words
from .asking import Scope, ask, cut, is_long
from .days import stepping, steps
from .figure import Column, Figure, Value

_DATASET = "smtp-tls"
NO_REPORTS = (
    "There are no SMTP TLS reports of this time. They come when `_smtp._tls` of your domain has a record with an"
    " address (RFC 8460)."
)
KINDS = {"sts": "MTA-STS", "tlsa": "DANE", "no-policy-found": "no policy found"}
_SUMS = ("sessions.successful", "sessions.failed")

# What to do about a failure (RFC 8460 §4.3).
TO_DO = {
    "starttls-not-supported": "the MX offered no STARTTLS: switch it on, or remove this MX",
    "certificate-host-mismatch": "the certificate does not name the MX: renew it with all MX names",
    "certificate-expired": "the certificate had expired: renew it, and let something renew it in time",
    "certificate-not-trusted": "the sender does not trust the issuer: send the whole chain, use a public CA",
    "validation-failure": "anything else that went wrong: see the reason code below",
    "tlsa-invalid": "a TLSA record is broken or matches no certificate: publish the new one before changing keys",
    "dnssec-invalid": "the zone's signatures did not validate: check DNSSEC of the domain and of the MX",
    "dane-required": "the sender demands DANE and the MX has no usable TLSA records: publish them",
    "sts-policy-fetch-error": "the MTA-STS policy could not be fetched: check https://mta-sts.DOMAIN/.well-known/mta-sts.txt",
    "sts-policy-invalid": "the MTA-STS policy could not be read: check its lines",
    "sts-webpki-invalid": "the MX certificate does not satisfy MTA-STS: public CA, right name, not expired",
}


def kind(policy_type: str | None) -> str:
    """How a kind of policy is called, in every table alike."""
    return KINDS.get(policy_type or "", words.plain(policy_type or "-"))


def read(store: Store, scope: Scope) -> list[Total]:
    """Sums by day, domain, kind of policy and length of the period."""
    by = ("policy.domain", "policy.type", "report.duration")
    return ask(store, scope, _DATASET, by, every="day", sum=_SUMS, where={"tls.record": "policy"})


def by_day(groups: Iterable[Total], scope: Scope) -> Figure:
    """Sessions that succeeded and failed."""
    groups = list(groups)
    short = [one for one in groups if not is_long(one.key[3])]
    long = sum(sum(one.sums) for one in groups if is_long(one.key[3]))
    marks = steps(one.key[0] for one in short)
    mark, step = stepping(marks)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for one in short:
        counts[mark(one.key[0])][0] += one.sums[0]
        counts[mark(one.key[0])][1] += one.sums[1]
    said = (
        f"{words.count(long, 'session')} of reports about more than 26 hours {words.verb(long, 'is')} on no day here."
    )
    return Figure(
        "tls-sessions",
        f"Sessions over TLS, by {step}",
        (Column(step.capitalize(), "day"), Column("Successful", "number", "ok"), Column("Failed", "number", "failed")),
        tuple((one, *counts[one]) for one in marks),
        unit="sessions",
        chart="stack",
        period=scope.period,
        left_out=(said,) if long else (),
        empty=NO_REPORTS,
    )


def policies(groups: Iterable[Total], scope: Scope) -> Figure:
    """Sessions by domain and kind of policy."""
    counts: dict[tuple[Value, ...], list[int]] = defaultdict(lambda: [0, 0])
    for one in groups:
        sums = counts[one.key[1] or "-", kind(one.key[2])]
        sums[0] += one.sums[0]
        sums[1] += one.sums[1]
    ordered = sorted(counts, key=lambda key: (-counts[key][1], -counts[key][0], key))
    rows = tuple((*key, *counts[key], words.part(counts[key][0], sum(counts[key]))) for key in ordered)
    columns = (
        Column("Domain"),
        Column("Policy"),
        Column("Successful", "number"),
        Column("Failed", "number"),
        Column("Success rate", "share"),
    )
    return cut(
        Figure("tls-policies", "TLS sessions by policy", columns, rows, unit="sessions", empty=NO_REPORTS), scope
    )


def failures(store: Store, scope: Scope, groups: Iterable[Total]) -> Figure:
    """What failed, at which MX, and what to do."""
    by = ("policy.domain", "failure.result_type", "failure.receiving_mx_hostname")
    sums = ("failure.failed_session_count",)
    found = ask(store, scope, _DATASET, by, sum=sums, where={"tls.record": "failure"})
    rows = tuple(
        (kind_ or "-", mx or "-", domain or "-", one.sums[0], TO_DO.get(kind_ or "", "see the reason code"))
        for one in found
        for domain, kind_, mx in (one.key,)
    )
    columns = (
        Column("Failure", "code"),
        Column("MX", "code"),
        Column("Domain"),
        Column("Sessions", "number"),
        Column("What to do"),
    )
    note = "One session may stand under several failures: they need not add up to the failed sessions."
    empty = "No reporter named a failure." if any(True for _ in groups) else NO_REPORTS
    title = "What failed, and what to do"
    return cut(Figure("tls-failures", title, columns, rows, unit="sessions", note=note, empty=empty), scope)


def totals(groups: Iterable[Total]) -> Counter[str]:
    """`ok` and `failed` sessions."""
    counts: Counter[str] = Counter()
    for one in groups:
        counts["ok"] += one.sums[0]
        counts["failed"] += one.sums[1]
    return counts
