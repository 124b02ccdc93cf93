"""Sources: what can be attached, and how its bytes are read."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Protocol

from ..errors import NotFoundError, StorageError, ValidationError


class Readable(Protocol):
    """Is open for reading bytes: a file, a pipe, a response."""

    def read(self, count: int, /) -> bytes:
        """Return up to as many bytes, none at the end."""
        ...


Source = str | Path | bytes | Readable
"""What can be attached: a path, the bytes themselves, or something that is open for reading."""

_SPOOL_BYTES = 2**20


class Reading:
    """Reads a source once, from where it stands; what it raises says what is wrong with it."""

    def __init__(self, opened: Readable) -> None:
        self._opened = opened
        self._peeked = b""
        self.size = _size_of(opened)
        """How many bytes there are to read, 0 where nobody knows."""

    def peek(self, count: int) -> bytes:
        """Return the first bytes, which are still to be read."""
        self._peeked = self.read(count)
        return self._peeked

    def read(self, count: int) -> bytes:
        """Read as many bytes, or all that are left."""
        parts = [self._peeked[:count]]
        self._peeked = self._peeked[count:]
        got = len(parts[0])
        while got < count:
            try:
                part = self._opened.read(count - got)
            except OSError as exc:
                raise StorageError(f"the file cannot be read: {exc.strerror or exc}") from exc
            if not isinstance(part, bytes | bytearray):
                raise ValidationError("what is attached must be open for reading bytes, not text")
            if not part:
                break
            parts.append(bytes(part))
            got += len(part)
        return b"".join(parts)


def path_of(source: Source) -> Path | None:
    """Return where a source lies, None if it is no path; raises ``NotFoundError``."""
    path = Path(source) if isinstance(source, str | Path) else None
    if path is not None and not path.is_file():
        if path.exists():
            raise NotFoundError(
                f"{str(path)!r} is no file; a folder cannot be sent, pack it first, and what a "
                "pipe or a device gives goes through standard input"
            )
        raise NotFoundError(f"no file {str(path)!r}")
    return path


def name_of(source: Source) -> str:
    """Return what a source is called, "file" where it does not say."""
    if isinstance(source, str | Path):
        return Path(source).name
    given = getattr(source, "name", None)
    return Path(given).name if isinstance(given, str) else "file"


def open_source(source: Source, stack: ExitStack) -> Reading:
    """Open a source; ``stack`` closes what was opened here."""
    if isinstance(source, str | Path):
        try:
            return Reading(stack.enter_context(open(source, "rb")))
        except OSError as exc:
            raise StorageError(f"{str(source)!r} cannot be read: {exc.strerror or exc}") from exc
    if isinstance(source, bytes):
        return Reading(io.BytesIO(source))
    if not hasattr(source, "read"):
        raise ValidationError(
            f"a file is a path, bytes or something to read from, not {type(source).__name__}"
        )
    return Reading(source)


def spool(reading: Reading, stack: ExitStack) -> Path:
    """Copy what can be read to a file for this person alone; ``stack`` removes it."""
    handle, name = tempfile.mkstemp(prefix="syncchat-")
    path = Path(name)
    stack.callback(path.unlink, missing_ok=True)
    with os.fdopen(handle, "wb") as written:
        while part := reading.read(_SPOOL_BYTES):
            written.write(part)
    return path


def _size_of(opened: Any) -> int:
    with suppress(AttributeError, OSError, ValueError):
        here = opened.tell()
        end = opened.seek(0, io.SEEK_END)
        opened.seek(here)
        return int(end - here)
    return 0
