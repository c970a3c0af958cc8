"""X-ARF: reports of abuse of any kind, not of mail alone (xarf.org).

0.2 is YAML in a text part `report.txt`; 1 to 3 are JSON behind a feedback part with `Feedback-Type: xarf`; 4 is JSON,
with or without such a part. Versions share few names. What they have in common becomes fields of a feedback report; a
schema that a report names is never fetched, and what is attached as evidence is not stored, but for a message.

0.1, of 2010, is not read.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from ..values.fields import read_ip
from .lenient_json import UnreadableError, canonical, decode, read_object

_Object = dict[str, Any]


class Xarf(NamedTuple):
    """One report, read as far as it can be."""

    version: str  # as it says, '' when it does not
    values: list[tuple[str, str]]  # name of a field of feedback reports, text
    date: str  # of what is reported, '' when there is none
    said: str  # the whole as text that depends on its content alone
    whole: bool  # it names its reporter, as every version demands
    evidence: bytes | None = None  # a message that was attached
    warnings: tuple[str, ...] = ()
    salvaged: bool = False


_SOURCE, _DATE = "source", "date"  # what is looked at more closely

# Paths of members, keys in lower case without marks -> field.
_MEMBERS: Mapping[str, str] = {
    "xarfversion": "feedback.version",
    "version": "feedback.version",
    "reportid": "report.id",
    "report/reportercaseid": "report.id",
    "reporter/org": "report.org_name",
    "reporterinfo/reporterorg": "report.org_name",
    "reporter/contact": "report.email",
    "reporterinfo/reporterorgemail": "report.email",
    "category": "feedback.category",
    "report/reportclass": "feedback.category",
    "type": "feedback.report_type",
    "report/reporttype": "feedback.report_type",
    "timestamp": _DATE,
    "report/date": _DATE,
    "sourceidentifier": _SOURCE,
    "report/sourceip": _SOURCE,
    "report/sourceurl": _SOURCE,
    "report/source": _SOURCE,
    "report/source/ip": _SOURCE,
    "report/source/url": _SOURCE,
    "report/source/domain": _SOURCE,
    "url": "feedback.reported_uri",
    "infringingurl": "feedback.reported_uri",
    "domain": "feedback.reported_domain",
    "sourceport": "source.port",
    "report/sourceport": "source.port",
    "report/source/port": "source.port",
    "smtpfrom": "feedback.original_mail_from",
    "report/smtpmailfromaddress": "feedback.original_mail_from",
    "report/additionalinfo/smtpfrom": "feedback.original_mail_from",
    "smtpto": "feedback.original_rcpt_to",
    "report/smtprcpttoaddress": "feedback.original_rcpt_to",
}
_EVIDENCE = ("evidence", "report/samples", "report/attachment")
_MESSAGES = frozenset({"message/rfc822", "text/email", "text/rfc822-headers"})

_KEYS: Mapping[str, str] = {
    "version": "feedback.version",
    "user-agent": "feedback.user_agent",
    "report-id": "report.id",
    "reported-from": "report.email",
    "category": "feedback.category",
    "report-type": "feedback.report_type",
    "date": _DATE,
    "source": _SOURCE,
    "domain": "feedback.reported_domain",
    "occurrences": "feedback.incidents",
}
_LINE = re.compile(r"([A-Za-z][\w-]{0,60})[ \t]*:(?:[ \t]+(.*))?")
_LINES = 1000  # read of a YAML part; real ones have twenty
_MENTIONED = re.compile(r'"\s*(?:xarf_version|ReporterInfo|ReportType)\s*"', re.IGNORECASE)
_LEAVES = 10_000  # members that are looked at; real reports have fifty
_MANY = 100  # values of one member that are looked at


def read_json(data: bytes, depth: int) -> Xarf | None:
    """The report in the text of a JSON object; None when it is none. Raises UnreadableError for one in pieces."""
    if not _MENTIONED.search(decode(data)[0]):
        return None
    found = read_object(data, depth)
    report = {key: value for key, value in found.value.items() if key != "_internal"}  # never to be sent on
    leaves = list(islice(_leaves(report), _LEAVES))
    paths = {path for path, _ in leaves}
    modern = "xarfversion" in paths and bool(paths & {"category", "type", "sourceidentifier"})
    if not modern and not ("report/reporttype" in paths and ("version" in paths or _names_reporter(paths))):
        if found.salvaged:
            raise UnreadableError(f"an X-ARF report that breaks off: {'; '.join(found.warnings)}")
        return None
    values, date = _values((path, text, _MEMBERS.get(path, "")) for path, text in leaves)
    version = next((text for path, text in leaves if path in {"xarfversion", "version"}), "")
    return Xarf(
        version,
        values,
        date,
        canonical(report),
        _names_reporter(paths),
        _message(report),
        found.warnings,
        found.salvaged,
    )


def read_yaml(text: str) -> Xarf | None:
    """The report in a YAML text, of 0.2 or later; None when it is none.

    YAML is much more; X-ARF is lines of `Key: value`, and nothing else is read of a stranger's.
    """
    keys = _keys(text)
    version = keys.get("version", [""])[0]
    needed = keys.keys() >= {"category", "report-type", "source"} and not keys.keys().isdisjoint(
        {"version", "schema-url"}
    )
    if not needed or version == "0.1":
        return None
    values, date = _values((key, one, _KEYS.get(key, "")) for key, found in keys.items() for one in found)
    return Xarf(version, values, date, canonical(keys), whole=True)


def _names_reporter(paths: set[str]) -> bool:
    return any(path.startswith(("reporter/", "reporterinfo/")) for path in paths)


def _leaves(value: _Object, above: str = "") -> Iterator[tuple[str, str]]:
    """Texts and numbers, with the path of their keys; evidence, which is long, is passed over."""
    for key, one in value.items():
        path = above + re.sub(r"[^a-z0-9]", "", key.lower()[:100])
        for inner in one[:_MANY] if isinstance(one, list) else [one]:
            if path in _EVIDENCE or inner is None:
                continue
            if isinstance(inner, dict):
                yield from _leaves(inner, f"{path}/")
            elif not isinstance(inner, list):
                yield path, inner if isinstance(inner, str) else canonical(inner)


def _keys(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    values: list[str] = []
    for line in text.splitlines()[:_LINES]:
        match = _LINE.fullmatch(line.rstrip())
        if match is not None:
            values = found.setdefault(match.group(1).lower().replace("_", "-"), [])
            values += [_plain(match.group(2))] if match.group(2) else []
        elif line[:1] in {" ", "\t", "-"} and line.strip("- \t"):
            values.append(_plain(line.strip().removeprefix("- ")))
    return {key: values for key, values in found.items() if values}


def _plain(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _values(said: Iterator[tuple[str, str, str]]) -> tuple[list[tuple[str, str]], str]:
    values: list[tuple[str, str]] = []
    dates: list[str] = []
    for _, text, name in said:
        if name == _DATE:
            dates.append(text)
        elif name == _SOURCE:
            values += _source(text.strip())
        elif name and text.strip():
            values.append((name, text))
    return values, dates[0] if dates else ""


def _source(text: str) -> list[tuple[str, str]]:
    """A source is an address, a URL or a domain, whatever its member is called."""
    if "://" in text:
        return [("feedback.reported_uri", text)]
    try:
        return [("source.ip", read_ip(text))]
    except ValueError:
        domain = text.rpartition("@")[2]
    return [("source.domain", domain), ("feedback.reported_domain", domain)] if "." in domain else []


def _message(report: _Object) -> bytes | None:
    """The first message among the evidence."""
    for path in _EVIDENCE:
        for item in _at(report, path):
            one = {re.sub(r"[^a-z0-9]", "", key.lower()): value for key, value in item.items()}
            payload = one.get("payload", one.get("data"))
            if str(one.get("contenttype", "")).lower() in _MESSAGES and isinstance(payload, str):
                return payload.encode("utf-8", "replace") if one.get("base64encoded") is False else _decoded(payload)
    return None


def _at(report: _Object, path: str) -> list[_Object]:
    value: Any = report
    for name in path.split("/"):
        value = (
            next((one for key, one in value.items() if key.lower() == name), None) if isinstance(value, dict) else None
        )
    return [one for one in value[:_MANY] if isinstance(one, dict)] if isinstance(value, list) else []


def _decoded(payload: str) -> bytes | None:
    try:
        return base64.b64decode(payload)
    except (binascii.Error, ValueError):
        return None
