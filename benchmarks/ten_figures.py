"""What people wait for over ten million rows, beside the same requests sent alone in the same run.

    python -m benchmarks.ten_figures [NAME …]    all of FIGURES, or some

Needs the node of `python -m benchmarks.ten_million serve`, and its rows. Each command is a process of its own, as a
person runs it; its requests are noted and sent again by nobody who thinks about the answers: that is the floor. "cold"
is after the node has forgotten every answer and filter, "warm" when the same command ran before. Load stands beside it.
"""

import http.client
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from tests import nodes

from . import ten_million

LARGEST = "brand00.example"  # of the domains
ROUNDS = int(os.environ.get("EMAIL_REPORT_TEN_ROUNDS", "3"))


class Wanted(NamedTuple):
    """A figure and its targets; 0 is none."""

    argv: tuple[str, ...]  # of email-report-admin; `.NAME` is a function of this module
    seconds: float = 0
    ratio: float = 0  # to the same requests sent alone
    scan: float = 0  # to one request that adds up all rows


FIGURES: Mapping[str, Wanted] = {
    "summary": Wanted(("summary",), 2, 1.5),
    "page": Wanted(("summary", "--html", "{page}"), 2, 1.5),
    "page-year": Wanted(("summary", "--since", "all", "--html", "{page}"), 2, 1.5),
    "check": Wanted(("check",), 1, scan=1 / 20),
    "check-verdicts": Wanted(("check", "--config", "{verdicts}"), 1, scan=1 / 20),
    "policy": Wanted(("policy", LARGEST), 5, 2),
    "policy-year": Wanted(("policy", LARGEST, "--since", "all", "--try", "p=reject; adkim=s; aspf=s"), 5, 2),
    "journal": Wanted(("journal", LARGEST), 5, 2),
    "digest": Wanted(("digest", "--print", "--always", "--no-pictures"), 5, 2),
    "observed": Wanted((".observed",), 5, 2),
    "desk": Wanted((".desk",), 2, 1.5),
}
_VERDICTS = """[[senders]]
sender = "mailer03.example"
verdict = "service"
[[senders]]
network = "198.18.0.0/16"
verdict = "mine"
[[senders]]
as = 4200000007
verdict = "stranger"
"""


class Sent(NamedTuple):
    """A request."""

    method: str
    path: str
    body: bytes | None


class Run(NamedTuple):
    """One run of a command."""

    seconds: float  # of the whole process
    inside: float  # without starting Python and importing the client
    own: float  # CPU seconds of the process
    node: float  # CPU seconds of the node
    sent: list[Sent]
    status: int


# In the process of its own


def _child(out: Path, argv: list[str]) -> None:
    """Run a command and write down what it asked for."""
    from email_report_processor.stores import client

    client.load_client()
    sent: list[Any] = []
    send = client.Client.send

    def noted(self: client.Client, method: str, path: str, parameters: Any, data: Any, *more: Any, **named: Any) -> Any:
        whole = path + ("?" + urlencode(parameters) if parameters else "")
        sent.append((method, whole, data.decode() if data else None))
        return send(self, method, path, parameters, data, *more, **named)

    client.Client.send = noted  # type: ignore[method-assign]
    started = time.monotonic()
    if argv[0].startswith("."):
        status = globals()[f"_{argv[0][1:]}"](ten_million.url())
    else:
        from email_report_processor.admin.command import main as admin

        config = [] if "--config" in argv else ["--config", "/dev/null"]
        status = admin([*argv, "--store", ten_million.url(), *config])
    inside = time.monotonic() - started
    out.write_text(json.dumps([inside, sent, status]))


def _observed(url: str) -> int:
    """`dns --observed` without the DNS, which is somebody else's time."""
    from email_report_processor.advice.observed import check_observed
    from email_report_processor.checking.resolver import Records
    from email_report_processor.pages.figure import Period
    from email_report_processor.stores.opening import open_store

    now = datetime.now(UTC)
    since = f"{now - timedelta(days=30):%Y-%m-%dT00:00:00Z}"
    found = check_observed(LARGEST, open_store(url), Period(since), lambda *_: Records(), None, f"{now:%Y-%m-%d}")
    return 0 if list(found) else 1


def _desk(url: str) -> int:
    """The overview of the desk, asked by somebody who is logged in."""
    from email_report_processor.desk.web.app import make_app
    from email_report_processor.desk.web.start import make_desk
    from email_report_processor.settings import Setting, Settings

    from .desk import _enter

    with tempfile.TemporaryDirectory() as state:
        given = {"store": {"url": url}, "state": {"dir": state}}
        table = {name: {key: Setting(value, "bench") for key, value in one.items()} for name, one in given.items()}
        made = make_desk(Settings(table, ()), lambda _level, _text: None)
        browser = make_app(made.desk).test_client()
        _enter(browser, made.token)
        return 0 if browser.get("/").status_code == 200 else 1


# Beside it


