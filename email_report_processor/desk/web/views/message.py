"""One message: what its report says, why this class, its URLs defanged, its files, its header and text as text."""

from typing import NamedTuple

from ....advice.explain import Explained, explain
from ....documents.encode import decode
from ....stores.query import Ids
from ....stores.store import Row, Selection
from ....values.fields import Fields
from ... import history
from ...message import DATASETS, Message, from_row
from ..desk import Answer, Asked, made, moment
from ..guard import Refused
from ..route import Route

# Shown in places of their own, above the table of all fields.
_ELSEWHERE = frozenset({"sample.headers", "sample.body", "url.full", "url.domain", "file"})


class File(NamedTuple):
    """An attachment: never its content, which is not stored."""

    name: str
    type: str
    size: int | None
    sha256: str


def show(asked: Asked, id_: str) -> Answer:
    """The page of a document. Its sample is for analysts, and who saw it is written down first."""
    row = found(asked, id_)
    fields = decode(row.source)
    sees = asked.user.may("analyst")
    has_sample = bool(fields.get("sample.headers") or fields.get("sample.body"))
    if sees and has_sample:
        asked.note("saw a sample", document=row.id)
    message = from_row(row)
    return asked.page(
        "message.html",
        message=message if sees else message._replace(headers="", body=""),
        told=_told(asked, fields),
        standings=history.standings(history.of_message(asked.store, row.id), moment()),
        files=files(fields),
        signals=fields.get("sample.signals", []),
        hidden=has_sample and not sees,
        headers_only=fields.get("sample.headers_only", False),
    )


def found(asked: Asked, id_: str) -> Row:
    """The document, if the user may see it. Raises Refused."""
    one = next(asked.store.select(Selection(Ids(frozenset({id_})), DATASETS, 1)), None)
    if one is None:
        raise Refused(404, "there is no message of this id, or it is none of yours")
    return one.row


def _told(asked: Asked, fields: Fields) -> Explained:
    told = explain(fields, asked.senders, made()[:10])
    lines = (one for one in told.lines if one.name not in _ELSEWHERE and not one.name.startswith("file."))
    said = told.verdict.partition(",")[0] if asked.user.domains else told.verdict  # by whom and why is for who sees all
    return told._replace(lines=tuple(lines), verdict=said)


def files(fields: Fields) -> list[File]:
    """Its attachments."""
    return [
        File(
            str(one.get("name", "")),
            str(one.get("type", "")),
            one.get("size"),
            str(one.get("hash", {}).get("sha256", "")),
        )
        for one in fields.get("file", ())
    ]


def known(message: Message) -> str:
    """What a list calls a message."""
    return message.subject or message.id


ROUTES = (Route("/message/<id_>", show),)
