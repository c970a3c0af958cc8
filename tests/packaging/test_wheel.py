"""The wheel and the sdist: the same bytes each time, and what they install works without this checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from email_report_processor import __version__
from tests.conftest import missing
from tests.mta.packages import UnavailableError
from tests.packaging.pythons import OTHERS, Python, python
from tests.places import GOLDEN, ROOT
from tools import distribution, venv

MESSAGE = GOLDEN / "smtp-tls"
IMPORT_ALL = """
import importlib, pkgutil, sys
import email_report_processor as ours
names = [one.name for one in pkgutil.walk_packages(ours.__path__, "email_report_processor.")]
for name in names:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name.partition(".")[0] in {"flask", "itsdangerous", "waitress", "werkzeug"}  # the extra `desk`
        if not missing or not name.startswith("email_report_processor.desk.web."):
            raise
print(len(names), ours.__file__)
"""


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A wheel and an sdist of this checkout."""
    return distribution.build(ROOT, tmp_path_factory.mktemp("dist"))


def test_the_same_commit_gives_the_same_bytes(archives: tuple[Path, Path], tmp_path: Path) -> None:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    elsewhere = tmp_path / "another place" / "checkout"
    before = os.umask(0o077)
    try:
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).exists():  # else deleted, and not yet committed
                (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, elsewhere / name)
                if os.access(ROOT / name, os.X_OK):
                    (elsewhere / name).chmod(0o700)
        again = distribution.build(elsewhere, tmp_path / "dist")
    finally:
        os.umask(before)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in archives]


def test_the_wheel_has_what_belongs_to_it(archives: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(archives[0]) as wheel:
        names = wheel.namelist()
        metadata = next(name for name in names if name.endswith("/METADATA"))
        about = wheel.read(metadata).decode()
    data = f"email_report_processor-{__version__}.data/data/share"
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "email_report_processor").rglob("*.py")}
    assert code <= set(names)
    assert {
        f"{data}/man/man5/email-report-processor.toml.5",
        f"{data}/fish/vendor_completions.d/email-report-admin.fish",
    } <= set(names)
    assert [name for name in names if re.search(r"/licenses/.*(LICENSE|world-atlas.txt)$", name)]
    assert "License-Expression: MIT AND ISC" in about
    assert not [name for name in names if name.startswith("tests/") or "__pycache__" in name]


def test_the_sdist_has_the_tests_and_no_more(archives: tuple[Path, Path]) -> None:
    with tarfile.open(archives[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"tests/conftest.py", "tools/manual.py", "requirements.lock", "contrib/forward-examples/forward"} <= names
    assert not [name for name in names if name.startswith((".venv", ".ci", "dist", "build", ".git/"))]


def test_what_the_lock_has_is_what_is_asked_for() -> None:
    assert venv.unlocked() == [], "run make lock"
    text = venv.LOCK.read_text("utf-8")
    assert "://" not in text
    pinned = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert [one for one in pinned if "--hash=sha256:" not in one] == []


def install(where: Python, place: Path, *what: str) -> Path:
    """A clean environment, as a person makes it."""
    where.run(where.path, "-m", "venv", place)
    where.run(place / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *what)
    return place


def works(where: Python, place: Path) -> None:
    """See that both commands do their work where they are installed."""
    folder = place.parent
    number, origin = where.run(place / "bin/python", "-I", "-c", IMPORT_ALL).split()
    assert int(number) > 100
    assert str(place) in origin
    store = f"--store=sqlite:{folder}/reports.sqlite"
    for report in sorted(MESSAGE.glob("*.eml")):
        where.run(
            place / "bin/email-report-processor", store, f"--state={folder}", "--log=none", input_=report.read_bytes()
        )
    said = where.run(
        place / "bin/email-report-admin", "search", store, f"--state={folder}", "--json", "dataset:smtp-tls"
    )
    assert json.loads(said.splitlines()[0])
    version = where.run(place / "bin/email-report-admin", "--version")
    assert version == f"email-report-admin {__version__}\n"


def test_the_wheel_works_alone(archives: tuple[Path, Path], tmp_path: Path) -> None:
    where = python(f"3.{sys.version_info[1]}")
    place = install(where, tmp_path / "venv", str(archives[0]))
    works(where, place)
    for path in ("man/man1/email-report-admin-kept.1", "bash-completion/completions/email-report-admin"):
        assert (place / "share" / path).is_file()


def test_the_sdist_works_with_every_extra(archives: tuple[Path, Path], tmp_path: Path) -> None:
    inside = distribution.environment(tmp_path / "venv", archives[1], distribution.every_extra())
    works(python(f"3.{sys.version_info[1]}"), tmp_path / "venv")
    said = distribution.components(inside)
    assert said["bomFormat"] == "CycloneDX"
    assert said["metadata"]["component"]["version"] == __version__
    names = {venv.name(one["name"]) for one in said["components"]}
    assert {"world-atlas", *map(venv.name, venv.wanted_of_the_package())} - {"backports-zstd"} <= names


@pytest.mark.long
@pytest.mark.timeout(1800)  # Debian's packages, and all extras
@pytest.mark.parametrize("archive", ["wheel", "sdist"])
@pytest.mark.parametrize("extras", ["", "every"])
@pytest.mark.parametrize("version", OTHERS)
def test_it_works_with_other_pythons(
    version: str, extras: str, archive: str, archives: tuple[Path, Path], tmp_path: Path
) -> None:
    try:
        where = python(version)
    except UnavailableError as reason:
        missing(str(reason))
    chosen = str(archives[archive == "sdist"]) + (distribution.every_extra() if extras else "")
    works(where, install(where, tmp_path / "venv", chosen))


@pytest.mark.long
@pytest.mark.timeout(1800)  # Debian's packages, and all extras
@pytest.mark.parametrize("version", OTHERS)
def test_golden_pairs_are_the_same_with_other_pythons(version: str, tmp_path: Path) -> None:
    try:
        where = python(version)
    except UnavailableError as reason:
        missing(str(reason))
    needed = ["pytest", "pytest-timeout", "hypothesis", str(ROOT) + distribution.every_extra()]  # conftest's too
    install(where, tmp_path / "venv", *needed)
    tests = [str(ROOT / "tests" / name) for name in ("reports/test_golden.py", "documents", "message")]
    said = where.run(
        tmp_path / "venv/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", *tests
    )
    assert re.search(r"\d+ passed", said)
