#!/bin/sh
# opensearch-py: when the answer to a write is lost, the write is sent three times more, at once and unasked.
#
# One would guess: a client sends a POST again only when it is told to (`retry_on_timeout` is False by default), and waits
# in between.
# What happens: a connection that breaks after the request was read counts as a dead node, whatever the method: the same
# `POST …/_doc` and `POST /_bulk` go out four times within some milliseconds. Documents without an `_id` of their own are
# stored four times, and the caller sees one ConnectionError.
# Version: opensearch-py 3.2.0 (`max_retries=3`, the default; a pause between them cannot be set).
# Why it matters: a proxy that is restarted while reports come in multiplies their rows, unless each has an id that comes
# from its content; and messages are counted too often for ever.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check opensearch-py==3.2.0
"$work/venv/bin/python" - <<'EOF'
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opensearchpy import ConnectionError, OpenSearch, __versionstr__

stored = []


class Forgetful(BaseHTTPRequestHandler):
    """Takes every document, and breaks the connection before it answers."""

    def do_POST(self):
        stored.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.close_connection = True

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Forgetful)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = OpenSearch(f"http://127.0.0.1:{server.server_port}")


def copies(write):
    stored.clear()
    try:
        write()
    except ConnectionError as error:
        print(f"  {type(error).__name__}; the server has read {len(stored)} equal documents")
    return len(stored) if len(set(stored)) == 1 else -1


print("opensearch-py", __versionstr__)
print("index():")
one = copies(lambda: client.index(index="reports", body={"count": 7}))
print("bulk():")
many = copies(lambda: client.bulk(body='{"create":{"_index":"reports"}}\n{"count":7}\n'))
sys.exit((one, many) != (4, 4))
EOF
