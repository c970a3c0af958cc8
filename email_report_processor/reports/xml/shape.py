"""The inside of a record to the texts of its leaves: what its tags make of it, which many records share."""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any, NamedTuple

from ...message.payload import OverBound
from ...values.patterns import pattern
from .records import ATTRIBUTES, TAG

RECORD_LEVEL = 2  # depth of a record: it counts as a child of the root wherever it is
_QUOTED = pattern(r"\"[^\"]*\"|'[^']*'")
_ATTRIBUTE = pattern(r"""\s([^\s=<>"'/]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_OF_XML = pattern(r"(?:xmlns|xml|xsi)(?::|\Z)")
_TAG_NAME = pattern(r"(?:[^\s/<>:]+:)?([^\W\d][^\s/<>:]*)(?=[\s/]|$)")
_REFERENCE = pattern(r"&(?:#0*([0-9]{1,7})|#x0*([0-9a-fA-F]{1,6})|(lt|gt|amp|quot|apos));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}


class Leaf(NamedTuple):
    """An element without child elements."""

    path: tuple[str, ...]  # local names from the outermost element down to this one
    within: tuple[int, ...]  # numbers of the elements around it: leaves of one parent belong together


class Attribute(NamedTuple):
    """An attribute of an element, but for those that XML itself and schemas have a use for."""

    path: tuple[str, ...]  # local names from the outermost element down to its own
    within: tuple[int, ...]  # numbers of the elements around it, the last one its own
    text: str


class Shape(NamedTuple):
    """The elements of a text that has these tags: everything about it but the texts of its leaves.

    `pattern` is JSON with %s for the JSON of each leaf's text: a list of all elements in document order, each as its
    local name followed by the number of its child elements, or by its stripped text when it has none.
    """

    leaves: tuple[Leaf, ...]
    attributes: tuple[Attribute, ...]
    pick: Callable[[Sequence[Any]], tuple[Any, ...]]  # texts between the tags -> text of each leaf
    merges: tuple[tuple[int, ...], ...]  # texts of leaves that are in pieces (broken tags within them)
    pattern: str

    def __hash__(self) -> int:
        """Quickly: it is asked for with each head."""
        return hash(self.pattern)


def split(text: str) -> list[str]:
    """Texts and tags in turn, beginning and ending with a text."""
    if "\r" in text:  # XML 1.0 §2.11
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    parts = TAG.split(text)
    if ('"' in text or "'" in text) and any(map(_torn, parts[1::2])):
        return re.split(rf"<(?!>)({ATTRIBUTES}|[^<>]+)>", text)  # compiled when it is needed: 0.1 ms
    return parts


def _torn(tag: str) -> bool:
    """Whether a tag was cut at a '>' within an attribute."""
    if '"' not in tag and "'" not in tag:
        return False
    rest = _QUOTED.sub("", tag)
    return '"' in rest or "'" in rest


def leaf_texts(shape: Shape, parts: list[str], references: bool = True) -> list[str]:
    """The stripped text of each leaf; without `references` there is no '&' in it."""
    texts = parts[0::2]
    texts.append("")  # of elements without an end tag
    for first, *others in shape.merges:
        texts[first] = "".join([texts[first], *(texts[other] for other in others)])
    return stripped(shape.pick(texts), references)


def stripped(texts: Sequence[str], references: bool) -> list[str]:
    """The texts as reported: references resolved, without white space around them."""
    if references:
        texts = [_REFERENCE.sub(_dereference, text) for text in texts]
    return [text.strip() for text in texts]


def _dereference(found: re.Match[str]) -> str:
    decimal, hexadecimal, name = found.groups()
    if name:
        return _NAMED[name]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else found[0]


class _Element:
    """An element while a shape is worked out."""

    __slots__ = ("children", "depth", "name", "parent", "tag", "texts", "unclosed")

    def __init__(self, name: str, parent: int, texts: list[int], tag: str = "") -> None:
        self.name = name
        self.tag = tag
        self.parent = parent
        self.texts = texts  # numbers of the texts directly within it
        self.unclosed = False
        self.children = self.depth = 0


def read_shape(tags: Sequence[str], root: str, containers: frozenset[str], depth: int) -> Shape:
    """The shape of the inside of an element `root`, '' for a whole document. Raises OverBound by `depth`.

    An end tag that closes nothing is ignored. An element that is still open when one around it ends is closed there if
    it is one of `containers`; any other holds nothing, and what seemed to be in it belongs to the element around it
    (IKEA: `<xs:schema …>`, never closed).
    """
    elements = _elements(tags, root, containers)
    elements[0].depth = RECORD_LEVEL if root else 0
    _settle(elements, depth)
    around: list[tuple[tuple[str, ...], tuple[int, ...]]] = []  # of each element: names and numbers down to itself
    leaves: list[Leaf] = []
    attributes: list[Attribute] = []
    texts, pattern = [], []
    for number, element in enumerate(elements):
        above, within = around[element.parent] if element.parent >= 0 else ((), ())
        path = (*above, element.name) if element.parent >= 0 else ()
        around.append((path, (*within, number)))
        pattern.append(encode_basestring(element.name).replace("%", "%%"))
        pattern.append(str(element.children) if element.children else "%s")
        if not element.children:
            leaves.append(Leaf(path, within))
            texts.append(element.texts[: 1 if element.unclosed else None] or [len(tags) + 1])
        if "=" in element.tag:
            attributes += _attributes(element.tag, path, (*within, number))
    pick = picker([numbers[0] for numbers in texts])
    merges = tuple(tuple(numbers) for numbers in texts if len(numbers) > 1)
    return Shape(tuple(leaves), tuple(attributes), pick, merges, f"[{','.join(pattern)}]")


def _attributes(tag: str, path: tuple[str, ...], within: tuple[int, ...]) -> Iterator[Attribute]:
    for found in _ATTRIBUTE.finditer(tag):
        name, double, single = found.groups()
        if not _OF_XML.match(name):
            (text,) = stripped([double or single or ""], references=True)
            yield Attribute((*path, name.rpartition(":")[2]), within, text)


def picker(numbers: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """An itemgetter that gives a tuple, however many there are."""
    if len(numbers) > 1:
        return itemgetter(*numbers)
    return lambda texts: tuple(texts[number] for number in numbers)


def _elements(tags: Sequence[str], root: str, containers: frozenset[str]) -> list[_Element]:
    """The elements in document order, each with its parent as the tags say."""
    elements = [_Element(root, -1, [0])]
    stack = [0]
    opened: dict[str, int] = {}  # how often each name is on the stack: an end tag without a start costs no search
    for number, tag in enumerate(tags, 1):
        closing = tag[0] == "/"
        found = _TAG_NAME.match(tag, 1 if closing else 0)
        name = found[1] if found else ""
        if not closing and name:
            elements.append(_Element(name, stack[-1], [], tag))
            if tag[-1] != "/":
                stack.append(len(elements) - 1)
                opened[name] = opened.get(name, 0) + 1
        elif opened.get(name):
            while elements[stack[-1]].name != name:
                _give_up(elements[stack.pop()], opened, containers)
            opened[elements[stack.pop()].name] -= 1
        elements[stack[-1]].texts.append(number)
    for number in stack[1:]:
        _give_up(elements[number], opened, containers)
    return elements


def _give_up(element: _Element, opened: dict[str, int], containers: frozenset[str]) -> None:
    opened[element.name] -= 1
    element.unclosed = element.name not in containers


def _settle(elements: list[_Element], bound: int) -> None:
    """Give the children of unclosed elements to the elements around them; count children and depth."""
    for element in elements[1:]:
        above = elements[element.parent]
        if above.unclosed:  # its own parent is settled, so one step is enough
            element.parent = above.parent
            above = elements[element.parent]
        above.children += 1
        element.depth = above.depth + 1
        if element.depth > bound:
            raise OverBound(f"elements are nested deeper than bounds.xml_depth = {bound}")


def as_reported(record: bytes, texts: Iterable[str]) -> bytes:
    """The canonical JSON of a record, independent of white space, prefixes, attributes, comments and encoding.

    record: made by `partly_reported`; texts: those that are still missing in it.
    """
    return record % tuple([encode_basestring(text).encode("utf-8", "surrogatepass") for text in texts])


def partly_reported(pattern: str, texts: Iterable[str], gaps: Container[int]) -> bytes:
    """A record as reported, with %s in the place of the texts that have these numbers; UTF-8."""
    written = ["%s" if at in gaps else encode_basestring(text).replace("%", "%%") for at, text in enumerate(texts)]
    return (pattern.replace("%%", "%%%%") % tuple(written)).encode("utf-8", "surrogatepass")
