"""X-ARF reports in mail: beside a feedback part, in a text part, or as a file of JSON alone (see `xarf`)."""

import hashlib
from collections.abc import Sequence

from ..message.blob import Damaged
from ..message.bounds import Bounds, OverBound, Problem
from ..message.mail import Part
from ..message.payload import Payload
from . import xarf
from .feedback_documents import Text, report_of
from .feedback_parts import XARF_BYTES
from .lenient_json import UnreadableError, begins_like_object, is_blank
from .report import Context, Kind, Report
from .sample import open_sample


def read_file(payload: Payload, context: Context) -> Report | Problem | None:
    """Read a report that is a file of its own, JSON; None when it is none (see Kind)."""
    bounds = context.options.bounds
    data, fault = _bytes(payload, bounds.part_bytes)
    try:
        found = xarf.read_json(data, bounds.json_depth) if data else None
    except UnreadableError as error:
        return Problem(payload.place, str(error))
    if found is None:
        return None
    if isinstance(fault, OverBound):
        return Problem(payload.place, str(fault))
    if fault is not None:
        found = found._replace(warnings=(*found.warnings, str(fault)), salvaged=True)
    return report_of([_text(found, hashlib.sha256(data).hexdigest(), bounds)], context)


KIND = Kind("xarf", read_file)


def read_yaml_part(part: Part, sha256: str, bounds: Bounds) -> Text | None:
    """A report of 0.2, in a text part of its own; None when it is none."""
    found = xarf.read_yaml(part.text(XARF_BYTES))
    return None if found is None else _text(found, sha256, bounds)


def read_beside(parts: Sequence[Part], bounds: Bounds) -> xarf.Xarf | None:
    """The report in one of the parts beside a feedback part; of one in pieces the warning; None when there is none."""
    for part in parts:
        try:
            found = _read_part(part, bounds)
        except UnreadableError as error:
            return xarf.Xarf("", [], "", "", whole=False, warnings=(f"the X-ARF part: {error}",), salvaged=True)
        if found is not None:
            return found
    return None


def _read_part(part: Part, bounds: Bounds) -> xarf.Xarf | None:
    data = part.body(bounds.part_bytes + 1)
    if not begins_like_object(data):
        return xarf.read_yaml(part.text(XARF_BYTES))
    if len(data) > bounds.part_bytes:
        raise UnreadableError(f"it has more bytes than bounds.part_bytes = {bounds.part_bytes}")
    return xarf.read_json(data, bounds.json_depth)


def _text(found: xarf.Xarf, sha256: str, bounds: Bounds) -> Text:
    """A report that has no feedback part."""
    sample = None if found.evidence is None else open_sample(found.evidence, bounds)
    return Text([["Feedback-Type", "xarf"]], ["xarf", found.said], sample, False, sha256, xarf=found)


def _bytes(payload: Payload, limit: int) -> tuple[bytes, Damaged | OverBound | None]:
    """What may be a JSON object, empty when it is none; and what went wrong on the way."""
    data = bytearray()
    try:
        for chunk in payload.chunks():
            if is_blank(bytes(data)) and not (is_blank(chunk) or begins_like_object(chunk)):
                return b"", None
            data += chunk
            if len(data) > limit:
                return bytes(data), OverBound(f"the report has more bytes than bounds.part_bytes = {limit}")
    except (Damaged, OverBound) as fault:
        return bytes(data), fault
    return bytes(data), None
