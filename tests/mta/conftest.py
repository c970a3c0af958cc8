"""What the tests of mail servers share."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.nodes import Node

from .behind import Behind
from .wires import Sink

pytest.register_assert_rewrite("tests.mta.promises")


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """Whatever the mail server sends away."""
    with contextlib.closing(Sink()) as sink:
        yield sink


@pytest.fixture
def behind(node: Node, prefix: str) -> Iterator[Behind]:
    """The store of this test."""
    with contextlib.closing(Behind(node, prefix)) as behind:
        yield behind
