"""Logins as documents of `mail-login`. The line's hash is the id: a log that is read twice changes nothing."""

import hashlib
from collections.abc import Mapping
from typing import Any

from ..documents.datasets import LOGIN, SCHEMA_VERSION
from ..documents.encode import encode
from ..process import Layout
from ..process import index as index_of
from ..stores.store import Row
from ..values.fields import Fields, write_date
from .lines.login import Login
from .lines.times import write_time


def row_of(login: Login, place: Mapping[str, Any], *, now: str, layout: Layout) -> Row:
    """The document of a login. place: `source.geo.*` and `source.as.*` of its address. now: RFC 3339."""
    fields = {**fields_of(login), "event.ingested": now, **place}
    index = index_of(LOGIN.name, fields["@timestamp"], now, layout)
    return Row(index, id_of(login), encode(fields))


def id_of(login: Login) -> str:
    """The first 40 hex digits of the SHA-256 of the line, without what ends it."""
    return hashlib.sha256(login.line).hexdigest()[:40]


def fields_of(login: Login) -> Fields:
    """What the line says; what it does not say is absent."""
    refused = login.outcome == "quota"
    said = {
        "@timestamp": write_date(write_time(login.time)),
        "event.dataset": LOGIN.name,
        "schema_version": SCHEMA_VERSION,
        "event.action": "quota" if refused else "login",
        "event.outcome": "success" if login.outcome == "success" else "failure",
        "event.reason": login.reason,
        "count": login.attempts,
        "user.name": login.account,
        "user.domain": login.account.rpartition("@")[2] if "@" in login.account else "",
        "source.ip": login.address,
        "source.port": login.port,
        "source.domain": login.name,
        "host.name": login.host,
        "login.server": login.server,
        "login.service": login.service,
        "login.method": login.method,
        "login.session": login.session,
        "login.sender": login.sender,
        "login.relay": login.relay,
    }
    return {name: value for name, value in said.items() if value not in {"", 0}}
