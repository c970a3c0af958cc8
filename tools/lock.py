"""`make lock`: write requirements.lock, with version and hash of everything that development needs.

For every Python that the project supports, with all extras and the group `dev`. The place of a registry is not in it.
"""

import subprocess
import sys

from tools.venv import LOCK, PROJECT, VENV, wanted

HEAD = "# Written by `make lock` from pyproject.toml; `make venv` installs it.\n"


def main() -> int:
    """0, or what uv says."""
    command = [
        str(VENV / "bin/uv"), "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--upgrade",
        "--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links",
        "--output-file", str(LOCK), "-",
    ]  # fmt: skip
    done = subprocess.run(command, input="\n".join(wanted()), text=True, check=False, cwd=PROJECT)
    if done.returncode == 0:
        LOCK.write_text(HEAD + LOCK.read_text("utf-8"), "utf-8")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
