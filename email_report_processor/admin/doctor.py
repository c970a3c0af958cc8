"""`email-report-admin doctor`: everything that the filter needs, seen from where it stands, as the user it runs as."""

import argparse
import os
import pwd
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from ..checking import finding
from ..checking import machine as checks
from ..checking.finding import Finding, failure, ok, warning
from ..flags import flags
from ..job import choose_store
from ..process import Layout
from ..settings import Settings, SettingsError, load
from ..stores.store import Store, StoreError

_BUDGET = 10.0  # seconds that a store may be away

EXITS = {0: "All is well.", 1: "There are warnings.", 2: "There are failures."}  # for the manual


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--user", metavar="NAME", help="the user that the mail server runs the filter as (as root)")
    parser.add_argument("--json", action="store_true", help="a list of objects with result, about, text, remedy")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print what was found; 0 when all is well, 1 with warnings, 2 with failures."""
    if arguments.user:
        return _as_user(arguments.user, lambda: _report(arguments, _settings_again(arguments), {}))
    return _report(arguments, lambda: settings, os.environ)


def _settings_again(arguments: argparse.Namespace) -> Callable[[], Settings]:
    """Read by the user, who may not be allowed to; and without the variables of this shell."""
    return lambda: load(flags(arguments), arguments.config, {})


def _report(arguments: argparse.Namespace, read: Callable[[], Settings], environ: Mapping[str, str]) -> int:
    found: list[Finding] = []
    for one in _examine(read, environ):
        found.append(one)
        if not arguments.json:
            print(finding.line(one), flush=True)
    if arguments.json:
        print(finding.as_json(found), flush=True)
    return finding.status(found)


def _examine(read: Callable[[], Settings], environ: Mapping[str, str]) -> Iterator[Finding]:
    yield from checks.check_user(os.geteuid())
    unreadable = list(checks.check_program())
    if unreadable:
        yield from unreadable
        return
    try:
        settings = read()
        yield from checks.check_settings(settings, environ)
        yield from checks.check_state(settings, environ)
        yield from checks.check_kept(settings, environ)
        yield from checks.check_limits(settings)
        yield from checks.check_log(settings)
        yield from _store(settings, environ)
    except SettingsError as error:
        yield failure("settings", str(error), "the filter answers 75 until it is corrected")
    yield from checks.check_bytecode()
    yield from checks.check_clock()


def _store(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    choice = choose_store(settings, environ, budget=_BUDGET)
    if choice.url == "-":
        yield failure("store", "standard output, which a mail server does not keep", "set [store] url")
    elif choice.url.startswith("sqlite:"):
        from ..checking import store as store_checks

        if not choice.configured:
            yield ok("store url", "none is set: the embedded store is used")
        path = choice.url.removeprefix("sqlite:")
        well = yield from finding.passed_on(store_checks.check_sqlite(path))
        if well and os.path.exists(path):
            yield from _believing(settings, choice.open())
    elif choice.url.startswith(("http:", "https:")):
        yield from _opensearch(settings, environ)
    else:
        yield from _other(choice.open())


def _other(store: Store) -> Iterator[Finding]:
    """One that few use: whether it can be reached with what the settings say."""
    probe = getattr(store, "probe", None)
    try:
        if probe is None:
            yield warning(
                "store", f"{store.name} cannot be tried without storing something", "send a report through it"
            )
            return
        probe()
    except StoreError as error:
        yield failure("store", str(error), "the filter answers 75 until then")
    else:
        yield ok("store", f"{store.name} can be reached")
    finally:
        store.close()


def _believing(settings: Settings, store: Store) -> Iterator[Finding]:
    from ..checking.believing import check_believing
    from ..documents.classify import Site
    from ..reports.report import Options

    options = settings.record("read", Options, ("authserv_ids",))
    try:
        yield from check_believing(store, options, settings.record("site", Site), datetime.now(UTC))
    finally:
        store.close()


def _opensearch(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    from ..checking import store as store_checks
    from ..stores.client import OpenSearchOptions
    from ..stores.opensearch import OpenSearchStore

    store = choose_store(settings, environ, budget=_BUDGET).open()
    assert isinstance(store, OpenSearchStore)
    options = settings.record("opensearch", OpenSearchOptions)
    try:
        looked = store_checks.check_opensearch(store, options, settings.record("store", Layout))
        well = yield from finding.passed_on(looked)
        if well:
            yield from _believing(settings, store)
    finally:
        store.close()


def _as_user(name: str, work: Callable[[], int]) -> int:
    """In a child that is this user and has nothing of our environment, as below a mail server."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise SettingsError(f"--user {name}: there is no such user") from None
    if os.geteuid() not in {0, user.pw_uid}:
        raise SettingsError(f"--user {name}: only root can be another user; run it by sudo")
    sys.stdout.flush()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _become(user)
    return work()  # the child goes on as the command does, to its end


def _become(user: pwd.struct_passwd) -> None:
    if os.geteuid() == 0:
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    os.chdir("/")
    os.environ.clear()
