"""The floors: what a Python program cannot do without. Each is a program of its own."""

IMPORTS = """\
import argparse, email.parser, json, defusedxml.ElementTree, logging, hashlib, tomllib, zlib, sqlite3, sys
from email import message_from_bytes
message_from_bytes(sys.stdin.buffer.read())
"""

OPENSEARCH = """\
import sys
from opensearchpy import OpenSearch
client = OpenSearch([sys.argv[1]])
client.index(index=sys.argv[2], id="one", body={"@timestamp": "2026-11-20T06:12:44Z", "count": 1})
"""

EXPAT = """\
import sys
from xml.parsers import expat
parser = expat.ParserCreate()
parser.StartElementHandler = lambda name, attributes: None
parser.EndElementHandler = lambda name: None
parser.CharacterDataHandler = lambda data: None
with open(sys.argv[1], "rb") as file:
    while piece := file.read(65536):
        parser.Parse(piece)
parser.Parse(b"", True)
"""

MBOX = """\
import os, re, sys, zlib
from email import message_from_bytes
from xml.parsers import expat
with open(sys.argv[1], "rb") as file:
    messages = re.split(rb"(?:\\A|\\n\\n)From [^\\n]*\\n", file.read())[1:]
child = os.fork()
for message in messages[::2] if child else messages[1::2]:
    for part in message_from_bytes(message).walk():
        if part.get_content_type() == "application/gzip":
            parser = expat.ParserCreate()
            parser.StartElementHandler = lambda name, attributes: None
            parser.EndElementHandler = lambda name: None
            parser.CharacterDataHandler = lambda data: None
            parser.Parse(zlib.decompress(part.get_payload(decode=True), 31), True)
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

BULK = """\
import collections, json, sys, time
from opensearchpy import OpenSearch, helpers
actions = []
with open(sys.argv[2], "rb") as file:
    for line in file:
        one = json.loads(line)
        actions.append({"_op_type": "create", **one})
client = OpenSearch([sys.argv[1]], timeout=120)
client.info()
threads, chunk = int(sys.argv[3]), int(sys.argv[4])
started = time.monotonic()
if threads == 1:
    helpers.bulk(client, actions, chunk_size=chunk)
else:
    collections.deque(helpers.parallel_bulk(client, actions, thread_count=threads, chunk_size=chunk), maxlen=0)
print(time.monotonic() - started)
"""
