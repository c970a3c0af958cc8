"""What the header of a failed message says about how it travelled: the input of `class` (docs/classification.md).

A signal is a word in `sample.signals`, stored whatever `sample` is set to, so that stored documents can be classified
again without the sample. All of it is the sender's to choose: a signal sorts, it never decides what is stored.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ..values.patterns import pattern


class Evidence(NamedTuple):
    """What is known of one failed message."""

    fields: Mapping[str, list[str]]  # header fields by lower-case name, unfolded, in the order of the header
    author: str = ""  # address in From, lower case
    sender: str | None = None  # envelope sender without <>; '' is the null reverse-path, None is not known
    content_type: str = ""
    report_type: str = ""  # Content-Type's report-type parameter, lower case
    passed: tuple[str, ...] = ()  # domains for which the receiver's own fields say that SPF or DKIM passed

    def values(self, *names: str) -> list[str]:
        """All values of the named fields."""
        return [value for name in names for value in self.fields.get(name, ())]

    def has(self, *names: str) -> bool:
        """Whether any of the named fields is there, also empty."""
        return any(name in self.fields for name in names)


class Signal(NamedTuple):
    """One signal: the word that is stored, what it means, and how it is seen."""

    name: str
    meaning: str
    seen: Callable[[Evidence], bool]


_COMMENT = pattern(r"\([^()]*\)")
_SRS = pattern(r"^SRS[01][-+=]", re.IGNORECASE)
_LIST_SENDER = pattern(r"\Aowner-[^@]+@|[^@]-(?:bounces|owner|return-[^@]+)@", re.IGNORECASE)  # Mailman, Sympa, ezmlm
_LIST_FIELDS = ("list-archive", "list-help", "list-owner", "list-post", "list-subscribe", "list-unsubscribe")


def keyword(value: str) -> str:
    """The first word of a field without comments and parameters, lower case (RFC 3834 §5)."""
    words = _COMMENT.sub(" ", value[:1000]).split(";", 1)[0].split()
    return words[0].lower() if words else ""


def tags(value: str) -> dict[str, str]:
    """The tags of a DKIM-Signature or ARC-Seal, without white space (RFC 6376 §3.2); the first of a name counts."""
    found: dict[str, str] = {}
    for tag in value.split(";"):
        name, equals, text = tag.partition("=")
        if equals:
            found.setdefault(name.strip().lower(), "".join(text.split()))
    return found


def _is_report(kind: str) -> Callable[[Evidence], bool]:
    return lambda seen: seen.content_type == "multipart/report" and seen.report_type == kind


def _precedence(*words: str) -> Callable[[Evidence], bool]:
    return lambda seen: any(keyword(value) in words for value in seen.values("precedence"))


def _fields(*names: str) -> Callable[[Evidence], bool]:
    return lambda seen: seen.has(*names)


def _auto_submitted(seen: Evidence) -> bool:
    return any(keyword(value) not in {"", "no"} for value in seen.values("auto-submitted"))


def _auto_replied(seen: Evidence) -> bool:
    return any(keyword(value) == "auto-replied" for value in seen.values("auto-submitted"))


def _from_daemon(seen: Evidence) -> bool:
    return seen.author.split("@", 1)[0] in {"mailer-daemon", "postmaster"}


def _several_list_fields(seen: Evidence) -> bool:
    return sum(name in seen.fields for name in _LIST_FIELDS) >= 2


def _srs(seen: Evidence) -> bool:
    return _SRS.match(seen.sender or "") is not None


def _caf(seen: Evidence) -> bool:
    return "+caf_=" in (seen.sender or "").lower()


def _arc_pass(seen: Evidence) -> bool:
    return any(tags(value).get("cv", "").lower() == "pass" for value in seen.values("arc-seal"))


def _aligned_with_author(seen: Evidence, domain: str) -> bool:
    from ..values.domains import aligned  # opens the Public Suffix List, only for what is signed or passed

    author = seen.author.rpartition("@")[2]
    return domain != "" and author != "" and aligned(domain, author)


def _dkim_aligned(seen: Evidence) -> bool:
    signers = {tags(value).get("d", "").rstrip(".").lower() for value in seen.values("dkim-signature")}
    return any(_aligned_with_author(seen, signer) for signer in signers)


SIGNALS: tuple[Signal, ...] = (
    Signal("no-headers", "The reporter sent no header of the message (redacted).", lambda seen: not seen.fields),
    Signal(
        "delivery-status",
        "A bounce: multipart/report; report-type=delivery-status (RFC 3464).",
        _is_report("delivery-status"),
    ),
    Signal(
        "disposition-notification",
        "A receipt: report-type=disposition-notification (RFC 8098).",
        _is_report("disposition-notification"),
    ),
    Signal(
        "null-sender",
        "The envelope sender is known and empty: <>. An unknown one is no null sender.",
        lambda seen: seen.sender == "",
    ),
    Signal("from-daemon", "The local part of From is mailer-daemon or postmaster.", _from_daemon),
    Signal("auto-replied", "Auto-Submitted: auto-replied (RFC 3834 §5).", _auto_replied),
    Signal(
        "auto-submitted",
        "Auto-Submitted with any keyword but no, auto-replied among them (RFC 3834 §5).",
        _auto_submitted,
    ),
    Signal(
        "x-autoreply",
        "X-Autoreply, X-Autorespond or X-Autoresponder is there.",
        _fields("x-autoreply", "x-autorespond", "x-autoresponder"),
    ),
    Signal("precedence-auto-reply", "Precedence: auto_reply.", _precedence("auto_reply", "auto-reply")),
    Signal("list-id", "List-Id (RFC 2919).", _fields("list-id")),
    Signal(
        "list-software",
        "A field of mailing list software: X-Mailman-Version, X-BeenThere, Mailing-List, …",
        _fields(
            *("x-mailman-version", "x-beenthere", "mailing-list", "x-mailing-list", "x-ml-name", "x-google-group-id"),
            "x-listserver",
        ),
    ),
    Signal("precedence-list", "Precedence: list or bulk.", _precedence("list", "bulk")),
    Signal("list-fields", "Two or more of the List-* fields of RFC 2369.", _several_list_fields),
    Signal(
        "list-sender",
        "The envelope sender is that of list software: LIST-bounces, owner-LIST, LIST-owner, LIST-return-….",
        lambda seen: _LIST_SENDER.search(seen.sender or "") is not None,
    ),
    Signal("srs", "The envelope sender was rewritten by a forwarder: SRS0 or SRS1.", _srs),
    Signal("caf", "The envelope sender was rewritten by Google's forwarding: +caf_=.", _caf),
    Signal(
        "forwarded",
        "X-Forwarded-For, X-Forwarded-To, X-Yandex-Forward, X-MailRu-Forward, …",
        _fields("x-forwarded-for", "x-forwarded-to", "x-yandex-forward", "x-mailru-forward", "x-sieve-redirected-from"),
    ),
    Signal(
        "resent",
        "Resent-* fields (RFC 5322 §3.6.6).",
        lambda seen: any(name.startswith("resent-") for name in seen.fields),
    ),
    Signal("arc-pass", "An ARC-Seal with cv=pass (RFC 8617 §4.1.3).", _arc_pass),
    Signal(
        "pass-aligned",
        "The receiver's own fields in the header say that SPF or DKIM passed for a domain of From's organization.",
        lambda seen: any(_aligned_with_author(seen, domain) for domain in seen.passed),
    ),
    Signal(
        "pass-unaligned",
        "They say so for another domain.",
        lambda seen: any(not _aligned_with_author(seen, domain) for domain in seen.passed),
    ),
    Signal("dkim-signed", "A DKIM-Signature is there.", _fields("dkim-signature")),
    Signal("dkim-aligned", "A DKIM-Signature whose d= is aligned with From, relaxed (RFC 9989 §4.4.1).", _dkim_aligned),
)


def collect(fields: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Header fields by lower-case name."""
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name.lower(), []).append(value)
    return found


def signals_of(evidence: Evidence) -> list[str]:
    """The names of the signals that are seen, in the order of the table."""
    return [signal.name for signal in SIGNALS if signal.seen(evidence)]
