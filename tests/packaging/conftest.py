"""What several tests of packages share."""

from pathlib import Path

import pytest

from tests.conftest import missing
from tools.deb import build as building


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian package of this checkout."""
    try:
        return building.build(tmp_path_factory.mktemp("deb"), quick=True)
    except building.BuildError as reason:
        missing(str(reason))
