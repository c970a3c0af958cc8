"""The SPF tree of a domain with the messages that each mechanism carried."""

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ..checking.finding import Finding, failure, ok, warning
from ..checking.record import is_name, publish
from ..checking.resolver import Look
from ..checking.spf import MOST_LOOKUPS, MOST_VOID, Branch, SpfError, Term, record_of, tree
from ..pages import words

_MANY = 8  # look-ups: the next service that is added is one too many
_SHOWN = 5


class Carried(NamedTuple):
    """Messages by mechanism, and those of hosts that pass through none."""

    terms: Counter[tuple[str, str]]  # domain of the record and text of the term
    outside: Counter[str]  # address -> messages
    void: int = 0  # look-ups of names with nothing, of the check that met the most
    errors: Mapping[str, str] = MappingProxyType({})  # of addresses outside: why the check ends in an error


def findings(domain: str, carried: Carried, look: Look) -> Iterator[Finding]:
    """The record, its mechanisms in their order, its limits, and who is in none of them."""
    about = f"{domain} spf"
    try:
        record = record_of(domain, look)
        branches = list(tree(domain, look))
    except SpfError as error:
        remedy = "ask again later" if error.result == "temperror" else "publish one record that can be read"
        yield failure(about, f"{domain}: {error}", remedy)
        return
    if not record:
        yield failure(about, f"{domain}: no SPF record", publish(domain, "v=spf1 mx -all"))
        return
    for branch in branches:
        yield _finding(about, branch._replace(fault=branch.fault or _fault(branch, look)), carried, domain, record)
        yield from _worse(about, branch, domain, record, look)
    yield from _limits(about, branches, carried)
    yield from _end(about, domain, record, branches)
    yield from _outside(about, carried)


def _finding(about: str, branch: Branch, carried: Carried, domain: str, record: str) -> Finding:
    term, messages = branch.term, carried.terms[branch.domain, branch.term.text]
    where = f"{'  ' * branch.depth}{term.text}"
    if branch.fault:
        return failure(
            about,
            f"{where}: {branch.fault}: every check that comes to it ends in an error",
            _without(branch, domain, record),
        )
    if term.name == "all" and term.qualifier == "+":
        return failure(about, f"{where}: everybody passes", _instead(domain, record, term, "-all"))
    said = f"{where}: {words.count(messages, 'message')}"
    if branch.lookups:
        said += f", {words.count(branch.lookups, 'look-up')}"
    if not messages and not branch.depth and term.counts:
        text = f"{said}: no message in this time passed through it, and leaving it out saves them"
        return warning(about, text, _without(branch, domain, record))
    return ok(about, said)


def _fault(branch: Branch, look: Look) -> str:
    """Why a check that comes to this term ends in an error."""
    term = branch.term
    if term.name == "mx" and "%" not in term.value and len(look(_name(branch), "MX").texts) > MOST_LOOKUPS:
        return f"it has more than {MOST_LOOKUPS} mail servers (RFC 7208 §4.6.4)"
    return ""


def _worse(about: str, branch: Branch, domain: str, record: str, look: Look) -> Iterator[Finding]:
    """What costs receivers something and brings nothing."""
    term, where = branch.term, f"{'  ' * branch.depth}{branch.term.text}"
    remedy = _without(branch, domain, record)
    if term.name == "ptr":
        yield warning(about, f"{where}: slow, and some receivers skip it: not to be used (RFC 7208 §5.5)", remedy)
    kind = {"a": "ADDRESS", "mx": "MX", "exists": "A"}.get(term.name)
    if kind and "%" not in term.value and is_name(_name(branch)):
        answer = look(_name(branch), kind)
        if not answer.texts and not answer.fault:
            text = f"{where}: the DNS has nothing there; a check with more than {MOST_VOID} of such ends in an error"
            yield warning(about, text, remedy)


def _name(branch: Branch) -> str:
    return branch.term.value.rstrip(".").lower() or branch.domain


def _without(branch: Branch, domain: str, record: str) -> str:
    if branch.depth:
        return f"it stands in the record of {branch.domain}: tell them, or leave out what names it"
    return _instead(domain, record, branch.term, "-all" if branch.term.name == "redirect" else "")


def _instead(domain: str, record: str, term: Term, text: str) -> str:
    """The record with another term in the place of this one, or none."""
    kept = [text if word.removeprefix("+") == term.text else word for word in record.split(" ")]
    return publish(domain, " ".join(word for word in kept if word))


def _limits(about: str, branches: list[Branch], carried: Carried) -> Iterator[Finding]:
    used = sum(branch.term.counts for branch in branches)
    text = f"{words.count(used, 'look-up')} of {MOST_LOOKUPS} (RFC 7208 §4.6.4)"
    if used > MOST_LOOKUPS:
        yield failure(about, f"{text}: receivers end with an error", "leave out what carries nothing, see above")
    elif used >= _MANY:
        yield warning(about, text, "leave out what carries nothing before you add another service")
    else:
        yield ok(about, text)
    if carried.void > MOST_VOID:
        text = f"more than {MOST_VOID} look-ups find nothing"
        yield failure(
            about, f"{text}: receivers end with an error (RFC 7208 §4.6.4)", "mend or leave out the names with nothing"
        )


def _end(about: str, domain: str, record: str, branches: list[Branch]) -> Iterator[Finding]:
    """What becomes of all others."""
    own = [branch.term for branch in branches if not branch.depth]
    if not any(term.name in {"all", "redirect"} for term in own):
        yield warning(about, "the record has no all: of others it says nothing", publish(domain, f"{record} -all"))
    for term in own:
        if term.name == "all" and term.qualifier == "?":
            yield warning(about, f"{term.text}: of others it says nothing", _instead(domain, record, term, "~all"))


def _outside(about: str, carried: Carried) -> Iterator[Finding]:
    most = carried.outside.most_common(_SHOWN)
    for address, messages in most:
        why = carried.errors.get(address)
        becomes = f"its check ends in an error ({why})" if why else "passes through no mechanism"
        text = f"{address} sends with your envelope and {becomes}: {words.count(messages, 'message')}"
        version = 6 if ":" in address else 4
        remedy = f"if it is yours or serves you, add ip{version}:{address}, or its include"
        yield warning(about, text, "mend the record: see above" if why else remedy)
    rest = len(carried.outside) - len(most)
    if rest:
        messages = carried.outside.total() - sum(number for _, number in most)
        yield warning(about, f"and {words.count(rest, 'more host')}: {words.count(messages, 'message')}", "see above")
