"""Paste one message, or upload a report: read and shown at once, stored only on demand."""

from flask import Request

from ....process import Job
from ... import taken
from ..desk import Answer, Asked
from ..guard import Refused
from ..route import Route


def paste_form(asked: Asked) -> Answer:
    """A place for one message, as its source."""
    return asked.page("paste.html")


def upload_form(asked: Asked) -> Answer:
    """A place for a file."""
    return asked.page("upload.html")


def paste(asked: Asked) -> Answer:
    """What a pasted message is; one without any report is taken for spam that somebody got."""
    data = asked.form.get("message", "").encode("utf-8", "surrogateescape")
    return _look(asked, data, "paste", taken.as_pasted(asked.desk.job))


def upload(asked: Asked) -> Answer:
    """What is in a file: a message, or a bare report."""
    return _look(asked, _file(asked.request), "upload", asked.desk.job)


def _file(request: Request) -> bytes:
    file = request.files.get("file")
    return file.read() if file else b""


def _look(asked: Asked, data: bytes, way: str, job: Job) -> Answer:
    if not data.strip():
        raise ValueError("there was nothing in it: choose a file, or paste the source of a message")
    looked = taken.look(data, job)
    asked.note("looked at a message", way=way, bytes=len(data))
    name = asked.desk.pending.put(asked.user.name, data)
    return asked.page("taken.html", looked=looked, brought=way, name=name, size=len(data))


def store(asked: Asked) -> Answer:
    """Store what was looked at, by the same code as the filter."""
    way = "paste" if asked.form.get("way") == "paste" else "upload"
    data = asked.desk.pending.take(asked.user.name, asked.form.get("name", ""))
    if data is None:
        raise Refused(410, "it is not held any more: bring it again")
    job = taken.as_pasted(asked.desk.job) if way == "paste" else asked.desk.job
    asked.note("stored a message", way=way, bytes=len(data))
    looked, outcome = taken.store(data, job)
    return asked.page("stored.html", outcome=outcome, looked=looked)


ROUTES = (
    Route("/paste", paste_form, role="analyst", whole=True),
    Route("/paste", paste, role="analyst", method="POST", whole=True, message=True),
    Route("/upload", upload_form, role="analyst", whole=True),
    Route("/upload", upload, role="analyst", method="POST", whole=True, message=True),
    Route("/taken", store, role="analyst", method="POST", whole=True),
)
