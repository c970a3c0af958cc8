"""`https+webhook://HOST/PATH`: batches of JSON lines by POST, signed with a secret that both sides know.

2xx                      taken, all of it
409                      there already, all of it (by the Idempotency-Key)
408, 429, 5xx            again later, as Retry-After says
413                      in halves
422 (RFC 9110 §15.5.21)  in halves, and what is refused alone is the document's own fault
anything else            ours: StoreError (401, 403, 404, a redirect, a wrong signature)
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import SplitResult

from . import bulk, ndjson, place, secret
from .others import Chosen
from .store import Rejected, Row, Store, Written
from .unreadable import Unreadable
from .web import Waiting, Web, send

_FORM = "https+webhook://HOST[:PORT]/PATH"


class WebhookOptions(NamedTuple):
    """How a webhook is asked."""

    secret_file: str = ""  # file whose first line is the secret that signs each request (HMAC-SHA256)
    token_file: str = ""  # file whose first line goes into `Authorization: Bearer`
    ca_file: str = ""  # certificates (PEM) to trust instead of the system's
    timeout: float = 20.0  # seconds for one request


def open_url(url: str, chosen: Chosen) -> Store:
    """See others.open_other."""
    parts = place.read(url, _FORM, "webhook")
    if parts.query:
        raise ValueError(f"a query may hold a token, and logs show URLs: write {_FORM}, and set [webhook] token_file")
    if parts.scheme == "http+webhook":
        place.insist_on_tls(parts, _FORM)
    options = chosen.options("webhook", WebhookOptions)
    waiting = Waiting(chosen.budget, options.timeout, time.sleep, time.monotonic, chosen.insists)
    return WebhookStore(parts, options, waiting)


class WebhookStore(Unreadable):
    """A web server that takes documents."""

    def __init__(
        self,
        parts: SplitResult,
        options: WebhookOptions,
        waiting: Waiting,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = f"{parts.scheme}://{parts.netloc}"  # paths of webhooks are secrets at times
        self._path = parts.path or "/"
        self._options = options
        self._web = Web(self.name, parts, options.ca_file, waiting)
        self._clock = clock

    def write(self, rows: Iterable[Row]) -> Written:
        """See Store. What was sent and not answered for is sent again: the id tells."""
        return send(rows, self._post)

    def close(self) -> None:
        """See Store."""
        self._web.close()

    def _post(self, rows: Sequence[Row]) -> Written:
        data = b"".join(map(ndjson.line, rows))
        answer = self._web.post(self._path, data, self._headers(data, rows), self._web.patience())
        if 200 <= answer.status < 300:
            return Written(len(rows), 0)
        if answer.status == 409:
            return Written(0, len(rows))
        if answer.status not in {413, 422} or (answer.status == 413 and len(rows) == 1):
            raise bulk.refusal(self.name, answer)
        if len(rows) == 1:
            return Written(0, 0, (Rejected(rows[0], f"{self.name} answers 422: {bulk.said(answer)}"),))
        half = len(rows) // 2
        return self._post(rows[:half]) + self._post(rows[half:])

    def _headers(self, data: bytes, rows: Sequence[Row]) -> Mapping[str, str]:
        """The signature is over the time, a dot, and the body: whoever keeps a request cannot send it later."""
        key = hashlib.sha256("\n".join(row.id for row in rows).encode()).hexdigest()
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": f'"{key}"'}
        if shared := secret.read(self._options.secret_file, "[webhook] secret_file"):
            now = str(int(self._clock()))
            made = hmac.new(shared.encode(), now.encode() + b"." + data, hashlib.sha256).hexdigest()
            headers |= {"X-Email-Report-Timestamp": now, "X-Email-Report-Signature": f"sha256={made}"}
        if token := secret.read(self._options.token_file, "[webhook] token_file"):
            headers["Authorization"] = f"Bearer {token}"
        return headers
