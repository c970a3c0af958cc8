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
