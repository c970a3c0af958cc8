"""Authentication-Results fields (RFC 8601), and what a trusted one says of who sent a report."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from .domains import aligned
from .fields import read_domain
from .patterns import pattern

_VALUE_CHARS = 65536  # characters read of one field; a trusted one has a few hundred

# A comment or a quoted string begins or ends, or something is escaped; every token is matched once: linear.
_MARK = pattern(r'\\.|["();]', re.DOTALL)
_TOKEN = pattern(r'\s+|"(?:[^"\\]|\\.)*"?|=|[^\s="]+', re.DOTALL)
_ESCAPED = pattern(r"\\(.)", re.DOTALL)
_PROPERTY = pattern(r"(?:smtp|header|body|policy)\.[\w-]+\Z|reason\Z", re.IGNORECASE)


class Property(NamedTuple):
    """`ptype.property=value`; names lower case, the value as it stands, unquoted. ptype '' for `action=none`."""

    ptype: str
    property: str
    value: str


class Result(NamedTuple):
    """The result of one method, lower case, version '' and reason '' when absent."""

    method: str
    version: str
    result: str
    reason: str
    properties: tuple[Property, ...]

    def get(self, ptype: str, name: str) -> str:
        """The value of the first such property, '' when there is none."""
        for one in self.properties:
            if one.ptype == ptype and one.property == name:
                return one.value
        return ""


class AuthenticationResults(NamedTuple):
    """One field. authserv_id is lower case, '' when it is missing (LinkedIn and Exchange Online leave it out)."""

    authserv_id: str
    version: str
    results: tuple[Result, ...]


def parse(value: str) -> AuthenticationResults:
    """Read the value of a field (RFC 8601 §2.2): comments, quoted strings and folding undone. Never raises.

    Pass the value as it stands, merely unfolded: undoing RFC 2047 would let a sender's local part become results.
    """
    segments = _segments(value[:_VALUE_CHARS])
    words = [_plain(word) for word in _words(segments[0])]
    authserv_id, version = "", ""
    if words[1:2] != ["="]:  # else it is missing, and this is a result
        segments = segments[1:]
        authserv_id, version = (*words, "", "")[:2]
    if not version.isdigit():  # Yahoo: `mta1.example.com from=example.org; dkim=pass`
        version = ""
    results = (_result(segment) for segment in segments)
    return AuthenticationResults(authserv_id.lower(), version, tuple(one for one in results if one is not None))


def reporter(fields: Sequence[str], authserv_ids: Iterable[str]) -> Mapping[str, tuple[str, ...]] | None:
    """Which domains a trusted field says were authentic: method (`dkim`, `spf`, `dmarc`) -> domains that passed.

    fields: values of all top-level Authentication-Results fields, topmost first. Only the topmost run of fields with
    a configured authserv-id counts (RFC 8601 §4.1, compared without case), and for each method only the first of
    them that has it: a forged field that our own server did not strip stands below its own ones.
    None when nothing was checked: no ids, no such field, no method of ours in it, or temporary errors alone.
    """
    if not fields:
        return None
    results = [one for one in _trusted(fields, authserv_ids) if one.method in _DOMAINS]
    if all(one.result == "temperror" for one in results):
        return None
    found: dict[str, tuple[str, ...]] = {}
    for one in results:
        domain = domain_of(one) if one.result == "pass" else ""
        if domain and domain not in found.get(one.method, ()):
            found[one.method] = (*found.get(one.method, ()), domain)
    return found


def verdict(authentication: Mapping[str, tuple[str, ...]] | None, reporter_domains: Iterable[str]) -> str:
    """`report.authentication`: 'unchecked', else 'pass' when a domain that passed aligns with one of the reporter's.

    reporter_domains: whom the report says it is from: the domain of report.email (RFC 9990 §3.5.2) or contact-info
    (RFC 8460 §3), the mail's From domain for feedback; a reporter who names none fails.
    A kind calls it `authres.verdict(context.envelope.authentication, (domain,))`.
    """
    if authentication is None:
        return "unchecked"
    passed = [domain for domains in authentication.values() for domain in domains]
    claimed = list(reporter_domains)
    return "pass" if any(aligned(one, other) for one in passed for other in claimed) else "fail"


def domain_of(one: Result) -> str:
    """Whom a result of `dkim`, `spf` or `dmarc` is about; '' when it does not say, or is of another method."""
    return _DOMAINS[one.method](one) if one.method in _DOMAINS else ""


def _trusted(fields: Sequence[str], authserv_ids: Iterable[str]) -> Iterator[Result]:
    ids = {one.strip().lower() for one in authserv_ids} - {""}
    told: set[str] = set()  # methods of the fields above
    begun = False
    for field in fields if ids else ():
        parsed = parse(field)
        if parsed.authserv_id in ids:
            begun = True
            yield from (one for one in parsed.results if one.method not in told)
            told |= {one.method for one in parsed.results}
        if begun and (parsed.authserv_id not in ids or not parsed.results):  # `none`: nothing was checked
            return


def _dkim_domain(one: Result) -> str:
    return _domain(one.get("header", "d")) or _domain(one.get("header", "i"))


def _spf_domain(one: Result) -> str:
    """The identity that SPF checked: MAIL FROM, or HELO for the null reverse-path (RFC 7208 §2.4)."""
    return _domain(one.get("smtp", "mailfrom")) or _domain(one.get("smtp", "helo"))


def _dmarc_domain(one: Result) -> str:
    return _domain(one.get("header", "from"))


_DOMAINS = {"dkim": _dkim_domain, "spf": _spf_domain, "dmarc": _dmarc_domain}


def _domain(value: str) -> str:
    """The domain of `example.org`, `@example.org` or `user@example.org`."""
    return read_domain(value.strip(" <>").rpartition("@")[2])


def _segments(value: str) -> list[str]:
    """The parts between semicolons, comments replaced by a blank; quoted strings stay quoted.

    A comment that never ends swallows the rest: less is believed then, not more.
    """
    pieces: list[str] = []
    segments: list[str] = []
    depth, quoted, start = 0, False, 0
    for mark in _MARK.finditer(value):
        text = mark.group()
        if text == "(" and not quoted:
            pieces += [value[start : mark.start()], " "] if depth == 0 else []
            depth += 1
        elif text == ")" and depth:
            depth -= 1
            start = mark.end()
        elif depth:
            continue
        elif text == '"':
            quoted = not quoted
        elif text == ";" and not quoted:
            segments.append("".join([*pieces, value[start : mark.start()]]))
            pieces, start = [], mark.end()
    return [*segments, "".join([*pieces, "" if depth else value[start:]])]


def _plain(piece: str) -> str:
    """A piece without its quotes and escapes."""
    if not piece.startswith('"'):
        return piece
    inner = piece[1:-1] if len(piece) > 1 and piece.endswith('"') else piece[1:]
    return _ESCAPED.sub(r"\1", inner)


def _words(segment: str) -> list[str]:
    return [piece for piece in _TOKEN.findall(segment) if not piece.isspace()]


def _result(segment: str) -> Result | None:
    """One resinfo; None for `none` (nothing was done), for emptiness and for what is not `method=result`."""
    pairs = list(_pairs(segment))
    method, _, version = pairs[0][0].partition("/") if pairs else ("", "", "")
    if not method:
        return None
    reason = next((value for key, value in pairs[1:] if key == "reason"), "")
    properties = []
    for key, value in pairs[1:]:
        ptype, dot, name = key.partition(".")
        if key != "reason":
            properties.append(Property(ptype, name, value) if dot else Property("", key, value))
    return Result(method, version, pairs[0][1].lower(), reason, tuple(properties))


def _pairs(segment: str) -> Iterator[tuple[str, str]]:
    """`key=value` pairs; white space may stand around `=`, `.` and `/` (RFC 8601 App. B.7), keys in lower case."""
    words: list[str] = []  # since the last value: the key is made of the last of them
    key = ""
    value: list[str] | None = None
    apart = False  # white space stood between `=` and the value
    for piece in _TOKEN.findall(segment):
        if piece.isspace():
            if value:
                yield key, "".join(value)
                value = None
            apart = value is not None
        elif value is None and piece != "=":
            words.append(_plain(piece))
        elif value is None:
            key, words, value, apart = _key(words), [], [], False
        elif piece == "=" and apart and len(value) == 1 and _PROPERTY.match(value[0]):
            # `smtp.mailfrom= smtp.helo=mx.example.org`: the null reverse-path, the value was empty
            yield key, ""
            key, value, apart = value[0].lower(), [], False
        else:
            value.append(_plain(piece))
    if value is not None:
        yield key, "".join(value)


def _key(words: list[str]) -> str:
    """The last word, with what is joined to it by a dot or a slash: `policy . expired`, `dkim / 1`."""
    parts = words[-1:]
    for word in reversed(words[:-1]):
        if not (parts[-1][:1] in {".", "/"} or word[-1:] in {".", "/"}):
            break
        parts.append(word)
    return "".join(reversed(parts)).lower()
