"""The blocks of commands of a page, and what the page says of them.

A block of commands is fenced as `sh`; each is run. What cannot be run has a line in front of its fence that says why:

    <!-- not run: it asks on a terminal; tests/admin/test_init.py does -->

and where that is so of one command alone, it names it: <!-- not run: `make test` is what CI runs -->
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.places import ROOT

PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("contrib/**/*.md")})
_MARK = re.compile(r"^<!-- not run: (?:`([^`]+)`:? )?(.*) -->$")


class Block(NamedTuple):
    """A fenced block."""

    page: Path
    heading: str  # the section that it stands in
    line: int  # of its fence, from 1
    language: str
    text: str
    left_out: str = ""  # why it is not run; empty: it is
    without: tuple[str, ...] = ()  # the commands that are left out, where the others are run

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def script(self) -> str:
        """What is run: all of it, less the commands that are left out."""
        if self.left_out:
            return ""
        lines = self.text.replace("\\\n", " ").splitlines(keepends=True)
        for command in self.without:
            assert any(line.startswith(command) for line in lines), f"{self.name}: no line begins so: {command}"
        return "".join(line for line in lines if not (self.without and line.startswith(self.without)))


def blocks(page: Path) -> Iterator[Block]:
    """Of a page, in its order."""
    heading, why, without, lines = "", "", list[str](), page.read_text("utf-8").splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        if found := _MARK.match(line):
            if found[1]:
                without.append(found[1])
            else:
                why = found[2]
        elif line.startswith("```"):
            end = lines.index("```", number + 1)
            text = "".join(f"{one}\n" for one in lines[number + 1 : end])
            yield Block(page, heading, number + 1, line[3:], text, why, tuple(without))
            number, why, without = end, "", []
        elif line.startswith("#"):
            heading = line.lstrip("# ")
        number += 1


def commands(page: Path) -> list[Block]:
    """The blocks of commands."""
    return [block for block in blocks(page) if block.language == "sh"]
