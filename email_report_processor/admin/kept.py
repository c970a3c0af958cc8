"""`email-report-admin kept`: what was kept and why; `--retry` feeds it again and removes what is done."""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from ..flags import now
from ..importing.again import feed
from ..job import choose_store, make_job
from ..process import Job
from ..settings import Settings
from ..stores import kept
from .text import fail, progress, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--retry", action="store_true", help="feed them again; what is stored now is removed")
    parser.add_argument("--category", choices=kept.CATEGORIES, help="only these")
    parser.add_argument("--remove", metavar="NAME", nargs="+", help="remove these for good (the names of the list)")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """List, feed again, or remove."""
    job = make_job(settings, os.environ, choose_store(settings, os.environ), now)
    messages = [one for one in kept.listing(job.maildir) if arguments.category in (None, one.category)]
    if arguments.remove:
        return _remove(Path(job.maildir), arguments.remove)
    if arguments.retry:
        return _retry([one for one in messages if one.category != "reply"], job)
    rows = [
        (one.time[:16].replace("T", " "), one.category, one.size, one.path.name[:12], one.reason) for one in messages
    ]
    print(
        table(("kept", "category", "bytes", "name", "reason"), rows, indent="") or f"nothing is kept in {job.maildir}"
    )
    return 0


def _retry(messages: list[kept.Kept], job: Job) -> int:
    results: Counter[str] = Counter()
    for message in progress(messages, "messages"):
        verdict = feed(message.path, job)
        results[verdict.category if verdict else "stored"] += 1
        if verdict:
            sys.stderr.write(f"{message.path.name[:12]}: still {verdict.category}: {verdict.reason}\n")
    still = sum(number for result, number in results.items() if result != "stored")
    print(f"{results['stored']:,} stored and removed, {still:,} still kept")
    for result, number in sorted(results.items()):
        if result != "stored":
            print(f"  {number:,} {result}")
    return 1 if still else 0


def _remove(maildir: Path, names: list[str]) -> int:
    paths = {one.path.name: one.path for one in kept.listing(maildir)}
    status = 0
    for name in names:
        found = [path for full, path in paths.items() if full.startswith(name)]
        if len(found) == 1:
            found[0].unlink(missing_ok=True)
        elif found:
            status = fail(f"{name}: {len(found)} kept messages have names that begin so; write more of it", 1)
        else:
            status = fail(f"{name}: no kept message has this name; `email-report-admin kept` lists them", 1)
    return status
