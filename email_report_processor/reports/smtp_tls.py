"""SMTP TLS reports (RFC 8460): a JSON object to `smtp-tls` documents.

Told by its content: an object with `policies` and one more of a report's members, or with three of them. Keys are read
without case and with `_` for `-`. Ids are made of what the report says, as it says it, before our normalisation.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Set
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ..documents.datasets import REPORT, SCHEMA_VERSION, SMTP_TLS
from ..documents.document import Document, make_id, sum_ids
from ..message.bounds import Bounds, Problem
from ..message.payload import Damaged, OverBound, Payload
from ..values import authres
from ..values.dates import lacks_offset, read_rfc3339
from ..values.fields import EPOCH, MAX_STRING, Field, Fields, believed, clean, read_domain, write_date
from .lenient_json import UnreadableError, begins_like_object, canonical, decode, is_blank, read_object
from .report import TOO_EARLY, Context, Envelope, Kind, Report

_LONGEST = timedelta(days=400)  # of a period
_LIST = 100  # entries of one list that are stored; policies have a handful of lines
_REASON = 200  # characters of a warning
_MEMBERS = frozenset({"organization-name", "date-range", "contact-info", "report-id", "policies"})
# The beginning of a report in the text of a mail: behind some words, on a line of its own.
_BEHIND_TEXT = re.compile(
    rb'(?:\A|[\r\n])[ \t]*+(?=\{\s*+"(?:organization.name|date.range|contact.info|report.id|policies)")', re.IGNORECASE
)

# Other names of a member. RFC 8460 itself speaks of `mx-host` and `mx-host-pattern` (§4.4), of
# `additional-information` and `additional-info-uri` (§4.3, §4.4); the rest is of its drafts.
_REPLY_CODE = re.compile(r"\A\s*(?:[2-5]\d\d[ -][ \t]*)?")
_LINE_END = re.compile(r"[\r\n]|\\[rn]")  # also as the text of an escape

_ALIASES = {
    "mx-host": ("mx-host-pattern", "mx-hosts", "mx"),
    "additional-information": ("additional-info-uri", "additional-information-uri", "additional-info"),
    "failure-reason-code": ("failure-error-code", "reason-code"),
    "failed-session-count": ("session-count",),
    "receiving-mx-hostname": ("receiving-mx",),
    "total-successful-session-count": ("total-success-session-count", "success-aggregate"),
    "total-failure-session-count": ("total-failed-session-count", "failure-aggregate"),
    "failure-details": ("failure-detail", "failures"),
}

_DETAIL_NAMES = {"failure-details", *_ALIASES["failure-details"]}

_HEAD = (("report.id", "report-id"), ("report.org_name", "organization-name"), ("report.email", "contact-info"))
_REPORT = REPORT.by_name
_SHARED = (REPORT.by_name.keys() & SMTP_TLS.by_name.keys()) - {"event.dataset", "warnings"}
_POLICY = tuple(field for field in SMTP_TLS.fields if field.wire.startswith("policies/policy/"))
_SUMMARY = tuple(field for field in SMTP_TLS.fields if field.wire.startswith("policies/summary/"))
_DETAIL = tuple(field for field in SMTP_TLS.fields if field.wire.startswith("policies/failure-details/"))

Object = dict[str, Any]


class _Loaded(NamedTuple):
    """A report as it is said, and what had to be done to read it."""

    report: Object
    policies: list[Object]  # entries of `policies`
    sha256: str
    warnings: tuple[str, ...]
    salvaged: bool


class _Entry(NamedTuple):
    """One policy with its sums and failures, keys plain."""

    policy: Object
    summary: Object
    details: list[Object]
    said: Object  # the entry without its failure details, as reported


def read(payload: Payload, context: Context) -> Report | Problem | None:
    """The report in a payload; None when it is none; a Problem when it is one that cannot be read."""
    bounds = context.options.bounds
    try:
        loaded = _load(payload, bounds)
    except UnreadableError as error:
        return Problem(payload.place, str(error))
    if loaded is None:
        return None
    rows = sum(1 + len(_entry(said).details) for said in loaded.policies)
    if rows > bounds.rows:
        return Problem(payload.place, f"the report has {rows} rows, more than bounds.rows = {bounds.rows}")
    head = _head(loaded, rows, context)

    def documents() -> Iterator[Document]:
        # Read anew: 16 MiB of JSON are ten times that as objects, and a message can have many such reports.
        again = _load(payload, bounds)
        assert again is not None  # the same bytes as above
        yield from _documents(again, head, bounds)

    return Report(SMTP_TLS.name, head, head["rows"], documents)


KIND = Kind("smtp-tls", read)


def _load(payload: Payload, bounds: Bounds) -> _Loaded | None:
    """None when it is no report. Raises UnreadableError when it is one beyond the bounds or in pieces."""
    data, fault = _bytes(payload, bounds)
    if data is None or (isinstance(fault, OverBound) and not _mentions(data)):
        return None
    if isinstance(fault, OverBound):
        raise UnreadableError(str(fault))
    behind = None if begins_like_object(data) else _BEHIND_TEXT.search(data)
    try:
        found = read_object(data[behind.end() if behind else 0 :], bounds.json_depth, bounds.json_values)
    except UnreadableError:
        if _mentions(data):
            raise
        return None
    notes = [*([str(fault)] if fault else []), *(["there is text before the JSON object"] if behind else [])]
    warnings = [*payload.warnings, *notes, *found.warnings]
    report = _plain(found.value)
    policies = _policies(report, warnings)
    members = _MEMBERS & report.keys()
    if _is_report(members) and (len(members) > 2 or _is_policy(policies)) and (policies or not found.salvaged):
        salvaged = found.salvaged or fault is not None  # a banner in front is no damage
        return _Loaded(report, policies, hashlib.sha256(data).hexdigest(), tuple(warnings), salvaged)
    if found.salvaged and _mentions(data):
        raise UnreadableError(f"an SMTP TLS report without one whole policy: {'; '.join(warnings)}")
    return None


def _bytes(payload: Payload, bounds: Bounds) -> tuple[bytes | None, Damaged | OverBound | None]:
    """The payload up to its bound, None when it does not begin like an object; and what went wrong on the way."""
    data = bytearray()
    told = False
    try:
        for chunk in payload.chunks():
            data += chunk
            if not told and not is_blank(chunk):
                if not (begins_like_object(chunk) or _BEHIND_TEXT.search(chunk)):
                    return None, None
                told = True
            if len(data) > bounds.part_bytes:
                limit = f"the report has more bytes than bounds.part_bytes = {bounds.part_bytes}"
                return (bytes(data) if told else None), OverBound(limit)
    except (Damaged, OverBound) as fault:
        return (bytes(data) if told else None), fault
    return (bytes(data) if told else None), None


def _mentions(data: bytes) -> bool:
    """Whether the names of a report's members stand in a text that cannot be read as an object."""
    text = decode(data)[0].lower().replace("_", "-")
    return _is_report({name for name in _MEMBERS if f'"{name}"' in text})


