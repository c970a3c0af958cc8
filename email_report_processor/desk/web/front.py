"""One server for the desks of the site and of its tenants: each request goes to the desk of whoever asks.

A desk of a tenant is an application of its own, with its store, state, users and sessions; here is only decided which
one is asked. That decides nothing about what somebody may: the guard of that desk does.
"""

from collections.abc import Callable, Iterable, Mapping
from hmac import compare_digest
from typing import Any

from werkzeug.http import parse_cookie

from .app import make_app
from .desk import Desk
from .guard import cookie_name

Environ = dict[str, Any]
App = Callable[[Environ, Any], Iterable[bytes]]


def make_front(site: Desk) -> App:
    """The application of WSGI for a desk and those of its tenants."""
    app = make_app(site)
    if not site.tenants:
        return app
    apps: Mapping[str, App] = {"": app, **{name: make_app(desk) for name, desk in site.tenants.items()}}

    def answer(environ: Environ, start_response: Any) -> Iterable[bytes]:
        return apps[whose(site, environ)](environ, start_response)

    return answer


def whose(site: Desk, environ: Environ) -> str:
    """Whose desk a request is for: a tenant's name, '' is the site itself."""
    path = str(environ.get("PATH_INFO", ""))
    if path == "/login" or path.startswith("/enter"):  # for everybody, at the desk of the site
        return ""
    # A proxy that asks for passwords itself hands on `Authorization: Basic`, which is none of ours.
    bearer = str(environ.get("HTTP_AUTHORIZATION", "")).lower().startswith("bearer ")
    asked = _by_token if bearer else _by_proxy if site.options.user_header else _by_session
    return next((name for name, desk in site.tenants.items() if asked(desk, environ)), "")


def _by_session(desk: Desk, environ: Environ) -> bool:
    cookie = parse_cookie(environ).get(cookie_name(desk), "")
    return bool(cookie) and desk.sessions.user(cookie) is not None


def _by_proxy(desk: Desk, environ: Environ) -> bool:
    """The name that a proxy says; whether it may say one, the guard looks."""
    header = desk.options.user_header.upper().replace("-", "_")
    return environ.get(f"HTTP_{header}", "") in desk.users


def _by_token(desk: Desk, environ: Environ) -> bool:
    """The token of POST /reports."""
    _, _, token = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return bool(desk.token) and compare_digest(token.strip().encode("utf-8", "replace"), desk.token.encode())
