"""Assemble the Debian package: `python -m tools.deb.build [FOLDER]`.

The package has an environment of its own, with the locked versions of everything. Several of them are machine code for
one version of Python (MarkupSafe, maxminddb, grpcio under opensearch-py), so it is built for one architecture and for
the Python of the Debian that it is built on: `_amd64`, not `_all`. Extras for other stores and clouds are left out with
their 200 MB of libraries, which a mail server rarely wants (pyarrow, botocore); they can be added beside the package.
dpkg-deb alone packs it: nothing is compiled, and debhelper would bring hundreds of packages to the build for that.
The same commit, lock and release of Debian give the same bytes.
"""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from email_report_processor import __version__
from tools import distribution
from tools.deb.paperwork import changelog, control, copyright_
from tools.deb.units import units
from tools.venv import LOCK, PROJECT

NAME = "email-report-processor"
HOME = Path("usr/lib") / NAME
DEBIAN = PROJECT / "contrib/debian"
EXAMPLES = PROJECT / "contrib/forward-examples"
PYTHON = Path("/usr/bin/python3")  # Debian's own: not whatever runs this
EXTRAS = ("geo", "imap", "metrics", "notify", "pictures", "zstd", "desk")
BESIDE = f"/usr/local/lib/{NAME}"  # libraries that a site adds
ENABLED = ("email-report-kept.timer",)
COMMANDS = {NAME: "email_report_processor.__main__", "email-report-admin": "email_report_processor.admin.command"}
# Where a file of contrib/debian goes.
_PLACES = {
    "email-report-processor.toml": "etc/email-report-processor.toml",
    "apparmor": f"etc/apparmor.d/{NAME}",
    "logrotate": f"etc/logrotate.d/{NAME}",
    "sysusers": f"usr/lib/sysusers.d/{NAME}.conf",
    "tmpfiles": f"usr/lib/tmpfiles.d/{NAME}.conf",
    "lintian-overrides": f"usr/share/lintian/overrides/{NAME}",
    "README.Debian": f"usr/share/doc/{NAME}/README.Debian",
}
_SCRIPT = "#!/{home}/bin/python3 -I\nfrom {module} import run\n\nrun()\n"


class BuildError(Exception):
    """The package cannot be built here; the text says why."""


def build(folder: Path, version: str = __version__, *, quick: bool = False) -> Path:
    """The package, in a folder. quick: packed in a hurry. Raises BuildError."""
    if not PYTHON.exists() or shutil.which("dpkg-deb") is None:
        raise BuildError("a Debian package is built on Debian, with its python3 and dpkg-deb")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "root"
        _environment(root, Path(temporary))
        _commands(root)
        _place(root)
        _documentation(root, version)
        _scripts(root, version)
        return _pack(root, folder, version, quick=quick)


def _environment(root: Path, temporary: Path) -> None:
    minor = python_version()
    site = root / HOME / "lib" / f"python{minor}" / "site-packages"
    wheel, _ = distribution.build(PROJECT, temporary / "dist")
    install = ["--quiet", "--no-config", "pip", "install", "--python", str(PYTHON), "--target", str(site)]
    locked = ["--constraint", str(LOCK), "--only-binary", ":all:", "--link-mode", "copy"]
    subprocess.run([distribution.BIN / "uv", *install, *locked, f"{wheel}[{','.join(EXTRAS)}]"], check=True)
    (site / "beside.pth").write_text(f"{BESIDE}\n")
    share = root / "usr/share"
    share.mkdir(parents=True)
    for name in ("man", "bash-completion", "zsh", "fish"):
        shutil.move(site / "share" / name, share / name)
    (share / "zsh/site-functions").rename(share / "zsh/vendor-completions")  # where Debian's zsh looks for packages'
    for name in ("bin", "share", ".lock"):  # commands and data of libraries: nobody calls them there
        path = site / name
        path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
    for info in site.glob("email_report_processor-*.dist-info"):
        for name in ("direct_url.json", "uv_cache.json"):  # where the wheel lay on this machine, and since when
            (info / name).unlink(missing_ok=True)
        record = (info / "RECORD").read_text("utf-8").splitlines(keepends=True)
        (info / "RECORD").write_text(
            "".join(line for line in record if "direct_url" not in line and "uv_cache" not in line)
        )
    for path in (site / "email_report_processor/examples").iterdir():
        text = _moved(path.read_text("utf-8"))
        _write(path, text, 0o755 if text.startswith("#!") else 0o644)
    for path in [*share.glob("man/man*/*")]:
        _compress(path)


