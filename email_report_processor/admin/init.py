"""`email-report-admin init`: settings, DNS records, the mail server, a test report (docs/installing.md)."""

import argparse
import os
import re
import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ..checking import finding, first_settings, mail_server, trial
from ..checking.dns import check_consent, check_domains
from ..checking.finding import Finding, failure, ok, warning
from ..checking.record import publish, read_name
from ..job import choose_store
from ..settings import CONFIG_FILE, CONFIG_VARIABLE, Settings, SettingsError, load
from ..stores.store import Store, StoreError
from .asking_dns import add_dns, resolver
from .numbers import span
from .text import fail

OWN_SETTINGS = True  # it writes the file that others read
EXITS = {
    0: "Everything is in place.",
    1: "Something is missing yet, and is named.",
    2: "Wrong usage; nothing was written.",
    75: "The store, the disk or the network failed: try again.",
}
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
_STORE = re.compile(r"(https?|sqlite|postgresql|postgres):\S+")


class Question(NamedTuple):
    """What is asked when no flag says it."""

    name: str
    text: str
    why: str


_QUESTIONS = (
    Question("domain", "Domain", "the domain whose mail the reports are about: what stands behind the @ in From"),
    Question("address", "Address for reports", "a mailbox of its own; anyone may write to it, so no person's"),
    Question("mail_server", "Mail server", f"who hands the reports over: {', '.join(mail_server.BY_NAME)}"),
    Question(
        "store", "Store", "https://HOST:9200 is OpenSearch; empty: a file on this machine, which can be moved later"
    ),
)
_OPENSEARCH = (
    Question("username", "User of OpenSearch", "who may write there; empty: no password is asked for"),
    Question("password_file", "File with the password", "its first line; readable for the user of the filter alone"),
)

OF_THE_SITE = True  # see admin/command.py


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--domain", metavar="DOMAIN", help="whose mail the reports are about")
    parser.add_argument("--address", metavar="ADDRESS", help="where reports arrive (dmarc@DOMAIN)")
    parser.add_argument("--mail-server", choices=mail_server.BY_NAME, help="who hands them over (the one that is here)")
    parser.add_argument("--username", metavar="NAME", help="of OpenSearch")
    parser.add_argument("--password-file", metavar="FILE", help="its first line is the password of OpenSearch")
    parser.add_argument("--yes", action="store_true", help="ask nothing: flags and defaults, for scripts")
    parser.add_argument("--overwrite", action="store_true", help="write over settings that are there (a copy stays)")
    parser.add_argument("--test", action="store_true", help="send a test report through the mail server")
    parser.add_argument("--smtp", metavar="HOST:PORT", default="", help="of --test: instead of sendmail")
    parser.add_argument(
        "--wait", metavar="SECONDS", type=span(0, 86400), default=60.0, help="of --test: for its arrival (60)"
    )
    parser.add_argument("--no-dns", action="store_true", help="print the records, and look for none")
    add_dns(parser)


def run(arguments: argparse.Namespace, _settings: Settings) -> int:
    """Ask, write, print, try. 0 when nothing is missing, 1 when something is."""
    asks = sys.stdin.isatty() and not arguments.yes
    if not (asks or arguments.yes):
        return fail("it asks on a terminal; in a script say --yes, with --domain and what else is not the default", 2)
    wanted, server = _answers(arguments, asks=asks)
    path = Path(arguments.config or os.environ.get(CONFIG_VARIABLE) or CONFIG_FILE)
    settled = _write(path, first_settings.text(wanted), arguments, asks=asks)
    _tell(wanted, server)
    missing = [settled, *_missing(arguments, wanted, server, path, asks=asks)]
    print("\nWhat is in place, and what is still missing:" if finding.status(missing) else "\nNothing is missing:")
    for one in missing:
        print(finding.line(one))
    return min(finding.status(missing), 1)


def _write(path: Path, content: str, arguments: argparse.Namespace, *, asks: bool) -> Finding:
    """Write the settings, unless others are there and nobody agreed to lose them."""
    if first_settings.says_something(path):
        if path.read_text("utf-8", "replace") == content:
            return ok("settings", f"{path} says this already")
        question = f"{path} has other settings. Write over them? A copy stays."
        if not (arguments.overwrite or (asks and _agreed(question))):
            print(f"\n{path} has settings already, and is left as it is.")
            return warning("settings", f"{path} is left as it is", "compare, or say --overwrite: a copy stays")
    before = first_settings.write(path, content, datetime.now(UTC))
    print(f"\nWrote {path}" + (f"; what stood there is in {before}" if before else "") + ".")
    return ok("settings", f"{path} is written")


def _answers(arguments: argparse.Namespace, *, asks: bool) -> tuple[first_settings.Wanted, mail_server.MailServer]:
    """What flags say, and what a person answers where they say nothing. Raises SettingsError."""
    given = dict(vars(arguments))
    for question in _QUESTIONS:
        default = _default(question.name, given)
        if given.get(question.name) is None:
            given[question.name] = _ask(question, default, given) if asks else default
        _check(question.name, given)
    if given["store"].startswith("http"):
        for question in _OPENSEARCH:
            if given[question.name] is None and (question.name == "username" or given["username"]):
                given[question.name] = _ask(question, "", given) if asks else ""
    if given.get("username") and not given.get("password_file"):
        raise SettingsError("--username needs --password-file: a password does not stand on a command line")
    secrets_ = {name: given.get(name) or "" for name in ("username", "password_file")}
    wanted = first_settings.Wanted(given["domain"], given["address"], given["store"], **secrets_)
    return wanted, mail_server.BY_NAME[given["mail_server"]]


