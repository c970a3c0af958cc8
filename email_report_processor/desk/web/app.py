"""The application: every route behind the guard, every fault as a page that says what to do."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, json, redirect, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from ...logins.state import StateError
from ...settings import SettingsError
from ...stores.kept import KeepError
from ...stores.query import QueryError
from ...stores.store import StoreError
from ..drafts import DraftError
from ..reporting import ReportingError
from . import rendering
from .audit import AuditError
from .desk import Desk
from .guard import Refused, Stranger, Wait, admit, cookie_name, protect, set_cookie
from .route import Route
from .routes import ROUTES

_SAID = {  # what werkzeug says of these tells nobody what to do
    404: "There is no such page: begin at the overview.",
    405: "This page is not asked for in this way: follow a link, or send its form.",
    413: "This is more than is taken here; [web] upload_bytes bounds a message.",
    500: "This is a fault of the program, and nothing of what you asked for is certain to have happened. Its log says "
    "more; please report it.",
}


def make_app(desk: Desk) -> Flask:
    """The application of WSGI."""
    app = Flask(__name__, static_folder=None, template_folder=None)
    app.url_map.merge_slashes = False  # no path of ours has two, and no other page is meant
    for route in ROUTES:
        app.add_url_rule(
            route.rule,
            endpoint=_endpoint(route),
            view_func=_guarded(desk, route),
            methods=[route.method],
            provide_automatic_options=False,
        )
    app.after_request(protect)
    app.register_error_handler(Stranger, lambda error: _to_log_in(desk, error))
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(QueryError, lambda error: _said(400, str(error), query=True))
    app.register_error_handler(ValueError, lambda error: _said(400, str(error)))
    app.register_error_handler(ReportingError, lambda error: _said(400, str(error)))
    for fault in (StoreError, AuditError, StateError, KeepError, DraftError, SettingsError):
        app.register_error_handler(fault, lambda error: _ours(desk, str(error)))
    app.register_error_handler(OSError, lambda error: _ours(desk, _of_system(error)))
    return app


def _endpoint(route: Route) -> str:
    return f"{route.method} {route.rule}"


_PROGRAMS = frozenset(_endpoint(route) for route in ROUTES if route.bearer)


def _guarded(desk: Desk, route: Route) -> Callable[..., AnyResponse]:
    """The view of a route, called with what the guard has let through."""

    def answer(**arguments: Any) -> AnyResponse:
        asked = admit(desk, request, route)
        made = route.view(asked, **arguments)
        response = Response(made, content_type="text/html; charset=utf-8") if isinstance(made, str) else made
        if asked.session and cookie_name(desk) not in request.cookies and not response.headers.get("Set-Cookie"):
            set_cookie(desk, response, asked.session)
        return response

    return answer


def _to_log_in(desk: Desk, error: Stranger) -> AnyResponse:
    if desk.way == "users" and request.method == "GET":
        return redirect(rendering.link("/login", next=request.full_path.rstrip("?")), 303)
    how = {
        "proxy": "The proxy in front of this server named nobody who is in [[users]].",
        "token": "Open the address that `email-report-admin desk` told when it started; each start makes a new one.",
    }.get(desk.way, str(error))
    return _said(error.status, how)


def _refused(error: Refused) -> Response:
    response = _said(error.status, str(error))
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"  # RFC 9110 §15.5.2
    if isinstance(error, Wait):
        response.headers["Retry-After"] = str(error.seconds)  # RFC 6585 §4
    return response


def _of_http(error: HTTPException) -> Response:
    status = error.code or 500
    response = _said(status, _SAID.get(status) or error.description or error.name)
    if allowed := getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(allowed))  # RFC 9110 §15.5.6
    return response


def _of_system(error: OSError) -> str:
    """Files of the state directory: whose turn it is is its owner's."""
    return (
        f"{error.filename or 'the state directory'}: {error.strerror or error}: make room, or correct its owner or mode"
    )


def _ours(desk: Desk, what: str) -> Response:
    desk.log("error", f"desk: {request.path}: {what}")
    return _said(503, what)


def _said(status: int, text: str, *, query: bool = False) -> Response:
    """A page that says what is wrong; a program gets one line of JSON. query: the text shows a place in a query."""
    if request.endpoint in _PROGRAMS:
        return Response(json.dumps({"error": text}) + "\n", status, content_type="application/json")
    content = rendering.page("error.html", status=status, text=text, query=query)
    return Response(content, status, content_type="text/html; charset=utf-8")
