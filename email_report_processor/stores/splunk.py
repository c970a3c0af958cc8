"""`splunk+https://HOST:8088`: the HTTP Event Collector of Splunk, with indexer acknowledgement.

A 200 only says that Splunk has it in memory; so each batch is asked after (`/services/collector/ack`) until Splunk says
that it is indexed. Splunk has no ids: what is sent again is there again, with the same `id` among its fields.
"""

import json
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import SplitResult

from . import bulk, place, secret
from .bulk import Answer, Trouble
from .others import Chosen
from .patience import Patience
from .store import Rejected, Row, Store, StoreError, Written
from .unreadable import Unreadable
from .web import Waiting, Web, send

_FORM = "splunk+https://HOST:8088"
_EVENT, _ACK = "/services/collector/event", "/services/collector/ack"
_DOCUMENTS_FAULT = frozenset({5, 6, 12, 13, 15})  # codes: no data, invalid format, event absent, blank, fields
_BUSY = frozenset({8, 9, 18, 23, 26, 27})  # internal error, busy, queues full, shutting down
_REMEDIES = {
    1: "the token is disabled: enable it in Splunk",
    2: "set [splunk] token_file",
    3: "set [splunk] token_file",
    4: "the token is not known: correct [splunk] token_file",
    7: "the token may not write to [splunk] into: allow it, or set another",
    14: "acknowledgement is off for this token: switch it on in Splunk, or set [splunk] acknowledge = false",
}


class SplunkOptions(NamedTuple):
    """What is special to Splunk."""

    token_file: str = ""  # file whose first line is the token of the HTTP Event Collector
    into: str = ""  # index of Splunk; '' is the token's own
    source: str = "email-report-processor"
    acknowledge: bool = True  # false believes the first answer: what Splunk has in memory only may be lost
    ca_file: str = ""  # certificates (PEM) to trust instead of the system's
    timeout: float = 20.0  # seconds for one request


def open_url(url: str, chosen: Chosen) -> Store:
    """See others.open_other."""
    parts = place.read(url, _FORM, "splunk")
    if parts.path.strip("/") or parts.query:
        raise ValueError(f"not a URL of the form {_FORM}")
    if parts.scheme == "splunk+http":
        place.insist_on_tls(parts, _FORM)
    options = chosen.options("splunk", SplunkOptions)
    waiting = Waiting(chosen.budget, options.timeout, time.sleep, time.monotonic, chosen.insists)
    return SplunkStore(parts._replace(netloc=parts.netloc if parts.port else f"{parts.netloc}:8088"), options, waiting)


class SplunkStore(Unreadable):
    """The collector of a Splunk."""

    def __init__(self, parts: SplitResult, options: SplunkOptions, waiting: Waiting) -> None:
        self.name = f"{parts.scheme}://{parts.netloc}"
        self._options = options
        self._web = Web(self.name, parts, options.ca_file, waiting)
        self._channel = str(uuid.uuid4())

    def write(self, rows: Iterable[Row]) -> Written:
        """See Store. Raises StoreError also when Splunk does not say in time that it has indexed all."""
        return send(rows, self._post)

    def close(self) -> None:
        """See Store."""
        self._web.close()

    def _post(self, rows: Sequence[Row]) -> Written:
        patience = self._web.patience()
        data = b"".join(self._event(row) for row in rows)
        while True:
            answer = self._web.post(_EVENT, data, self._headers(), patience)
            code = _code(answer)
            if answer.status == 200 and code == 0:
                self._wait_for(answer, patience)
                return Written(len(rows), 0)
            if answer.status == 413 or code in _DOCUMENTS_FAULT:
                return self._parted(rows, answer)
            if code not in _BUSY:
                raise self._refusal(answer)
            patience.wait(Trouble(f"answers {answer.status}: {bulk.said(answer)}"))

    def _parted(self, rows: Sequence[Row], answer: Answer) -> Written:
        """In halves: what is refused alone is the document's own fault; its size is a limit of theirs."""
        if len(rows) == 1:
            if answer.status == 413:
                raise self._refusal(answer)
            return Written(0, 0, (Rejected(rows[0], f"{self.name}: {bulk.said(answer)}"),))
        half = len(rows) // 2
        return self._post(rows[:half]) + self._post(rows[half:])

    def _wait_for(self, answer: Answer, patience: Patience) -> None:
        """Until it is indexed. Raises StoreError."""
        if not self._options.acknowledge:
            return
        number = answer.json.get("ackId")
        if not isinstance(number, int):
            raise StoreError(f"{self.name} gives no ackId: {_REMEDIES[14]}")
        question = json.dumps({"acks": [number]}).encode()
        while True:
            said = self._web.post(f"{_ACK}?channel={self._channel}", question, self._headers(), patience)
            value = said.json
            acks = value.get("acks") if isinstance(value, dict) else None
            if said.status != 200 or not isinstance(acks, dict):
                raise self._refusal(said)
            if acks.get(str(number)) is True:
                return
            patience.wait(Trouble("has not indexed what it took"))

    def _event(self, row: Row) -> bytes:
        source: dict[str, Any] = json.loads(row.source)
        dataset = source.get("event", {}).get("dataset", "")
        made = {
            "time": _seconds(source.get("@timestamp", "")),
            "source": self._options.source,
            "sourcetype": f"email-report:{dataset}",
            "index": self._options.into,
            "event": {"id": row.id, **source},
            "fields": {"id": row.id, "dataset": dataset},
        }
        lean = {name: value for name, value in made.items() if value or value == 0}
        return json.dumps(lean, ensure_ascii=False).encode() + b"\n"

    def _headers(self) -> Mapping[str, str]:
        token = secret.read(self._options.token_file, "[splunk] token_file")
        headers = {"Content-Type": "application/json", "X-Splunk-Request-Channel": self._channel}
        return {**headers, **({"Authorization": f"Splunk {token}"} if token else {})}

    def _refusal(self, answer: Answer) -> StoreError:
        remedy = _REMEDIES.get(_code(answer)) or bulk.remedy_of(answer)
        return StoreError(f"{self.name} answers {answer.status}: {bulk.said(answer)}: {remedy}")


def _code(answer: Answer) -> int:
    """Of Splunk's own; -1 when there is none."""
    value = answer.json
    code = value.get("code") if isinstance(value, dict) else None
    return code if isinstance(code, int) else -1


def _seconds(moment: str) -> float | None:
    """Of an event, since 1970."""
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return None
