"""The API of OpenSearch Dashboards, a server beside OpenSearch with a URL of its own: importing saved objects.

`POST /api/saved_objects/_import` takes a file in a form, wants the header `osd-xsrf`, and answers 200 also when it
imported nothing: what happened stands in the body (src/core/server/saved_objects/routes/import.ts).
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from ..stores.bulk import Answer
from ..stores.store import StoreError

PATH = "/api/saved_objects/_import"
GLOBAL = "global"  # the tenant that everybody shares

_BOUNDARY = "----email-report-processor-saved-objects"
_TIMEOUT = 120.0  # seconds; an import of our objects takes 2
_SHOWN = 5  # objects that failed, by name
_SAID = 300  # characters of an answer in an error


class Place(NamedTuple):
    """Where Dashboards is, and as whom we come."""

    url: str
    tenant: str = GLOBAL
    username: str = ""
    password: str = ""
    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""
    verify: bool = True
    workspace: str = ""  # id of a workspace; its pages and its API stand below /w/ID

    @property
    def base(self) -> str:
        """What every path follows."""
        return f"{self.url.rstrip('/')}{f'/w/{quote(self.workspace)}' if self.workspace else ''}"


class Imported(NamedTuple):
    """What came of an import that succeeded."""

    number: int  # objects that are there now
    renamed: tuple[str, ...]  # titles of those that got another id (destinationId): links to them lead elsewhere


class Import(NamedTuple):
    """The request that imports saved objects, as it is sent."""

    url: str
    headers: Mapping[str, str]  # without credentials
    ndjson: bytes

    @property
    def form(self) -> bytes:
        """The body: a form with one file (RFC 7578). Dashboards looks at the end of its name."""
        head = (
            f"--{_BOUNDARY}\r\n"
            'Content-Disposition: form-data; name="file"; filename="email-report-processor.ndjson"\r\n'
            "Content-Type: application/x-ndjson\r\n\r\n"
        )
        return head.encode() + self.ndjson + f"\r\n--{_BOUNDARY}--\r\n".encode()


def request(place: Place, ndjson: bytes) -> Import:
    """The request; objects that are there under the same ids are overwritten.

    Raises ValueError for a URL that cannot be used.
    """
    check(place.url)
    headers = {
        "content-type": f"multipart/form-data; boundary={_BOUNDARY}",
        "osd-xsrf": "true",
        "securitytenant": place.tenant,  # without it the import lands in the user's own tenant
    }
    return Import(f"{place.base}{PATH}?{urlencode({'overwrite': 'true'})}", headers, ndjson)


def check(url: str) -> None:
    """Raises ValueError, without repeating a password, for what is no URL of Dashboards."""
    if "@" in url:
        raise ValueError("credentials do not belong into the URL: set [opensearch] username and password_file")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"not a URL of Dashboards: {url!r}; write https://HOST:5601")


def send(place: Place, sent: Import) -> Imported:
    """Import. Raises StoreError, which says in plain words what failed."""
    answer = _post(place, sent)
    body = answer.json
    if answer.status == 200 and isinstance(body, dict) and body.get("success") is True:
        results = [one for one in body.get("successResults") or () if isinstance(one, dict)]
        return Imported(int(body.get("successCount") or 0), tuple(map(_title, filter(_is_renamed, results))))
    raise StoreError(f"Dashboards at {place.url}: {explain(answer)}")


def explain(answer: Answer) -> str:
    """What an answer that is no success means, and what to do."""
    body = answer.json
    if answer.status == 200 and isinstance(body, dict) and "success" in body:
        return _failed_objects(body)
    said = _said(answer)
    for status, words, meaning in _MEANINGS:
        if status == answer.status and words in said:
            return f"{meaning} (it answers {answer.status}: {said})"
    return f"it answers {answer.status}: {said}: see the log of Dashboards"


# (status, words of the answer, what it means and what to do); the first that fits
_MEANINGS: tuple[tuple[int, str, str], ...] = (
    (200, "", "this is not the API of Dashboards: check the URL, and what stands before it"),
    (302, "", "it wants a login, or is elsewhere: check the URL, the user name and the password"),
    (301, "", "it is elsewhere: check the URL"),
    (307, "", "it is elsewhere: check the URL"),
    (308, "", "it is elsewhere: check the URL"),
    (400, "no handler found", "that is OpenSearch; Dashboards is another server, such as https://HOST:5601"),
    (400, "osd-xsrf", "something on the way removes the header osd-xsrf: check what stands before Dashboards"),
    (401, "", "it refuses the user name or the password"),
    (403, "", "this user may not write into this tenant: give it the role operator and the built-in kibana_user"),
    (404, "", "no Dashboards answers there: check the URL, also the base path (server.basePath)"),
    (413, "", "raise the limit of request sizes (savedObjects.maxImportPayloadBytes, or the proxy's)"),
    (422, "more recent version", "Dashboards is too old for these objects: 2.11 or later is needed"),
    (503, "", "it is starting, or does not reach OpenSearch: try again in a minute"),
)  # fmt: skip

# What Dashboards says of one object (src/core/server/saved_objects/import/types.ts) -> for people.
_REASONS = {
    "conflict": "is there already and was not overwritten",
    "ambiguous_conflict": "is there several times under other ids",
    "unsupported_type": "is of a type that this Dashboards does not know: a plugin is missing",
    "missing_references": "needs {references}, not there",
}


def _is_renamed(one: Mapping[str, Any]) -> bool:
    """Also what `overwrite` replaced may have been found by where it came from (originId), under another id."""
    return one.get("destinationId") not in {None, "", one.get("id")}


def _title(one: Mapping[str, Any]) -> str:
    meta = one.get("meta")
    return str(one.get("title") or (meta.get("title") if isinstance(meta, dict) else "") or one.get("id"))


# With one of these Dashboards creates nothing of a file, and counts the others as successes all the same
# (src/core/server/saved_objects/import/create_saved_objects.ts).
_NONE_CREATED = frozenset({"conflict", "ambiguous_conflict", "missing_references"})


def _failed_objects(body: Mapping[str, Any]) -> str:
    errors = [one for one in body.get("errors") or () if isinstance(one, dict)]
    shown = "; ".join(_failed_object(one) for one in errors[:_SHOWN])
    more = f"; and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
    kinds = {str(one["error"].get("type")) for one in errors if isinstance(one.get("error"), dict)}
    number = int(body.get("successCount") or 0)
    if kinds & _NONE_CREATED:
        others = f"; so it imported none of the other {number} either" if number else ""
    else:
        others = f"; it counts {number} that it imported" if number else ""
    return f"{len(errors)} objects were not imported{others}: {shown or 'it does not say why'}{more}"


def _failed_object(one: Mapping[str, Any]) -> str:
    error = one.get("error")
    error = error if isinstance(error, dict) else {}
    needed = ", ".join(f"{ref.get('type')} {ref.get('id')}" for ref in error.get("references") or ())
    reason = _REASONS.get(str(error.get("type")), "").format(references=needed or "something else")
    return f"{one.get('type')} {_title(one)!r} {reason or 'failed: ' + str(error.get('message') or error)}"


def _said(answer: Answer) -> str:
    body = answer.json
    text = str(body.get("message") or body.get("error") or "") if isinstance(body, dict) else ""
    line = " ".join((text or answer.text).split())
    return line[:_SAID] + "…" if len(line) > _SAID else line or "nothing more"


def _post(place: Place, sent: Import) -> Answer:
    """Redirects are not followed: a login page is no answer."""
    import http.client  # 20 ms, for people only

    try:
        connection = _connection(place, sent.url)
        try:
            connection.request("POST", _path(sent.url), sent.form, {**sent.headers, **_credentials(place)})
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise StoreError(f"Dashboards at {place.url} cannot be reached: {why}") from error
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, text)


def _connection(place: Place, url: str) -> Any:
    import http.client
    import ssl  # 6 ms

    parts = urlsplit(url)
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT)
    context = ssl.create_default_context(cafile=place.ca_file or None)
    if place.client_cert:
        context.load_cert_chain(place.client_cert, place.client_key or None)
    if not place.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT, context=context)


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def _credentials(place: Place) -> dict[str, str]:
    if not place.username:
        return {}
    pair = f"{place.username}:{place.password}".encode()  # RFC 7617 §2.1
    return {"authorization": "Basic " + b64encode(pair).decode("ascii")}


def shown(sent: Import) -> str:
    """The request for people, exactly as it is sent but for credentials."""
    head = "".join(f"{name}: {value}\n" for name, value in sent.headers.items())
    return f"POST {sent.url}\n{head}\n{sent.form.decode()}"


def link(place: Place) -> str:
    """Where a browser finds the first dashboard."""
    tenant = quote(place.tenant, safe="")
    return f"{place.base}/app/dashboards?security_tenant={tenant}#/view/{_FIRST}"


_FIRST = "email-report-dashboard-mail-authentication"


def number_of_objects(ndjson: bytes) -> int:
    """Lines of saved objects."""
    return sum(1 for line in ndjson.splitlines() if line.strip() and "exportedCount" not in json.loads(line))