def _run(argv: tuple[str, ...], folder: Path) -> Run:
    (folder / "verdicts.toml").write_text(_VERDICTS)
    places = {"{page}": str(folder / "page.html"), "{verdicts}": str(folder / "verdicts.toml")}
    command = [sys.executable, "-m", "benchmarks.ten_figures", "--child", str(folder / "out")]
    started, before, own = time.monotonic(), cpu(), _children()
    done = subprocess.run(
        [*command, *(places.get(one, one) for one in argv)], capture_output=True, text=True, check=False
    )
    seconds, own = time.monotonic() - started, _children() - own
    if not (folder / "out").exists():
        raise RuntimeError(f"{' '.join(argv)}: {done.stdout[-300:]} {done.stderr[-2000:]}")
    inside, sent, status = json.loads((folder / "out").read_text())
    (folder / "out").unlink()
    requests = [Sent(method, path, body.encode() if body is not None else None) for method, path, body in sent]
    return Run(seconds, inside, own, cpu() - before, requests, status)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu() -> float:
    """CPU seconds that the node has taken: unlike time, they are the same on a busy machine, or nearly."""
    mark = f"-Djava.io.tmpdir={ten_million.DIRECTORY}/node/tmp".encode()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (place / "cmdline").read_bytes() and b"guard.py" not in (place / "cmdline").read_bytes():
                fields = (place / "stat").read_text().rpartition(")")[2].split()
                return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            continue
    return 0.0


def alone(sent: list[Sent]) -> tuple[float, float]:
    """Seconds of the same requests, one after the other on one connection, and CPU seconds of the node."""
    before = cpu()
    place = urlsplit(ten_million.url())
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=600)
    started = time.monotonic()
    for method, path, body in sent:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        connection.getresponse().read()
    return time.monotonic() - started, cpu() - before


def forget(node: nodes.Node) -> None:
    """Every answer, filter and ordinal that the node remembers."""
    node.ask("POST", "/_cache/clear")


_SCAN = {
    "size": 0,
    "aggs": {
        "groups": {
            "composite": {
                "size": 10_000,
                "sources": [
                    {name: {"terms": {"field": name, "missing_bucket": True}}}
                    for name in ("policy_published.domain", "report.org_name", "source.name", "class", "dmarc.result")
                ],
            },
            "aggs": {"count": {"sum": {"field": "count"}}},
        }
    },
}


def scan(node: nodes.Node) -> tuple[float, float]:
    """Seconds, and CPU seconds of the node, of one request that adds up all rows by what the rules look at."""
    started, before = time.monotonic(), cpu()
    path = f"/{ten_million.PREFIX}dmarc-aggregate-*/_search?request_cache=false"
    status, answer = node.request("POST", path, _SCAN, timeout=600)
    assert status == 200, answer
    return time.monotonic() - started, cpu() - before


def measure(name: str, wanted: Wanted) -> bool:
    """Measure one figure, print it, and say whether its targets were met."""
    node = nodes.Node(ten_million.url())
    with tempfile.TemporaryDirectory() as folder:
        cold, alone_cold, warm, alone_warm = [], [], [], []
        for _ in range(ROUNDS):
            forget(node)
            cold.append(_run(wanted.argv, Path(folder)))
            warm.append(_run(wanted.argv, Path(folder)))
            alone_warm.append(alone(warm[-1].sent))
            forget(node)
            alone_cold.append(alone(cold[-1].sent))
    met = True
    load = f"load {os.getloadavg()[0]:.0f}"
    for kind, runs, floors in (("cold", cold, alone_cold), ("warm", warm, alone_warm)):
        whole, inside, own, busy = (
            min(getattr(one, part) for one in runs) for part in ("seconds", "inside", "own", "node")
        )
        floor, busy_alone = (min(one[part] for one in floors) for part in (0, 1))
        size = len(runs[0].sent)
        line = f"{name:<15} {kind}: {whole:6.2f} s, of it {inside:6.2f} s / {floor:6.2f} s of its {size} requests alone"
        ratio = inside / floor
        line += f" = {ratio:4.2f}" + (f" (<= {wanted.ratio:g})" if wanted.ratio else "")
        line += f"; CPU {own:.2f} s, the node's {busy:.2f} / {busy_alone:.2f} s"
        if kind == "cold" and wanted.scan:
            whole_scan, busy_scan = scan(node)
            line += f"; a scan {whole_scan:.2f} s = {inside / whole_scan:.3f}, CPU {busy_scan:.2f} s"
            line += f" = {busy / busy_scan:.3f} (<= {wanted.scan:g})"
            met &= inside / whole_scan <= wanted.scan
        late = bool(wanted.seconds) and whole > wanted.seconds
        missed = late or (bool(wanted.ratio) and ratio > wanted.ratio)
        met &= not missed
        print(f"{line}; <= {wanted.seconds:g} s; {load}{'  MISSED' if missed else ''}", flush=True)
    return met


def main(names: list[str]) -> bool:
    """Measure, print, and say whether all targets were met."""
    met = [measure(name, FIGURES[name]) for name in names or FIGURES]  # each of them, also after a miss
    return all(met)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(Path(sys.argv[2]), sys.argv[3:])
    else:
        sys.exit(not main(sys.argv[1:]))
