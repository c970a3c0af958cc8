"""`email-report-admin inbox`: read mailboxes by IMAP, as a service, or `--once` from cron."""

import argparse
import os
from functools import partial

from ..flags import flags, now
from ..inboxes.credentials import CredentialError, check, credential
from ..inboxes.imap import Connection, InboxError, connect
from ..inboxes.mailboxes import Setup, serve
from ..inboxes.options import InboxOptions, LmtpOptions
from ..inboxes.worker import load_all
from ..job import choose_store, make_job
from ..log import LogOptions, open_log
from ..process import FilterOptions
from ..settings import Settings, SettingsError, load, state_place
from .text import fail, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--once", action="store_true", help="read what is there and leave, for cron")
    parser.add_argument("--check", action="store_true", help="log in, and say what is there; nothing is read or moved")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Read mailboxes until a signal says to end, or once."""
    if arguments.check:
        return _check(read_inboxes(settings))
    setup = read_setup(settings)
    load_all(setup.name)
    return serve(lambda: read_setup(load(flags(arguments), arguments.config, os.environ)), setup, once=arguments.once)


def read_setup(settings: Settings) -> Setup:
    """What the settings say. Raises SettingsError, StoreError, OSError."""
    log = open_log(settings.record("log", LogOptions))
    inboxes = read_inboxes(settings)
    filter_ = settings.record("filter", FilterOptions)
    choice = choose_store(settings, os.environ, budget=filter_.deadline * 0.8)
    if choice.url == "-":
        raise SettingsError("--store - writes to whoever called; an inbox needs a store that keeps what it is given")
    choice.open().close()  # says now what is wrong with its URL or options
    job = make_job(settings, os.environ, choice, now, partial(log, "warning"))
    if filter_.unreadable == "65":  # for filters that sort; here a folder does
        job = job._replace(filter=filter_._replace(unreadable="keep"))
    if choice.first_use:
        log("warning", f"no [store] url is set: storing into {choice.url}")
    limits = settings.record("lmtp", LmtpOptions)
    return Setup(inboxes, filter_, limits, job, log, state_place(settings, os.environ), choice.url)


def read_inboxes(settings: Settings) -> tuple[InboxOptions, ...]:
    """The mailboxes. Raises SettingsError."""
    inboxes = tuple(settings.each("inbox", InboxOptions))
    if not inboxes:
        raise SettingsError("there is no [[inbox]] in the settings: docs/inboxes.md has examples")
    for number, options in enumerate(inboxes, 1):
        try:
            check(options)
        except ValueError as error:
            raise SettingsError(f"[[inbox]] number {number}: {error}") from None
    return inboxes


def _check(inboxes: tuple[InboxOptions, ...]) -> int:
    status = 0
    for options in inboxes:
        try:
            connection = connect(options, credential(options, os.environ))
        except (CredentialError, InboxError) as error:
            status = fail(str(error), 1)
            continue
        try:
            print(_looked(connection, options))
        except InboxError as error:
            status = fail(str(error), 1)
        connection.close()
    return status


def _looked(connection: Connection, options: InboxOptions) -> str:
    there = connection.folders()
    rows: list[tuple[str, int | None, str]] = [
        (folder, connection.select(folder, read_only=True).messages, "is read") for folder in options.folders
    ]
    targets = {"move": {"stored": options.archive, "unreadable": options.unreadable}, "leave": {}}
    for what, folder in targets.get(options.done, {"unreadable": options.unreadable}).items():
        made = "" if folder in there else ", will be made"
        rows.append((folder, None, f"messages that are {what} go there{made}"))
    names = {"IDLE": "new mail is seen at once", "MOVE": "messages are moved in one step", "UIDPLUS": "only ours go"}
    able = [f"{name} ({what})" if name in connection.capabilities else f"no {name}" for name, what in names.items()]
    title = f"{options.username} on {options.host}: {', '.join(able)}; stored messages: {options.done}"
    return f"{title}\n{table(('folder', 'messages', ''), rows)}"
