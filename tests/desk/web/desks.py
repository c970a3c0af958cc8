"""A desk over some weeks of made-up reports, and somebody who uses it as a browser does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from email_report_processor.desk.web.app import make_app
from email_report_processor.desk.web.desk import Desk
from email_report_processor.desk.web.start import make_desk
from email_report_processor.settings import Setting, Settings

PASSWORD = "correct horse battery"
_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')


class Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def nothing(_level: str, _text: str) -> None:
    """No log."""


def settings_of(state: Path, store: str, prefix: str = "email-report-", **sections: Any) -> Settings:
    """Settings as a file has them: `web={…}`, `users=[…]`."""
    given: dict[str, Any] = {"store": {"url": store, "index_prefix": prefix}, "state": {"dir": str(state)}, **sections}
    table = {
        name: {"": Setting(values, "test")}
        if isinstance(values, list)
        else {key: Setting(value, "test") for key, value in values.items()}
        for name, values in given.items()
    }
    return Settings(table, ())


class Made(NamedTuple):
    """A desk, its application, and the token of its entrance."""

    desk: Desk
    app: Flask
    token: str

    def person(self) -> "Person":
        """Somebody who has not come in."""
        return Person(self.app.test_client())

    def owner(self) -> "Person":
        """Whoever started it."""
        person = self.person()
        person.enter(self.token)
        return person

    def logged_in(self, name: str) -> "Person":
        """A user, by the password of the tests."""
        person = self.person()
        person.log_in(name, PASSWORD)
        return person


def make(state: Path, store: str, **settings: Any) -> Made:
    """A desk of these settings."""
    made = make_desk(settings_of(state, store, **settings), nothing)
    return Made(made.desk, make_app(made.desk), made.token)


class Person:
    """Who follows links and sends the forms of pages, with the token that they carry."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **more: Any) -> TestResponse:
        """Follow a link."""
        return self.client.get(path, **more)

    def text(self, path: str) -> str:
        """The page at a path, which is there."""
        response = self.get(path)
        assert response.status_code == 200, response.text
        return response.text

    def token(self, path: str) -> str:
        """The token of the forms of a page."""
        found = _TOKEN.search(self.get(path).text)
        assert found, path
        return found[1]

    def post(self, path: str, page: str = "", **fields: Any) -> TestResponse:
        """Send a form of the page, by default of the same path."""
        return self.client.post(path, data={"form_token": self.token(page or path), **fields})

    def enter(self, token: str) -> TestResponse:
        """Come in by the one-time token."""
        return self.post("/enter", f"/enter/{token}", token=token)

    def log_in(self, name: str, password: str, **more: Any) -> TestResponse:
        """Come in by a password."""
        return self.post("/login", name=name, password=password, **more)


def audit(made: Made) -> Iterator[dict[str, Any]]:
    """The entries of the audit trail."""
    import json

    for line in made.desk.audit.path.read_text("utf-8").splitlines():
        yield json.loads(line)
