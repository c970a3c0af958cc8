"""`make bench`: every benchmark, and whether its target was met. `python -m benchmarks one big` runs some."""

import compileall
import contextlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests import nodes

from . import big_report, desk, imports, lmtp, logins, one_message, page, peer, policy, ten_figures


def _with_node(bench: Callable[[str], bool]) -> bool:
    """A benchmark against the OpenSearch node of EMAIL_REPORT_TEST_NODE, else against one of its own."""
    with contextlib.closing(nodes.plain()) as node:
        return bench(node.url)


BENCHMARKS: dict[str, Callable[[], bool]] = {
    "one": lambda: _with_node(one_message.main),
    "big": big_report.main,
    "desk": desk.main,
    "imports": lambda: _with_node(imports.main),
    "lmtp": lambda: _with_node(lmtp.main),
    "logins": logins.main,
    "page": page.main,
    "policy": lambda: _with_node(policy.main),
}
LONG: dict[str, Callable[[], bool]] = {  # only when named
    "logins-long": lambda: logins.main(*logins.LONG),
    "policy-long": lambda: _with_node(lambda url: policy.main(url, *policy.LONG)),
    "peer": peer.main,  # which it installs
    # Over the rows that `python -m benchmarks.ten_million` has loaded.
    "ten-million": lambda: ten_figures.main([]),
    **{f"ten-{name}": partial(ten_figures.main, [name]) for name in ten_figures.FIGURES},
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all of them."""
    compileall.compile_dir(Path(__file__).parents[1] / "email_report_processor", quiet=1)  # as an installation does
    print("CPU time of whole processes: ours / floor = ratio (target), peak memory (target)")
    met = [(BENCHMARKS | LONG)[name]() for name in names or BENCHMARKS]  # each of them, also after a miss
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
