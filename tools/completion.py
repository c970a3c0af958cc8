"""Completion for bash, zsh and fish, by shtab from the parsers."""

import argparse
from collections.abc import Iterator

import shtab

from email_report_processor.admin.command import parser as admin_parser
from email_report_processor.flags import parser as filter_parser

# Where each shell looks below `share`, and what it calls the file of a command.
PLACES = {"bash": "{}", "zsh": "_{}", "fish": "{}.fish"}
# What a placeholder stands for, where that is a file.
_FILES = {"FILE": shtab.FILE, "PATH": shtab.FILE, "DIR": shtab.DIRECTORY}


def scripts() -> dict[str, str]:
    """Name of a file, such as `bash/email-report-admin` -> the script."""
    parsers = [filter_parser(), admin_parser()]
    for parser in parsers:
        _know_files(parser)
    return {
        f"{shell}/{name.format(parser.prog)}": _tidy(shtab.complete(parser, shell))
        for shell, name in PLACES.items()
        for parser in parsers
    }


def _know_files(parser: argparse.ArgumentParser) -> None:
    for action in _actions(parser):
        if isinstance(action.metavar, str) and action.metavar in _FILES:
            action.complete = _FILES[action.metavar]  # type: ignore[attr-defined]  # the name that shtab looks for


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)
        else:
            yield action


def _tidy(script: str) -> str:
    return "\n".join(line.rstrip() for line in script.strip().splitlines()) + "\n"