def _is_report(members: Set[str]) -> bool:
    """Drafts had no `policies`, and what is cut off early has none either."""
    return len(members) >= (2 if "policies" in members else 3)


def _is_policy(entries: list[Object]) -> bool:
    """Whether the first entry is one of ours: others have policies, too."""
    return bool(entries) and not _plain(entries[0]).keys().isdisjoint({"policy", "summary", "policy-type"})


def _plain(said: Any) -> Object:
    """An object with its keys in lower case and with hyphens; {} for what is no object."""
    if not isinstance(said, dict):
        return {}
    return {key.strip().lower().replace("_", "-"): value for key, value in said.items()}


def _policies(report: Object, warnings: list[str]) -> list[Object]:
    """The entries of `policies`; drafts of RFC 8460 had one policy at the top."""
    said = report.get("policies", report if "policy" in report else [])
    entries = said if isinstance(said, list) else [said]
    objects = [entry for entry in entries if isinstance(entry, dict)]
    if len(objects) < len(entries):
        warnings.append(f"policies: {len(entries) - len(objects)} of {len(entries)} are no objects")
    others = sum(
        bool(detail) and not isinstance(detail, dict) for entry in objects for detail in _details(_plain(entry))
    )
    if others:
        warnings.append(f"failure-details: {others} are no objects")
    return objects


