"""What 0.1 left, and what becomes of it under the present program.

`0.1.tar.gz` was made by the code of commit 9a50e5f: the messages of its tools/samples.py, fed to it one after the other
with `settings.toml`; `state` is what that left (with the write-ahead log of SQLite, as `os._exit` leaves it), and
`templates.json` what its `templates.requests("PREFIX-")` sent to OpenSearch.
"""