def python_version() -> str:
    """Of Debian's Python, such as 3.11."""
    command = [str(PYTHON), "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def _commands(root: Path) -> None:
    binaries, ours = root / "usr/bin", root / HOME / "bin"
    binaries.mkdir(parents=True)
    ours.mkdir()
    (ours / "python3").symlink_to(f"../../../bin/python{python_version()}")
    cfg = f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python_version()}\n"
    (root / HOME / "pyvenv.cfg").write_text(cfg)
    for name, module in COMMANDS.items():
        _write(ours / name, _SCRIPT.format(home=HOME, module=module), 0o755)
        (binaries / name).symlink_to(f"../lib/{NAME}/bin/{name}")
    for name in (f"{NAME}-pipe", f"{NAME}-retry"):
        _write(binaries / name, _moved((EXAMPLES / name).read_text("utf-8")), 0o755)


def _moved(text: str) -> str:
    """An example, with the paths of this package."""
    return text.replace("/opt/email-report-processor/bin/", "/usr/bin/").replace("/usr/local/bin/", "/usr/bin/")


def _place(root: Path) -> None:
    for name, place in _PLACES.items():
        _write(root / place, (DEBIAN / name).read_text("utf-8"))
    for name, text in units().items():
        _write(root / "lib/systemd/system" / name, text)


def _documentation(root: Path, version: str) -> None:
    doc = root / "usr/share/doc" / NAME
    for path in EXAMPLES.iterdir():
        units_ = path.suffix in {".service", ".timer", ".socket"}  # the package has its own
        if not units_ and not path.name.startswith((f"{NAME}-", "README")):
            _write(doc / "examples" / path.name, _moved(path.read_text("utf-8")))
    for path in [PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")]:
        _write(doc / path.relative_to(PROJECT), path.read_text("utf-8"))
        if path.stat().st_size > 4096:
            _compress(doc / path.relative_to(PROJECT))
    _write(doc / "NEWS", (PROJECT / "CHANGELOG.md").read_text("utf-8"))
    _write(doc / "changelog", changelog(NAME, version, moment()))
    _compress(doc / "NEWS")
    _compress(doc / "changelog")
    _write(doc / "copyright", copyright_((root / HOME).rglob("*.dist-info")))


def _scripts(root: Path, version: str) -> None:
    debian = root / "DEBIAN"
    debian.mkdir()
    words = {
        "@UNITS@": " ".join(units()),
        "@TIMERS@": " ".join(name for name in units() if name.endswith(".timer")),
        "@SERVICES@": " ".join(name for name in units() if name.endswith(".service")),
        "@ENABLED@": " ".join(ENABLED),
    }
    for name in ("postinst", "prerm", "postrm"):
        _write(debian / name, _filled((DEBIAN / name).read_text("utf-8"), words), 0o755)
    files = [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink() and debian not in path.parents
    ]
    _write(
        debian / "conffiles",
        "".join(f"/{path.relative_to(root)}\n" for path in files if path.is_relative_to(root / "etc")),
    )
    _write(debian / "md5sums", "".join(_sum(path, root) for path in files if not path.is_relative_to(root / "etc")))
    size = sum(path.stat().st_size for path in files) // 1024
    _write(debian / "control", control(NAME, version, architecture(), size, python_version()))


def architecture() -> str:
    """As dpkg names this machine's."""
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()


def _filled(text: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        text = text.replace(name, value)
    return text


def _sum(path: Path, root: Path) -> str:
    digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return f"{digest}  {path.relative_to(root)}\n"


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)


def _compress(path: Path) -> None:
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
    path.unlink()


def moment() -> int:
    """Of the commit, in seconds since 1970: what the times of all files become. Without git, the day of the release."""
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(epoch)
    if shutil.which("git"):
        command = ["git", "log", "-1", "--format=%ct"]
        said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False).stdout
        if said.strip():
            return int(said)
    day = re.search(r"^## \S+ - (\d{4}-\d\d-\d\d)$", (PROJECT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    return int(datetime.fromisoformat(f"{day[1]}T12:00:00+00:00").timestamp()) if day else 0


def _pack(root: Path, folder: Path, version: str, *, quick: bool) -> Path:
    when = moment()
    for path in _everything(root):
        if not path.is_symlink():
            ours = path.parent.name in {"bin", "DEBIAN", "examples"} and path.stat().st_mode & 0o100
            path.chmod(0o755 if path.is_dir() or ours else 0o644)  # libraries mark what nobody runs
        os.utime(path, (when, when), follow_symlinks=False)
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / f"{NAME}_{version}_{architecture()}.deb"
    how = ["-Zgzip", "-z1"] if quick else ["-Zxz"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(when)}
    command = ["dpkg-deb", "--root-owner-group", *how, "--build", str(root), str(package)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return package


def _everything(root: Path) -> Iterator[Path]:
    yield root
    yield from root.rglob("*")


def main() -> int:
    """0, or 1 with a sentence."""
    try:
        package = build(Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "dist")
    except BuildError as error:
        print(f"make deb: {error}", file=sys.stderr)
        return 1
    print(f"{package}  {package.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