def _details(entry: Object) -> list[Any]:
    said = _get(entry, "failure-details")
    return said if isinstance(said, list) else [said]


def _entry(said: Object) -> _Entry:
    entry = _plain(said)
    return _Entry(
        policy=_plain(entry.get("policy")) or entry,
        summary=_plain(entry.get("summary")) or entry,
        details=[detail for detail in _details(entry) if isinstance(detail, dict)],
        said={key: value for key, value in said.items() if key.strip().lower().replace("_", "-") not in _DETAIL_NAMES},
    )


def _get(place: Object, name: str) -> Any:
    """A member by its name in RFC 8460, else by one of its other names; None when absent or null."""
    for key in (name, *_ALIASES.get(name, ())):
        if place.get(key) is not None:
            return place[key]
    return None


def _head(loaded: _Loaded, rows: int, context: Context) -> Fields:
    """The fields of the `report` document."""
    bounds = context.options.bounds
    fields: Fields = {"event.dataset": REPORT.name, "schema_version": SCHEMA_VERSION, "report.format": "rfc8460"}
    fields["report.dataset"] = SMTP_TLS.name
    fields["report.sha256"] = loaded.sha256
    fields["report.identity"] = _identity(loaded.report)
    for name, key in _HEAD:
        _put(fields, _REPORT[name], loaded.report.get(key), bounds)
    _put_period(fields, _plain(loaded.report.get("date-range")), context.envelope)
    _put_envelope(fields, context)
    fields["rows"] = rows
    fields["report.domain"], fields["messages"] = _domains_and_messages(loaded, bounds)
    fields["salvaged"] = loaded.salvaged
    fields["warnings"] = [*loaded.warnings, *fields.get("warnings", ())]
    return {name: value for name, value in fields.items() if value not in ("", [])}


def _domains_and_messages(loaded: _Loaded, bounds: Bounds) -> tuple[list[str], int]:
    """Policy by policy: 16 MiB hold millions of small ones, which must not all be read at once."""
    domains: dict[str, None] = {}
    messages = 0
    for said in loaded.policies:
        entry = _entry(said)
        domain = _read(_POLICY, entry.policy, bounds).get("policy.domain", "")
        if domain and len(domains) < _LIST:
            domains[domain] = None
        sums = _read(_SUMMARY, entry.summary, bounds)
        messages += sums.get("sessions.successful", 0) + sums.get("sessions.failed", 0)
    return list(domains), messages


def _identity(report: Object) -> str:
    """The same for every version of this report: who, which, when, as reported."""
    period = _plain(report.get("date-range"))
    said = (
        report.get("organization-name"),
        report.get("report-id"),
        period.get("start-datetime"),
        period.get("end-datetime"),
    )
    return make_id(SMTP_TLS.name, *(value.strip() if isinstance(value, str) else canonical(value) for value in said))


def _put_envelope(fields: Fields, context: Context) -> None:
    """What the message that brought the report says of itself, and of the reporter."""
    envelope = context.envelope
    fields["report.from_domain"] = envelope.from_domain
    fields["report.message_id"] = envelope.message_id
    fields["report.received"] = envelope.received
    fields["report.feed"] = context.options.feed
    # RFC 8460 §3: signed by the reporting domain. Reports of Postfix's tools have no contact: then whoever mailed it.
    _, at, contact = fields.get("report.email", "").rpartition("@")
    domain = read_domain(contact.strip(" >")) if at else envelope.from_domain
    fields["report.authentication"] = authres.verdict(envelope.authentication, (domain,))


