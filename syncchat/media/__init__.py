"""Media: what can be said of a file before it is sent, so that others can show it.

``prepare`` is asked once for each file that is attached. What it says stands in the message; the
bytes that are sent are those of the file, or of ``cleaned_path`` where they may not leave as they
are: a photograph says where it was taken, a film where it was recorded.
"""

from __future__ import annotations

import mimetypes
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import StorageError, ValidationError

VOICE_MS_MAX = 5 * 60_000
"""The longest voice message; longer sound is a file like any other."""

FILE = "file"
HEAD_BYTES = 32
"""How much of a file's beginning tells what it is."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Is what is said of a file: how to show it, and its MIME type.

    ``waveform`` is up to 100 amplitudes of a byte each, ``thumb`` a JPEG or WebP of at most 24
    KiB. ``cleaned_path`` is a copy to send instead of the file, which whoever attaches it removes.
    """

    kind: str
    type: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    waveform: bytes | None = None
    thumb: bytes | None = None
    cleaned_path: Path | None = None


def prepare(path: Path | None, *, name: str, kind: str | None = None) -> Prepared:
    """Return what can be said of a file called ``name``, and clean it where that is needed.

    ``path`` is where it lies, None where its bytes come from a program. With ``kind`` "file" it is
    sent as it is, whatever it tells. Raises ``ValidationError`` for a picture, sound or film that
    cannot be cleaned, and ``ExtraMissing`` for sound and film without the extra ``media``.
    """
    type_ = type_of(name)
    if path is None or kind == FILE:
        return Prepared(FILE, type_)
    try:
        with open(path, "rb") as opened:
            type_ = _sniffed(opened.read(HEAD_BYTES), type_)
    except OSError as exc:
        raise StorageError(f"{path} cannot be read: {exc.strerror}") from exc
    family = type_.partition("/")[0]
    if family == "image" and type_ != "image/svg+xml":
        from .images import clean_picture

        picture = clean_picture(path)
        with _new_file() as target:
            target.write_bytes(picture.raw)
        return Prepared(
            "image",
            picture.type,
            width=picture.width,
            height=picture.height,
            thumb=picture.thumb,
            cleaned_path=target,
        )
    if family in ("audio", "video"):
        from .sound import clean_recording

        with _new_file() as target:
            found = clean_recording(path, type_, target)
        return Prepared(
            found.kind,
            f"{found.kind}/{type_.partition('/')[2]}",
            width=found.width,
            height=found.height,
            duration_ms=found.duration_ms,
            waveform=found.waveform,
            thumb=found.thumb,
            cleaned_path=target,
        )
    return Prepared(FILE, type_)


def may_tell(head: bytes, name: str) -> bool:
    """Tell whether a file is a picture, sound or film, by its first ``HEAD_BYTES`` and its name."""
    return _sniffed(head, type_of(name)).partition("/")[0] in ("image", "audio", "video")


def check_voice(prepared: Prepared, name: str) -> None:
    """Raise ``ValidationError`` unless a file is sound that may be a voice message."""
    if prepared.kind != "audio" or not prepared.duration_ms:
        raise ValidationError(f"{name} is no sound, so it can be no voice message; attach it")
    if prepared.duration_ms > VOICE_MS_MAX:
        raise ValidationError(
            f"{name} lasts {prepared.duration_ms // 1000} s; a voice message lasts at most "
            f"{VOICE_MS_MAX // 1000} s; attach it as a file"
        )
    if prepared.waveform is None:
        raise ValidationError(
            f"{name} is sound of a kind that cannot be drawn, so it can be no voice message; "
            "record it with 16 bits, or attach it as a file"
        )


def type_of(name: str) -> str:
    """Return the MIME type that a file's name stands for."""
    found, encoding = mimetypes.guess_type(name)
    return "application/octet-stream" if found is None or encoding is not None else found.lower()


def _sniffed(head: bytes, named: str) -> str:
    """Return what a file is by its first bytes, or what its name says where they say nothing."""
    for at, mark, type_ in _MARKS:
        if head[at : at + len(mark)] == mark:
            same = named.partition("/")[0] == type_.partition("/")[0] and at == 4
            return named if same and named.startswith(("video/", "audio/")) else type_
    return named


_MARKS = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF8", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"BM", "image/bmp"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/x-msvideo"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftyphei", "image/heic"),
    (4, b"ftypmif1", "image/heic"),
    (4, b"ftypmsf1", "image/heic"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
)
"""First bytes of what may carry tags, whatever its name says."""


@contextmanager
def _new_file() -> Iterator[Path]:
    """Give a new file for this person alone; it is removed where the block fails."""
    handle, name = tempfile.mkstemp(prefix="syncchat-")
    os.close(handle)
    target = Path(name)
    try:
        yield target
    except BaseException:
        target.unlink(missing_ok=True)
        raise
