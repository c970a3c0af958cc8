"""Which encoding a document is in."""

import pytest

from email_report_processor.reports.xml.encoding import guess_encoding
from tests.reports.xml.read import document, look, records


@pytest.mark.parametrize(
    ("start", "codec", "well_labelled"),
    [
        (b"<feedback>", "utf-8", True),
        (b"\xef\xbb\xbf<feedback>", "utf-8-sig", True),
        (b"\xff\xfe<\0", "utf-16", True),
        (b"\xfe\xff\0<", "utf-16", True),
        (b"<\0f\0", "utf-16-le", True),
        (b"\0<\0f", "utf-16-be", True),
        (b"<?xml version='1.0' encoding='UTF-8'?>", "utf-8", True),
        (b"<?xml version='1.0' encoding=\"us-ascii\"?>", "utf-8", True),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?>", "iso8859-1", True),
        (b" \r\n<?xml version='1.0' encoding='windows-1252'?>", "cp1252", True),
        (b"<?xml version='1.0' encoding='GB2312'?>", "gb2312", True),
        (b"<?xml version='1.0' encoding='Shift_JIS'?>", "shift_jis", True),
        (b"<?xml version='1.0' encoding='utf-16'?>", "utf-8", False),
        (b"<?xml version='1.0' encoding='EBCDIC-CP-US'?>", "utf-8", False),
        (b"<?xml version='1.0' encoding='x-unknown'?>", "utf-8", False),
        (b"<?xml version='1.0' encoding='rot13'?>", "utf-8", False),
        (b"<?xml version='1.0' encoding='unicode_escape'?>", "utf-8", False),
        (b"<?xml version='1.0' encoding='utf-7'?>", "utf-8", False),
    ],
)
def test_encoding(start: bytes, codec: str, well_labelled: bool) -> None:
    assert guess_encoding(start)[0] == codec
    assert (guess_encoding(start)[1] == "") is well_labelled


@pytest.mark.parametrize("label", ["iso-8859-1", "windows-1252", "iso-8859-15", "gb2312", "euc-jp", "big5", "koi8-r"])
def test_legacy_encodings(label: str) -> None:
    word = {"gb2312": "网易", "euc-jp": "日本語", "big5": "中華", "koi8-r": "отчёт"}.get(label, "Größe")
    data = f"<?xml version='1.0' encoding='{label}'?>{document(f'<record><a>{word}</a></record>')}".encode(label)
    assert records(data) == [f'["record",1,"a","{word}"]']
    assert look(data).strict


def test_bytes_of_another_encoding() -> None:
    data = document("<record><a>Größe</a></record><record><a>größer €</a></record>").encode("cp1252")
    assert records(data) == ['["record",1,"a","Größe"]', '["record",1,"a","größer €"]']
    found = look(data)
    assert not found.strict
    assert "encoding: bytes that are not utf-8 were repaired" in found.warnings
