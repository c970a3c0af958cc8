"""What `doctor` looks at in the store, with no more rights than the filter has.

In OpenSearch a document is really written, twice, into an index of its own (`<prefix>doctor`), which no dashboard looks
at and the writer's role allows. The second answer has the version after the first one's: so the first was stored, and
a user who may read nothing sees it. The index goes again where the user may delete; else one document stays.
"""

import json
import os
import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ..cluster import roles
from ..documents.datasets import BY_NAME
from ..process import Layout
from ..stores import bulk, templates
from ..stores.bulk import Answer
from ..stores.client import OpenSearchOptions
from ..stores.elsewhere import names_of
from ..stores.opensearch import OpenSearchStore
from ..stores.store import StoreError
from .finding import Finding, failure, ok, passed_on, warning
from .indices import check_indices
from .machine import cannot_write, nearest, size

_DOCUMENT = "doctor"  # always the same id
_SOON = 30  # days before a certificate ends
_CLOCK = 60.0  # seconds that two clocks may differ
_LIMIT = 51_200_000  # bytes: mailbox_size_limit of Postfix as it comes, which its local(8) sets for files


def check_opensearch(store: OpenSearchStore, options: OpenSearchOptions, layout: Layout) -> Iterator[Finding]:
    """Everything, until something fails without which the rest cannot be looked at."""
    urls, prefix = (*store.name.split(","),), layout.index_prefix
    yield from _check_places(urls, options)
    try:
        answer = store.request("GET", f"/_index_template/{templates.base_name(prefix)}-*")
        yield from _check_access(store.name, options, answer)
        if answer.status in {200, 404}:
            there = yield from passed_on(_check_templates(prefix, answer))
            written = yield from passed_on(check_writing(store, options, prefix))
            yield from _check_names(store, prefix)
            if there and written:  # else it would be said twice
                yield from check_indices(store, options, prefix, layout.index_period, datetime.now(UTC))
            yield from _check_clock(store, answer)
    except StoreError as error:
        yield failure("store", str(error), "the filter answers 75 until it can be reached: the mail server keeps all")


