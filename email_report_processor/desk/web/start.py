"""From settings to a Desk: everything that is wrong with them is said before anything listens."""

import os
import secrets
import time
from collections.abc import Mapping
from typing import NamedTuple

from ...flags import now
from ...job import StoreChoice, choose_store, make_job
from ...log import Log
from ...settings import Settings, SettingsError, secret, state_dir
from ...stores.kept import make_directory
from .attempts import Attempts
from .audit import FILE, Audit
from .desk import Desk, Stores
from .options import WebOptions
from .pending import Pending
from .sessions import Entrance, Sessions
from .users import ANYBODY, User, read_users

_HOUR = 3600
_SHORTEST = 20  # characters of the token of POST /reports
_PATIENCE = 10.0  # seconds that a page may wait for the store


class Made(NamedTuple):
    """What a start has made."""

    desk: Desk
    choice: StoreChoice
    token: str  # of the URL that is printed; '' when people come in by another way


def make_desk(settings: Settings, log: Log) -> Made:
    """Everything that the server needs. Raises SettingsError, OSError."""
    options = settings.record("web", WebOptions)
    if options.user_header and not options.proxies:
        raise SettingsError("[web] user_header: name the proxy that sends it in [web] proxies; others could forge it")
    users = _users(settings)
    if options.user_header and not users:
        raise SettingsError('[web] user_header: say in [[users]] whom the proxy may let in; name = "*" is everybody')
    choice = choose_store(settings, os.environ, budget=_PATIENCE)
    stores = Stores(choice.open)
    job = make_job(settings, os.environ, choice._replace(open=stores.get), now, lambda text: log("warning", text))
    if job.routes is not None:
        if not settings.tenant:
            job.routes.check()
        job = job._replace(open_store=Stores(job.open_store).get)
    state = state_dir(settings, os.environ)
    make_directory(state)
    token = secrets.token_urlsafe(32)
    desk = Desk(
        options,
        users,
        Sessions(time.monotonic, options.session_hours * _HOUR),
        Entrance(token),
        Attempts(time.monotonic, max(1, options.attempts)),
        Audit(state / FILE, now),
        stores,
        settings,
        job,
        log,
        _token(settings),
        Pending(),
    )
    if settings.has_tenants and not settings.tenant:
        desk = desk._replace(tenants=_tenants(desk, log))
    if desk.way == "token":
        return Made(desk, choice, token)
    return Made(desk._replace(entrance=Entrance("")), choice, "")


def _tenants(site: Desk, log: Log) -> dict[str, Desk]:
    """The desks of tenants that have users: in this server, so by its options. Raises SettingsError, OSError."""
    from ...tenants import Tenants

    tenants = Tenants(site.settings, os.environ)
    found = {}
    for name in tenants.names:
        theirs = tenants.settings(name)
        if theirs.tables("users") or theirs.mapping("users"):
            found[name] = make_desk(theirs, log).desk._replace(options=site.options, entrance=Entrance(""))
    _check_names(site, found)
    return found


def _check_names(site: Desk, tenants: Mapping[str, Desk]) -> None:
    """By the name alone is known whose desk somebody sees. Raises SettingsError."""
    seen = dict.fromkeys(site.users, "the site itself")
    tokens = {site.token} - {""}
    for tenant, desk in tenants.items():
        for name in desk.users:
            if name in seen or name == ANYBODY:
                raise SettingsError(
                    f"[[tenants.users]] of {tenant}: {name!r} is {seen.get(name, 'everybody')}'s too, and one server "
                    f"tells desks apart by names: write another, or start this desk alone by `desk --tenant {tenant}`"
                )
            seen[name] = f"tenant {tenant}"
        if desk.token in tokens:
            raise SettingsError(f"[tenants.web] reports_token_file of {tenant}: another desk has this token")
        tokens |= {desk.token} - {""}


def _token(settings: Settings) -> str:
    """That of POST /reports. The right one never waits for those who guess, so it must be none that can be guessed."""
    token = secret(settings, "web", "reports_token")
    if token and len(token) < _SHORTEST:
        raise SettingsError(
            f"[web] reports_token_file: a token has {_SHORTEST} characters at the least: openssl rand -hex 24"
        )
    return token


def _users(settings: Settings) -> dict[str, User]:
    if settings.mapping("users"):
        raise SettingsError("[users]: write a table for each user, with [[users]] above it")
    try:
        return read_users(settings.tables("users"))
    except ValueError as error:
        raise SettingsError(f"[[users]] {error}") from None
