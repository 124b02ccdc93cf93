"""Pictures: their size, a small copy to show at once, and what they tell besides what they show.

A photograph's file says where and when it was taken, and with what. A picture that is sent is
written anew with nothing but its pixels, its colour profile and, where it moves, its timing.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ValidationError

if TYPE_CHECKING:
    from PIL.Image import Image

PIXELS_MAX = 100_000_000
"""More than any phone's camera takes; decoded, it is 400 MB."""

THUMB_PIXELS = 320
THUMB_BYTES_MAX = 24 * 1024
"""Stands in the message itself, as text a third longer."""

FRAMES_MAX = 2_000
_JPEG_QUALITY = 92
_KEPT = ("icc_profile", "transparency", "duration", "loop", "background", "disposal", "blend")
_FORMATS = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
}
"""What can be read and written again without loss of what it shows."""


_BROKEN = (OSError, ValueError, SyntaxError, TypeError, KeyError, EOFError, ArithmeticError)


class Picture(NamedTuple):
    """Is a picture to send: ``raw`` is the file written anew, ``thumb`` a small JPEG or WebP."""

    raw: bytes
    type: str
    width: int
    height: int
    thumb: bytes


def clean_picture(path: Path) -> Picture:
    """Return a picture without what its file tells besides what it shows.

    It stands upright whatever its file said about turning it. Raises ``ValidationError`` for one
    that cannot be read, or not be written anew.
    """
    from PIL import Image, ImageOps

    with _readable(path):
        with Image.open(path) as picture:
            form = picture.format or ""
            if form not in _FORMATS:
                raise ValidationError(_cannot(path, f"{form or 'its format'} cannot be cleaned"))
            if picture.width * picture.height > PIXELS_MAX:
                raise ValidationError(_cannot(path, f"it has over {PIXELS_MAX:,} pixels"))
            frames = getattr(picture, "n_frames", 1) if form not in ("MPO", "TIFF") else 1
            if frames > FRAMES_MAX:
                raise ValidationError(_cannot(path, f"it has over {FRAMES_MAX:,} frames"))
            if frames > 1:
                raw = _moving(picture, form)
                upright = picture.convert("RGBA")
            else:
                picture.load()
                upright = ImageOps.exif_transpose(picture)
                raw = _still(upright, form)
        thumb = thumbnail(upright)
    return Picture(raw, _FORMATS[form], upright.width, upright.height, thumb)


def thumbnail(picture: Image) -> bytes:
    """Return a small JPEG, or a WebP where some of it is transparent."""
    small = picture.copy()
    small.thumbnail((THUMB_PIXELS, THUMB_PIXELS))
    is_solid = small.mode in ("1", "L", "RGB", "CMYK", "YCbCr") and "transparency" not in small.info
    small = small.convert("RGB" if is_solid else "RGBA")
    small.info = {}
    raw = b""
    for quality in (75, 50, 30, 10):
        out = io.BytesIO()
        small.save(out, "JPEG" if is_solid else "WEBP", quality=quality)
        raw = out.getvalue()
        if len(raw) <= THUMB_BYTES_MAX:
            return raw
    small.thumbnail((THUMB_PIXELS // 4, THUMB_PIXELS // 4))
    out = io.BytesIO()
    small.save(out, "JPEG" if is_solid else "WEBP", quality=30)
    return out.getvalue()


def _still(picture: Image, form: str) -> bytes:
    clean = picture.copy()
    clean.info = _kept(picture)
    options: dict[str, Any] = {}
    match form:
        case "JPEG" | "MPO":
            form = "JPEG"
            options = {"quality": _JPEG_QUALITY, "subsampling": "4:2:0", "optimize": True}
            if clean.mode not in ("L", "RGB", "CMYK"):
                clean = clean.convert("RGB")
        case "WEBP":
            options = {"quality": _JPEG_QUALITY, "exact": True}
        case "TIFF":
            options = {"compression": "tiff_deflate"}
        case "PNG":
            options = {"optimize": True}
    if profile := picture.info.get("icc_profile"):
        options["icc_profile"] = profile
    out = io.BytesIO()
    clean.save(out, form, **options)
    return out.getvalue()


def _moving(picture: Image, form: str) -> bytes:
    from PIL import ImageSequence

    frames = []
    durations = []
    for frame in ImageSequence.Iterator(picture):
        durations.append(frame.info.get("duration", 100))
        copy = frame.copy()
        copy.info = _kept(frame)
        frames.append(copy)
    out = io.BytesIO()
    frames[0].save(
        out,
        form,
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=picture.info.get("loop", 0),
    )
    return out.getvalue()


def _kept(picture: Image) -> dict[Any, Any]:
    return {name: picture.info[name] for name in _KEPT if name in picture.info}


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn whatever a broken picture makes the library raise into one error."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ValidationError:
        raise
    except Image.DecompressionBombError as exc:
        raise ValidationError(_cannot(path, f"it has over {PIXELS_MAX:,} pixels")) from exc
    except _BROKEN as exc:
        raise ValidationError(_cannot(path, f"it cannot be read ({exc})")) from exc


def _cannot(path: Path, why: str) -> str:
    return (
        f"{path.name} is a picture, but {why}, so it may tell where it was taken; "
        "make a JPEG or PNG of it, or attach it as a plain file (kind 'file')"
    )
