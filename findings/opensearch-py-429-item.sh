#!/bin/sh
# opensearch-py: `helpers.bulk(max_retries=3)` does not try an overloaded item again, but raises.
#
# One would guess: `max_retries` ("maximum number of times a document will be retried when 429 is received") is what it
# takes. The documentation of the helper says no more.
# What happens: with the default `raise_on_error=True` the first 429 of an item raises BulkIndexError at once; nothing is
# sent again. Only together with `raise_on_error=False` is the item tried again.
# Version: opensearch-py 3.2.0.
# Why it matters: 429 is what a busy cluster answers to some documents of a request. Who stores e-mail reports with the
# helper, and takes the exception for the document's own fault, drops rows that the store would have taken a second later.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check opensearch-py==3.2.0
"$work/venv/bin/python" - <<'EOF'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opensearchpy import OpenSearch, __versionstr__, helpers

requests = 0


class Busy(BaseHTTPRequestHandler):
    """An OpenSearch that is overloaded the first time."""

    def do_POST(self):
        global requests
        requests += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        item = {"_index": "reports", "_id": "1", "status": 429 if requests == 1 else 201}
        if requests == 1:
            item["error"] = {"type": "rejected_execution_exception", "reason": "queue is full"}
        body = json.dumps({"took": 1, "errors": requests == 1, "items": [{"create": item}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = OpenSearch(f"http://127.0.0.1:{server.server_port}")
actions = [{"_op_type": "create", "_index": "reports", "_id": "1", "count": 1}]


def attempt(**options):
    global requests
    requests = 0
    try:
        outcome = f"{helpers.bulk(client, actions, max_retries=3, initial_backoff=0.1, **options)[0]} stored"
    except helpers.BulkIndexError as error:
        outcome = f"BulkIndexError, status {error.errors[0]['create']['status']}"
    return f"{outcome}, requests: {requests}"


print("opensearch-py", __versionstr__)
default, lenient = attempt(), attempt(raise_on_error=False)
print("max_retries=3:                      ", default)
print("max_retries=3, raise_on_error=False:", lenient)
sys.exit((default, lenient) != ("BulkIndexError, status 429, requests: 1", "1 stored, requests: 2"))
EOF
