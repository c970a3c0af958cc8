"""Write contrib/dashboards/*.ndjson."""

import sys
from pathlib import Path

from email_report_processor.cluster.saved_objects import write

from . import failures, intake_health, logins, mail_authentication, smtp_tls

FOLDER = Path(__file__).resolve().parents[2] / "contrib/dashboards"
DASHBOARDS = (mail_authentication, failures, smtp_tls, intake_health, logins)


def files() -> dict[str, bytes]:
    """File name -> what stands in it."""
    objects = {f"{one.NAME}.ndjson": one.objects() for one in DASHBOARDS}
    return {name: write(found) for name, found in objects.items()} | {
        "all.ndjson": write(one for found in objects.values() for one in found)
    }


def main(folder: Path = FOLDER) -> int:
    """Write every file; the same sources write the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (folder / name).write_bytes(content)
        print(f"{folder / name}: {len(content.splitlines())} objects")
    return 0


if __name__ == "__main__":
    sys.exit(main())
