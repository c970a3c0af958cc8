"""Coming in and leaving: log-in by password, by the token of the URL that the start prints; and the style sheet."""

from flask import Response, redirect

from .. import guard, rendering
from ..attempts import place
from ..desk import Answer, Asked, Desk
from ..guard import Refused, Wait
from ..route import Route
from ..users import User, is_password


def login_page(asked: Asked) -> Answer:
    """The form."""
    if asked.desk.way != "users":
        raise Refused(404, "nobody logs in here by a password")
    return asked.page("login.html", next=_path(asked.args.get("next", "/")), token="", failed="")


def log_in(asked: Asked) -> Answer:
    """A session for the right password."""
    name, password = asked.form.get("name", ""), asked.form.get("password", "")
    _may_try(asked, name)
    home = asked.desk.home_of(name)
    user = home.users.get(name)
    if asked.desk.way != "users" or not is_password(user, password):
        asked.desk.attempts.fail(f"name {name}", f"address {place(asked.address)}")
        asked.desk.audit(name, asked.address, "log-in refused")
        page = asked.page(
            "login.html", next=_path(asked.form.get("next", "/")), token="", failed="Wrong name or password."
        )
        return Response(page, 401, content_type="text/html; charset=utf-8")
    assert user is not None
    asked.desk.attempts.forget(f"name {name}")
    return _come_in(asked, user, asked.form.get("next", "/"), home)


def entrance_page(asked: Asked, token: str) -> Answer:
    """The address that the start prints: a button, since a GET changes nothing and may come from who looks ahead."""
    return asked.page("login.html", next="/", token=token, failed="")


def enter(asked: Asked) -> Answer:
    """A session for the one-time token."""
    _may_try(asked, "")
    user = asked.desk.entrance.take(asked.form.get("token", ""))
    if user is None:
        asked.desk.attempts.fail(f"address {place(asked.address)}")
        asked.desk.audit("", asked.address, "entrance refused")
        raise Refused(401, "this address was used already, or is none: start `email-report-admin desk` again")
    return _come_in(asked, user, "/", asked.desk)


def leave(asked: Asked) -> Answer:
    """Log out."""
    asked.note("logged out")
    asked.desk.sessions.end(asked.session)
    response = redirect("/login" if asked.desk.way == "users" else "/", 303)
    response.delete_cookie(guard.cookie_name(asked.desk), path="/", secure=asked.desk.options.https, httponly=True)
    return Response(response.get_data(), response.status, response.headers)


def style(_asked: Asked) -> Answer:
    """The looks of every page; its address changes with it."""
    response = Response(rendering.stylesheet(), content_type="text/css; charset=utf-8")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def _may_try(asked: Asked, name: str) -> None:
    if wait := asked.desk.attempts.wait(f"name {name}", f"address {place(asked.address)}"):
        raise Wait("too many log-ins failed", wait)


def _come_in(asked: Asked, user: User, path: str, home: Desk) -> Answer:
    """A new session, so that nobody can have planted it; then to the page that was asked for."""
    home.audit(user.name, asked.address, "came in")
    made = redirect(_path(path), 303)
    response = Response(made.get_data(), made.status, made.headers)
    guard.set_cookie(asked.desk, response, home.sessions.begin(user))
    return response


def _path(said: str) -> str:
    """A path of this server: never another host's. Browsers leave tabs out of it, and take a backslash for a slash."""
    plain = said.isprintable() and "\\" not in said
    return said if plain and said.startswith("/") and not said.startswith("//") else "/"


ROUTES = (
    Route("/style.css", style, role=""),
    Route("/login", login_page, role=""),
    Route("/login", log_in, role="", method="POST"),
    Route("/enter/<token>", entrance_page, role=""),
    Route("/enter", enter, role="", method="POST"),
    Route("/logout", leave, method="POST"),
)
