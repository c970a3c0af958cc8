"""Keys of the site: made once by whoever comes first, whole or not at all; a damaged one is told and never used."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from email_report_processor.desk import tokens
from email_report_processor.logins import ask
from email_report_processor.settings import SettingsError

Read = Callable[[Path], bytes]
PLACES = [(tokens.read_key, tokens.KEY_FILE), (ask.read_key, ask.KEY_FILE)]


@pytest.mark.parametrize(("read", "name"), PLACES)
def test_a_key_is_made_once(read: Read, name: str, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(read, [tmp_path] * 32))
    assert len(keys) == 1
    assert len(keys.pop()) == 32
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"half of it", b"x" * 33])
@pytest.mark.parametrize(("read", "name"), PLACES)
def test_a_damaged_key_signs_nothing(read: Read, name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingsError, match="no key of 32 bytes; put it back from a backup, or remove it"):
        read(tmp_path)
    assert (tmp_path / name).read_bytes() == content