def _check_places(urls: Sequence[str], options: OpenSearchOptions) -> Iterator[Finding]:
    """Every node by itself: one that is away costs time, and one certificate ends before the others."""
    for url in urls:
        place = urlsplit(url)
        if place.scheme == "https":
            yield _certificate(place, options)
        elif _is_here(place.hostname or ""):
            yield ok("certificate", f"{url}: no TLS, and it does not leave this machine")
        else:
            text = f"{url}: passwords and reports pass through the network in the clear"
            yield warning("certificate", text, "write https://, and let OpenSearch speak TLS")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _certificate(place: SplitResult, options: OpenSearchOptions) -> Finding:
    url, host, port = place.geturl(), place.hostname or "", place.port or 443
    if not options.verify:
        return warning("certificate", f"{url}: any is believed", "set [opensearch] ca_file instead of verify = false")
    try:
        context = ssl.create_default_context(cafile=options.ca_file or None)
        if options.client_cert:
            context.load_cert_chain(options.client_cert, options.client_key or None)
        plain = socket.create_connection((host, port), options.timeout)
        with plain, context.wrap_socket(plain, server_hostname=host) as secured:
            certificate = secured.getpeercert() or {}
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", "") or error.strerror or str(error)
        return failure("certificate", f"{url}: {why}", "name the authority that signed it with [opensearch] ca_file")
    except OSError as error:  # nothing was shown; or a file of ours cannot be read
        return failure(
            "certificate",
            f"{error.filename or url}: {error.strerror or error}",
            "see that the server runs, that the URL is right and that the files of [opensearch] can be read",
        )
    end = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    days = int((end - time.time()) // 86400)
    text = f"{url}: good until {datetime.fromtimestamp(end, UTC):%Y-%m-%d} ({days} days)"
    return ok("certificate", text) if days >= _SOON else warning("certificate", text, "renew it")


def _check_access(name: str, options: OpenSearchOptions, answer: Answer) -> Iterator[Finding]:
    user = f"user {options.username}" if options.username else "without a user name"
    if answer.status in {200, 404}:
        yield ok("store", f"{name} answers")
        yield ok("credentials", f"{user}{', signed for AWS' if options.aws_region else ''}")
    elif answer.status == 401:
        said = bulk.refusal(name, answer)
        yield failure("credentials", f"{user}: {said}", "set [opensearch] username and password_file")
    elif answer.status == 403:
        yield failure("rights", f"{user}: {bulk.refusal(name, answer)}", _ROLE)
    else:
        yield failure("store", str(bulk.refusal(name, answer)), "check [store] url")


_ROLE = "give this user the role of the writer: `email-report-admin setup --roles` prints it"
_SETUP = "run `email-report-admin setup` as one who may"


def _check_templates(prefix: str, answer: Answer) -> Iterator[Finding]:
    value = answer.json
    listed = value.get("index_templates", []) if isinstance(value, dict) else []
    found = {one["name"]: int(one["index_template"].get("version") or 0) for one in listed}
    versions = {name: found.get(templates.template_name(prefix, name), -1) for name in BY_NAME}
    absent = [name for name, version in versions.items() if version < 0]
    older = [name for name, version in versions.items() if 0 <= version < templates.VERSION]
    if absent:
        yield failure("templates", f"none for {', '.join(absent)}", _SETUP)
    if older:
        text = f"older than this program: {', '.join(older)}; new fields are kept and cannot be searched"
        yield warning("templates", text, _SETUP)
    if not absent and not older:
        newer = any(version > templates.VERSION for version in versions.values())
        text = f"version {max(versions.values())}{', put by a later version of this program' if newer else ''}"
        yield ok("templates", text)


def _check_names(store: OpenSearchStore, prefix: str) -> Iterator[Finding]:
    """The filter looks whether a report lies in another index of its dataset (`…-outofrange`, another period)."""
    answer = store.request("GET", f"{names_of(prefix)}?filter_path=indices.name")
    if answer.status == 403:
        text = "this user may not see the names of indices (indices:admin/resolve/index): what lies in another index of"
        remedy = "run `email-report-admin setup --only roles`, or add that right to the role of the writer"
        yield warning("rights", f"{text} its dataset, such as …-outofrange, is stored and counted again", remedy)


def check_writing(store: OpenSearchStore, options: OpenSearchOptions, prefix: str) -> Iterator[Finding]:
    """Write as the filter does, also through each of its pipelines, and see that it is stored. Raises StoreError."""
    index = roles.doctor_index(prefix)
    store.request("PUT", f"/{index}", _settings(options))  # else the write makes it: what counts is the write
    yield from _write(store, index)
    for name in sorted({name for name in options.pipelines.values() if name}):
        yield _through(store, index, name)
    store.request("DELETE", f"/{index}")  # 403 for the writer: one document stays


def _settings(options: OpenSearchOptions) -> dict[str, Any]:
    index = {"number_of_shards": 1, "hidden": True, **templates.copies(options.replicas)}
    return {"settings": {"index": index}, "mappings": {"dynamic": False}}


def _write(store: OpenSearchStore, index: str) -> Iterator[Finding]:
    first, second = (_version(store.request("POST", "/_bulk", _bulk(index))) for _ in range(2))
    for answer in (first, second):
        if isinstance(answer, tuple):
            text, remedy = answer
            yield failure("rights", f"writing {index}/{_DOCUMENT}: {text}", remedy)
            return
    if second != first + 1:  # type: ignore[operator]  # both are numbers here
        text = f"{index}/{_DOCUMENT} was answered with success and is not there: version {first}, then {second}"
        yield failure("rights", text, "something between answers in the place of OpenSearch: check the URL")
    else:
        yield ok("rights", f"wrote {index}/{_DOCUMENT}, and it is there (version {second})")


def _through(store: OpenSearchStore, index: str, pipeline: str) -> Finding:
    answer = _version(store.request("POST", "/_bulk", _bulk(index, pipeline)))
    if isinstance(answer, tuple):
        remedy = "run `email-report-admin setup --only pipelines`, or name no pipeline in [opensearch] pipelines"
        return failure("pipelines", f"{pipeline}: {answer[0]}", remedy)
    return ok("pipelines", f"{pipeline} takes documents")


def _bulk(index: str, pipeline: str = "") -> bytes:
    """`index`, not `create`: what the doctor wrote before is written again, so that it is really a write."""
    action = {"_index": index, "_id": _DOCUMENT, **({"pipeline": pipeline} if pipeline else {})}
    return json.dumps({"index": action}).encode() + b"\n{}\n"


def _version(answer: Answer) -> int | tuple[str, str]:
    """Of the document that was written; or what was said against it, and what to do."""
    value = answer.json
    try:
        item: Mapping[str, Any] = value["items"][0]["index"]
        status = int(item["status"])
        if status in {200, 201}:
            return int(item["_version"])
        type_, reason = str(item["error"]["type"]), str(item["error"]["reason"])
    except (KeyError, IndexError, TypeError, ValueError):
        return str(bulk.refusal("a bulk", answer)), bulk.remedy_of(answer)
    return f"{status} {type_}: {reason}", bulk.remedy(status, type_, reason)


def _check_clock(store: OpenSearchStore, answer: Answer) -> Iterator[Finding]:
    """Against the Date of a proxy, or what OpenSearch tells those who may ask for its health."""
    theirs = _date(answer.headers.get("date", ""))
    if theirs is None:
        health = store.request("GET", "/_cat/health?h=epoch&format=json").json
        theirs = _epoch(health)
    if theirs is None:
        yield ok("clocks", "this user cannot ask OpenSearch for its own time")
        return
    apart = time.time() - theirs
    if abs(apart) > _CLOCK:
        text = f"{abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} OpenSearch"
        yield warning("clocks", text, "set both clocks: timedatectl set-ntp true")
    else:
        yield ok("clocks", "that of OpenSearch agrees")


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except ValueError:
        return None


def _epoch(health: Any) -> float | None:
    try:
        return float(health[0]["epoch"])
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def check_sqlite(path: str) -> Iterator[Finding]:
    """A write that is really made, and taken back; the size against the limit that a mail server sets."""
    import sqlite3  # 5 ms, for this store alone

    from ..stores.sqlite import size_state

    if not os.path.exists(path):
        directory = nearest(Path(path).parent)
        if fault := cannot_write(directory):
            yield failure("store", f"{path}: {directory} {fault}", "correct owner and mode of the directory")
        else:
            yield ok("store", f"{path} will be made with the first report")
        return
    try:
        connection = sqlite3.connect(path, timeout=10)
        try:
            yield from _try_sqlite(connection, path)
        finally:
            connection.close()
    except sqlite3.Error as error:
        yield failure("store", f"{path}: {error}", "correct owner and mode of the file and its directory, make room")
        return
    bytes_, limit = size_state(path)
    allowed = limit or _LIMIT
    if bytes_ > 0.8 * allowed:
        text = f"{size(bytes_)} of {size(allowed)} that {'is' if limit else 'Postfix local(8) has'} allowed for a file"
        remedy = "raise mailbox_size_limit, use pipe(8), or `email-report-admin copy` it to OpenSearch"
        yield warning("size", text, remedy)
    else:
        yield ok("size", f"{size(bytes_)}")


def _try_sqlite(connection: Any, path: str) -> Iterator[Finding]:
    connection.isolation_level = None
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("INSERT OR REPLACE INTO documents VALUES ('doctor', 'doctor', '{}')")
        (number,) = connection.execute("SELECT count(*) FROM documents WHERE idx = 'doctor'").fetchone()
    finally:
        connection.execute("ROLLBACK")
    if number == 1:
        yield ok("store", f"{path} takes documents")
    else:
        yield failure("store", f"{path} does not keep what is written", "move it away, and look at the disk")
