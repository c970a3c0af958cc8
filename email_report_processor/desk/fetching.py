"""One small document of a registry over HTTPS: bounded in size, time and redirections."""

import json
import urllib.error
import urllib.request
from email.message import Message as Headers
from typing import IO, Any
from urllib.parse import urlsplit

from .. import __version__

LARGEST = 2 * 1024 * 1024  # bytes; the longest list of IANA has 30 KiB, a network at ARIN 60
MOST_REDIRECTIONS = 3  # ARIN sends on to the registry that it transferred a network to
_AGENT = f"email-report-processor/{__version__}"


class FetchError(Exception):
    """It could not be had; the text says what happened. `status` is the server's answer, 0 without one."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class _Redirections(urllib.request.HTTPRedirectHandler):
    max_redirections = MOST_REDIRECTIONS

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Headers, newurl: str
    ) -> urllib.request.Request | None:
        _check(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]  # HTTPMessage is one


def fetch(url: str, seconds: float) -> dict[str, Any]:
    """The JSON object at a URL. Raises FetchError."""
    _check(url)
    request = urllib.request.Request(  # noqa: S310  # checked above
        url, headers={"Accept": "application/rdap+json, application/json", "User-Agent": _AGENT}
    )
    host = urlsplit(url).hostname
    try:
        with urllib.request.build_opener(_Redirections).open(request, timeout=seconds) as answer:
            content = answer.read(LARGEST + 1)
        found = json.loads(content) if len(content) <= LARGEST else None
    except urllib.error.HTTPError as error:
        error.close()  # it is the answer, with its connection
        raise FetchError(f"{host} answered {error.code}", error.code) from error
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise FetchError(f"{host} gave no answer that can be read ({reason})") from error
    if not isinstance(found, dict):
        raise FetchError(f"{host} answered with no JSON object of {LARGEST} bytes or less")
    return found


def _check(url: str) -> None:
    """HTTPS, but for a server on this machine. Raises FetchError."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}):
        raise FetchError(f"{parts.hostname or url[:80]} would be asked without TLS")
