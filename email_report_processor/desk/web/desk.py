"""What the server has for every request, and what a view gets of one."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from flask import Request, Response

from ...documents.senders import Senders
from ...log import Log
from ...process import Job
from ...settings import Settings
from ...stores.store import Store
from ...values.fields import write_date
from ..verdicts import known_senders
from . import rendering
from .attempts import Attempts
from .audit import Audit
from .options import WebOptions
from .pending import Pending
from .scope import Narrowed
from .sessions import Entrance, Sessions
from .users import User


class Stores:
    """One store for each thread: neither SQLite's connections nor a cluster's are made for two."""

    def __init__(self, open_: Callable[[], Store]) -> None:
        self._open = open_
        self._own = threading.local()

    def get(self) -> Store:
        """That of this thread, made when it is first asked for."""
        if not hasattr(self._own, "store"):
            self._own.store = self._open()
        store: Store = self._own.store
        return store


class Desk(NamedTuple):
    """Made once, at the start."""

    options: WebOptions
    users: Mapping[str, User]
    sessions: Sessions
    entrance: Entrance
    attempts: Attempts
    audit: Audit
    stores: Stores
    settings: Settings
    job: Job  # its store is that of the thread
    log: Log
    token: str = ""  # of POST /reports; '' there is no such thing
    pending: Pending = Pending()  # what was looked at and may be stored; made anew for each server
    tenants: "Mapping[str, Desk]" = MappingProxyType(
        {}
    )  # the desks of tenants that this server has beside its own, see front.py

    @property
    def way(self) -> str:
        """How people come in: `proxy`, `users` or `token`."""
        if self.options.user_header:
            return "proxy"
        return "users" if any(one.password for desk in self.all for one in desk.users.values()) else "token"

    @property
    def all(self) -> "tuple[Desk, ...]":
        """This one, and those of tenants."""
        return (self, *self.tenants.values())

    def home_of(self, name: str) -> "Desk":
        """Whose user it is; this one for a name that nobody has."""
        return next((desk for desk in self.all if name in desk.users), self)


class Asked(NamedTuple):
    """A request that the guard has let through."""

    desk: Desk
    request: Request
    user: User
    session: str  # what the cookie holds
    address: str  # of who asks, as far as it is known

    @property
    def store(self) -> Narrowed:
        """The store, within what the user may see."""
        return Narrowed(self.desk.stores.get(), self.user.domains)

    @property
    def args(self) -> Mapping[str, str]:
        """What stands behind the ? of the URL, the first of each name."""
        return self.request.args

    @property
    def form(self) -> Mapping[str, str]:
        """What was posted, the first of each name."""
        return self.request.form

    @property
    def senders(self) -> Senders | None:
        """What the site says of senders, as it stands in the files now: also where the filter does not look yet."""
        return known_senders(self.desk.settings)

    def page(self, template: str, **values: Any) -> str:
        """A page of the desk."""
        frame = {
            "user": self.user,
            "way": self.desk.way,
            "form_token": self.desk.sessions.form_token(self.session, self.user.name),
            "here": self.request.path,
            "store_name": self.store.name,
        }
        return rendering.page(template, **frame, **values)

    def note(self, what: str, **about: Any) -> None:
        """Add to the audit trail. Raises AuditError: then what it is about must not happen."""
        self.desk.audit(self.user.name, self.address, what, **about)


Answer = str | Response


def moment() -> datetime:
    """Now."""
    return datetime.now(UTC).replace(microsecond=0)


def made() -> str:
    """Now, as pages say it (RFC 3339)."""
    return write_date(moment())
