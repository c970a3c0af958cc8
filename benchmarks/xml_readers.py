"""Which XML reader: each makes the same lists of (name, children or text) of the same records, in one process each.

`python -m benchmarks.xml_readers [ROWS]` prints CPU time as a multiple of an expat scan with empty Python handlers, and
peak memory. What was found stands in xml_readers.md. lxml takes part when it is installed.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from email_report_processor.message.bounds import Bounds
from email_report_processor.message.payload import Payload
from email_report_processor.reports.xml.reader import Shapes
from email_report_processor.reports.xml.survey import bodies, survey

from . import messages

CHUNK = 64 * 1024
CONTAINERS = frozenset({"row", "policy_evaluated", "identifiers", "auth_results", "dkim", "spf"})


def chunks(path: Path) -> Iterator[bytes]:
    """A file in pieces."""
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece


# --- judging alone (the first pass) ---


def scan(path: Path, **handlers: Any) -> int:
    """Expat with some handlers."""
    import pyexpat

    parser = pyexpat.ParserCreate(intern=handlers.pop("intern", {}))
    for name, handler in handlers.items():
        setattr(parser, name, handler)
    for piece in chunks(path):
        parser.Parse(piece, False)
    parser.Parse(b"", True)
    return 0


def floor(path: Path) -> int:
    """Expat with empty Python handlers: the floor."""
    return scan(
        path,
        StartElementHandler=lambda _name, _attributes: None,
        EndElementHandler=lambda _name: None,
        CharacterDataHandler=lambda _text: None,
    )


def scan_without_handlers(path: Path) -> int:
    """Expat without handlers."""
    return scan(path)


def scan_with_c_handlers(path: Path) -> int:
    """Expat with methods of a dict as handlers, which see nested names but no depth."""
    opened: dict[str, Any] = {}
    return scan(path, StartElementHandler=opened.setdefault, EndElementHandler=opened.pop)


def scan_with_depth(path: Path) -> int:
    """Expat with Python handlers that count the depth."""
    depth = 0

    def start(_name: str, _attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    return scan(path, StartElementHandler=start, EndElementHandler=end)


def our_survey(path: Path) -> int:
    """Ours: expat without handlers, SHA-256, splitting into records, depth and sizes."""
    found = survey(Payload("", "", lambda: chunks(path)), Bounds(), CONTAINERS)
    assert found is not None
    return found.rows


# --- reading the records (the second pass) ---


def our_records(path: Path) -> int:
    """Ours: split at the record's end tag, then at tags; what the tags mean is looked up by all of them at once."""
    shapes: Shapes[None] = Shapes(CONTAINERS, 64, lambda _: None)
    rows = 0
    for body in bodies(Payload("", "", lambda: chunks(path)), "utf-8", Bounds()):
        shapes.read(body)
        rows += 1
    return rows


def expat_records(path: Path) -> int:
    """Expat with our handlers, buffer_text: a list of names and texts for each record."""
    import pyexpat

    parser = pyexpat.ParserCreate(intern={})
    parser.buffer_text = True
    rows: list[list[Any]] = []
    tokens: list[Any] = []

    def end(name: str) -> None:
        tokens.append(None)
        if name == "record":
            rows.append(tokens.copy())
            tokens.clear()

    parser.StartElementHandler = lambda name, _attributes: tokens.append(name)
    parser.EndElementHandler = end
    parser.CharacterDataHandler = tokens.append
    count = 0
    for piece in chunks(path):
        parser.Parse(piece, False)
        count += len(rows)
        rows.clear()
    return count


def _walk(record: Any) -> list[Any]:
    return [(one.tag, len(one) or (one.text or "").strip()) for one in record.iter()]


def element_tree_records(path: Path) -> int:
    """ElementTree's parser in C; complete records are taken out after each piece."""
    from xml.etree import ElementTree as ET

    builder = ET.TreeBuilder()
    top = builder.start("#top", {})
    parser = ET.XMLParser(target=builder)
    rows = 0
    for piece in chunks(path):
        parser.feed(piece)
        for record in top[0][:-1]:  # the last one may not be complete
            _walk(record)
            rows += record.tag == "record"
        del top[0][:-1]
    return rows + sum(one.tag == "record" for one in top[0])


def _iterparse(events: Any) -> int:
    rows = 0
    root = None
    for _, element in events:
        if root is None:
            root = element
        if element.tag == "record":
            _walk(element)
            rows += 1
            root.clear()
    return rows


def defusedxml_records(path: Path) -> int:
    """defusedxml's iterparse."""
    import defusedxml.ElementTree

    with path.open("rb") as file:
        events = defusedxml.ElementTree.iterparse(file, events=("start", "end"), forbid_dtd=True)
        return _iterparse((event, one) for event, one in events if event == "end" or one.tag == "feedback")


def lxml_records(path: Path) -> int:
    """lxml's iterparse of records: no entities, no network, no DTD, recovering."""
    etree = import_module("lxml.etree")  # not among our dependencies
    rows = 0
    with path.open("rb") as file:
        for _, record in etree.iterparse(
            file, tag="record", resolve_entities=False, no_network=True, load_dtd=False, recover=True, huge_tree=True
        ):
            _walk(record)
            rows += 1
            record.clear()
            while record.getprevious() is not None:
                del record.getparent()[0]
    return rows


READERS: tuple[Callable[[Path], int], ...] = (
    floor,
    scan_without_handlers,
    scan_with_c_handlers,
    scan_with_depth,
    our_survey,
    our_records,
    expat_records,
    element_tree_records,
    defusedxml_records,
    lxml_records,
)


def measure(reader: Callable[[Path], int], path: Path) -> tuple[float, float, int]:
    """CPU seconds (the best of three), peak MiB, and rows, of a reader in a process of its own."""
    out, into = os.pipe()
    if (child := os.fork()) == 0:
        best = 1e9
        try:
            for _ in range(3):
                start = time.process_time()
                rows = reader(path)
                best = min(best, time.process_time() - start)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            os.write(into, f"{best} {peak} {rows}".encode())
        finally:
            os._exit(0)
    os.close(into)
    with os.fdopen(out) as answer:
        words = answer.read().split()
    os.waitpid(child, 0)
    if not words:
        return 0.0, 0.0, -1
    return float(words[0]), float(words[1]), int(words[2])


def main(rows: int) -> None:
    """Measure every reader on one report."""
    with tempfile.TemporaryDirectory() as folder:
        path = messages.write_xml(Path(folder) / "report.xml", rows)
        print(f"{rows:,} rows, {path.stat().st_size / 1e6:.1f} MB, sha256 {sha256(path.read_bytes()).hexdigest()[:12]}")
        least, _, _ = measure(floor, path)
        for reader in READERS:
            seconds, peak, found = measure(reader, path)
            if found < 0:
                print(f"{reader.__name__:24} not available")
                continue
            assert found in {0, rows}, (reader.__name__, found)
            print(f"{reader.__name__:24} {seconds:7.2f} s {seconds / least:6.2f} x {peak:6.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
