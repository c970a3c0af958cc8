"""What is looked at before any view: name of the site, user, role, form token; and header fields of every answer."""

from hmac import compare_digest
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from flask import Request, Response

from .attempts import place
from .desk import Asked, Desk
from .rendering import POLICY
from .route import FORM_BYTES, Route
from .sessions import new_id
from .users import ANYBODY, User

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NOBODY = User("")
_FORM_ROOM = 16 * 1024  # bytes around a message in a form
FIELDS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Refused(Exception):  # noqa: N818 - it says what happened, which is no error of ours
    """The request is not answered by its view."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Wait(Refused):
    """Something was tried too often."""

    def __init__(self, reason: str, seconds: int) -> None:
        super().__init__(429, f"{reason}: try again in {seconds} seconds")
        self.seconds = seconds


class Stranger(Refused):
    """Nobody has come in with this browser."""


class _Who(NamedTuple):
    user: User | None
    session: str


def admit(desk: Desk, request: Request, route: Route) -> Asked:
    """The request as its view gets it. Raises Refused."""
    _check_host(desk, request)
    request.max_content_length = desk.options.upload_bytes + _FORM_ROOM if route.message else FORM_BYTES
    request.max_form_memory_size = request.max_content_length
    if route.bearer:
        _check_bearer(desk, request)
        return Asked(desk, request, _NOBODY, "", address(desk, request))
    who = _who(desk, request)
    user = who.user or _NOBODY
    if route.role and who.user is None:
        raise Stranger(401, "log in first")
    if route.role and not user.may(route.role):
        raise Refused(403, f"this needs the role {route.role}, and {user.name} is {user.role}")
    if route.whole and user.domains:
        raise Refused(403, "this belongs to no single domain, and you see those of some domains alone")
    if request.method == "POST":
        _check_origin(request)
        if not desk.sessions.is_form_token(who.session, user.name, request.form.get("form_token", "")):
            raise Refused(
                400, "this form is not from a page of yours, or you logged in again meanwhile: load its page anew"
            )
    return Asked(desk, request, user, who.session or new_id(), address(desk, request))


def _check_bearer(desk: Desk, request: Request) -> None:
    """The token of [web] reports_token_file; wrong ones have to wait as wrong passwords do. Raises Refused."""
    if not desk.token:
        raise Refused(404, "nothing is taken here: [web] reports_token_file is not set")
    word, _, token = request.headers.get("Authorization", "").partition(" ")
    if word.lower() == "bearer" and compare_digest(token.strip().encode(), desk.token.encode()):
        return  # whatever others tried from the same address
    who = f"token {place(address(desk, request))}"
    if wait := desk.attempts.wait(who):
        raise Wait("too many wrong tokens", wait)
    desk.attempts.fail(who)
    raise Refused(401, "write `Authorization: Bearer TOKEN`")


def _check_host(desk: Desk, request: Request) -> None:
    """A name that somebody else lets lead to this address (DNS rebinding) is none of ours."""
    try:
        name = urlsplit(f"//{request.environ.get('HTTP_HOST', '')}").hostname or ""
    except ValueError:
        name = ""
    if name.lower() not in _LOOPBACK | {one.lower() for one in desk.options.hosts}:
        raise Refused(421, "this name is none of this server's: add it to [web] hosts if it is")


def _check_origin(request: Request) -> None:
    """Browsers say where a form came from: `null` where the page has Referrer-Policy: no-referrer, as ours have."""
    origin = request.headers.get("Origin", "null")
    if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"} or (
        origin != "null" and urlsplit(origin).netloc.lower() != request.environ.get("HTTP_HOST", "").lower()
    ):
        raise Refused(400, "this form is from a page of another site")


def _who(desk: Desk, request: Request) -> _Who:
    session = request.cookies.get(cookie_name(desk), "")
    if desk.way == "proxy":
        return _Who(_named_by_proxy(desk, request), session)
    return _Who(desk.sessions.user(session), session)


def _named_by_proxy(desk: Desk, request: Request) -> User | None:
    """The user whom a proxy names; who is no proxy of ours can name nobody."""
    name = request.headers.get(desk.options.user_header, "")
    if name in {"", ANYBODY} or not is_proxy(desk, request):
        return None
    anybody = desk.users.get(ANYBODY)
    return desk.users.get(name) or (anybody._replace(name=name) if anybody else None)


def peer(request: Request) -> str:
    """Who is connected: an address, or `unix`."""
    said = str(request.environ.get("REMOTE_ADDR") or "")
    return "unix" if said in {"", "localhost"} else said  # waitress says localhost of its socket in the file system


def is_proxy(desk: Desk, request: Request) -> bool:
    """Whether the header fields of who is connected are believed."""
    return peer(request) in desk.options.proxies


def address(desk: Desk, request: Request) -> str:
    """Who asks: what our own proxy says last, else who is connected."""
    if is_proxy(desk, request):
        said = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        try:
            return str(ip_address(said))
        except ValueError:
            pass
    return peer(request)


def cookie_name(desk: Desk) -> str:
    """With the prefix that lets no other host and no http page set it (RFC 6265bis §4.1.3)."""
    return "__Host-desk" if desk.options.https else "desk"


def set_cookie(desk: Desk, response: Response, session: str) -> None:
    """A session in the browser, which no script reads and no other site's form brings."""
    response.set_cookie(cookie_name(desk), session, path="/", httponly=True, secure=desk.options.https, samesite="Lax")


def protect(response: Response) -> Response:
    """The header fields of every answer; only what is for everybody is kept anywhere."""
    for name, value in FIELDS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.pop("Server", None)
    return response
