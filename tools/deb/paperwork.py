"""What a Debian package says of itself: control, changelog, copyright."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.parser import HeaderParser
from email.utils import format_datetime
from pathlib import Path

from tools.venv import PROJECT

MAINTAINER = "email-report-processor maintainers <maintainers@email-report-processor.invalid>"

_CONTROL = """\
Package: {name}
Version: {version}
Section: mail
Priority: optional
Architecture: {architecture}
Maintainer: {maintainer}
Installed-Size: {size}
Depends: python3 (>= {python}~), python3 (<< {next}~), adduser, libc6 (>= 2.28), libgcc-s1 (>= 4.2)
Recommends: ca-certificates, default-mta | mail-transport-agent
Suggests: apparmor, logrotate
Description: DMARC, ARF and SMTP TLS reports by mail into OpenSearch or SQLite
 A mail server pipes what arrives at rua=, ruf= and TLSRPT addresses into this
 program, or hands it over by LMTP. It recognises DMARC aggregate reports, DMARC
 failure reports and other feedback reports, and SMTP TLS reports, and puts
 normalised documents into OpenSearch, SQLite or another store. Nothing is lost,
 and nothing is counted twice.
 .
 email-report-admin answers what a postmaster asks: is my mail authenticated,
 who sends in my name, what do I have to fix.
 .
 The package carries the libraries that the program was tested with, in an
 environment of its own, for the Python of this release of Debian.
"""


def control(name: str, version: str, architecture: str, size: int, python: str) -> str:
    """DEBIAN/control. size: KiB when installed; python: such as 3.11."""
    major, _, minor = python.partition(".")
    following = f"{major}.{int(minor) + 1}"
    return _CONTROL.format(
        name=name, version=version, architecture=architecture, maintainer=MAINTAINER, size=size, python=python,
        next=following,
    )  # fmt: skip


def changelog(name: str, version: str, moment: int) -> str:
    """In the form that dpkg-parsechangelog reads; what changed stands in NEWS."""
    date = format_datetime(datetime.fromtimestamp(moment, UTC))
    return f"{name} ({version}) unstable; urgency=medium\n\n  * See NEWS.gz.\n\n -- {MAINTAINER}  {date}\n"


def copyright_(bundled: Iterable[Path]) -> str:
    """The licence of the program, and the text of each library's that is bundled."""
    own = [f"{path.name}:\n\n{path.read_text('utf-8')}" for path in _own()]
    parts = ["email-report-processor, and what its own sources carry:\n", *own]
    parts += ["Libraries in /usr/lib/email-report-processor, each with its licence:\n", *map(_library, sorted(bundled))]
    line = "-" * 70
    return f"\n{line}\n\n".join(part.strip() + "\n" for part in parts)


def _own() -> Iterator[Path]:
    yield from (PROJECT / "LICENSE", *sorted((PROJECT / "LICENSES").glob("*.txt")))


def _library(info: Path) -> str:
    about = HeaderParser().parsestr((info / "METADATA").read_text("utf-8"))
    said = about["License-Expression"] or about["License"] or _classified(about.get_all("Classifier", []))
    texts = [path for path in sorted(info.rglob("*")) if path.is_file() and _is_licence(path, info)]
    shown = [f"{path.name}:\n\n{_text(path)}\n" for path in texts]
    return "\n".join([f"{about['Name']} {about['Version']}\nLicence: {_short(said)}\n", *shown])


def _text(path: Path) -> str:
    """The text of a licence; that of Apache is on every Debian."""
    text = path.read_text("utf-8", "replace").strip()
    before, found, rest = text.partition("Apache License\n")
    if not found or "TERMS AND CONDITIONS FOR USE, REPRODUCTION" not in rest:
        return text
    after = rest.partition("END OF TERMS AND CONDITIONS")[2].partition("limitations under the License.")[2]
    return (
        f"{before.strip()}\n\nApache License 2.0: see /usr/share/common-licenses/Apache-2.0\n\n{after.strip()}".strip()
    )


def _is_licence(path: Path, info: Path) -> bool:
    words = ("LICEN", "COPYING", "NOTICE", "AUTHORS")
    return (path.parent != info and "licenses" in path.parts) or path.name.upper().startswith(words)


def _classified(classifiers: Iterable[str]) -> str:
    return ", ".join(one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License"))


def _short(said: str) -> str:
    """Some put the whole text there."""
    return said.strip().partition("\n")[0]
