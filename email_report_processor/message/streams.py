"""The one file in a stream of bytes, whichever form (`forms.STREAMS`) the stream has."""

from collections.abc import Iterator

from .inflate import gunzip


def undone(form: str, pieces: Iterator[bytes], notes: list[str]) -> Iterator[bytes]:
    """The one file in a stream of one of `forms.STREAMS`. Raises Damaged."""
    if form in {"gzip", "zlib"}:
        return gunzip(pieces, notes)
    from .compressed import unbzip2, unxz, unzstd  # 1 ms

    return {"bzip2": unbzip2, "xz": unxz, "zstd": unzstd}[form](pieces, notes)
