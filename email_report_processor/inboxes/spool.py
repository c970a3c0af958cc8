"""The bytes of a message while they arrive: in memory while they are few, else in an unnamed temporary file."""

import os
from collections.abc import Iterable

from ..message.blob import IN_MEMORY, Blob, File, Memory, temporary_file
from .lmtp import LARGEST

MEMORY = 4 * 1024**2  # bytes of all messages in memory; as many as there are connections may be arriving


class Spool:
    """Takes a message piece by piece. What goes wrong is said in `fault` when the message is complete."""

    held = 0  # bytes in memory, of all messages

    def __init__(self) -> None:
        self.size = 0
        self.fault = ""
        self._pieces: list[bytes] = []
        self._file = -1

    def write(self, piece: bytes) -> None:
        """Take a piece. A message is read to its end even when there is no room for it."""
        if self.fault:
            return
        self.size += len(piece)
        try:
            if self._file < 0 and (self.size > IN_MEMORY or Spool.held + len(piece) > MEMORY):
                self._file = temporary_file()
                self._put(self._pieces)
                self._forget()
            if self._file < 0:
                self._pieces.append(piece)
                Spool.held += len(piece)
            else:
                self._put([piece])
        except OSError as error:
            self._fail(
                f"no room for a message of {self.size} bytes or more in the temporary directory: {error.strerror}"
            )
        if self.size > LARGEST:
            self._fail(f"the message has more than {LARGEST} bytes, and no more of one can be kept")

    @property
    def file(self) -> int:
        """The descriptor of the file that holds the message, -1 while it is in memory."""
        return self._file

    def data(self) -> bytes:
        """The message, when it is in memory."""
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""

    def blob(self) -> Blob:
        """The message, which has the file from now on; this is empty then."""
        file, self._file = self._file, -1
        blob: Blob = File(file, self.size) if file >= 0 else Memory(self.data())
        self._forget()
        return blob

    def close(self) -> None:
        """Let go of it."""
        self._forget()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _put(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[os.write(self._file, view) :]

    def _forget(self) -> None:
        Spool.held -= sum(map(len, self._pieces))
        self._pieces.clear()

    def _fail(self, fault: str) -> None:
        self.fault = fault
        self.close()

    def __del__(self) -> None:
        self.close()
