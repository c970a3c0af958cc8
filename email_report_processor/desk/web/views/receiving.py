"""POST /reports: a message or a bare report from a program, through the same code as the mail server's pipe.

Also the way of RFC 8460 §3 for reports over HTTPS. Whatever Content-Type says (application/tlsrpt+gzip,
application/tlsrpt+json, message/rfc822), content decides.
"""

import time
from typing import Any

from flask import Response, json

from ....message.blob import Memory
from ....process import Outcome, describe, process
from ....stores.kept import KeepError
from ....stores.store import StoreError
from ..desk import Answer, Asked
from ..route import Route

_AGAIN = 300  # seconds after which to try again


def receive(asked: Asked) -> Answer:
    """200 stored, 202 a copy is kept, 422 given back where the settings say so, 503 try again: it is our fault."""
    begin = time.monotonic()
    data = asked.request.get_data(cache=False)
    try:
        outcome = process(Memory(data), asked.desk.job)
    except (StoreError, KeepError, OSError) as error:
        asked.desk.log(
            "error", f"desk: POST /reports from {asked.address}, {len(data)} bytes, is to come again: {error}"
        )
        return _answer(503, {"error": "the store is away or a copy cannot be kept; send it again"})
    line = describe(outcome, round(1000 * (time.monotonic() - begin)))
    asked.desk.log("info", f"POST /reports from {asked.address}: {line}")
    for note in outcome.notes:
        asked.desk.log("warning", note)
    gives_back = asked.desk.job.filter.unreadable == "65"
    return _answer(_status(outcome, gives_back=gives_back), _told(outcome))


def _status(outcome: Outcome, *, gives_back: bool) -> int:
    if outcome.verdict is None:
        return 200
    return 422 if gives_back and not outcome.kept else 202


def _told(outcome: Outcome) -> dict[str, Any]:
    """What became of it."""
    reports = outcome.reading.reports if outcome.reading else ()
    verdict = outcome.verdict
    return {
        "reports": [
            {
                "dataset": one.dataset,
                "id": one.head.get("report.id", ""),
                "from": one.head.get("report.org_name") or one.head.get("report.from_domain", ""),
                "domains": one.head.get("report.domain", []),
                "rows": one.rows,
            }
            for one in reports
        ],
        "stored": outcome.written.stored,
        "already": outcome.written.already,
        "kept": verdict.category if verdict and outcome.kept else "",
        "reason": verdict.reason if verdict else "",
    }


def _answer(status: int, told: dict[str, Any]) -> Response:
    response = Response(json.dumps(told) + "\n", status, content_type="application/json")
    if status == 503:
        response.headers["Retry-After"] = str(_AGAIN)
    return response


ROUTES = (Route("/reports", receive, role="", method="POST", message=True, bearer=True),)
