"""Tests of pictures and sound that are attached: what others receive of them."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncchat.core.attachments import read_attachment
from syncchat.errors import ValidationError
from syncchat.room import Room
from tests.support.peers import make_peer

from .samples import CANARY, film, photograph, recording, sound


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with make_peer(1, path=tmp_path / "peer.db") as peer:
        yield peer.create_room("pictures")


def test_pictures_are_sent_clean_however_they_are_given(room: Room, tmp_path: Path) -> None:
    original = photograph(tmp_path / "photo.jpg")
    raw = original.read_bytes()
    assert CANARY.encode() in raw
    with original.open("rb") as opened:
        sources = (original, raw, io.BytesIO(raw), opened, _Pipe(raw))
        messages = [room.attach(source, name="photo.jpg") for source in sources]
    for message in messages:
        attachment = read_attachment(message.attachments[0])
        assert (attachment.width, attachment.height, message.kind) == (400, 200, "image")
        assert attachment.thumb is not None
        assert attachment.type == "image/jpeg"
        sent = room.open_file(message.id).read()
        assert sent.startswith(b"\xff\xd8\xff")
        assert CANARY.encode() not in sent
    assert original.read_bytes() == raw


def test_picture_is_known_by_its_bytes_whatever_its_name(room: Room, tmp_path: Path) -> None:
    raw = photograph(tmp_path / "photo.jpg").read_bytes()
    message = room.attach(raw, name="notes")
    assert (message.kind, room.file(message.id).type) == ("image", "image/jpeg")
    assert CANARY.encode() not in room.open_file(message.id).read()


def test_picture_goes_as_it_is_if_it_is_sent_as_a_file(room: Room, tmp_path: Path) -> None:
    raw = photograph(tmp_path / "photo.jpg").read_bytes()
    for source in (raw, tmp_path / "photo.jpg"):
        message = room.attach(source, name="photo.jpg", kind="file")
        assert message.kind == "file"
        assert room.open_file(message.id).read() == raw


def test_nothing_of_what_is_prepared_is_left_behind(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = photograph(tmp_path / "photo.jpg")
    raw = original.read_bytes()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    room.attach(raw, name="photo.jpg")
    room.attach(original)
    with pytest.raises(ValidationError):
        room.attach(raw[:300], name="photo.jpg")
    assert list(temporary.iterdir()) == []


def test_films_and_sounds_are_sent_clean_with_what_shows_them(room: Room, tmp_path: Path) -> None:
    message = room.attach(film(tmp_path / "a.mp4"))
    seen = read_attachment(message.attachments[0])
    assert (message.kind, seen.kind, seen.type) == ("video", "video", "video/mp4")
    assert (seen.width, seen.height, seen.duration_ms) == (64, 48, 1_000)
    assert seen.thumb
    assert b"+51.5034" not in room.open_file(message.id).read()
    raw = recording(tmp_path / "a.ogg", "ogg", "libopus").read_bytes()
    assert CANARY.encode() in raw
    message = room.attach(raw, name="a.ogg")
    heard = read_attachment(message.attachments[0])
    assert message.kind == "audio"
    assert heard.duration_ms == pytest.approx(2_000, abs=50)
    assert heard.waveform
    assert CANARY.encode() not in room.open_file(message.id).read()


def test_voice_message_is_sound_with_its_drawing(room: Room, tmp_path: Path) -> None:
    message = room.send_voice(sound(tmp_path / "a.wav", seconds=1), text="listen")
    assert (message.kind, message.metadata) == ("audio", {"voice": True})
    attachment = read_attachment(message.attachments[0])
    assert attachment.waveform
    assert attachment.duration_ms == 1_000
    assert message.text == "listen"
    with room.open_file(message.id) as opened, wave.open(opened) as played:
        assert played.getnframes() == 8_000


def test_what_is_no_sound_or_too_long_is_no_voice_message(room: Room, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no sound"):
        room.send_voice(b"text")
    limit = tmp_path / "limit.wav"
    with wave.open(str(limit), "wb") as written:
        written.setparams((1, 2, 100, 0, "NONE", ""))
        written.writeframes(bytes(200 * 300))
    room.send_voice(limit)
    longer = tmp_path / "longer.wav"
    with wave.open(str(longer), "wb") as written:
        written.setparams((1, 2, 100, 0, "NONE", ""))
        written.writeframes(bytes(200 * 301))
    with pytest.raises(ValidationError, match="at most 300 s; attach it as a file"):
        room.send_voice(longer)
    assert room.count() == 1
    assert room.attach(longer).kind == "audio"


class _Pipe(io.RawIOBase):
    """Reads a few bytes at a time and cannot go back, as pipes do."""

    def __init__(self, content: bytes) -> None:
        self._left = content

    def read(self, count: int = -1, /) -> bytes:
        part, self._left = self._left[:7], self._left[7:]
        return part