def _put_period(fields: Fields, period: Object, envelope: Envelope) -> None:
    begin = _put_date(fields, "report.begin", period.get("start-datetime"))
    end = _put_date(fields, "report.end", period.get("end-datetime"))
    if begin and end and not begin <= end <= begin + _LONGEST:
        reason = "before the begin" if end < begin else f"more than {_LONGEST.days} days after the begin"
        _keep_raw(fields, "report.end", fields.pop("report.end"), ValueError(reason))
        end, begin = None, None if envelope.received else begin
    middle = end or begin
    if begin and end:
        fields["report.duration"] = int((end - begin).total_seconds())
        middle = begin + (end - begin) / 2
    if end and envelope.received:
        fields["report.delay"] = delay = int((datetime.fromisoformat(envelope.received) - end).total_seconds())
        if delay < 0:
            fields.setdefault("warnings", []).append(TOO_EARLY)
    if middle is not None:
        fields["@timestamp"] = write_date(middle.replace(microsecond=0))
    elif envelope.received:
        fields["@timestamp"] = envelope.received
        _warn(fields, "@timestamp", "the report has no period, this is the date of its message")
    else:
        _warn(fields, "@timestamp", "when it was stored, as neither the report nor its message has a date")


def _put_date(fields: Fields, name: str, said: Any) -> datetime | None:
    text = " ".join(_texts(said))
    if not text:
        return None
    try:
        value = read_rfc3339(text)
        done = "no offset, taken for UTC" if lacks_offset(text) else ""
    except ValueError as error:
        try:
            value, done = _other_date(text)
        except ValueError:
            _keep_raw(fields, name, text[:MAX_STRING], error)
            return None
    if done:
        _warn(fields, name, done)
    fields[name] = write_date(value)
    return value


def _other_date(text: str) -> tuple[datetime, str]:
    """Unix time, a day alone, a date of mail, and what had to be done to read it. Raises ValueError."""
    from ..values.repairs import read_or_repair  # 1 ms, only for what is no date of RFC 3339

    date, done = read_or_repair(EPOCH, text)
    return datetime.fromisoformat(date), done or "Unix time, not a date"


def _documents(loaded: _Loaded, head: Fields, bounds: Bounds) -> Iterator[Document]:
    shared = {name: value for name, value in head.items() if name in _SHARED}
    times: Counter[str] = Counter()  # how often a row has been there, by its first id
    total = 0
    for said in loaded.policies:
        for fields, key in _rows(_entry(said), shared, bounds):
            first = make_id(SMTP_TLS.name, head["report.identity"], *key, 0)
            times[first] += 1
            again = times[first] - 1
            id_ = make_id(SMTP_TLS.name, head["report.identity"], *key, again) if again else first
            total += sum_ids((id_,))
            yield Document(SMTP_TLS.name, id_, fields)
    yield Document(REPORT.name, make_id(REPORT.name, head["report.identity"], total % 2**160), dict(head))


def _rows(entry: _Entry, shared: Fields, bounds: Bounds) -> Iterator[tuple[Fields, tuple[str, ...]]]:
    """The fields of each document of a policy, and what its id is made of beside the report."""
    policy = _read(_POLICY, entry.policy, bounds)
    if "policy.mx_host" in policy:  # Postfix's tools report the policy's lines: `mx: *.example.org`
        policy["policy.mx_host"] = [host.removeprefix("mx:").strip() for host in policy["policy.mx_host"]]
    sums = _read(_SUMMARY, entry.summary, bounds)
    yield _join(shared, {"tls.record": "policy"}, policy, sums), ("policy", canonical(entry.said))
    policy_id = make_id(canonical(entry.said.get("policy", entry.said)))  # hashed once: it can be long
    for detail in entry.details:
        failure = _read(_DETAIL, _plain(detail), bounds)
        yield _join(shared, {"tls.record": "failure"}, policy, failure), ("failure", policy_id, canonical(detail))


