"""A document about a failed message without the addresses that are nobody's business (RFC 6590, `[read] redact`).

Ids, signals and classes are those of the message as it came. Domains stay: they are what the reports are about.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from ..values.fields import Fields
from ..values.hiding import Redaction
from ..values.redaction import header_text, hide, token

_RECIPIENTS = ("feedback.original_rcpt_to", "sample.to")
# Texts in which addresses may stand.
_TEXTS = (
    "feedback.authentication_results",
    "feedback.dkim_identity",
    "feedback.original_envelope_id",
    "feedback.original_mail_from",
    "feedback.reported_uri",
    "sample.body",
    "sample.from",
    "sample.message_id",
    "sample.subject",
    "url.full",
)


def redact_document(fields: Fields, header: str, recipients: Iterable[str], redaction: Redaction) -> None:
    """Hide addresses in the fields of a document. header: of the sample. recipients: as the report names them."""
    known = {*recipients, *(one for name in _RECIPIENTS for one in fields.get(name, ()))}
    hiding = hide(header, known, redaction)
    for name in _RECIPIENTS:
        if name in fields:
            fields[name] = [token(one, redaction.key) for one in fields[name]]
    for name in [*_TEXTS, *(name for name in fields if name.startswith("raw."))]:
        if name in fields:
            fields[name] = _each(fields[name], hiding)
    if "sample.headers" in fields:
        fields["sample.headers"] = header_text(fields["sample.headers"], hiding)
    for file in fields.get("file", ()):
        if "name" in file:
            file["name"] = hiding(_without(file["name"], known, redaction.key))


def _without(name: str, known: Iterable[str], key: bytes) -> str:
    """A file's name without these addresses: `anna@example.net.pdf` looks like one of another domain."""
    for one in known:
        if "@" in one:
            name = re.sub(re.escape(one), token(one, key), name, flags=re.IGNORECASE)
    return name


def _each(value: Any, hiding: Callable[[str], str]) -> Any:
    return [hiding(one) for one in value] if isinstance(value, list) else hiding(value)
