"""The application: every route behind the guard, every fault as a page that says what to do."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, redirect, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from ...logins.state import StateError
from ...settings import SettingsError
from ...stores.query import QueryError
from ...stores.store import StoreError
from ..reporting import ReportingError
from . import rendering
from .audit import AuditError
from .desk import Desk
from .guard import Refused, Stranger, admit, cookie_name, protect, set_cookie
from .route import Route
from .routes import ROUTES


def make_app(desk: Desk) -> Flask:
    """The application of WSGI."""
    app = Flask(__name__, static_folder=None, template_folder=None)
    for route in ROUTES:
        app.add_url_rule(
            route.rule,
            endpoint=f"{route.method} {route.rule}",
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
    app.register_error_handler(SettingsError, lambda error: _said(400, str(error)))
    for fault in (StoreError, AuditError, StateError):
        app.register_error_handler(fault, lambda error: _ours(desk, error))
    return app


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
    return response


def _of_http(error: HTTPException) -> Response:
    return _said(error.code or 500, error.description or error.name)


def _ours(desk: Desk, error: Exception) -> Response:
    desk.log("error", f"desk: {request.path}: {error}")
    return _said(503, str(error))


def _said(status: int, text: str, *, query: bool = False) -> Response:
    """A page that says what is wrong. query: the text shows a place in a query."""
    content = rendering.page("error.html", status=status, text=text, query=query)
    return Response(content, status, content_type="text/html; charset=utf-8")
