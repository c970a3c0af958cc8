"""Whom a new file belongs to: what root makes in the filter's directory would be closed to the filter."""

import os
import stat


def give(descriptor: int, path: "os.PathLike[str] | str") -> None:
    """Give what was just made at `path`, and is open, to the owner of its directory; for root only. Raises OSError.

    By the descriptor, which was opened with O_EXCL or O_NOFOLLOW, and only while it has one name: whom the directory
    belongs to could have put a link there that leads to a file of root's.
    """
    if os.geteuid() != 0:
        return
    above, made = os.stat(os.path.dirname(path) or "."), os.fstat(descriptor)
    if above.st_uid != 0 and made.st_uid == 0 and (stat.S_ISDIR(made.st_mode) or made.st_nlink == 1):
        os.fchown(descriptor, above.st_uid, above.st_gid)


def make_directory(path: "os.PathLike[str] | str") -> None:
    """Make one directory that only its owner may enter. Raises OSError, FileExistsError when there is one."""
    os.mkdir(path, 0o700)
    if os.geteuid() == 0:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            give(descriptor, path)
        finally:
            os.close(descriptor)
