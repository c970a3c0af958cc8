"""Which parts of a message are a feedback report, and which is the sample that it is about.

A `message/feedback-report` part, a part under another label that begins with fields of RFC 5965, or a notice. It
claims its whole multipart, and its sample is never searched for reports.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..message.mail import BEGINNING, Part
from ..values.patterns import pattern
from .feedback_fields import is_known, type_of
from .notice import is_notice
from .sample import TYPES, begins_with_header, decode, read_fields

XARF_BYTES = 64 * 1024  # read of YAML; real reports have 1 KiB
_YAML_NAME = pattern(r"(?:report|xarf)\.(?:txt|ya?ml)", re.IGNORECASE)
_YAML_TYPES = frozenset({"text/plain", "text/yaml", "text/x-yaml", "application/yaml", "application/x-yaml"})
_REGISTERED = frozenset({"abuse", "auth-failure", "fraud", "not-spam", "other", "virus", "xarf"})


class Found(NamedTuple):
    """One report within the node that was looked at."""

    report: Part
    sample: Part | None
    notice: bool
    beside: Sequence[Part] = ()  # where an X-ARF report may be
    yaml: bool = False  # the report is X-ARF, in a text part
    samples: int = 1  # messages behind it


def find(part: Part) -> list[Found]:
    """The feedback reports of a node of the message tree; [] when it has none of its own."""
    siblings = part.parts if part.content_type.startswith("multipart/") else (part,)
    if found := _find_among(siblings):
        return found
    for number, one in enumerate(siblings):  # some who pass mail on put its texts, and only them, into a multipart
        if one is part or not one.content_type.startswith("multipart/"):
            continue
        inner = _find_among(one.parts)
        if len(inner) == 1 and inner[0].sample is None:
            sample = _find_sample(siblings[number + 1 :], ())
            return [inner[0]._replace(sample=sample)] if sample is not None else []
    return _find_yaml(part, siblings)


def _find_among(siblings: Sequence[Part]) -> list[Found]:
    places = [number for number, one in enumerate(siblings) if _is_feedback(one)]
    notices = () if any(siblings[place].body(BEGINNING).strip() for place in places) else filter(is_notice, siblings)
    for one in notices:
        others = [other for other in siblings if other is not one]
        return [Found(one, _find_sample(others, ()), True)]
    ends = [*places[1:], len(siblings)]  # one report a message is the rule; each gets the sample behind it
    everything = siblings if len(places) == 1 else ()
    return [
        Found(one, _find_sample(behind, everything), False, [*behind, *everything], samples=_samples(behind))
        for one, behind in (
            (siblings[begin], siblings[begin + 1 : end]) for begin, end in zip(places, ends, strict=False)
        )
    ]


def _samples(parts: Sequence[Part]) -> int:
    return sum(part.content_type in TYPES for part in _flat(parts))


def _find_yaml(part: Part, siblings: Sequence[Part]) -> list[Found]:
    """An X-ARF report of 0.2: `X-XARF: PLAIN` in the header, and a text part `report.txt`."""
    announced = part.headers.get("x-xarf") is not None
    for one in siblings:
        named = _YAML_NAME.fullmatch(one.name) is not None
        if one.content_type in _YAML_TYPES and (named or announced):
            from .xarf import read_yaml  # 2 ms, only for a message that looks like X-ARF

            if (named and announced) or read_yaml(one.text(XARF_BYTES)) is not None:
                return [Found(one, None, False, yaml=True)]
    return []


def _is_feedback(part: Part) -> bool:
    if part.content_type == "message/feedback-report":
        return True
    if part.parts or part.content_type in TYPES or part.content_type.startswith("multipart/"):
        return False
    head = decode(part.body(BEGINNING)).lstrip() if _may_be_text(part) else ""
    if not is_known(head.partition(":")[0].strip()):
        return False
    said = {name.lower(): value for name, value in read_fields(head) if is_known(name)}
    # User-Agent and Version are required as well (RFC 5965 §3.1); forms on web sites have such fields, too
    kind = type_of(said.get("feedback-type", "")[:200])
    return (kind in _REGISTERED and len(said) >= 3) or (kind != "" and len(said) >= 6)


def _may_be_text(part: Part) -> bool:
    return part.content_type.startswith(("text/", "message/")) or part.content_type == "application/octet-stream"


def _find_sample(behind: Sequence[Part], anywhere: Sequence[Part]) -> Part | None:
    """The sample: what is labelled as one behind the report, else anywhere, else what begins like a header."""
    for parts in (behind, anywhere):
        for part in _flat(parts):
            if part.content_type in TYPES:
                return part
    for part in _flat(behind):
        if _may_be_text(part) and begins_with_header(part.body(BEGINNING)):
            return part
    return None


def _flat(parts: Sequence[Part]) -> Iterator[Part]:
    """The parts, and those of multiparts among them in their place; a loop, since a stranger chooses how deep."""
    waiting = [*reversed(parts)]
    while waiting:
        part = waiting.pop()
        if part.content_type.startswith("multipart/"):
            waiting.extend(reversed(part.parts))
        else:
            yield part