def _default(name: str, given: dict[str, str]) -> str:
    defaults = {"address": f"dmarc@{given.get('domain')}", "mail_server": mail_server.found()}
    return defaults.get(name, "")


def _ask(question: Question, default: str, given: dict[str, str]) -> str:
    """Ask until the answer is one."""
    print(f"\n{question.text}: {question.why}.")
    while True:
        answer = input(f"{question.text}{f' [{default}]' if default else ''}: ").strip() or default
        try:
            _check(question.name, {**given, question.name: answer})
        except SettingsError as error:
            print(error)
        else:
            return answer


def _check(name: str, given: dict[str, str]) -> None:
    value = given[name]
    if name == "domain":
        if not value:
            raise SettingsError("--domain: say which, such as example.org")
        try:
            given[name] = read_name(value or "")
        except ValueError as error:
            raise SettingsError(f"--domain: {error}; write one such as example.org") from None
    elif name == "address" and not _ADDRESS.fullmatch(value):
        raise SettingsError(f"--address {value!r}: write an address such as dmarc@example.org")
    elif name == "mail_server" and value not in mail_server.BY_NAME:
        raise SettingsError(f"--mail-server {value!r}: write one of {', '.join(mail_server.BY_NAME)}")
    elif name == "store" and value and not _STORE.match(value):
        raise SettingsError(f"--store {value!r}: write https://HOST:9200 or sqlite:/PATH, or nothing")


def _agreed(text: str) -> bool:
    return input(f"\n{text} [y/N]: ").strip().lower() in {"y", "yes"}


def _tell(wanted: first_settings.Wanted, server: mail_server.MailServer) -> None:
    """The records to publish, and what to tell the mail server."""
    print("\nPublish in DNS, so that reports arrive (a record that is there: add the address to its rua=):")
    for line in records(wanted):
        print(f"  {line}")
    if server.files:
        print(f"\nTell {server.name}, so that it hands {wanted.address} to the filter:")
        for line in mail_server.lines(server, wanted.address):
            print(f"  {line}")


def records(wanted: first_settings.Wanted) -> Iterator[str]:
    """Lines of zone files: DMARC, TLSRPT, and consent where the address is in another domain (RFC 9990 §4)."""
    yield publish(f"_dmarc.{wanted.domain}", f"v=DMARC1; p=none; rua=mailto:{wanted.address}")
    yield publish(f"_smtp._tls.{wanted.domain}", f"v=TLSRPTv1; rua=mailto:{wanted.address}")
    host = wanted.address.rpartition("@")[2].lower()
    if host != wanted.domain:
        yield publish(f"{wanted.domain}._report._dmarc.{host}", "v=DMARC1;")


def _missing(
    arguments: argparse.Namespace,
    wanted: first_settings.Wanted,
    server: mail_server.MailServer,
    path: Path,
    *,
    asks: bool,
) -> Iterator[Finding]:
    if not arguments.no_dns:
        look = resolver(arguments)
        yield from check_domains([wanted.domain], look)
        host = wanted.address.rpartition("@")[2].lower()
        if host != wanted.domain:
            yield check_consent(wanted.domain, host, look)
    yield from _store(path, wanted)
    if server.name == "none":
        yield warning("mail server", "none hands reports over", "choose one of docs/mail-servers.md, or import files")
    elif arguments.test or (asks and _agreed("Is the mail server told? Send a test report through it now?")):
        yield _tried(arguments, wanted, path)
    else:
        yield warning("test report", "none was sent", "when the mail server is told, do this again with --test")


def _store(path: Path, wanted: first_settings.Wanted) -> Iterator[Finding]:
    if not wanted.store.startswith("http"):
        yield ok("store", wanted.store or "the embedded one, in the state directory")
        return
    try:
        settings = load({}, str(path), {})
        choose_store(settings, os.environ, budget=5.0).open().close()
    except (SettingsError, StoreError) as error:
        yield failure("store", str(error), f"correct {path}, then run email-report-admin setup and doctor")
        return
    yield warning("store", f"{wanted.store} is named", "run email-report-admin setup, then email-report-admin doctor")


def _tried(arguments: argparse.Namespace, wanted: first_settings.Wanted, path: Path) -> Finding:
    ident = f"init-{secrets.token_hex(8)}"
    mail = trial.message(wanted.domain, wanted.address, ident, datetime.now(UTC))
    try:
        trial.send(mail, wanted.address, arguments.smtp)
    except trial.TrialError as error:
        return failure("test report", str(error), "see docs/mail-servers.md, then do this again with --test")
    settings = load({}, str(path), os.environ if arguments.state is None else {"STATE_DIRECTORY": arguments.state})
    if trial.arrives(ident, lambda: _opened(settings, arguments.state), arguments.wait):
        return ok("test report", f"it came through the mail server into the store, as {ident}")
    remedy = "look into the log of the mail server and of the filter, and at email-report-admin kept"
    return failure(
        "test report", f"it was sent to {wanted.address}, and is not in the store after {arguments.wait:g} s", remedy
    )


def _opened(settings: Settings, state: str | None) -> Store | None:
    """The store; None as long as the embedded one is not there, which the filter is to make, not we."""
    choice = choose_store(settings, {**os.environ, **({"STATE_DIRECTORY": state} if state else {})})
    if choice.url.startswith("sqlite:") and not os.path.exists(choice.url.removeprefix("sqlite:")):
        return None
    return choice.open()
