"""The demo: the real filter on sample messages, as a mail server calls it, into an embedded store of its own."""

import sqlite3
import subprocess
import sys
from pathlib import Path

from . import samples

PROGRAMS = Path(sys.executable).parent
HERE = Path(__file__).resolve().parents[1]


def main(folder: Path) -> int:
    """Run the demo in a folder that may be removed afterwards."""
    messages = folder / "messages"
    samples.main(messages)
    store = folder / "reports.sqlite"
    config = configure(folder, "reports")
    environ = {"EMAIL_REPORT_PROCESSOR_CONFIG": str(config)}
    print(f"Each message of {show(messages)} goes through the filter, as a mail server would do it:\n")
    for path in sorted(messages.iterdir()):
        print("  " + feed(path, folder / "log", environ))
    print(f"\nWhat is in the store {show(store)}:\n")
    for index, documents in stored(store):
        print(f"  {index:<45}{documents:>4} {'document' if documents == 1 else 'documents'}")
    print()
    sys.stdout.flush()
    page = folder / "page.html"
    for arguments in (["summary", "--since", "all"], ["kept"]):
        admin(arguments, config)
    admin(["demo"], configure(folder, "weeks"))
    admin(["summary", "--html", show(page)], configure(folder, "page", store="weeks", prefix="demo-email-report-"))
    print(further(folder, store, page))
    return 0


def configure(folder: Path, name: str, *, store: str = "", prefix: str = "email-report-") -> Path:
    """Settings that a command which was pasted finds as well."""
    path = folder / f"{name}.toml"
    path.write_text(
        f'[store]\nurl = "sqlite:{folder}/{store or name}.sqlite"\nindex_prefix = "{prefix}"\n'
        f'[state]\ndir = "{folder}"\n[log]\nto = "{folder}/log"\n',
        "utf-8",
    )
    return path


def admin(arguments: list[str], config: Path) -> None:
    """Show a command, as it can be pasted, and what it says."""
    words = [show(PROGRAMS / "email-report-admin"), *arguments, "--config", show(config)]
    print(f"$ {' '.join(words)}\n", flush=True)
    subprocess.run(words, cwd=HERE, check=True)
    print(flush=True)


def feed(path: Path, log: Path, environ: dict[str, str]) -> str:
    """Pipe one message into the filter, and say what it logged."""
    log.unlink(missing_ok=True)
    with path.open("rb") as message:
        done = subprocess.run([PROGRAMS / "email-report-processor"], stdin=message, env=environ, check=False)
    line = log.read_text("utf-8").splitlines()[-1].partition("]: ")[2]
    words = dict(pair.split("=", 1) for pair in line.partition(": ")[2].split(", ") if "=" in pair)
    said = f"{words.get('report', '-'):<16} rows {words.get('rows', '-'):>3}  stored {words.get('stored', '-'):>3}"
    return f"{path.name:<30} status {done.returncode}  {said}  kept {words.get('kept', '-').split(':')[0]}"


def stored(store: Path) -> list[tuple[str, int]]:
    """Index and number of documents."""
    connection = sqlite3.connect(store)
    try:
        return list(connection.execute("SELECT idx, count(*) FROM documents GROUP BY idx ORDER BY idx"))
    finally:
        connection.close()


def show(path: Path) -> str:
    """A path, short where it can be."""
    return str(path.relative_to(HERE)) if path.is_relative_to(HERE) else str(path)


def further(folder: Path, store: Path, page: Path) -> str:
    """How to go on."""
    program = show(PROGRAMS / "email-report-processor")
    return f"""\
To look further:
  {f"{program} --store - < {show(folder)}/messages/failure.eml":<73}  the documents of one message, as JSON
  {f"sqlite3 {show(store)} '.tables'":<73}  a view for each dataset
  {"docs/fields.md":<73}  what every field means
  {show(PROGRAMS / "email-report-admin")} summary --help
Next: contrib/forward-examples/ connects your mail server, docs/opensearch.md your OpenSearch.

A page of five weeks of such reports, for a browser:
  {page.as_uri()}"""


if __name__ == "__main__":
    sys.exit(main(Path(".demo").resolve()))
