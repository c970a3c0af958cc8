"""`email-report-admin inbox`: read mailboxes by IMAP, as a service, or `--once` from cron."""

import argparse
import os
from collections.abc import Sequence
from functools import partial

from ..flags import flags, now
from ..inboxes.credentials import CredentialError, check, credential
from ..inboxes.imap import Connection, InboxError, connect
from ..inboxes.mailboxes import Setup, serve
from ..inboxes.options import BucketOptions, InboxOptions, LmtpOptions
from ..inboxes.worker import load_all
from ..job import choose_store, make_job
from ..log import LogOptions, open_log
from ..objects import PAGE, Bucket, ObjectsError, S3Options, load_client, parts
from ..process import FilterOptions, Job
from ..settings import Settings, SettingsError, load, state_place
from .text import fail, table

OF_THE_SITE = True  # see admin/command.py


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--once", action="store_true", help="read what is there and leave, for cron")
    parser.add_argument("--check", action="store_true", help="log in, and say what is there; nothing is read or moved")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Read mailboxes until a signal says to end, or once."""
    if arguments.check:
        s3 = settings.record("s3", S3Options)
        inboxes, buckets = _read_some(settings)
        return max(_check(inboxes), _check_buckets(buckets, s3))
    setup = read_setup(settings)
    load_all(setup.name)
    if setup.buckets:
        try:
            load_client()
        except ObjectsError as error:
            return fail(str(error), 2)
    return serve(lambda: read_setup(load(flags(arguments), arguments.config, os.environ)), setup, once=arguments.once)


def read_setup(settings: Settings) -> Setup:
    """What the settings say. Raises SettingsError, StoreError, OSError."""
    log = open_log(settings.record("log", LogOptions))
    inboxes, buckets = _read_some(settings)
    filter_ = settings.record("filter", FilterOptions)
    choice = choose_store(settings, os.environ, budget=filter_.deadline * 0.8)
    if choice.url == "-":
        raise SettingsError("--store - writes to whoever called; an inbox needs a store that keeps what it is given")
    choice.open().close()  # says now what is wrong with its URL or options
    job = make_job(settings, os.environ, choice, now, partial(log, "warning"))
    _check_tenants(job, (*inboxes, *buckets))
    if filter_.unreadable == "65":  # for filters that sort; here a folder does
        job = job._replace(filter=filter_._replace(unreadable="keep"))
    if choice.first_use:
        log("warning", f"no [store] url is set: storing into {choice.url}")
    limits = settings.record("lmtp", LmtpOptions)
    s3 = settings.record("s3", S3Options)
    return Setup(inboxes, buckets, s3, filter_, limits, job, log, state_place(settings, os.environ), choice.url)


def _check_tenants(job: Job, places: Sequence[InboxOptions | BucketOptions]) -> None:
    """Where there are tenants, their settings are read now. Raises SettingsError."""
    for name in dict.fromkeys(one.tenant for one in places if one.tenant):
        if job.routes is None:
            raise SettingsError(f"tenant = {name!r}: there are no [[tenants]] in the settings")
        job.routes.addressed((name,))
    if job.routes is not None:
        job.routes.check()


def _read_some(settings: Settings) -> tuple[tuple[InboxOptions, ...], tuple[BucketOptions, ...]]:
    inboxes, buckets = read_inboxes(settings), read_buckets(settings)
    if not inboxes and not buckets:
        raise SettingsError("there is no [[inbox]] and no [[bucket]] in the settings: docs/inboxes.md has examples")
    return inboxes, buckets


def read_inboxes(settings: Settings) -> tuple[InboxOptions, ...]:
    """The mailboxes. Raises SettingsError."""
    inboxes = tuple(settings.each("inbox", InboxOptions))
    for number, options in enumerate(inboxes, 1):
        try:
            check(options)
        except ValueError as error:
            raise SettingsError(f"[[inbox]] number {number}: {error}") from None
    return inboxes


def read_buckets(settings: Settings) -> tuple[BucketOptions, ...]:
    """The buckets. Raises SettingsError."""
    buckets = tuple(settings.each("bucket", BucketOptions))
    for number, options in enumerate(buckets, 1):
        try:
            parts(options.url)
        except ValueError as error:
            raise SettingsError(f"[[bucket]] number {number}: url: {error}") from None
    return buckets


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


def _check_buckets(buckets: tuple[BucketOptions, ...], s3: S3Options) -> int:
    status = 0
    for options in buckets:
        try:
            page = next(Bucket(options.url, s3).pages())
        except ObjectsError as error:
            status = fail(str(error), 1)
            continue
        more = " or more" if len(page) == PAGE else ""
        print(f"{options.url}: objects: {len(page):,}{more}; they stay as they are")
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