def _join(*groups: Fields) -> Fields:
    fields: Fields = {"event.dataset": SMTP_TLS.name}
    for group in groups:
        fields.update(group)
    warnings = [warning for group in groups for warning in group.get("warnings", ())]
    if warnings:
        fields["warnings"] = warnings
    return fields


def _read(table: tuple[Field, ...], said: Object, bounds: Bounds) -> Fields:
    """The fields of a table that are there."""
    fields: Fields = {}
    for field in table:
        _put(fields, field, _get(said, field.wire.rpartition("/")[2]), bounds)
    return fields


def _put(fields: Fields, field: Field, said: Any, bounds: Bounds) -> None:
    """Read one value or list into its field; what cannot be read stays as text under `raw`."""
    limit = bounds.string_chars
    texts = _texts(said)
    if len(texts) > _LIST:
        _warn(fields, field.name, f"{len(texts)} values, cut at {_LIST}")
    if field.name == "policy.string":
        texts = [line for text in texts[:_LIST] for line in _lines(text)]
    if field.name == "failure.receiving_mx_helo" and texts and texts != (names := [_greeted("\n".join(texts))]):
        texts = names
        _warn(fields, field.name, "a whole reply of the server, its name is used")
    if not field.many:
        texts = [", ".join(texts[:_LIST])]
    values = []
    for text in texts[:_LIST]:
        if len(text) > limit:
            _warn(fields, field.name, f"cut at {limit} characters")
        try:
            values.append(believed(_value(fields, field, text[:limit]), field.type, bounds.max_count))
        except ValueError as error:
            if text.strip():
                _keep_raw(fields, field.name, text[:limit], error)
    values = [value for value in values if value != ""]
    if values:
        fields[field.name] = values if field.many else values[0]


def _value(fields: Fields, field: Field, text: str) -> Any:
    try:
        return field.type.read(text)
    except ValueError:
        if not (field.type.repair and text.strip()):
            raise
        from ..values.repairs import read_or_repair  # 1 ms, only for what cannot be read as it stands

        try:
            value, done = read_or_repair(field.type, text)
        except ValueError:
            value = None
        if value is None:
            raise
    _warn(fields, field.name, done)
    return value


def _texts(said: Any) -> list[str]:
    """A value as texts: a string or a number is one, an array its elements, absent none."""
    if said is None:
        return []
    if isinstance(said, list):
        return [one if isinstance(one, str) else canonical(one) for one in said if one is not None]
    return [said if isinstance(said, str) else canonical(said)]


def _lines(text: str) -> list[str]:
    """Microsoft has the records of a TLSA policy as one string, which is the JSON text of an array."""
    if not text.startswith("["):
        return [text]
    try:
        found = read_object(f'{{"lines":{text}}}'.encode("utf-8", "replace"), 2)
    except UnreadableError:
        return [text]
    return [text] if found.salvaged else _texts(found.value["lines"])


def _greeted(text: str) -> str:
    """The name in a greeting: Postfix with libtlsrpt reports the whole EHLO reply (RFC 5321 §4.2)."""
    words = _LINE_END.split(_REPLY_CODE.sub("", text, count=1), maxsplit=1)[0].split(maxsplit=1)
    return words[0] if words else text


def _keep_raw(fields: Fields, name: str, text: str, error: ValueError) -> None:
    fields[f"raw.{name}"] = clean(text)
    _warn(fields, name, str(error)[:_REASON])


def _warn(fields: Fields, name: str, what: str) -> None:
    fields.setdefault("warnings", []).append(f"{name}: {what}")
