"""What becomes of each message, as a line: compare two checkouts, byte for byte, before and after work on speed.

    python -m benchmarks.documents PATH … > after    # here, and in the other checkout > before; then diff

A line has the place of a message, how many documents were made of it, the SHA-256 of all of them as they would be
stored (index, id, source; the clock stands still), and the problems. `--seed N` takes the messages in another order:
what is remembered from one message to the next must change nothing.
"""

import argparse
import hashlib
import random

from email_report_processor.importing.sources import Item, Opener, Sources
from email_report_processor.job import choose_store, make_job
from email_report_processor.process import Job, Outcome, read
from email_report_processor.settings import load

NOW = "2026-11-28T12:00:00Z"


def main() -> None:
    """Print a line for each message of the paths."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", metavar="PATH")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    settings = load({}, None, {})
    job = make_job(settings, {}, choose_store(settings, {}), lambda: NOW)
    sources = Sources(arguments.paths)
    opener = Opener(sources.unpacked)
    items = [found for found in sources.find() if isinstance(found, Item)]
    if arguments.seed:
        random.Random(arguments.seed).shuffle(items)
    for line in sorted(describe(item, opener, job) for item in items):
        print(line)


def describe(item: Item, opener: Opener, job: Job) -> str:
    """One line about one message."""
    work = read(opener.blob(item), job)
    if isinstance(work, Outcome):
        return f"{item.place}: {work.verdict}"
    digest, number = hashlib.sha256(), 0
    for row in work.rows:
        digest.update(repr(tuple(row)).encode())
        number += 1
    problems = [tuple(problem) for problem in work.reading.problems]
    envelope = tuple(work.reading.envelope)
    return (
        f"{item.place}: {number} {digest.hexdigest()} {envelope} {work.tally.repaired} {work.tally.damage!r} {problems}"
    )


if __name__ == "__main__":
    main()
