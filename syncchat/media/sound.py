"""Sound and film: how long they last, how they look and sound in small, and without their tags.

PyAV (the extra ``media``) reads and writes what FFmpeg does: the streams are copied as they are
into a new file that has none of the old one's tags. Without it, only WAV can be read.
"""

from __future__ import annotations

import array
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ExtraMissing, ValidationError
from .images import thumbnail

WAVEFORM_POINTS = 100
"""Loudest amplitudes of equal parts, a byte each: enough for a drawing on a phone."""

WAVEFORM_MS_MAX = 10 * 60_000
"""Longer sound is not decoded for a drawing."""

_RATE = 8_000
_AS_FILE = "or attach it as a plain file (kind 'file')"
_CONTAINERS = {
    "audio/ogg": "ogg",
    "audio/opus": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp4": "mp4",
    "audio/x-m4a": "mp4",
    "audio/aac": "adts",
    "audio/flac": "flac",
    "audio/x-flac": "flac",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/webm": "webm",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
    "video/ogg": "ogg",
}


class Recording(NamedTuple):
    """Is what is said of sound or film."""

    kind: str
    duration_ms: int | None
    width: int | None
    height: int | None
    waveform: bytes | None
    thumb: bytes | None


def clean_recording(path: Path, type_: str, target: Path) -> Recording:
    """Write sound or film without its tags to ``target``; return what can be said of it.

    Raises ``ValidationError`` for what cannot be read, and ``ExtraMissing``.
    """
    if type_ in ("audio/wav", "audio/x-wav"):
        return _clean_wav(path, target)
    if type_ not in _CONTAINERS:
        raise ValidationError(
            f"{path.name}: {type_} cannot be freed of its tags, so it may tell where it was "
            f"recorded; convert it to MP4, WebM or Ogg, {_AS_FILE}"
        )
    av = _av(path)
    with _readable(path):
        with av.open(str(path)) as source:
            said = _said(source)
            _copy(av, source, target, _CONTAINERS[type_])
        return _looks(av, path, said)


def _clean_wav(path: Path, target: Path) -> Recording:
    try:
        with wave.open(str(path), "rb") as source, wave.open(str(target), "wb") as out:
            out.setparams(source.getparams())
            rate, width, channels = (
                source.getframerate(),
                source.getsampwidth(),
                source.getnchannels(),
            )
            peaks = _Peaks(source.getnframes())
            while raw := source.readframes(65_536):
                out.writeframesraw(raw)
                if width == 2:
                    peaks.add(array.array("h", raw)[::channels])
    except (wave.Error, EOFError, ValueError, ZeroDivisionError) as exc:
        raise ValidationError(f"{path.name} is no WAV file that can be read: {exc}") from exc
    duration = round(peaks.total * 1000 / rate) if rate else 0
    return Recording("audio", duration, None, None, peaks.points() if width == 2 else None, None)


def _said(source: Any) -> Recording:
    duration = None if source.duration is None else max(0, round(source.duration / 1000))
    pictures = [s for s in source.streams.video if not _is_cover(s)]
    if pictures:
        return Recording("video", duration, pictures[0].width, pictures[0].height, None, None)
    return Recording("audio", duration, None, None, None, None)


def _copy(av: Any, source: Any, target: Path, form: str) -> None:
    """Copy the streams of sound and film, and nothing else, into a new file."""
    with av.open(str(target), "w", format=form, options={"fflags": "+bitexact"}) as out:
        streams = {}
        for stream in (*source.streams.video, *source.streams.audio):
            if not _is_cover(stream):
                copy = out.add_stream_from_template(stream)
                copy.metadata.clear()
                streams[stream.index] = copy
        for packet in source.demux(*(source.streams[index] for index in streams)):
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)


def _looks(av: Any, path: Path, said: Recording) -> Recording:
    """Add the first picture of a film, or the drawing of a sound."""
    with av.open(str(path)) as source:
        if said.kind == "video":
            frame = next(iter(source.decode(video=0)), None)
            return said._replace(thumb=None if frame is None else thumbnail(frame.to_image()))
        if said.duration_ms is None or said.duration_ms > WAVEFORM_MS_MAX:
            return said
        peaks = _Peaks(max(1, said.duration_ms * _RATE // 1000))
        resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE)
        for frame in source.decode(audio=0):
            for part in resampler.resample(frame):
                raw = bytes(part.planes[0])[: part.samples * 2]
                peaks.add(array.array("h", raw))
        return said._replace(waveform=peaks.points())


def _is_cover(stream: Any) -> bool:
    """Tell whether a stream of pictures is only a cover, as music files have."""
    return bool(stream.disposition & stream.disposition.attached_pic)


class _Peaks:
    """Keeps the loudest amplitude of each of ``WAVEFORM_POINTS`` equal parts."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._at = 0
        self._loudest = [0] * WAVEFORM_POINTS

    def add(self, samples: array.array[int]) -> None:
        """Take in the next samples."""
        at = 0
        while at < len(samples):
            point = min(WAVEFORM_POINTS - 1, self._at * WAVEFORM_POINTS // max(1, self.total))
            end = -(-(point + 1) * self.total // WAVEFORM_POINTS)
            count = len(samples) - at
            if point < WAVEFORM_POINTS - 1:
                count = min(count, max(1, end - self._at))
            part = samples[at : at + count]
            self._loudest[point] = max(self._loudest[point], -min(part), *part)
            at += count
            self._at += count

    def points(self) -> bytes:
        """Return the amplitudes from 0 to 255."""
        return bytes(min(255, loud * 255 // 32_767) for loud in self._loudest)


def _av(path: Path) -> Any:
    try:
        return import_module("av")
    except ImportError as exc:
        raise ExtraMissing(
            f"{path.name}: to free sound and film of tags that may tell where they were recorded "
            f"takes the extra 'media': pip install 'syncchat[media]'; {_AS_FILE}"
        ) from exc


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    av = import_module("av")
    try:
        yield
    except (av.FFmpegError, OSError, ValueError, IndexError, EOFError) as exc:
        raise ValidationError(
            f"{path.name} cannot be read as sound or film ({exc}), so it may tell where it was "
            f"recorded; convert it, {_AS_FILE}"
        ) from exc
