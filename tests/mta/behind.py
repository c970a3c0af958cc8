"""The real store behind the filter: the shared node, through a gate that a test may close."""

from urllib.parse import urlsplit

from tests.nodes import Node, Stored

from .box import CONFIG, Box
from .wires import Gate

_SETTINGS = """
[store]
url = "http://127.0.0.1:{port}"
index_prefix = "{prefix}"
[filter]
deadline = {deadline}
"""


class Behind:
    """The node as one test uses it: under its own prefix."""

    def __init__(self, node: Node, prefix: str) -> None:
        address = urlsplit(node.url)
        assert address.hostname, node.url
        assert address.port, node.url
        self.gate = Gate(address.hostname, address.port)
        self.node = node
        self.prefix = prefix

    def configure(self, box: Box, *, deadline: float = 60, more: str = "") -> None:
        """Write the program's settings in a box."""
        text = _SETTINGS.format(port=self.gate.port, prefix=self.prefix, deadline=deadline)
        box.write(CONFIG, text + more)
        box.configured()

    def documents(self) -> list[Stored]:
        """Everything of this test that is stored."""
        return self.node.documents(f"{self.prefix}*")

    def close(self) -> None:
        """Stop listening."""
        self.gate.close()
