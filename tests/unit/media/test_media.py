"""Media: what is said of files, and that what they tell of places and people does not leave."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from PIL import Image

from syncchat.errors import ExtraMissing, StorageError, ValidationError
from syncchat.media import VOICE_MS_MAX, Prepared, check_voice, prepare
from syncchat.media.images import THUMB_BYTES_MAX, THUMB_PIXELS
from syncchat.media.sound import WAVEFORM_POINTS

from .samples import CANARY, film, gps, moving, photograph, recording, sound


def _taken(path: Path, name: str | None = None) -> tuple[Prepared, bytes]:
    found = prepare(path, name=name or path.name)
    assert found.cleaned_path is not None
    raw = found.cleaned_path.read_bytes()
    found.cleaned_path.unlink()
    return found, raw


def _tells_nothing(raw: bytes) -> None:
    assert CANARY.encode() not in raw and b"+51.5034" not in raw
    assert b"Exif" not in raw and b"GPS" not in raw


@pytest.mark.parametrize(
    ("form", "type_"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("TIFF", "image/tiff"),
        ("AVIF", "image/avif"),
        ("BMP", "image/bmp"),
        ("GIF", "image/gif"),
    ],
)
def test_photograph_tells_nothing_but_what_it_shows(tmp_path: Path, form: str, type_: str) -> None:
    path = photograph(tmp_path / f"photo.{form.lower()}", form)
    if form not in ("BMP", "GIF"):
        with Image.open(path) as before:
            assert before.getexif(), "or there is nothing to clean"
    found, raw = _taken(path)
    _tells_nothing(raw)
    assert (found.kind, found.type, found.width, found.height) == ("image", type_, 400, 200)
    cleaned = tmp_path / "clean"
    cleaned.write_bytes(raw)
    with Image.open(cleaned) as picture:
        assert not {*picture.getexif()} & {*gps()} and picture.format == form
        red, white = picture.convert("RGB").getpixel((20, 100)), (255, 255, 255)
        assert isinstance(red, tuple) and red[0] > 200 and red[1] < 60
        right = picture.convert("RGB").getpixel((380, 100))
        assert isinstance(right, tuple) and all(
            abs(a - b) < 20 for a, b in zip(right, white, strict=True)
        )


def test_turned_photograph_stands_upright(tmp_path: Path) -> None:
    found, raw = _taken(photograph(tmp_path / "a.jpg", orientation=6))
    assert (found.width, found.height) == (200, 400)
    (tmp_path / "b.jpg").write_bytes(raw)
    with Image.open(tmp_path / "b.jpg") as picture:
        assert picture.size == (200, 400)
        top = picture.convert("RGB").getpixel((100, 20))
        assert isinstance(top, tuple) and top[0] > 200 and top[1] < 60


def test_colour_profile_stays(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (20, 20)).save(tmp_path / "a.jpg", icc_profile=profile)
    _, raw = _taken(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(raw)
    with Image.open(tmp_path / "b.jpg") as picture:
        assert picture.info["icc_profile"] == profile


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_moving_picture_goes_on_moving(tmp_path: Path, form: str) -> None:
    _, raw = _taken(moving(tmp_path / f"a.{form.lower()}", form))
    _tells_nothing(raw)
    (tmp_path / "clean").write_bytes(raw)
    with Image.open(tmp_path / "clean") as picture:
        assert picture.n_frames == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "1"])
def test_small_copy_is_small_whatever_the_picture(tmp_path: Path, mode: str) -> None:
    form = "TIFF" if mode == "CMYK" else "PNG"
    noise = Image.effect_noise((2_000, 1_500), 120).convert(mode)
    noise.save(tmp_path / f"noise.{form.lower()}", form)
    found, _ = _taken(tmp_path / f"noise.{form.lower()}")
    assert found.thumb is not None and 0 < len(found.thumb) <= THUMB_BYTES_MAX
    (tmp_path / "thumb").write_bytes(found.thumb)
    with Image.open(tmp_path / "thumb") as small:
        assert max(small.size) <= THUMB_PIXELS and not small.getexif()
        assert small.format == ("WEBP" if mode in ("RGBA", "P") else "JPEG")


def test_photograph_under_another_name_is_known_by_its_bytes(tmp_path: Path) -> None:
    path = photograph(tmp_path / "notes.txt")
    found, raw = _taken(path)
    assert (found.kind, found.type) == ("image", "image/jpeg")
    _tells_nothing(raw)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("cut.jpg", lambda p: p.write_bytes(photograph(p).read_bytes()[:300])),
        ("none.png", lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))),
        ("phone.heic", lambda p: p.write_bytes(bytes(4) + b"ftypheic" + bytes(100))),
        ("empty.jpg", lambda p: p.write_bytes(b"")),
    ],
)
def test_picture_that_cannot_be_cleaned_is_refused_and_can_be_sent_as_a_file(
    tmp_path: Path, name: str, make: Callable[[Path], object]
) -> None:
    path = tmp_path / name
    make(path)
    with pytest.raises(ValidationError, match="attach it as a plain file"):
        prepare(path, name=name)
    found = prepare(path, name=name, kind="file")
    assert found.kind == "file" and found.cleaned_path is None


def test_picture_with_too_many_pixels_is_refused(tmp_path: Path) -> None:
    path = photograph(tmp_path / "a.png", "PNG")
    with (
        mock.patch("syncchat.media.images.PIXELS_MAX", 1_000),
        pytest.raises(ValidationError, match="pixels"),
    ):
        prepare(path, name="a.png")


def test_refused_file_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(4) + b"ftypisom" + bytes(50))
    with pytest.raises(ValidationError):
        prepare(path, name="a.mp4")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("form", "codec", "name"),
    [
        ("ogg", "libopus", "a.ogg"),
        ("mp4", "aac", "a.m4a"),
        ("mp3", "libmp3lame", "a.mp3"),
        ("flac", "flac", "a.flac"),
    ],
)
def test_sound_has_a_length_and_a_drawing_and_no_tags(
    tmp_path: Path, form: str, codec: str, name: str
) -> None:
    path = recording(tmp_path / name, form, codec)
    assert CANARY.encode() in path.read_bytes()
    found, raw = _taken(path)
    _tells_nothing(raw)
    assert found.kind == "audio" and found.type.startswith("audio/")
    assert found.duration_ms is not None and 1_900 <= found.duration_ms <= 2_200
    assert found.waveform is not None and len(found.waveform) == WAVEFORM_POINTS
    assert 60 < sorted(found.waveform)[50] < 80, "9,000 of 32,767"
    (tmp_path / f"clean.{form}").write_bytes(raw)
    again, _ = _taken(tmp_path / f"clean.{form}", name)
    assert again.duration_ms is not None and abs(again.duration_ms - found.duration_ms) < 100


def test_wav_needs_nothing_extra(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes() + b"LIST\x14\0\0\0" + CANARY.encode().ljust(20, b"\0"))
    with mock.patch.dict(sys.modules, {"av": None}):
        found, raw = _taken(path)
    _tells_nothing(raw)
    assert (found.kind, found.duration_ms) == ("audio", 2_000)
    assert found.waveform is not None
    assert list(found.waveform) == sorted(found.waveform), "it gets louder"
    assert found.waveform[-1] > 230


def test_film_has_a_size_a_picture_and_no_tags(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    assert b"+51.5034" in path.read_bytes()
    found, raw = _taken(path)
    _tells_nothing(raw)
    assert (found.kind, found.width, found.height, found.duration_ms) == ("video", 64, 48, 1_000)
    assert found.thumb is not None and found.thumb.startswith(b"\xff\xd8")


def test_film_without_the_extra_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    with (
        mock.patch.dict(sys.modules, {"av": None}),
        pytest.raises(ExtraMissing, match=r"syncchat\[media\]"),
    ):
        prepare(path, name="a.mp4")
    assert prepare(path, name="a.mp4", kind="file").cleaned_path is None


@pytest.mark.parametrize("name", ["a.mp4", "a.ogg", "a.wav", "a.wmv", "a.mp3"])
def test_broken_film_or_sound_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"this is neither sound nor film" * 10)
    with pytest.raises(ValidationError):
        prepare(path, name=name)


def test_other_files_are_sent_as_they_are(tmp_path: Path) -> None:
    for name, type_ in (
        ("notes.txt", "text/plain"),
        ("drawing.svg", "image/svg+xml"),
        ("archive.tar.gz", "application/octet-stream"),
        ("unknown", "application/octet-stream"),
    ):
        (tmp_path / name).write_bytes(b"bytes")
        assert prepare(tmp_path / name, name=name) == Prepared("file", type_)
    assert prepare(None, name="photo.jpg") == Prepared("file", "image/jpeg")


def test_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        prepare(tmp_path / "gone", name="gone")


def test_voice_message_is_sound_and_not_long() -> None:
    good = Prepared("audio", "audio/ogg", duration_ms=1_000, waveform=b"1")
    check_voice(good, "a.ogg")
    long = Prepared("audio", "audio/ogg", duration_ms=VOICE_MS_MAX + 1, waveform=b"1")
    with pytest.raises(ValidationError, match="at most 300 s"):
        check_voice(long, "a.ogg")
    with pytest.raises(ValidationError, match="no sound"):
        check_voice(Prepared("file", "text/plain"), "a.txt")
    with pytest.raises(ValidationError, match="cannot be drawn"):
        check_voice(Prepared("audio", "audio/wav", duration_ms=1_000), "a.wav")
