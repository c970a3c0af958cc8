"""What the tests of the reader share: documents read by both passes."""

import itertools
from collections.abc import Iterator

from email_report_processor.message.bounds import Bounds
from email_report_processor.message.payload import Payload
from email_report_processor.reports.xml.reader import Shapes
from email_report_processor.reports.xml.shape import Shape, as_reported, partly_reported
from email_report_processor.reports.xml.survey import Survey, bodies, survey

CONTAINERS = frozenset({"feedback", "report_metadata", "policy_published", "row", "auth_results"})
BOUNDS = Bounds()


def payload(data: bytes, cuts: tuple[int, ...] = (), fault: Exception | None = None) -> Payload:
    def chunks() -> Iterator[bytes]:
        edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
        for start, stop in itertools.pairwise(edges):
            yield data[start:stop]
        if fault:
            raise fault

    return Payload("here", "", chunks)


def look(data: str | bytes, bounds: Bounds = BOUNDS) -> Survey:
    found = survey(payload(data.encode() if isinstance(data, str) else data), bounds, CONTAINERS)
    assert found is not None
    return found


def records(data: str | bytes, bounds: Bounds = BOUNDS) -> list[str]:
    """The records as reported, as both passes find them."""
    whole = payload(data.encode() if isinstance(data, str) else data)
    surveyed = survey(whole, bounds, CONTAINERS)
    if surveyed is None:
        return []
    shapes = Shapes(CONTAINERS, bounds.xml_depth, lambda _: None)
    found = [shapes.read(body) for body in bodies(whole, surveyed.encoding, bounds)]
    assert len(found) == surveyed.rows
    return [_as_reported(shape, texts) for shape, _, texts in found]


def _as_reported(shape: Shape, texts: list[str]) -> str:
    """Whatever is filled in later."""
    said = {
        as_reported(partly_reported(shape.pattern, texts, gaps), [texts[at] for at in gaps])
        for gaps in ((), range(len(texts)), range(0, len(texts), 2))
    }
    (one,) = said
    return one.decode("utf-8", "surrogatepass")


def document(inside: str) -> str:
    return f"<feedback><version>1.0</version>{inside}</feedback>"
