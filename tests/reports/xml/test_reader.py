"""Records of a frequent shape are read by a pattern: it says what splitting them says, or nothing."""

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.messages import xml
from email_report_processor.reports.xml import reader
from email_report_processor.reports.xml.reader import Shapes, matcher
from email_report_processor.reports.xml.shape import Shape, read_shape, split

CONTAINERS = frozenset({"record", "row", "auth_results", "dkim", "spf"})
TAGS = ["row", "/row", "count", "/count", "dkim", "/dkim", "a:x", "/a:x", "e/", 'q a="1"', 'q a="x>y"', "/q"]
PIECES = st.sampled_from(
    [*(f"<{tag}>" for tag in TAGS), "7", " \n", "&amp;", "&#65;", ">", "<", '"', "\r\n", "é", "<>"]
)
BODIES = st.lists(PIECES, max_size=14).map("".join)
Result = tuple[Shape, None, list[str]]


def shapes() -> Shapes[None]:
    return Shapes(CONTAINERS, 64, lambda _: None)


def said(result: Result) -> tuple[object, ...]:
    shape, _, texts = result
    return shape.leaves, shape.pattern, texts


@given(BODIES, st.lists(BODIES, min_size=1, max_size=5))
def test_the_pattern_of_one_record_reads_others_alike(first: str, others: list[str]) -> None:
    quick = shapes()
    for _ in range(reader._OFTEN):
        quick.read(first)
    alike = [first.replace("7", text) for text in (" &lt;8 ", "7\r\n8", "7\r8", "7 > 8", "7<8", "")]
    for body in (first, *others, *alike, first.replace("\n", "")):
        assert said(quick.read(body)) == said(shapes().read(body))


@given(BODIES, BODIES)
def test_a_pattern_matches_its_own_tags_and_no_others(first: str, second: str) -> None:
    tags = split(first)[1::2]
    match = matcher(read_shape(tags, "record", CONTAINERS, 64), tags)
    if match is not None and "\r" not in second and match(second):
        assert split(second)[1::2] == tags


def test_ordinary_records_get_one() -> None:
    bodies = [one.partition("<record>")[2] for one in b"".join(xml(200)).decode().split("</record>")[:-1]]
    quick = shapes()
    assert [said(quick.read(body)) for body in bodies] == [said(shapes().read(body)) for body in bodies]
    assert len(quick.patterns) == 1


def test_there_are_never_many() -> None:
    quick = shapes()
    for number in range(50):
        for _ in range(reader._OFTEN):
            quick.read(f"<count>1</count><n{number}>x</n{number}>")
    assert len(quick.patterns) == reader._PATTERNS
    assert quick.read("<count> 2 </count><n3>&amp;</n3>")[2] == ["2", "&"]
