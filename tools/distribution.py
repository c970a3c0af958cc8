"""`make dist`: the wheel, the sdist, and their list of components (SBOM, CycloneDX) in dist/.

The same commit gives the same bytes, wherever and whenever it is built: hatchling writes files in the order of their
names, with fixed times and modes. Versions of what is depended upon are those of requirements.lock.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from email_report_processor import __version__
from tools.venv import LOCK, PROJECT

BIN = Path(sys.executable).parent
# What the wheel carries that no package manager knows of.
BUNDLED = {
    "type": "data",
    "bom-ref": "world-atlas",
    "name": "world-atlas",
    "version": "2.0.2",
    "description": "countries of the map (Natural Earth, public domain), reduced by tools/world_map.py",
    "licenses": [{"license": {"id": "ISC"}}],
    "purl": "pkg:npm/world-atlas@2.0.2",
}


def build(project: Path, place: Path) -> tuple[Path, Path]:
    """Wheel and sdist of a checkout."""
    place.mkdir(parents=True, exist_ok=True)
    command = [str(BIN / "python"), "-m", "hatchling", "build", "-d", str(place.resolve())]
    subprocess.run(
        [*command, "-t", "wheel", "-t", "sdist"],
        cwd=project,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    return next(place.glob("*.whl")), next(place.glob("*.tar.gz"))


def environment(place: Path, wheel: Path, extras: str, python: str = sys.executable) -> Path:
    """A virtual environment with the wheel, and with what it needs in the locked versions; its Python."""
    quiet = [str(BIN / "uv"), "--quiet", "--no-config"]
    subprocess.run([*quiet, "venv", "--python", python, str(place)], check=True)
    install = ["pip", "install", "--python", str(place / "bin/python"), "--constraint", str(LOCK)]
    subprocess.run([*quiet, *install, f"{wheel}{extras}"], check=True)
    return place / "bin/python"


def components(python: Path) -> dict[str, Any]:
    """The list of components of an environment with the program."""
    command = [str(BIN / "cyclonedx-py"), "environment", "--pyproject", str(PROJECT / "pyproject.toml")]
    more = ["--output-reproducible", "--of", "JSON", str(python)]
    done = subprocess.run([*command, *more], check=True, capture_output=True)
    said: dict[str, Any] = json.loads(done.stdout)
    said["metadata"]["component"]["version"] = __version__  # dynamic in pyproject.toml, which cyclonedx-py reads
    said["components"] = sorted([*said["components"], BUNDLED], key=lambda one: str(one["name"]))
    return said


def every_extra() -> str:
    """`[geo,aws,…]`"""
    with (PROJECT / "pyproject.toml").open("rb") as file:
        return f"[{','.join(tomllib.load(file)['project']['optional-dependencies'])}]"


def main() -> int:
    """Write the three files."""
    place = PROJECT / "dist"
    shutil.rmtree(place, ignore_errors=True)
    wheel, sdist = build(PROJECT, place)
    with tempfile.TemporaryDirectory() as folder:
        said = components(environment(Path(folder) / "venv", wheel, every_extra()))
    sbom = place / f"{sdist.name.removesuffix('.tar.gz')}.cdx.json"
    sbom.write_text(json.dumps(said, indent=1) + "\n", "utf-8")
    for path in (wheel, sdist, sbom):
        print(f"{path.relative_to(PROJECT)}  {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
